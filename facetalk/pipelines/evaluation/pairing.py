"""Clips of two folders that belong together."""

from __future__ import annotations

import glob
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from facetalk.core.errors import FacetalkError, UsageError
from facetalk.data.sources import VIDEO_SUFFIXES, clip_names, once
from facetalk.io.mesh_sequence import frame_files
from facetalk.io.path_list import is_list, listed

SUFFIXES = (".npz", ".npy", *VIDEO_SUFFIXES)
"""Of the files in a folder. Single files may also be of other programs."""

TAKE = "~"
"""Before what tells apart several predictions for one reference: NAME~1, NAME~2."""


class Paths(NamedTuple):
    """Where the two clips of a pair are."""

    predicted: Path
    reference: Path


class Pairing(NamedTuple):
    """Pairs by name, and the names without a partner with the reason."""

    pairs: Mapping[str, Paths]
    unpaired: Mapping[str, str]


def paired(predicted: Path, reference: Path) -> Pairing:
    """Pair two clips, or the clips of two folders, patterns or lists with the same name without suffix.

    A folder of OBJ or PLY files is one clip. A predicted `NAME~TAKE` belongs to the reference `NAME`.

    Raises:
        FacetalkError: one of them is not there, or no names agree.
        UsageError: only one of them is a single clip, or a pattern matches nothing.
    """
    for path in (predicted, reference):
        if not (path.exists() or is_several(path)):
            raise FacetalkError(f"no such file or folder: {path}")
    if is_clip(predicted) != is_clip(reference):
        raise UsageError(f"{predicted} and {reference} must both be files or both be folders, patterns or lists")
    if is_clip(predicted):
        return Pairing({predicted.stem: Paths(predicted, reference)}, {})
    ours, theirs = clips_in(predicted), clips_in(reference)
    partners = {name: name if name in theirs else name.rpartition(TAKE)[0] for name in ours}
    pairs = {
        name: Paths(ours[name], theirs[partner]) for name, partner in sorted(partners.items()) if partner in theirs
    }
    if not pairs:
        raise FacetalkError(f"no clip in {predicted} has the name of one in {reference} ({_what_counts()})")
    unpaired = dict.fromkeys(sorted(ours.keys() - pairs.keys()), f"no clip of that name in {reference}")
    used = {partners[name] for name in pairs}
    unpaired |= dict.fromkeys(sorted(theirs.keys() - used), f"no clip of that name in {predicted}")
    return Pairing(pairs, unpaired)


def takes_of(name: str, pairs: Mapping[str, Paths]) -> list[str]:
    """Other predictions for the reference of a pair."""
    return [other for other in pairs if other != name and pairs[other].reference == pairs[name].reference]


def clips_in(folder: Path) -> dict[str, Path]:
    """Clips in a folder and its subfolders, or of a pattern or list of files and folders, by name.

    A folder of frames beside a motion or a video is another form of it, and no clip of its own. Folders come first in
    names that repeat, see `clip_names`.

    Raises:
        FacetalkError: two folders of frames have the same name, or what a list names is missing.
        UsageError: a pattern matches nothing.
    """
    shown = [inside for path in listed([folder]) for inside in _inside(path)]
    files = [path for path in shown if path.suffix.lower() in SUFFIXES and path.is_file()]
    beside = {path.parent for path in files}
    best: dict[tuple[Path, str], Path] = {}
    for path in files:  # outputs of one clip: its motion says most
        place = path.parent, path.stem
        best[place] = min(path, best.get(place, path), key=_rank)
    found = {name: path for path, name in clip_names(once(best.values())).items()}
    for path in once(path for path in shown if path.is_dir() and path.parent not in beside and frame_files(path)):
        other = found.setdefault(path.name, path)
        if other != path and other.parent != path.parent:
            raise FacetalkError(f"{other} and {path} have the same name; keep one to compare by name")
    return found


def _inside(path: Path) -> list[Path]:
    """A file; or a folder with all below it that is not hidden."""
    if not path.exists():
        raise FacetalkError(f"no such file or folder: {path}")
    return [path, *(inside for inside in sorted(path.rglob("*")) if not _is_hidden(inside.relative_to(path)))]


def is_several(path: Path) -> bool:
    """Whether a path stands for several: a list of clips, or a pattern."""
    return not path.exists() and (is_list(path) or glob.has_magic(str(path)))


def _rank(path: Path) -> int:
    return SUFFIXES.index(path.suffix.lower())


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def is_clip(path: Path) -> bool:
    """Whether a path is one clip, not a folder of clips."""
    return path.is_file() or (path.is_dir() and bool(frame_files(path)))


def _what_counts() -> str:
    return "looked for " + ", ".join(SUFFIXES[:3]) + " and folders of OBJ or PLY frames"
