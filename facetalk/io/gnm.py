"""GNM Head files: `gnm_head.npz` of version 3, and `head_sparse_68.txt` next to it if the user has it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from facetalk.core.errors import FacetalkError, MissingAssetError
from facetalk.head.gnm import JOINT_NAMES, GnmArrays
from facetalk.io.named_arrays import NamedArrays
from facetalk.io.pickles import read_arrays

FILE_NAME = "gnm_head.npz"
LANDMARK_FILE = "head_sparse_68.txt"
HOW_TO_GET = (
    "download v3_0/gnm_head.npz from https://huggingface.co/google/gnm-v3 (Apache-2.0) and give it as --head gnm:PATH"
)

_NEEDED = (
    "version", "variant", "template_vertex_positions", "template_joint_positions", "vertex_identity_basis",
    "joint_identity_basis", "expression_basis", "identity_names", "joint_names", "expression_names",
    "joint_parent_indices", "skinning_weights", "triangles", "triangle_uvs", "pose_correctives_regressor",
    "vertex_groups", "vertex_group_names",
)  # fmt: skip
_GROUPS = ("skin", "left_eye", "right_eye", "upper_lip", "lower_lip")
_MOST_LANDMARK_BYTES = 1 << 20
_PARENTS = (0, 1, 1)
"""Parents of head, left eye and right eye."""


def find_gnm(path: Path) -> Path:
    """Find the model file at a path, or in a folder."""
    path = path / FILE_NAME if path.is_dir() else path
    if not path.is_file():
        raise MissingAssetError(f"no GNM file at {path}; {HOW_TO_GET}")
    return path


def read_gnm(path: Path) -> GnmArrays:
    """Read the arrays of GNM Head v3, and the sparse landmarks beside its file."""
    values = read_arrays(path)
    missing = [key for key in _NEEDED if key not in values]
    if missing:
        raise FacetalkError(f"{path} is not a GNM file: {', '.join(missing)} missing; {HOW_TO_GET}")
    file = NamedArrays(path, values, "a GNM file")
    version, variant = file.text("version"), file.text("variant")
    if not version.startswith("3.") or variant != "head":
        raise FacetalkError(f"{path} is GNM {variant} {version}; facetalk reads GNM head 3")
    joint_names, group_names = file.texts("joint_names"), file.texts("vertex_group_names")
    if joint_names != JOINT_NAMES or tuple(file.numbers("joint_parent_indices", 4)[1:]) != _PARENTS:
        raise FacetalkError(f"{path}: joints are {', '.join(joint_names)}, expected {', '.join(JOINT_NAMES)}")
    identity_names, expression_names = file.texts("identity_names"), file.texts("expression_names")
    template = file.numbers("template_vertex_positions", None, 3).astype(np.float32)
    count, num_betas = len(template), len(identity_names)
    groups = dict(zip(group_names, file.numbers("vertex_groups", len(group_names), count), strict=True))
    absent = [group for group in _GROUPS if group not in groups or not (groups[group] > 0).any()]
    if absent:
        raise FacetalkError(f"{path} lacks the vertex groups {', '.join(absent)}")
    faces = file.indices("triangles", count, None, 3)
    return GnmArrays(
        template=template,
        identity=file.numbers("vertex_identity_basis", num_betas, count, 3).astype(np.float32),
        identity_names=identity_names,
        expression=file.numbers("expression_basis", len(expression_names), count, 3).astype(np.float32),
        expression_names=expression_names,
        joints=file.numbers("template_joint_positions", 4, 3).astype(np.float64),
        joint_identity=file.numbers("joint_identity_basis", num_betas, 4, 3).astype(np.float64),
        skin_weights=file.numbers("skinning_weights", 4, count).astype(np.float32),
        pose_correctives=file.numbers("pose_correctives_regressor", 36, 3 * count).astype(np.float32),
        faces=faces,
        face_uvs=file.numbers("triangle_uvs", len(faces), 3, 2).astype(np.float32),
        groups=groups,
        landmarks=_read_landmarks(path.with_name(LANDMARK_FILE), template),
    )


def _read_landmarks(path: Path, template: np.ndarray) -> np.ndarray | None:
    """The sparse points at rest; each row alternates three vertices and their weights."""
    if not path.is_file():
        return None
    try:
        if path.stat().st_size > _MOST_LANDMARK_BYTES:
            raise ValueError(f"it has {path.stat().st_size} bytes")
        rows = np.loadtxt(path, comments="#", ndmin=2)
        places = rows[:, 0::2]
        if not np.isfinite(rows).all() or rows.shape[1] % 2 or not 0 <= places.min() <= places.max() < len(template):
            raise ValueError("a row does not alternate vertices and weights")
        return (template[places.astype(np.int64)] * rows[:, 1::2, None]).sum(1).reshape(68, 3)
    except (ValueError, IndexError) as error:
        raise FacetalkError(f"{path} is not a list of 68 points ({error}); remove it or fetch it again") from None
