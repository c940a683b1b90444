"""The table of output formats: everything that lists, checks or writes formats reads it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, cast

from facetalk.core.errors import UsageError

if TYPE_CHECKING:  # torch and the renderer load with the first exporter, not with `--help`
    from facetalk.exporters.base import Exporter


@dataclass(frozen=True)
class Format:
    """One output format."""

    module: str
    """Module of this package that has `write`; imported on first use."""
    suffix: str
    """Ending of the file's name, or of the folder's name where each frame is a file."""
    aliases: tuple[str, ...] = ()
    """Other names and file suffixes, without the dot."""
    options: frozenset[str] = frozenset({"fps"})
    """Fields of `ExportOptions` that it takes."""
    needs_arkit: bool = False
    """Whether it is written from ARKit's channels for every head, instead of the head's own coefficients."""

    @property
    def is_sequence(self) -> bool:
        """Whether each frame is a file of its own."""
        return self.suffix.startswith("_")


FORMATS = {
    "mp4": Format("mp4", ".mp4", options=frozenset({"fps", "size", "audio", "backend", "camera", "over"})),
    "npz": Format("npz", ".npz"),
    "glb": Format("glb", ".glb"),
    "csv": Format("csv", ".csv", needs_arkit=True),
    "obj": Format("obj", "_obj"),
    "ply": Format("ply", "_ply"),
    "usd": Format("usd", ".usda", aliases=("usda",)),
    "usdz": Format("usdz", ".usdz"),
}
"""Formats by the name that a user gives."""


def format_named(name: str) -> str:
    """The name in the table of a name or alias."""
    wanted = name.strip().lower()
    for known, entry in FORMATS.items():
        if wanted == known or wanted in entry.aliases:
            return known
    raise UsageError(f"unknown format {name!r}; known formats: {', '.join(FORMATS)}")


def formats_named(names: Iterable[str]) -> list[str]:
    """The names in the table of several names or aliases, each once, in the order given."""
    listed = names.split(",") if isinstance(names, str) else names
    found = list(dict.fromkeys(format_named(name) for name in listed))
    if not found:
        raise UsageError(f"no format given; known formats: {', '.join(FORMATS)}")
    return found


def format_of(path: Path | str) -> str:
    """The format that the suffix of a path names."""
    path = Path(path)
    for name, entry in FORMATS.items():
        if entry.is_sequence and path.name.lower().endswith(entry.suffix):
            return name
        if path.suffix.lower()[1:] not in (name, *entry.aliases):
            continue
        if entry.is_sequence:
            folder = f"{path.stem}{entry.suffix}"
            raise UsageError(f"{name} files hold one frame each: name a folder, such as {folder}, not {path.name}")
        return name
    suffixes = ", ".join(entry.suffix for entry in FORMATS.values())
    raise UsageError(f"{path}: no format has the suffix {path.suffix!r}; known suffixes: {suffixes}")


def load_exporter(name: str) -> Exporter:
    """The module that writes a format of the table."""
    return cast("Exporter", import_module(f"facetalk.exporters.{FORMATS[name].module}"))


def check_options(name: str, given: Iterable[str]) -> None:
    """Refuse options that a format has no use for.

    Args:
        name: a format of the table.
        given: names of `ExportOptions` fields that were set.
    """
    unused = [option for option in given if option not in FORMATS[name].options]
    if unused:
        raise UsageError(
            f"{name} files take no {', no '.join(unused)}; they take {', '.join(sorted(FORMATS[name].options))}"
        )
