"""GNM Head files: `gnm_head.npz` of version 3, and `head_sparse_68.txt` next to it if the user has it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from facetalk.core.errors import FacetalkError, MissingAssetError
from facetalk.head.gnm import JOINT_NAMES, GnmArrays
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
    version, variant = str(values["version"]), str(values["variant"])
    if not version.startswith("3.") or variant != "head":
        raise FacetalkError(f"{path} is GNM {variant} {version}; facetalk reads GNM head 3")
    texts = {key: tuple(str(text) for text in values[key]) for key in values if key.endswith("_names")}
    if texts["joint_names"] != JOINT_NAMES or tuple(values["joint_parent_indices"][1:]) != _PARENTS:
        raise FacetalkError(f"{path}: joints are {', '.join(texts['joint_names'])}, expected {', '.join(JOINT_NAMES)}")
    groups = dict(zip(texts["vertex_group_names"], np.asarray(values["vertex_groups"]), strict=True))
    absent = [group for group in _GROUPS if group not in groups]
    if absent:
        raise FacetalkError(f"{path} lacks the vertex groups {', '.join(absent)}")
    template = np.asarray(values["template_vertex_positions"], np.float32)
    _check_shapes(path, values, len(template), texts)
    return GnmArrays(
        template=template,
        identity=np.asarray(values["vertex_identity_basis"], np.float32),
        identity_names=texts["identity_names"],
        expression=np.asarray(values["expression_basis"], np.float32),
        expression_names=texts["expression_names"],
        joints=np.asarray(values["template_joint_positions"], np.float64),
        joint_identity=np.asarray(values["joint_identity_basis"], np.float64),
        skin_weights=np.asarray(values["skinning_weights"], np.float32),
        pose_correctives=np.asarray(values["pose_correctives_regressor"], np.float32),
        faces=np.asarray(values["triangles"], np.int64),
        face_uvs=np.asarray(values["triangle_uvs"], np.float32),
        groups=groups,
        landmarks=_read_landmarks(path.with_name(LANDMARK_FILE), template),
    )


def _check_shapes(path: Path, values: dict, num_vertices: int, texts: dict[str, tuple[str, ...]]) -> None:
    num_betas, num_expression = len(texts["identity_names"]), len(texts["expression_names"])
    expected = {
        "vertex_identity_basis": (num_betas, num_vertices, 3),
        "expression_basis": (num_expression, num_vertices, 3),
        "template_joint_positions": (4, 3),
        "joint_identity_basis": (num_betas, 4, 3),
        "skinning_weights": (4, num_vertices),
        "pose_correctives_regressor": (36, 3 * num_vertices),
        "vertex_groups": (len(texts["vertex_group_names"]), num_vertices),
        "triangle_uvs": (len(values["triangles"]), 3, 2),
    }
    for key, shape in expected.items():
        if np.shape(values[key]) != shape:
            raise FacetalkError(f"{path}: {key} has shape {np.shape(values[key])}, expected {shape}")


def _read_landmarks(path: Path, template: np.ndarray) -> np.ndarray | None:
    """The sparse points at rest; each row alternates three vertices and their weights."""
    if not path.is_file():
        return None
    try:
        rows = np.loadtxt(path, comments="#", ndmin=2)
        return (template[rows[:, 0::2].astype(np.int64)] * rows[:, 1::2, None]).sum(1).reshape(68, 3)
    except (ValueError, IndexError) as error:
        raise FacetalkError(f"{path} is not a list of 68 points ({error}); remove it or fetch it again") from None
