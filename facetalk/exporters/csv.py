"""ARKit curves as a table: one row per frame, columns named and ordered as the Live Link Face app writes them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.core.motion import Motion
from facetalk.core.progress import Progress, no_progress
from facetalk.core.rotations import axis_angle_to_matrix, yaw_pitch_roll
from facetalk.exporters.base import DEFAULTS, ExportOptions, in_arkit_channels
from facetalk.head.channels import ARKIT_NAMES
from facetalk.head.model import HeadModel
from facetalk.io.files import replacing

ROTATION_COLUMNS = tuple(
    f"{part}{angle}" for part in ("Head", "LeftEye", "RightEye") for angle in ("Yaw", "Pitch", "Roll")
)

# The app lists right before left in these two pairs; everything else is in Apple's order.
_SWAPPED = {"jawLeft": "jawRight", "jawRight": "jawLeft", "mouthLeft": "mouthRight", "mouthRight": "mouthLeft"}
COLUMN_CHANNELS = tuple(_SWAPPED.get(name, name) for name in ARKIT_NAMES)
COLUMN_NAMES = (*(name[0].upper() + name[1:] for name in COLUMN_CHANNELS), *ROTATION_COLUMNS)

_BLOCK = 512
"""Frames that are formatted together, so that memory does not grow with the clip."""


def write(
    path: Path,
    motion: Motion,
    head: HeadModel,
    options: ExportOptions = DEFAULTS,
    progress: Progress = no_progress,
) -> None:
    """Write 52 ARKit curves and nine angles per frame, see `Exporter`.

    A motion of a head with other channels is converted to ARKit's.

    Angles are radians: yaw is positive towards the subject's left, pitch downwards, roll towards the subject's right
    shoulder. `Timecode` is `HH:MM:SS:FF.mmm` from the clip's start, where `mmm` counts thousandths of a frame; `FF`
    counts frames of the rounded frame rate.
    """
    motion = in_arkit_channels(motion, head, options)
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="ascii") as file:
        file.write(heading() + "\n")
        for start, part in motion.blocks(_BLOCK):
            file.writelines(row + "\n" for row in table_rows(part, start))


def heading() -> str:
    """The first row of the table."""
    return ",".join(["Timecode", "BlendShapeCount", *COLUMN_NAMES])


def table_rows(motion: Motion, first: int = 0) -> Iterator[str]:
    """Yield the row of each frame.

    Args:
        motion: with ARKit's channels.
        first: number of its first frame.
    """
    line = f"%s,{len(COLUMN_NAMES)}," + ",".join(["%.6f"] * len(COLUMN_NAMES))
    for row, values in enumerate(live_link_values(motion).tolist()):
        yield line % (timecode(first + row, motion.fps), *values)


def live_link_values(motion: Motion) -> Float[Tensor, "frames 61"]:
    """The values of `COLUMN_NAMES`: 52 weights and nine angles in each frame."""
    columns = [motion.expression_names.index(name) for name in COLUMN_CHANNELS]
    return torch.cat([motion.expression[:, columns], angles(motion)], 1)


def angles(motion: Motion) -> Float[Tensor, "frames 9"]:
    """Yaw, pitch and roll of the head and both eyes, radians."""
    turned = axis_angle_to_matrix(motion.global_orient) @ axis_angle_to_matrix(motion.neck_pose)
    eyes = [axis_angle_to_matrix(pose) for pose in (motion.leye_pose, motion.reye_pose)]
    return torch.cat([yaw_pitch_roll(rotation) for rotation in (turned, *eyes)], 1)


def timecode(frame: int, fps: float) -> str:
    """`HH:MM:SS:FF.mmm` of a frame, exact for any frame rate."""
    seconds, rest = divmod(frame / fps + 1e-9, 1)
    minutes, hours = int(seconds) // 60, int(seconds) // 3600
    place = int(rest * round(fps) * 1000)
    return f"{hours:02d}:{minutes % 60:02d}:{int(seconds) % 60:02d}:{place // 1000:02d}.{place % 1000:03d}"
