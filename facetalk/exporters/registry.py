"""The table of output formats: everything that lists, checks or writes formats reads it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, cast

from facetalk.core.errors import UsageError
from facetalk.neural_rendering.registry import NEURAL_RENDERERS

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
    takes_any_head: bool = False
    """Whether it is written from a motion as it is, for whatever head: no head is posed."""
    head_model: str = ""
    """The only kind of head that it is for, if there is one."""
    has_look: bool = False
    """Whether it holds the head with its colors."""
    avatar_module: str = ""
    """Module that writes the user's own character instead of the head, from ARKit's channels."""
    neural_module: str = ""
    """Module that writes a person of a neural renderer instead of the head, from a motion for any head."""

    @property
    def is_sequence(self) -> bool:
        """Whether each frame is a file of its own."""
        return self.suffix.startswith("_")

    @property
    def endings(self) -> tuple[str, ...]:
        """How names of its files or folders end."""
        return tuple(dict.fromkeys((self.suffix, *(f".{alias}" for alias in self.aliases))))


_NO_OPTIONS: frozenset[str] = frozenset()
FORMATS = {
    "mp4": Format(
        "mp4",
        ".mp4",
        options=frozenset({"fps", "size", "audio", "backend", "camera", "over", "avatar", *NEURAL_RENDERERS}),
        has_look=True,
        avatar_module="avatar_mp4",
        neural_module="neural_mp4",
    ),
    "npz": Format("npz", ".npz"),
    "glb": Format("glb", ".glb", options=frozenset({"fps", "avatar"}), has_look=True, avatar_module="avatar_glb"),
    "csv": Format("csv", ".csv", takes_any_head=True),
    "obj": Format("obj", "_obj", has_look=True),
    "ply": Format("ply", "_ply", has_look=True),
    "usd": Format("usd", ".usda", aliases=("usd", "usda"), has_look=True),
    "usdz": Format("usdz", ".usdz", has_look=True),
    "html": Format("html", ".html", options=frozenset({"fps", "audio"}), has_look=True),
    "bvh": Format("bvh", ".bvh"),
    "vrma": Format("vrma", ".vrma", options=frozenset({"fps", "expressions"}), takes_any_head=True),
    "a2f": Format("a2f", ".a2f.json", takes_any_head=True),
    "visemes": Format("visemes", ".visemes.csv", takes_any_head=True),
    "visemes-json": Format("visemes_json", ".visemes.json", takes_any_head=True),
    "rhubarb-tsv": Format("rhubarb_tsv", ".rhubarb.tsv", options=_NO_OPTIONS, takes_any_head=True),
    "rhubarb-json": Format("rhubarb_json", ".rhubarb.json", options=_NO_OPTIONS, takes_any_head=True),
    "rhubarb-xml": Format("rhubarb_xml", ".rhubarb.xml", options=_NO_OPTIONS, takes_any_head=True),
    "textgrid": Format("textgrid", ".TextGrid", options=_NO_OPTIONS, takes_any_head=True),
    "srt": Format("srt", ".srt", options=frozenset({"cues"}), takes_any_head=True),
    "vtt": Format("vtt", ".vtt", options=frozenset({"cues"}), takes_any_head=True),
    "events": Format("events", ".events.csv", options=_NO_OPTIONS, takes_any_head=True),
    "flame": Format("flame", ".flame.npz", head_model="FLAME"),
    "vertices": Format("vertices", ".vertices.npz"),
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
    """The format that the end of a path names: the longest known suffix counts."""
    path = Path(path)
    endings = [(ending, name) for name, entry in FORMATS.items() for ending in entry.endings]
    found = [(ending, name) for ending, name in endings if path.name.lower().endswith(ending.lower())]
    if found:
        return max(found, key=lambda pair: len(pair[0]))[1]
    for name, entry in FORMATS.items():
        if entry.is_sequence and path.suffix.lower() == f".{name}":
            folder = f"{path.stem}{entry.suffix}"
            raise UsageError(f"{name} files hold one frame each: name a folder, such as {folder}, not {path.name}")
    suffixes = ", ".join(entry.suffix for entry in FORMATS.values())
    raise UsageError(f"{path}: no format has the suffix {path.suffix!r}; known suffixes: {suffixes}")


def load_exporter(name: str, *, avatar: bool = False, neural: bool = False) -> Exporter:
    """The module that writes a format of the table.

    Args:
        name: of the format.
        avatar: whether the user's own character is shown, where a format shows anybody.
        neural: whether a person is shown by a neural renderer, where a format can.
    """
    entry = FORMATS[name]
    module = (avatar and entry.avatar_module) or (neural and entry.neural_module) or entry.module
    return cast("Exporter", import_module(f"facetalk.exporters.{module}"))


def check_avatar_formats(names: Iterable[str]) -> None:
    """Refuse formats that would show the head where the user asks for a character of their own."""
    heads = [name for name in names if FORMATS[name].has_look and not FORMATS[name].avatar_module]
    if heads:
        able = [name for name, entry in FORMATS.items() if not entry.has_look or entry.avatar_module]
        raise UsageError(f"{heads[0]} files cannot hold an avatar; with --avatar there are: {', '.join(able)}")


def check_options(name: str, given: Iterable[str]) -> None:
    """Refuse options that a format has no use for.

    Args:
        name: a format of the table.
        given: names of `ExportOptions` fields that were set.
    """
    unused = [option for option in given if option not in FORMATS[name].options]
    if unused:
        taken = ", ".join(sorted(FORMATS[name].options)) or "no options"
        raise UsageError(f"{name} files take no {', no '.join(unused)}; they take {taken}")


def check_head(name: str, head: str, model: object) -> None:
    """Refuse a head that a format is not for.

    Args:
        name: a format of the table.
        head: name of the head.
        model: what kind of head it is, as its metadata say.
    """
    needed = FORMATS[name].head_model
    if needed and model != needed:
        raise UsageError(
            f"the head {head!r} has no {needed} parameters for {name} files; --head {needed.lower()}:PATH converts the "
            f"motion to your {needed} file"
        )
