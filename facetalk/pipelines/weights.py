"""Listing and verifying the bundled weights."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from facetalk.core.errors import MissingAssetError
from facetalk.io.files import file_checksum
from facetalk.io.weights import weights_dir

CHECKSUMS = "SHA256SUMS"
"""File in the weights folder, in the format of `sha256sum`."""


class WeightsEntry(NamedTuple):
    """Summary of a folder of weights."""

    name: str
    size_mb: float
    title: str
    """First line of its card."""


def list_weights() -> list[WeightsEntry]:
    """List the bundled weights."""
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
    """Return the problems of the weight files, by file; empty if every file matches its checksum."""
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
        elif file_checksum(path) != checksum:
            problems[name] = "differs from its checksum; install facetalk again"
    return problems
