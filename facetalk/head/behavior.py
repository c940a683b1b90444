"""The state of head and face in FACIAL: how the head is turned, how far the lids are closed, where the brows are."""

from __future__ import annotations

from collections.abc import Mapping

POSE_NAMES = ("yaw", "pitch", "roll")
BROWS: Mapping[str, tuple[str, ...]] = {
    "raised": ("browInnerUp", "browOuterUpLeft", "browOuterUpRight"),
    "lowered": ("browDownLeft", "browDownRight"),
}
"""The expression that gestures change, and the channels of each part: they move no lips."""

STATES: Mapping[str, slice] = {"pose": slice(0, 3), "blink": slice(3, 4), "expression": slice(4, 4 + len(BROWS))}
"""Columns of a state."""
NUM_STATES = STATES["expression"].stop

BLINK_UNIT = 0.3
"""Closure of the lids that counts as much as a standard deviation of the other numbers."""

WINDOW = 128
"""Frames that are generated at once, 4.3 s."""
