"""Edits of single curves over spans of time, as an animator writes them down."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.core.config import MOST_ITEMS

EASINGS = ("smooth", "linear")
LONGEST_S = 24 * 3600.0
LARGEST = 1000.0
"""Of values and offsets: coefficients of heads without ARKit's channels have no other bound."""

_SAME_TIME_S = 1e-6


@dataclass(frozen=True)
class Edit:
    """One change of one curve."""

    channel: str
    """An expression channel, `mouthSmile` for both sides, or one of the angles `headYaw`, `headPitch`, `headRoll`,
    `eyesYaw`, `eyesPitch` in degrees."""
    span: tuple[float, float] | None = None
    """Seconds from the start of the motion between which it has its full effect; the whole motion if omitted."""
    offset: float | None = None
    """What is added."""
    value: float | None = None
    """What the curve becomes."""
    gain: float | None = None
    """What the curve is multiplied by."""
    easing: str = "smooth"
    """How the effect comes and goes: `smooth` or `linear`."""
    ease_s: float = 0.1
    """How long it takes to come before the span and to go after it, seconds; 0 for a cut."""
    lock: bool = False
    """Whether the curve is exactly at its value in the span, whatever else acts on it."""

    def __post_init__(self) -> None:
        given = [name for name in ("offset", "value", "gain") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"give one of offset, value and gain, found {' and '.join(given) or 'none'}")
        amount = getattr(self, given[0])
        if abs(amount) > LARGEST or (given[0] == "gain" and amount < 0):
            raise ValueError(f"{given[0]}={amount:g} is out of range")
        if self.span is not None and not 0 <= self.span[0] <= self.span[1] <= LONGEST_S:
            raise ValueError(f"span={list(self.span)} must be two times in seconds, the earlier one first")
        if self.easing not in EASINGS:
            near = difflib.get_close_matches(self.easing[:40], EASINGS, 1) or EASINGS
            raise ValueError(f"unknown easing {self.easing!r:.40}; did you mean {near[0]}?")
        if not 0 <= self.ease_s <= LONGEST_S:
            raise ValueError(f"ease_s={self.ease_s:g} must not be negative")
        if self.lock and self.value is None:
            raise ValueError("lock needs a value to hold")

    def frames(self, num_frames: int, fps: float) -> slice:
        """The frames that the edit changes."""
        if self.span is None:
            return slice(0, num_frames)
        first, last = ((time + ease) * fps for time, ease in zip(self.span, (-self.ease_s, self.ease_s), strict=True))
        return slice(min(max(0, int(first)), num_frames), min(max(0, int(last) + 2), num_frames))

    def weight(self, times: Float[Tensor, " frames"]) -> Float[Tensor, " frames"]:
        """How much of the effect there is at some times, 0 to 1: seconds, float64."""
        if self.span is None:
            return torch.ones_like(times)
        outside = torch.maximum(self.span[0] - times, times - self.span[1])
        if self.ease_s == 0:
            return (outside <= _SAME_TIME_S).to(times)
        linear = (1 - (outside - _SAME_TIME_S) / self.ease_s).clamp(0, 1)
        return linear if self.easing == "linear" else linear * linear * (3 - 2 * linear)


@dataclass(frozen=True)
class EditList:
    """The edits of one motion, in the order in which they act; locks act last."""

    version: int
    """1."""
    edits: tuple[Edit, ...] = ()

    def __post_init__(self) -> None:
        if self.version != 1:
            raise ValueError(f"version {self.version} is not known; this facetalk reads version 1")
        if len(self.edits) > MOST_ITEMS:
            raise ValueError(f"{len(self.edits)} edits; at most {MOST_ITEMS} are read")
