"""A head as the page of `html` shows it: only the blend shapes that move, and our own renderer's look.

The page poses the head by the formula of `HeadModel`: blend shapes with correctives, then skinning on five joints.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from facetalk.core.motion import Motion
from facetalk.exporters.packed_arrays import PackedArrays
from facetalk.exporters.part_textures import encoded
from facetalk.head.assets import HeadShape
from facetalk.head.model import HeadModel
from facetalk.head.skinning import JOINT_PARENTS
from facetalk.motion.head_surface import head_surface
from facetalk.rendering.glsl import web_fragment_shader
from facetalk.rendering.lights import Studio
from facetalk.rendering.renderer import vertex_look

STEP_M = 1e-5
"""Displacements are rounded to hundredths of a millimeter."""
STILL = 1e-4
"""A channel that never exceeds this does not move: on no head is that a tenth of a millimeter."""


def moving_channels(motions: Sequence[Motion]) -> Bool[np.ndarray, " n_expression"]:
    """Which channels of a head any of its motions moves, with or without laughter."""
    width = motions[0].expression.shape[1]
    moves = np.zeros(width, bool)
    for motion in motions:
        parts = [motion.expression] if motion.laughter is None else [motion.expression, motion.laughter[:, :width]]
        for part in parts:
            moves |= part.abs().amax(0).numpy() > STILL
    return moves


def packed_head(head: HeadModel, moves: Bool[np.ndarray, " n_expression"], arrays: PackedArrays) -> dict[str, Any]:
    """Return what a page knows about a head, apart from identity.

    Args:
        head: the head.
        moves: its channels that move.
        arrays: gets the meshes.
    """
    shape, surface = head.shape, head_surface(head.assets)
    used = np.flatnonzero(moves)
    pairs, correctives = _moving_correctives(shape, moves)
    pose_dirs = correctives[:0] if shape.pose_dirs is None else shape.pose_dirs.numpy()
    dirs = np.concatenate([shape.expression_dirs.numpy()[used], correctives, pose_dirs])
    joint_dirs = None if head.joint_expression_dirs is None else head.joint_expression_dirs.numpy()[used].tolist()
    split = surface.split()
    return {
        "name": head.name,
        "channels": [shape.expression_names[channel] for channel in used],
        "pairs": pairs,
        "poseFeatures": len(pose_dirs),
        "parents": list(JOINT_PARENTS),
        "jointDirs": joint_dirs,
        "dirs": arrays.numbers(dirs.reshape(len(dirs), dirs.shape[1] * 3), STEP_M),
        "skin": arrays.numbers(shape.skin_weights.numpy().T),
        "faces": arrays.indices(surface.faces),
        "corner": arrays.indices(split.source),
        "splitFaces": arrays.indices(split.faces),
        "uv": arrays.numbers(np.ascontiguousarray(split.uv_coords.T)),
        "look": arrays.numbers(np.ascontiguousarray(vertex_look(surface).T)),
        "texture": None if surface.texture is None else base64.b64encode(encoded(surface.texture)).decode(),
        "shader": web_fragment_shader(Studio(), surface.texture is not None),
    }


def packed_identity(head: HeadModel, motion: Motion, arrays: PackedArrays) -> dict[str, Any]:
    """Return the mesh and joints at rest of the person that a motion shows."""
    template, joints = head.shaped(motion.betas)
    return {"template": arrays.numbers(template.numpy().T.copy()), "joints": joints.tolist()}


def _moving_correctives(
    shape: HeadShape, moves: Bool[np.ndarray, " n_expression"]
) -> tuple[list[list[int]], Float[np.ndarray, "n_moving vertices 3"]]:
    """Pairs of columns among the moving channels, and the displacements of the correctives that both of them move."""
    if shape.corrective_pairs is None or shape.corrective_dirs is None:
        return [], shape.expression_dirs.numpy()[:0]
    place = np.cumsum(moves) - 1
    pairs = shape.corrective_pairs.numpy()
    kept = moves[pairs].all(1)
    return place[pairs[kept]].tolist(), shape.corrective_dirs.float().numpy()[kept]
