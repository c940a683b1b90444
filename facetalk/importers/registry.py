"""The table of files that are read as motions, and the one function that reads all of them."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, cast

from facetalk.core.errors import FacetalkError, InvalidValueError, UsageError

if TYPE_CHECKING:
    from facetalk.core.motion import Motion
    from facetalk.importers.base import Importer


@dataclass(frozen=True)
class Source:
    """One kind of file."""

    module: str
    """Module of this package that has `read`; imported on first use."""
    suffixes: tuple[str, ...]
    """Endings of the file's name, lower case."""
    what: str
    """What it is, for messages."""


SOURCES = {
    "facetalk": Source("facetalk_motion", (".npz",), "a motion of facetalk"),
    "flame": Source("flame_parameters", (".npz",), "FLAME parameters"),
    "live-link-face": Source("live_link_face", (".csv",), "a recording of Live Link Face"),
    "audio2face": Source("audio2face", (".json",), "weights of Audio2Face"),
    "emotalk": Source("emotalk", (".npy",), "52 channels of EmoTalk"),
    "gltf": Source("gltf_animation", (".glb", ".gltf", ".vrm", ".vrma"), "an animation in glTF"),
}
"""Kinds of files by name."""

SUFFIXES = tuple(dict.fromkeys(suffix for source in SOURCES.values() for suffix in source.suffixes))
"""Endings of all files that can be read as a motion."""


def import_motion(path: Path | str, *, fps: float | None = None, head: str | None = None) -> Motion:
    """Read a motion from a file of facetalk or of another program.

    Args:
        path: `.npz` of facetalk or with FLAME parameters, `.csv` of Live Link Face, `.json` of Audio2Face, `.npy` of
            EmoTalk, or an animation in `.glb`, `.gltf`, `.vrm` or `.vrma`.
        fps: frame rate of files that do not state one; 30 if not given.
        head: head of FLAME parameters; the installed one if not given.

    Raises:
        FacetalkError: there is no such file, or it holds no motion.
        MissingAssetError: FLAME parameters, and no FLAME is installed.
    """
    from facetalk.core.motion import check_fps, check_values
    from facetalk.importers.base import ImportOptions

    check_fps(fps)
    path = Path(path)
    motion = load_importer(kind_of(path)).read(path, ImportOptions(fps, head))
    try:
        check_values(motion)
    except InvalidValueError as error:
        raise FacetalkError(f"{path}: {error}") from None
    return motion


def kind_of(path: Path) -> str:
    """The kind of a file by its suffix, and among archives by what is in them; `facetalk` where nothing is known."""
    kinds = [name for name, source in SOURCES.items() if path.suffix.lower() in source.suffixes]
    if len(kinds) > 1:
        from facetalk.importers.flame_parameters import holds_parameters

        return "flame" if holds_parameters(path) else "facetalk"
    return kinds[0] if kinds else "facetalk"


def load_importer(name: str) -> Importer:
    """The module that reads a kind of the table."""
    if name not in SOURCES:
        raise UsageError(f"unknown kind {name!r}; there are: {', '.join(SOURCES)}")
    return cast("Importer", import_module(f"facetalk.importers.{SOURCES[name].module}"))
