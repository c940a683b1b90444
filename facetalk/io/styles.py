"""Saved styles: `.safetensors` with one `style_code` and its metadata; the user's own are in the data folder."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.core.errors import FacetalkError, UsageError
from facetalk.core.folders import data_dir
from facetalk.io.files import make_data_folder, make_folder
from facetalk.io.weights import read_tensors, write_tensors

FORMAT = "facetalk-style"
SUFFIX = ".safetensors"
_LARGEST = 1e3
"""Codes of styles have values of about 1; further out, every talker leaves its range."""
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9._-]*")


@dataclass(frozen=True, eq=False)
class SavedStyle:
    """A style code and the talker it belongs to."""

    code: Float[Tensor, " style"]
    talker: str
    """Fingerprint of the talker: the code has no meaning for others."""
    source: str = ""
    """What it was made from, for display."""


def styles_dir() -> Path:
    """Folder of the styles that a user saved."""
    return data_dir() / "styles"


def style_path(name: str) -> Path:
    """Where a style of this name is saved."""
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} is not a valid name for a style; use letters, digits, dots, dashes, starting with a letter"
        )
    return styles_dir() / f"{name}{SUFFIX}"


def saved_names() -> list[str]:
    """Names of the styles that the user saved."""
    return sorted(path.name[: -len(SUFFIX)] for path in styles_dir().glob(f"*{SUFFIX}"))


def write_style(path: Path, style: SavedStyle, overwrite: bool = False) -> None:
    """Write a style file; its folder is created if needed."""
    if path.exists() and not overwrite:
        raise FacetalkError(f"{path} exists already; choose another name or --overwrite")
    if path.parent == styles_dir():
        make_data_folder(path.parent)
    make_folder(path.parent)
    about = {"format": FORMAT, "talker": style.talker, "source": style.source}
    write_tensors(path, {"style_code": style.code}, about)


def read_style_file(path: Path) -> SavedStyle:
    """The style in a file that `write_style` wrote."""
    tensors, about = read_tensors(path)
    if about.get("format") != FORMAT or "style_code" not in tensors:
        raise FacetalkError(f"{path} is not a saved style; facetalk styles save makes one from a video")
    code = tensors["style_code"].float()
    if code.ndim != 1 or not tensors["style_code"].is_floating_point():
        raise FacetalkError(f"{path} is not a saved style: its code is {code.ndim}-dimensional or holds no numbers")
    if not bool(torch.isfinite(code).all()) or (len(code) and float(code.abs().max()) > _LARGEST):
        raise FacetalkError(f"{path} is not a saved style: its code is not finite, or has values beyond {_LARGEST:g}")
    return SavedStyle(code, about.get("talker", "")[:100], about.get("source", "")[:4096])


def remove_style(name: str) -> None:
    """Delete a style that the user saved.

    Args:
        name: of the style; bundled styles cannot be deleted.

    Raises:
        UsageError: no saved style has this name.
    """
    if name not in saved_names():
        raise UsageError(f"no saved style is named {name!r}; there are: {', '.join(saved_names()) or 'none'}")
    style_path(name).unlink()
