"""What heads and weights there are, and whether the files are whole."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import NamedTuple

from facetalk.core.errors import MissingAssetError
from facetalk.io.heads import BUNDLED_HEADS, read_head
from facetalk.io.installed import installed_heads
from facetalk.io.weights import weights_dir

CHECKSUMS = "SHA256SUMS"
"""File in the weights folder, as `sha256sum` writes it."""


class HeadEntry(NamedTuple):
    """A head model in a list."""

    name: str
    num_vertices: int
    num_faces: int
    num_channels: int
    num_betas: int
    licence: str


class WeightsEntry(NamedTuple):
    """A folder of weights in a list."""

    name: str
    size_mb: float
    title: str
    """First line of its card."""


def list_heads() -> list[HeadEntry]:
    """The heads that a user can name: bundled ones, then installed ones."""
    return [_head_entry(name) for name in (*BUNDLED_HEADS, *installed_heads())]


def _head_entry(name: str) -> HeadEntry:
    head = read_head(name)
    sizes = (
        len(head.shape.template),
        len(head.shape.faces),
        len(head.shape.expression_names),
        len(head.shape.identity_names),
    )
    return HeadEntry(name, *sizes, str(head.meta.get("licence", "")))


def list_weights() -> list[WeightsEntry]:
    """The bundled weights."""
    folders = sorted(path.parent for path in weights_dir().glob("*/model.safetensors"))
    return [WeightsEntry(folder.name, _size_mb(folder), _title(folder)) for folder in folders]


def _size_mb(folder: Path) -> float:
    return round(sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6, 3)


def _title(folder: Path) -> str:
    card = folder / "CARD.md"
    if not card.is_file():
        return ""
    return next((line.lstrip("# ").strip() for line in card.read_text("utf-8").splitlines() if line.strip()), "")


def verify_weights(folder: Path | None = None) -> dict[str, str]:
    """What is wrong with the weight files, by file; empty if every file has its checksum."""
    folder = folder or weights_dir()
    sums_path = folder / CHECKSUMS
    if not sums_path.is_file():
        raise MissingAssetError(f"no checksums at {sums_path}; install facetalk again")
    listed = {}
    for line in sums_path.read_text("ascii").splitlines():
        checksum, _, name = line.partition("  ")
        listed[name] = checksum
    present = {path.relative_to(folder).as_posix() for path in folder.glob("*/model.safetensors")}
    problems = dict.fromkeys(sorted(present - listed.keys()), "is not listed in the checksums")
    for name, checksum in listed.items():
        path = folder / name
        if not path.is_file():
            problems[name] = "is missing; install facetalk again"
        elif hashlib.sha256(path.read_bytes()).hexdigest() != checksum:
            problems[name] = "differs from its checksum; install facetalk again"
    return problems
