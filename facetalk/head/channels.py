"""The 52 ARKit expression channels, by name and in Apple's order (ARFaceAnchor.BlendShapeLocation)."""

from __future__ import annotations

# fmt: off
ARKIT_NAMES: tuple[str, ...] = (
    "eyeBlinkLeft", "eyeLookDownLeft", "eyeLookInLeft", "eyeLookOutLeft", "eyeLookUpLeft", "eyeSquintLeft",
    "eyeWideLeft", "eyeBlinkRight", "eyeLookDownRight", "eyeLookInRight", "eyeLookOutRight", "eyeLookUpRight",
    "eyeSquintRight", "eyeWideRight", "jawForward", "jawLeft", "jawRight", "jawOpen", "mouthClose", "mouthFunnel",
    "mouthPucker", "mouthLeft", "mouthRight", "mouthSmileLeft", "mouthSmileRight", "mouthFrownLeft",
    "mouthFrownRight", "mouthDimpleLeft", "mouthDimpleRight", "mouthStretchLeft", "mouthStretchRight",
    "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper", "mouthPressLeft", "mouthPressRight",
    "mouthLowerDownLeft", "mouthLowerDownRight", "mouthUpperUpLeft", "mouthUpperUpRight", "browDownLeft",
    "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight", "cheekPuff", "cheekSquintLeft",
    "cheekSquintRight", "noseSneerLeft", "noseSneerRight", "tongueOut",
)
# fmt: on

LOWER_NAMES = tuple(name for name in ARKIT_NAMES if name.startswith(("jaw", "mouth")))
"""The 27 jaw and mouth channels."""

UPPER_NAMES = tuple(name for name in ARKIT_NAMES if name not in LOWER_NAMES)
"""Eyes, brows, cheeks, nose and tongue."""

BLINK_NAMES = ("eyeBlinkLeft", "eyeBlinkRight")

WIDE_NAMES = ("eyeWideLeft", "eyeWideRight")

GAZE_NAMES = tuple(name for name in ARKIT_NAMES if name.startswith("eyeLook"))
IDLE_NAMES = BLINK_NAMES + GAZE_NAMES
"""Channels that speech does not drive and gestures do. Where the eyes of a clip look depends on its
camera."""


def indices(names: tuple[str, ...], among: tuple[str, ...] = ARKIT_NAMES) -> list[int]:
    """Return the columns of some channels."""
    return [among.index(name) for name in names]


def mirrored(name: str) -> str:
    """Return the channel of the other side, or the channel itself if it has no side.

    `jawLeft` and `mouthLeft` name a direction and are mirrored in the same way.
    """
    if name.endswith("Left"):
        return name[: -len("Left")] + "Right"
    if name.endswith("Right"):
        return name[: -len("Right")] + "Left"
    return name
