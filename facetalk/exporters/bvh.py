"""BVH: neck, head, jaw and eyes as a skeleton in motion (Biovision 1999)."""

from __future__ import annotations

from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.core.motion import Motion
from facetalk.core.progress import Progress, no_progress
from facetalk.core.rotations import axis_angle_to_matrix
from facetalk.core.timing import exact_rate
from facetalk.exporters.base import DEFAULTS, ExportOptions, at_frame_rate
from facetalk.head.model import HeadModel
from facetalk.head.skinning import JOINT_PARENTS
from facetalk.io.files import replacing

JOINTS = ("Neck", "Head", "Jaw", "LeftEye", "RightEye")
"""Names of the head's joints: the neck turns by `global_orient`, the head on it by `neck_pose`."""

_CENTIMETERS = 100.0
_TIP = (0.0, 0.0, 0.05)
"""Where the bones of jaw and eyes end, meters."""
_BLOCK = 1024
_PLACE = "Xposition Yposition Zposition"
_TURN = "Zrotation Xrotation Yrotation"


def write(
    path: Path,
    motion: Motion,
    head: HeadModel,
    options: ExportOptions = DEFAULTS,
    progress: Progress = no_progress,
) -> None:
    """Write joints with the head's own places, in centimeters and degrees, see `Exporter`."""
    motion = at_frame_rate(motion, options)
    rest = _CENTIMETERS * head.shaped(motion.betas)[1]
    line = " ".join(["%.4f"] * (3 + 3 * len(JOINTS))) + "\n"
    with replacing(path) as temporary, temporary.open("w", encoding="ascii") as file:
        file.write("HIERARCHY\n" + _joint(0, rest, 0))
        file.write(f"MOTION\nFrames: {motion.num_frames}\nFrame Time: {float(1 / exact_rate(motion.fps)):.9f}\n")
        for _, part in motion.blocks(_BLOCK):
            turns = zxy_degrees(axis_angle_to_matrix(part.poses)).flatten(1)
            rows = torch.cat([rest[0] + _CENTIMETERS * part.transl, turns], 1)
            file.writelines(line % tuple(row) for row in rows.tolist())


def _joint(number: int, rest: Float[Tensor, "5 3"], depth: int) -> str:
    """A joint with all below it; they turn in the order in which they are listed."""
    parent = JOINT_PARENTS[number]
    offset = rest[number] - (rest[parent] if parent >= 0 else rest[number])
    children = [child for child, above in enumerate(JOINT_PARENTS) if above == number]
    channels = f"6 {_PLACE} {_TURN}" if parent < 0 else f"3 {_TURN}"
    lines = [f"{'ROOT' if parent < 0 else 'JOINT'} {JOINTS[number]}", "{"]
    lines += [f"\tOFFSET {_row(offset.tolist())}", f"\tCHANNELS {channels}"]
    if not children:
        tip = _row([_CENTIMETERS * value for value in _TIP])
        lines += ["\tEnd Site", "\t{", f"\t\tOFFSET {tip}", "\t}"]
    inner = "".join(_joint(child, rest, depth + 1) for child in children)
    indent = "\t" * depth
    return "".join(f"{indent}{line}\n" for line in lines) + inner + f"{indent}}}\n"


def _row(values: list[float]) -> str:
    return " ".join(f"{value:.4f}" for value in values)


def zxy_degrees(rotation: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 3"]:
    """Angles of `rotation = Rz(first) Rx(second) Ry(third)`, degrees."""
    z = torch.atan2(-rotation[..., 0, 1], rotation[..., 1, 1])
    x = torch.asin(rotation[..., 2, 1].clamp(-1, 1))
    y = torch.atan2(-rotation[..., 2, 0], rotation[..., 2, 2])
    return torch.stack([z, x, y], -1).rad2deg()
