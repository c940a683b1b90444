"""The state of head and face in FACIAL: how the head is turned, how far the lids are closed, where the brows are."""

from __future__ import annotations

from collections.abc import Mapping

from facetalk.head.channels import ARKIT_NAMES

POSE_NAMES = ("yaw", "pitch", "roll")
BROW_NAMES = tuple(name for name in ARKIT_NAMES if name.startswith("brow"))
"""The expression that gestures change: these channels move no lips."""

STATES: Mapping[str, slice] = {"pose": slice(0, 3), "blink": slice(3, 4), "expression": slice(4, 4 + len(BROW_NAMES))}
"""Columns of a state."""
NUM_STATES = STATES["expression"].stop

BLINK_UNIT = 0.3
"""Closure of the lids that counts as much as a standard deviation of the other numbers."""

WINDOW = 128
"""Frames that are generated at once, 4.3 s."""
