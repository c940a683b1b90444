"""A file in the published structure of GNM Head v3, with facetalk's own head in it; nothing of GNM's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from facetalk.head.assets import HeadAssets


def gnm_like(own: HeadAssets) -> dict[str, Any]:
    """The published names and shapes; shapes of our own head under GNM's regional names."""
    count = len(own.shape.template)
    template = own.shape.template.numpy()
    regions = {name: members.numpy() for name, members in own.points.regions.items()}
    upper = template[regions["lips"], 1] > np.median(template[regions["upper_lip_inner"], 1])
    groups = {
        "skin": regions["skin"],
        "left_eye": regions["left_eyeball"],
        "right_eye": regions["right_eyeball"],
        "upper_lip": regions["lips"][upper],
        "lower_lip": regions["lips"][~upper],
        "upper_teeth_and_gums": regions["upper_teeth"],
        "lower_teeth_and_gums": regions["lower_teeth"],
        "teeth": np.concatenate([regions["upper_teeth"], regions["lower_teeth"]]),
        "tongue": regions["tongue"],
    }
    shares = np.zeros((len(groups), count), np.float32)
    for row, members in zip(shares, groups.values(), strict=True):
        row[members] = 1
    ours = [0, 1, 3, 4]
    weights = own.shape.skin_weights.numpy().copy()
    weights[:, 1] += weights[:, 2]
    expression = own.shape.expression_dirs.numpy()
    names = [f"lower_face_region_{i:03d}" for i in range(len(expression))]
    faces = own.shape.faces.numpy().astype(np.int32)
    return {
        "version": "3.0",
        "variant": "head",
        "template_vertex_positions": template,
        "template_joint_positions": own.shape.joints.numpy()[ours],
        "vertex_identity_basis": own.shape.identity_dirs.numpy(),
        "joint_identity_basis": own.shape.joint_identity_dirs.numpy()[:, ours],
        "expression_basis": expression,
        "identity_names": [f"head_{i:03d}" for i in range(len(own.shape.identity_dirs))],
        "joint_names": ["neck", "head", "left_eye", "right_eye"],
        "expression_names": names,
        "joint_parent_indices": np.array([0, 0, 1, 1]),
        "skinning_weights": weights[:, ours].T,
        "quads": np.zeros((0, 4), np.int32),
        "triangles": faces,
        "quad_uvs": np.zeros((0, 4, 2), np.float32),
        "triangle_uvs": own.appearance.uv_coords.numpy()[own.appearance.uv_faces.numpy()],
        "mesh_component_names": ["skin", "left_eye", "right_eye"],
        "mirror_indices": np.arange(count),
        "joint_regressor": np.zeros((4, count), np.float32),
        "pose_correctives_regressor": np.zeros((36, 3 * count), np.float32),
        "bone_aligned_template_joint_orientations": np.tile(np.eye(3), (4, 1, 1)),
        "vertex_groups": shares,
        "vertex_group_names": list(groups),
    }


def write_gnm(values: dict[str, Any], folder: Path) -> Path:
    """`gnm_head.npz` in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(folder / "gnm_head.npz", **values)
    return folder / "gnm_head.npz"
