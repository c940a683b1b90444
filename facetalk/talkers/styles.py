"""Speaking styles as codes: mixtures by name, strength, and the styles that were saved or come with a talker.

A style code is a vector. Between two codes lie mixtures of both styles, and beyond one of them its exaggeration.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from facetalk.core.emotions import NEUTRAL, emotion_named, is_emotion
from facetalk.core.errors import FacetalkError, UsageError
from facetalk.core.motion import Motion
from facetalk.io.styles import read_style_file, saved_names, style_path
from facetalk.io.weights import read_tensors
from facetalk.talkers.base import Talker, check_strength

BUNDLED_FILE = "styles.safetensors"
"""In a talker's folder: one code for each named style."""

MIN_WEIGHT, MAX_WEIGHT = -0.5, 1.5
"""Bounds of a style's weight in a mixture: further out, the decoders see codes unlike any of their training."""


@runtime_checkable
class StyledTalker(Talker, Protocol):
    """A talker that takes over speaking styles."""

    @property
    def neutral_style(self) -> Float[Tensor, " style"]:
        """Style code of the neutral style."""
        ...

    @property
    def styles(self) -> Mapping[str, Float[Tensor, " style"]]:
        """Style codes that come with the talker, by name."""
        ...

    def fingerprint(self) -> str:
        """Return a text that differs between talkers whose style codes mean different things."""
        ...

    def encode_style(self, motion: Motion) -> Float[Tensor, " style"]:
        """Return the style code of a reference motion."""
        ...


@dataclass(frozen=True)
class StyleEntry:
    """A style in a list."""

    name: str
    kind: str
    """`bundled` or `saved`."""
    source: str
    """What it was made from."""


def parse_mixture(text: str) -> list[tuple[str, float]]:
    """Return the parts of a mixture and their weights, which sum to 1.

    Args:
        text: `A:0.4,B:0.6`; without weights all parts count the same.

    Raises:
        UsageError: a weight is missing or out of bounds, or they do not sum to 1.
    """
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts:
        raise UsageError("a style needs a name, a video or a motion file")
    named = [_weighted(part) for part in parts]
    if all(weight is None for _, weight in named):
        return [(name, 1 / len(named)) for name, _ in named]
    missing = [name for name, weight in named if weight is None]
    if missing:
        raise UsageError(f"the style {missing[0]!r} has no weight while others have one; write it as {missing[0]}:0.5")
    weighted = [(name, weight) for name, weight in named if weight is not None]
    check_weights([weight for _, weight in weighted])
    return weighted


def check_weights(weights: Sequence[float]) -> None:
    """Refuse weights that are out of bounds or do not sum to 1."""
    outside = [weight for weight in weights if not MIN_WEIGHT <= weight <= MAX_WEIGHT]
    if outside:
        raise UsageError(f"a style's weight is {outside[0]:g}; it must lie between {MIN_WEIGHT:g} and {MAX_WEIGHT:g}")
    if abs(sum(weights) - 1) > 0.005:
        raise UsageError(f"the weights of the styles sum to {sum(weights):g}; they must sum to 1")


def mix_styles(codes: Sequence[Float[Tensor, " style"]], weights: Sequence[float]) -> Float[Tensor, " style"]:
    """Return the weighted sum of style codes.

    Args:
        codes: of the same talker.
        weights: one for each code, between -0.5 and 1.5; they sum to 1.

    Raises:
        UsageError: a weight is out of bounds, or they do not sum to 1.
    """
    check_weights(weights)
    if len(codes) == 1:
        return codes[0]
    return (torch.stack(list(codes)) * torch.tensor(weights)[:, None]).sum(0)


def strengthened(
    code: Float[Tensor, " style"], neutral: Float[Tensor, " style"], strength: float
) -> Float[Tensor, " style"]:
    """Return the code moved along the line from the neutral style.

    Args:
        code: a style.
        neutral: the talker's neutral style.
        strength: 0 gives the neutral style, 1 the code itself, 1.5 an exaggeration.
    """
    check_strength(strength)
    return neutral + strength * (code - neutral)


def style_named(name: str, talker: StyledTalker) -> Float[Tensor, " style"]:
    """Return the code of one saved or bundled style; styles of emotions also have other names, such as `joy`.

    Raises:
        FacetalkError: there is no style of this name, or it was saved for another talker.
    """
    if name in saved_names():
        return saved_style(style_path(name), talker)
    if name == NEUTRAL:
        return talker.neutral_style
    if name in talker.styles:
        return talker.styles[name].to(talker.neutral_style)
    if is_emotion(name) and emotion_named(name) in (NEUTRAL, *talker.styles):
        return style_named(emotion_named(name), talker)
    if Path(name).is_file():
        raise UsageError(
            f"{name} is a file; a talker takes what is in it: style=facetalk.resolve_style({name!r}, talker)"
        )
    known = ", ".join(entry.name for entry in style_entries(talker.styles))
    raise FacetalkError(f"no such style reference: {name}; it is neither a file nor one of the styles {known}")


def mixture_named(text: str, talker: StyledTalker) -> Float[Tensor, " style"]:
    """Return the code of a style by name, or of a mixture of styles such as `happy:0.7,mine:0.3`.

    Raises:
        UsageError: the mixture is malformed.
        FacetalkError: there is no style of one of the names, or it was saved for another talker.
    """
    parts = parse_mixture(text)
    return mix_styles([style_named(name, talker) for name, _ in parts], [weight for _, weight in parts])


def saved_style(path: Path, talker: StyledTalker) -> Float[Tensor, " style"]:
    """Return the code in a style file.

    Raises:
        FacetalkError: the file is not a style, or the style of another talker.
    """
    style = read_style_file(path)
    if style.talker != talker.fingerprint() or len(style.code) != len(talker.neutral_style):
        raise FacetalkError(f"the style {path.stem} was saved for another talker; save it again from {style.source}")
    return style.code


def bundled_styles(folder: Path) -> dict[str, Float[Tensor, " style"]]:
    """Return the named styles in a talker's folder; none if it has no file of styles."""
    path = folder / BUNDLED_FILE
    codes = {name: code.float() for name, code in read_tensors(path)[0].items()} if path.is_file() else {}
    for name, code in codes.items():
        if code.ndim != 1 or not bool(torch.isfinite(code).all()) or not name.isprintable():
            raise FacetalkError(f"{path} holds no style codes: {name[:40]!r} is not a list of finite numbers")
    return codes


def style_entries(bundled: Collection[str]) -> list[StyleEntry]:
    """Return the styles that can be named: bundled ones, then the user's own.

    Args:
        bundled: names of the styles that come with the talker.
    """
    entries = [StyleEntry(NEUTRAL, "bundled", "mean over the talker's training clips without a named mood")]
    entries += [StyleEntry(name, "bundled", "mean over several speakers") for name in sorted(bundled)]
    return entries + [StyleEntry(name, "saved", read_style_file(style_path(name)).source) for name in saved_names()]


def fingerprint(style_encoder: nn.Module) -> str:
    """Return a hash of a style encoder's weights: codes of encoders that differ mean different things."""
    digest = hashlib.sha256()
    for name, value in sorted(style_encoder.state_dict().items()):
        digest.update(name.encode() + value.half().numpy().tobytes())
    return digest.hexdigest()[:16]


def _weighted(part: str) -> tuple[str, float | None]:
    name, colon, number = part.rpartition(":")
    if not colon or not name:
        return part, None
    try:
        return name, float(number)
    except ValueError:
        return part, None
