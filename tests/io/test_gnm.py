"""GNM Head files: written here in the published structure, because no published file may lie in the repository."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from facetalk.core.errors import FacetalkError, MissingAssetError
from facetalk.head.assets import HeadAssets
from facetalk.head.model import HeadModel
from facetalk.io.gnm import read_gnm
from facetalk.motion.heads import load_head_assets
from tests.head.flame_reference import rotation
from tests.io.gnm_files import gnm_like, write_gnm


@pytest.fixture(scope="module")
def own() -> HeadAssets:
    return load_head_assets("facetalk")


@pytest.fixture(scope="module")
def values(own: HeadAssets) -> dict[str, Any]:
    return gnm_like(own)


@pytest.fixture(scope="module")
def gnm(values: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> HeadModel:
    path = write_gnm(values, tmp_path_factory.mktemp("gnm"))
    return HeadModel(load_head_assets(f"gnm:{path}"))


@pytest.mark.slow
def test_points_land_where_they_were(gnm: HeadModel, own: HeadAssets) -> None:
    for kind, limit in (("mediapipe", 0.0015), ("landmarks", 0.0015)):
        ours, carried = getattr(own.points, kind).on(own.shape.template), getattr(gnm.points, kind).on(gnm.template)
        assert (ours - carried).norm(dim=1).mean() < limit
    for name in ("lips", "brows", "upper_face"):
        ours, carried = set(own.points.regions[name].tolist()), set(gnm.points.regions[name].tolist())
        assert len(ours & carried) > 0.9 * len(ours | carried), name


def test_joints_turn_what_they_should(gnm: HeadModel, values: dict[str, Any]) -> None:
    generator = np.random.default_rng(0)
    turns = 0.4 * generator.normal(size=(4, 3))
    betas = torch.randn(gnm.num_betas, generator=torch.Generator().manual_seed(0)) * 0.5
    poses = torch.zeros(1, 5, 3)
    poses[0, [0, 1, 3, 4]] = torch.from_numpy(turns).float()
    fast = gnm(torch.zeros(1, len(gnm.expression_dirs)), poses, torch.zeros(1, 3), betas)[0].numpy()
    weights = betas.double().numpy()
    rest = values["template_vertex_positions"] + np.einsum("i,ivc->vc", weights, values["vertex_identity_basis"])
    joints = values["template_joint_positions"] + np.einsum("i,ijc->jc", weights, values["joint_identity_basis"])
    world: list[tuple[np.ndarray, np.ndarray]] = []
    for joint, parent in enumerate((None, 0, 1, 1)):
        turn, place = rotation(turns[joint]), joints[joint]
        if parent is not None:
            turn, place = (
                world[parent][0] @ turn,
                world[parent][1] + world[parent][0] @ (joints[joint] - joints[parent]),
            )
        world.append((turn, place))
    slow = sum(
        share[:, None] * ((rest - joints[joint]) @ world[joint][0].T + world[joint][1])
        for joint, share in enumerate(values["skinning_weights"])
    )
    assert np.abs(fast - slow).max() < 1e-6, "meters"


def test_correctives_of_all_four_joints_are_used(
    values: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = len(values["template_vertex_positions"])
    table = np.zeros((36, 3 * count), np.float32)
    table[9 + 1, 0] = 0.5  # the head's turn, element (0, 1), moves the first vertex along x
    path = write_gnm(values | {"pose_correctives_regressor": table}, tmp_path)
    head = HeadModel(load_head_assets(f"gnm:{path}"))
    poses = torch.zeros(2, 5, 3)
    poses[1, 1, 2] = 0.3
    zero = torch.zeros(2, len(head.expression_dirs))
    moved = head(zero, poses, torch.zeros(2, 3), torch.zeros(head.num_betas))
    head.pose_dirs, head._planes = None, None
    plain = head(zero, poses, torch.zeros(2, 3), torch.zeros(head.num_betas))
    difference = (moved - plain)[1]
    assert difference[1:].abs().max() < 1e-6
    assert difference[0].norm() == pytest.approx(0.5 * np.sin(0.3), rel=1e-4)


def test_sparse_landmarks_beside_the_file_are_used(values: dict[str, Any], own: HeadAssets, tmp_path: Path) -> None:
    path = write_gnm(values, tmp_path)
    corners, weights = own.points.landmarks.triangles.numpy(), own.points.landmarks.barycentric.numpy()
    rows = np.stack([corners, weights], 2).reshape(68, 6)
    np.savetxt(tmp_path / "head_sparse_68.txt", rows)
    marks = read_gnm(path).landmarks
    assert marks is not None
    np.testing.assert_allclose(marks, own.points.landmarks.on(own.shape.template).numpy(), atol=1e-6)
    (tmp_path / "head_sparse_68.txt").write_text("1 2 3\n")
    with pytest.raises(FacetalkError, match="68 points"):
        read_gnm(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"expression_basis": None}, "expression_basis missing"),
        ({"version": "4.0"}, r"GNM head 4\.0; facetalk reads"),
        ({"skinning_weights": np.zeros((4, 7))}, r"'skinning_weights' has shape \(4, 7\)"),
        ({"joint_names": ["a", "b", "c", "d"]}, "joints are a, b"),
        ({"vertex_group_names": [f"g{i}" for i in range(9)]}, "lacks the vertex groups skin"),
        ({"version": np.array([{"a": print}], object)}, "would run"),
    ],
)
def test_a_wrong_file_is_named(values: dict[str, Any], tmp_path: Path, change: dict[str, Any], message: str) -> None:
    small = {key: value for key, value in (values | change).items() if value is not None}
    path = write_gnm(small, tmp_path)
    with pytest.raises(FacetalkError, match=message):
        load_head_assets(f"gnm:{path}")


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("template_vertex_positions", lambda array: array * np.nan),
        ("template_vertex_positions", lambda array: array * 0),
        ("template_vertex_positions", lambda array: array * 1e30),
        ("vertex_identity_basis", lambda array: array[:, :-1]),
        ("expression_basis", lambda array: np.full(array.shape, np.inf)),
        ("expression_names", lambda array: np.full(array.shape, "same")),
        ("joint_names", lambda array: np.float32(3)),
        ("joint_parent_indices", lambda array: array[:0]),
        ("triangles", lambda array: array + 10_000),
        ("triangles", lambda array: array - 10),
        ("triangles", lambda array: array.astype(np.float32)),
        ("triangle_uvs", lambda array: array.T),
        ("vertex_groups", lambda array: array * 0),
        ("vertex_group_names", lambda array: np.array("x")),
    ],
)
def test_a_file_with_one_array_replaced_is_refused_in_one_line(
    values: dict[str, Any], tmp_path: Path, name: str, made: Any
) -> None:
    path = write_gnm(values | {name: made(np.asarray(values[name]))}, tmp_path)
    with pytest.raises(FacetalkError, match=r"gnm_head\.npz") as caught:
        load_head_assets(f"gnm:{path}")
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400


def test_a_missing_file_says_where_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(MissingAssetError, match=r"huggingface\.co/google/gnm-v3"):
        load_head_assets(f"gnm:{tmp_path}")
