"""How much a video flickers, from its frames alone."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from jaxtyping import Float, UInt8

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
STILL_SHARE = 0.25
"""Share of the pixels, those of a reference that change least, that count as its still parts."""


class Changes:
    """How much each pixel of a video changes; frames are added one by one, and only three are held."""

    def __init__(self) -> None:
        self._held: list[Float[np.ndarray, "height width"]] = []
        self._first: Float[np.ndarray, "height width"] | float = 0.0
        self._second: Float[np.ndarray, "height width"] | float = 0.0
        self.count = 0
        """Second differences so far."""

    def add(self, image: UInt8[np.ndarray, "height width 3"]) -> Float[np.ndarray, "height width"] | None:
        """Add a frame; returns the second difference at the frame before, or None before the third frame."""
        self._held = [*self._held[-2:], image.astype(np.float32) @ _LUMA]
        if len(self._held) < 3:
            return None
        before, here, after = self._held
        second = np.abs(before - 2 * here + after)
        self._first = self._first + np.abs(after - here)
        self._second = self._second + second
        self.count += 1
        return second

    def motion(self) -> Float[np.ndarray, "height width"]:
        """Mean absolute difference between frames, gray levels; zero without three frames."""
        return np.asarray(self._first / max(1, self.count))

    def flicker(self) -> Float[np.ndarray, "height width"]:
        """Mean absolute second difference, gray levels: steady motion hardly has any, what flickers has much."""
        return np.asarray(self._second / max(1, self.count))


def flicker_of_still_parts(
    pairs: Iterable[tuple[UInt8[np.ndarray, "height width 3"], UInt8[np.ndarray, "height width 3"]]],
) -> tuple[float, float]:
    """Mean absolute second difference of a video and of its reference where the reference changes least.

    Args:
        pairs: frames of both, in order.

    Returns:
        Gray levels from 0 to 255; NaN for fewer than three frames.
    """
    ours, theirs = Changes(), Changes()
    for predicted, reference in pairs:
        ours.add(predicted)
        theirs.add(reference)
    if theirs.count == 0:
        return float("nan"), float("nan")
    motion = theirs.motion()
    still = motion <= np.quantile(motion, STILL_SHARE)
    return float(ours.flicker()[still].mean()), float(theirs.flicker()[still].mean())
