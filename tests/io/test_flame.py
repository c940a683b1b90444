"""FLAME files in every published form."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from facetalk.core.errors import FacetalkError, MissingAssetError
from facetalk.head.model import HeadModel
from facetalk.head.regions import REGIONS
from facetalk.io.flame import read_flame, read_flame_arrays
from facetalk.motion.heads import load_head_assets
from tests.io.flame_files import random_flame, with_chumpy


def write(values: dict[str, Any], path: Path, form: str) -> Path:
    if form == "chumpy":
        return with_chumpy(values, path)
    if form == "npz":
        plain = {key: value.toarray() if key == "J_regressor" else value for key, value in values.items()}
        np.savez(path.with_suffix(".npz"), **plain)
        return path.with_suffix(".npz")
    path.write_bytes(pickle.dumps(values, 2 if form == "python2" else 4))
    return path


@pytest.mark.parametrize("form", ["chumpy", "npz", "python2", "python3"])
@pytest.mark.parametrize("n_expression", [50, 100])
def test_every_published_form_gives_the_same_arrays(tmp_path: Path, form: str, n_expression: int) -> None:
    values = random_flame(n_expression=n_expression)
    arrays = read_flame_arrays(write(values, tmp_path / "generic_model.pkl", form))
    np.testing.assert_array_equal(arrays.template, values["v_template"])
    np.testing.assert_array_equal(arrays.identity, values["shapedirs"][..., :300])
    np.testing.assert_array_equal(arrays.expression, values["shapedirs"][..., 300:])
    np.testing.assert_array_equal(arrays.pose, values["posedirs"])
    np.testing.assert_array_equal(arrays.joint_regressor, values["J_regressor"].toarray())
    np.testing.assert_array_equal(arrays.skin_weights, values["weights"])
    np.testing.assert_array_equal(arrays.faces, values["f"])


def test_expression_in_an_array_of_its_own_and_flat_pose_directions(tmp_path: Path) -> None:
    values = random_flame(n_betas=300, n_expression=8)
    shape, pose = values.pop("shapedirs"), values.pop("posedirs")
    values |= {"shapedirs": shape[..., :20], "expressiondirs": shape[..., 300:], "posedirs": pose.reshape(-1, 36).T}
    arrays = read_flame_arrays(write(values, tmp_path / "a.pkl", "python3"))
    assert arrays.identity.shape[2] == 20
    np.testing.assert_array_equal(arrays.expression, shape[..., 300:])
    np.testing.assert_array_equal(arrays.pose, pose)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weights": None}, "weights missing"),
        ({"J_regressor": None, "posedirs": None}, r"J_regressor.*identity part only.*register at"),
        ({"shapedirs": np.zeros((40, 3, 60))}, "60 directions"),
        ({"weights": np.zeros((39, 5))}, r"skin_weights has shape \(39, 5\)"),
        ({"v_template": np.full((40, 3), np.nan)}, "finite"),
        ({"v_template": "text"}, "not an array of numbers"),
        ({"kintree_table": np.array([[-1, 0, 0, 1, 1], [0, 1, 2, 3, 4]])}, "the joints' parents are"),
        ({"f": np.array([[0, 1, 40]])}, "vertices that do not exist"),
    ],
)
def test_a_wrong_file_is_named_with_what_is_wrong(tmp_path: Path, change: dict, message: str) -> None:
    values = random_flame() | change
    values = {key: value for key, value in values.items() if value is not None}
    path = write(values, tmp_path / "bad.pkl", "python3")
    with pytest.raises(FacetalkError, match=message) as caught:
        read_flame_arrays(path)
    assert str(path) in str(caught.value)


def test_a_missing_file_says_where_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(MissingAssetError, match=r"flame\.is\.tue\.mpg\.de"):
        load_head_assets(f"flame:{tmp_path / 'none.pkl'}")
    with pytest.raises(MissingAssetError, match=r"no FLAME model in .*flame2023_Open\.pkl"):
        load_head_assets(f"flame:{tmp_path}")


def test_a_mesh_of_another_size_is_refused(tmp_path: Path) -> None:
    path = write(random_flame(), tmp_path / "small.pkl", "python3")
    with pytest.raises(FacetalkError, match="40 vertices; a FLAME mesh has 5023"):
        read_flame(path)


@pytest.mark.slow
def test_a_folder_with_landmarks_and_masks_is_read_whole(flame_like_path: Path, tmp_path: Path) -> None:
    folder = tmp_path / "flame"
    folder.mkdir()
    (folder / "generic_model.pkl").write_bytes(flame_like_path.read_bytes())
    generator = np.random.default_rng(0)
    static, dynamic = generator.integers(0, 9000, 51), generator.integers(0, 9000, (79, 17))
    embedding = {
        "static_lmk_faces_idx": static,
        "static_lmk_bary_coords": np.full((51, 3), 1 / 3),
        "dynamic_lmk_faces_idx": torch.from_numpy(dynamic),
        "dynamic_lmk_bary_coords": torch.full((79, 17, 3), 1 / 3),
    }
    np.save(folder / "landmark_embedding.npy", np.array(embedding, object), allow_pickle=True)
    ids = np.array([1, 10, 100])
    np.savez(folder / "mediapipe_landmark_embedding.npz", lmk_face_idx=static[:3], lmk_b_coords=np.eye(3),
             landmark_indices=ids)  # fmt: skip
    (folder / "FLAME_masks.pkl").write_bytes(pickle.dumps({"lips": np.arange(5), "neck": np.arange(9)}, 2))
    head = load_head_assets(f"flame:{folder}")
    faces = head.shape.faces.numpy()
    np.testing.assert_array_equal(head.points.landmarks.triangles[17:].numpy(), faces[static])
    np.testing.assert_array_equal(head.points.landmarks.triangles[:17].numpy(), faces[dynamic[0]])
    assert head.points.contour is not None
    np.testing.assert_array_equal(head.points.contour.triangles.numpy(), faces[dynamic])
    np.testing.assert_array_equal(head.points.mediapipe.triangles[ids].numpy(), faces[static[:3]])
    assert head.points.regions["lips"].tolist() == [0, 1, 2, 3, 4]


def test_what_a_file_lacks_is_computed(flame_like_path: Path) -> None:
    head = load_head_assets(f"flame:{flame_like_path}")
    assert head.name == f"flame:{flame_like_path.stem}" and head.meta["sha256"]
    assert len(head.shape.identity_names) == 300 and head.shape.expression_bounds is not None
    template = head.shape.template
    points, marks = head.points.mediapipe.on(template), head.points.landmarks.on(template)
    assert points.shape == (478, 3) and set(REGIONS) <= set(head.points.regions)
    # Points lie where they belong: left is +x, eyes above nose above mouth above chin, in front.
    assert points[263, 0] > 0.03 and points[33, 0] < -0.03
    assert points[159, 1] > points[1, 1] > points[13, 1] > points[17, 1] > points[152, 1]
    assert (points[[1, 13, 152]].std(0)[0] < 0.003) and (points[13] - points[14]).norm() < 0.004
    for iris, ball in ((468, "right_eyeball"), (473, "left_eyeball")):
        assert (points[iris] - template[head.points.regions[ball]].mean(0)).norm() < 0.02
    mirrored = marks[[16 - i for i in range(17)]] * torch.tensor([-1.0, 1, 1])
    assert (mirrored - marks[:17]).norm(dim=1).mean() < 0.006
    for lips in ("upper_lip_inner", "lower_lip_inner"):
        assert len(head.points.regions[lips]) >= 8
    gap = template[head.points.regions["upper_lip_inner"]] - template[head.points.regions["lower_lip_inner"]]
    assert gap.norm(dim=1).mean() < 0.008
    lips = template[head.points.regions["lips"]]
    assert points[61, 0] - 0.004 < lips[:, 0].min() and lips[:, 0].max() < points[291, 0] + 0.004


@pytest.mark.slow
def test_the_computed_jaw_line_slides_to_the_outline(flame_like_path: Path) -> None:
    model = HeadModel(load_head_assets(f"flame:{flame_like_path}"))
    expression = torch.zeros(1, len(model.expression_dirs))
    outlines = []
    for degrees in (-30, 0, 30):
        poses = torch.zeros(1, 5, 3)
        poses[0, 0, 1] = float(np.radians(degrees))
        vertices = model(expression, poses, torch.zeros(1, 3), torch.zeros(model.num_betas))
        outlines.append(model.seen_landmarks(vertices, poses)[0])
    # Turned to one side, the jaw line of that side is further out than its material points would be.
    left = outlines[2][12:16, 0] - outlines[1][12:16, 0]
    right = outlines[0][1:5, 0] - outlines[1][1:5, 0]
    assert torch.isfinite(torch.stack(outlines)).all()
    assert (left.mean() + right.mean()).abs() < 0.01, "both sides alike"


@pytest.mark.slow
def test_a_second_reading_takes_the_points_from_the_cache(
    flame_like_path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from facetalk.motion import published_heads

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    first = load_head_assets(f"flame:{flame_like_path}")
    assert list((tmp_path / "facetalk").glob("annotations-*.npz"))
    monkeypatch.setattr(published_heads, "transfer_annotations", lambda *_: pytest.fail("computed again"))
    second = load_head_assets(f"flame:{flame_like_path}")
    torch.testing.assert_close(first.points.mediapipe.barycentric, second.points.mediapipe.barycentric)
    torch.testing.assert_close(first.appearance.colors, second.appearance.colors)


def test_the_open_identity_part_alone_is_no_model(flame_identity: Path) -> None:
    with pytest.raises(FacetalkError, match="identity part only"):
        load_head_assets(f"flame:{flame_identity}")
