"""FLAME written out slowly, in double precision, vertex by vertex: what the fast layer is compared with."""

from __future__ import annotations

import numpy as np

from facetalk.head.flame import FlameArrays

PARENTS = (-1, 0, 1, 1, 1)


def rotation(axis_angle: np.ndarray) -> np.ndarray:
    angle = float(np.linalg.norm(axis_angle))
    if angle < 1e-12:
        return np.eye(3)
    x, y, z = axis_angle / angle
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def flame_frame(
    arrays: FlameArrays, betas: np.ndarray, psi: np.ndarray, poses: np.ndarray, transl: np.ndarray
) -> np.ndarray:
    """One frame of FLAME by the article's equations; joints from the shaped head, as in the published layers."""
    shaped = arrays.template.copy()
    for i, weight in enumerate(betas):
        shaped += weight * arrays.identity[:, :, i]
    for i, weight in enumerate(psi):
        shaped += weight * arrays.expression[:, :, i]
    joints = arrays.joint_regressor @ shaped
    turns = [rotation(pose) for pose in poses]
    features = np.concatenate([(turn - np.eye(3)).ravel() for turn in turns[1:]])
    for i, feature in enumerate(features):
        shaped += feature * arrays.pose[:, :, i]
    world = []
    for joint, parent in enumerate(PARENTS):
        local = np.eye(4)
        local[:3, :3] = turns[joint]
        local[:3, 3] = joints[joint] - (joints[parent] if parent >= 0 else 0)
        world.append(local if parent < 0 else world[parent] @ local)
    out = np.zeros_like(shaped)
    for vertex, place in enumerate(shaped):
        for joint in range(5):
            rest = np.append(place - joints[joint], 1)
            out[vertex] += arrays.skin_weights[vertex, joint] * (world[joint] @ rest)[:3]
    return out + transl
