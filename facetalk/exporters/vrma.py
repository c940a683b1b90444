"""VRM animations (`.vrma`): a humanoid that turns neck and head, moves its eyes and shows expressions.

A glTF file with the extension VRMC_vrm_animation 1.0: bones are nodes in VRM's T-pose, the weight of an expression is
the x of a node's translation, and the direction of the gaze is the rotation of a node.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.core.motion import Motion
from facetalk.core.progress import Progress, no_progress
from facetalk.core.rotations import axis_angle_to_matrix, axis_angle_to_quaternion, matrix_to_axis_angle
from facetalk.core.version import __version__
from facetalk.exporters.base import DEFAULTS, ExportOptions, in_arkit_channels
from facetalk.exporters.glb_file import GlbFile
from facetalk.exporters.keys import ROTATION_TOLERANCE, WEIGHT_TOLERANCE, needed_keys
from facetalk.head.channels import ARKIT_NAMES
from facetalk.head.model import HeadModel
from facetalk.io.files import replacing
from facetalk.io.vrm import VOWELS
from facetalk.motion.visemes import viseme_weights

_EXTENSION = "VRMC_vrm_animation"
_BONES: dict[str, tuple[str, tuple[float, float, float]]] = {
    "hips": ("", (0, 0.95, 0)),
    "spine": ("hips", (0, 0.1, 0)),
    "chest": ("spine", (0, 0.15, 0)),
    "neck": ("chest", (0, 0.25, 0)),
    "head": ("neck", (0, 0.1, 0)),
    **{f"{side}UpperLeg": ("hips", (0.09 * sign, -0.05, 0)) for side, sign in (("left", 1), ("right", -1))},
    **{f"{side}LowerLeg": (f"{side}UpperLeg", (0, -0.42, 0)) for side in ("left", "right")},
    **{f"{side}Foot": (f"{side}LowerLeg", (0, -0.4, 0)) for side in ("left", "right")},
    **{f"{side}UpperArm": ("chest", (0.18 * sign, 0.2, 0)) for side, sign in (("left", 1), ("right", -1))},
    **{f"{side}LowerArm": (f"{side}UpperArm", (0.27 * sign, 0, 0)) for side, sign in (("left", 1), ("right", -1))},
    **{f"{side}Hand": (f"{side}LowerArm", (0.25 * sign, 0, 0)) for side, sign in (("left", 1), ("right", -1))},
}
"""Parent and place in meters of the bones that VRM asks for, and of chest and neck: a person of 1.7 m, facing +z."""

_SMILE = 0.3
"""Smiles up to this come with speech. The `happy` of many avatars keeps their mouth from moving, so it is for more."""
_EYES_ABOVE_HEAD_BONE = 0.06
_TOLERANCE = 2 * WEIGHT_TOLERANCE
"""Largest error of a weight: what GLB files have with their rounding, of which there is none here."""
_BLOCK = 4096


def write(
    path: Path,
    motion: Motion,
    head: HeadModel,
    options: ExportOptions = DEFAULTS,
    progress: Progress = no_progress,
) -> None:
    """Write bones, gaze, and preset and custom expressions, see `Exporter`.

    The head's rotation is divided equally between neck and head; the body stays in place.
    """
    motion = in_arkit_channels(motion, head, options)
    with replacing(path) as temporary:
        _save(temporary, motion, options.expressions)


def _save(path: Path, motion: Motion, wanted: str) -> None:
    file, bones = GlbFile(), list(_BONES)
    nodes = [_bone(name) for name in bones]
    roots, samplers, channels = [0], [], []  # the hips, then all that is no bone
    expressions: dict[str, dict[str, Any]] = {}

    def animate(node: int, path: str, values: np.ndarray, keep: np.ndarray) -> None:
        times = file.accessor((np.flatnonzero(keep) / motion.fps).astype(np.float32))
        channels.append({"sampler": len(samplers), "target": {"node": node, "path": path}})
        output = file.accessor(np.ascontiguousarray(values[keep], np.float32))
        samplers.append({"input": times, "interpolation": "LINEAR", "output": output})

    def free_node(name: str) -> int:
        roots.append(len(nodes))
        nodes.append({"name": name})
        return roots[-1]

    turn, gaze = _half_turns(motion), _quaternions((motion.leye_pose + motion.reye_pose) / 2)
    for bone in ("neck", "head"):
        animate(bones.index(bone), "rotation", turn, needed_keys(turn, ROTATION_TOLERANCE))
    for kind, name, weights in _weights(motion, wanted):
        node = free_node(name)
        moved = np.zeros((len(weights), 3), np.float32)
        moved[:, 0] = weights
        animate(node, "translation", moved, needed_keys(moved[:, :1], _TOLERANCE))
        expressions.setdefault(kind, {})[name] = {"node": node}
    look = free_node("lookAt")
    animate(look, "rotation", gaze, needed_keys(gaze, ROTATION_TOLERANCE))
    notes = {"fps": motion.fps, "frames": motion.num_frames, "source": PurePath(motion.source).name}
    extension = {
        "specVersion": "1.0",
        "humanoid": {"humanBones": {name: {"node": number} for number, name in enumerate(bones)}},
        "expressions": expressions,
        "lookAt": {"node": look, "offsetFromHeadBone": [0.0, _EYES_ABOVE_HEAD_BONE, 0.0]},
    }
    file.save(
        path,
        {
            "asset": {"version": "2.0", "generator": f"facetalk {__version__}"},
            "scene": 0,
            "scenes": [{"nodes": roots, "extras": notes}],
            "nodes": nodes,
            "animations": [{"name": "performance", "samplers": samplers, "channels": channels, "extras": notes}],
            "extensionsUsed": [_EXTENSION],
            "extensions": {_EXTENSION: extension},
        },
    )


def _bone(name: str) -> dict[str, Any]:
    children = [number for number, (parent, _) in enumerate(_BONES.values()) if parent == name]
    node: dict[str, Any] = {"name": name, "translation": list(_BONES[name][1])}
    return {**node, "children": children} if children else node


def _weights(motion: Motion, wanted: str) -> Iterator[tuple[str, str, Float[np.ndarray, " frames"]]]:
    """Kind, name and weight of each expression, one after the other."""
    if wanted != "arkit":
        vowels = viseme_weights(motion, tuple(VOWELS.values())).numpy()
        for column, name in enumerate(VOWELS):
            yield "preset", name, vowels[:, column]
        for side in ("Left", "Right"):
            yield "preset", f"blink{side}", _channel(motion, f"eyeBlink{side}")
        smile = (_channel(motion, "mouthSmileLeft") + _channel(motion, "mouthSmileRight")) / 2
        yield "preset", "happy", ((smile - _SMILE) / (1 - _SMILE)).clip(0)
    if wanted != "preset":
        for name in ARKIT_NAMES:
            yield "custom", name, _channel(motion, name)


def _channel(motion: Motion, name: str) -> Float[np.ndarray, " frames"]:
    return motion.channel(name).numpy().clip(0, 1)


def _half_turns(motion: Motion) -> Float[np.ndarray, "frames 4"]:
    """Half of the head's rotation in each frame, as x, y, z, w."""
    parts = []
    for _, part in motion.blocks(_BLOCK):
        whole = axis_angle_to_matrix(part.global_orient) @ axis_angle_to_matrix(part.neck_pose)
        parts.append(_quaternions(matrix_to_axis_angle(whole) / 2))
    return np.concatenate(parts)


def _quaternions(axis_angle: Float[Tensor, "frames 3"]) -> Float[np.ndarray, "frames 4"]:
    """Rotations as x, y, z, w."""
    return torch.roll(axis_angle_to_quaternion(axis_angle), -1, 1).numpy()
