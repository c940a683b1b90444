"""Media files of the user: found in folders, and named."""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from facetalk.core.errors import UsageError
from facetalk.io.files import what_is

_log = logging.getLogger(__name__)

AUDIO_SUFFIXES = (
    ".wav", ".mp3", ".m4a", ".flac", ".ogg", ".opus", ".oga", ".aac", ".wma", ".aiff", ".aif", ".aifc", ".au", ".caf",
    ".amr", ".w64", ".rf64", ".ac3", ".mka", ".weba",
)  # fmt: skip
VIDEO_SUFFIXES = (".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v", ".mpg", ".mpeg", ".flv", ".ts", ".wmv")


def find_videos(paths: Iterable[Path | str]) -> list[Path]:
    """The given videos, and those in the given folders and their subfolders, sorted by path."""
    return find_media(paths, VIDEO_SUFFIXES, "video")


def find_speech(paths: Iterable[Path | str]) -> list[Path]:
    """The given audio files and videos, and those in the given folders and their subfolders, sorted by path."""
    return find_media(paths, (*AUDIO_SUFFIXES, *VIDEO_SUFFIXES), "audio")


def find_media(paths: Iterable[Path | str], suffixes: Sequence[str], kind: str) -> list[Path]:
    """The given files, and those with one of the suffixes in the given folders, each once.

    Args:
        paths: files, which are taken whatever their suffix, and folders. Links to folders are followed; every folder is
            searched once, under its own name where it has one below the given folder. Hidden files are left out.
        suffixes: lower case, with the dot.
        kind: names the files in messages, such as `video`.

    Raises:
        UsageError: a folder holds no such file.
    """
    if isinstance(paths, str | bytes | os.PathLike):
        raise UsageError(f"a list of paths is needed, not {str(paths)!r:.80} alone: put it in brackets")
    found: list[Path] = []
    for path in map(Path, paths):
        if not path.is_dir():
            found.append(path)
            continue
        folders = list(_folders(path))
        media = [entry for folder in folders for entry in _entries(folder) if entry.suffix.lower() in suffixes]
        inside = sorted(entry for entry in media if entry.is_file())
        for entry in media:
            _warn_about_other(entry)
        if not inside:
            raise UsageError(f"no {kind} files found in {path} (looked for {', '.join(suffixes)})")
        found += inside
    return once(found)


def once(paths: Iterable[Path]) -> list[Path]:
    """The paths without those that are another spelling of an earlier one, such as `sub/../a.wav` for `a.wav`."""
    folders: dict[Path, str] = {}
    kept: dict[tuple[str, str], Path] = {}
    for path in paths:
        folder = folders.get(path.parent) or folders.setdefault(path.parent, os.path.realpath(path.parent))
        kept.setdefault((folder, path.name), path)
    return list(kept.values())


def _folders(top: Path) -> Iterator[Path]:
    """A folder and all below it, each once: those behind links come last, unless they were seen already."""
    seen: set[tuple[int, int]] = set()
    waiting, links = [top], []
    while waiting or links:
        folder = waiting.pop() if waiting else links.pop(0)
        try:
            state = folder.stat()
            inside = sorted(Path(entry.path) for entry in os.scandir(folder) if entry.is_dir())
        except OSError as error:
            _log.warning("%s is not searched: %s", folder, error.strerror)
            continue
        if (state.st_dev, state.st_ino) in seen:
            continue
        seen.add((state.st_dev, state.st_ino))
        yield folder
        for below in inside:
            if not below.name.startswith("."):
                (links if below.is_symlink() else waiting).append(below)


def _entries(folder: Path) -> list[Path]:
    """What is in a folder and not hidden; nothing if it has disappeared."""
    try:
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        _log.warning("%s is not searched: %s", folder, error.strerror)
        return []


def _warn_about_other(path: Path) -> None:
    """Name what has the suffix of a media file and is none: it may be a recording that the user counts on."""
    if path.is_file() or path.is_dir():
        return
    if path.is_symlink():
        _log.warning("%s is skipped: it is a link to %s, which does not exist", path, path.readlink())
    elif path.exists():
        _log.warning("%s is skipped: it is %s", path, what_is(path))


def output_name(file: Path | str) -> str:
    """The name that outputs of a file get: its stem.

    Raises:
        UsageError: the stem is `.` or `..`, which as a folder's name leads to another folder.
    """
    stem = Path(file).stem
    if stem in (".", ".."):
        raise UsageError(f"{file} without its suffix is {stem!r}, which cannot name its outputs; rename the file")
    return stem


def clip_names(videos: Sequence[Path]) -> dict[Path, str]:
    """A unique name for each file: its stem, after as many folder names as it takes to be unique.

    Files of one folder that differ in their suffix alone have it in their name: `clip_wav`, `clip_mp3`.
    """
    names = _names_in_folders(videos)
    parts = {video: (*video.absolute().parent.parts, name) for video, name in names.items()}
    for depth in range(2, max(map(len, parts.values()), default=0) + 1):
        taken = Counter(names.values())
        ambiguous = [video for video, name in names.items() if taken[name] > 1]
        if not ambiguous:
            break
        for video in ambiguous:
            names[video] = "__".join(part.strip("/") for part in parts[video][-depth:])
    taken = Counter(names.values())
    for number, video in enumerate([video for video, name in names.items() if taken[name] > 1], 1):
        names[video] += f"_{number}"  # a__b/c.wav and a/b__c.wav
    return names


def _names_in_folders(files: Iterable[Path]) -> dict[Path, str]:
    """A name for each file that no other file of its folder has."""
    stems = {file: output_name(file) for file in files}
    owners = Counter((file.parent, stem) for file, stem in stems.items())
    taken = {place for place, count in owners.items() if count == 1}
    for file, stem in stems.items():
        if owners[file.parent, stem] > 1:
            name = stem + file.suffix.replace(".", "_")
            while (file.parent, name) in taken:
                name += "_"
            taken.add((file.parent, name))
            stems[file] = name
    return stems
