"""The state of head and face in FACIAL: how the head is turned, blinks, and where brows and lids are between them."""

from __future__ import annotations

from collections.abc import Mapping

from facetalk.head.channels import BLINK_NAMES

POSE_NAMES = ("yaw", "pitch", "roll")
PARTS: Mapping[str, tuple[str, ...]] = {
    "raised": ("browInnerUp", "browOuterUpLeft", "browOuterUpRight"),
    "lowered": ("browDownLeft", "browDownRight"),
    "lids": BLINK_NAMES,
}
"""The expression that gestures change, brows and the lids between blinks, and the channels of each part: no lips."""

STATES: Mapping[str, slice] = {"pose": slice(0, 3), "blink": slice(3, 4), "expression": slice(4, 4 + len(PARTS))}
"""Columns of a state."""
NUM_STATES = STATES["expression"].stop
MOVING = tuple(column for column in range(NUM_STATES) if column != STATES["blink"].start)
"""Columns that move all the time; lids close now and then."""

BLINK_UNIT = 0.3
"""Closure of the lids that counts as much as a standard deviation of the other numbers."""

WINDOW = 128
"""Frames that are generated at once, 4.3 s."""
