"""ICT-FaceKit Light from both forms."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from facetalk.core.errors import FacetalkError, MissingAssetError
from facetalk.head.channels import ARKIT_NAMES
from facetalk.head.ict import LANDMARK_VERTICES, arkit_shapes
from facetalk.head.model import HeadModel
from facetalk.io.ict import _expected, _read_folder
from facetalk.motion.heads import load_head_assets
from tests.conftest import SHARED


@pytest.fixture(scope="module")
def ict() -> HeadModel:
    path = SHARED / "heads" / "ict_facekit" / "ict_facekit_light.npz"
    if not path.is_file():
        pytest.skip(f"no ICT-FaceKit data at {path}")
    return HeadModel(load_head_assets(f"ict:{path}"))


def posed(head: HeadModel, **channels: float) -> torch.Tensor:
    expression = torch.zeros(1, 52)
    for name, value in channels.items():
        expression[0, ARKIT_NAMES.index(name)] = value
    return head(expression, torch.zeros(1, 5, 3), torch.zeros(1, 3), torch.zeros(head.num_betas))[0]


@pytest.mark.slow
def test_its_channels_are_arkit_in_order_and_in_meters(ict: HeadModel) -> None:
    assert ict.shape.expression_names == ARKIT_NAMES
    assert ict.num_betas == 30
    height = ict.template[:, 1].max() - ict.template[:, 1].min()
    assert 0.25 < height < 0.4
    assert ict.expression_dirs[ARKIT_NAMES.index("tongueOut")].abs().max() == 0


def test_left_means_the_subjects_left(ict: HeadModel) -> None:
    for name in ("eyeBlink", "mouthSmile", "browDown", "noseSneer"):
        moved = (posed(ict, **{f"{name}Left": 1.0}) - ict.template).norm(dim=1)
        assert (ict.template[moved > 0.5 * moved.max(), 0] > 0).all(), name
    for name in ("browInnerUp", "cheekPuff"):
        moved = (posed(ict, **{name: 1.0}) - ict.template).norm(dim=1)
        left, right = moved[ict.template[:, 0] > 0.01].max(), moved[ict.template[:, 0] < -0.01].max()
        assert left == pytest.approx(float(right), rel=0.2) and left > 0.002, "both halves of a split shape"


def test_eyeballs_look_ahead_and_turn_about_their_centers(ict: HeadModel) -> None:
    for side, joint in (("left", 3), ("right", 4)):
        members = ict.points.regions[f"{side}_eyeball"]
        poses = torch.zeros(1, 5, 3)
        poses[0, joint, 1] = 0.4
        turned = ict(torch.zeros(1, 52), poses, torch.zeros(1, 3), torch.zeros(30))[0]
        center = ict.joints[joint]
        before, after = ict.template[members] - center, turned[members] - center
        torch.testing.assert_close(before.norm(dim=1), after.norm(dim=1), atol=1e-5, rtol=0)
        pupil = ict.appearance.colors[members].sum(1).argsort()[:30]
        assert before[pupil].mean(0)[0].abs() < 0.002, "the dark of the eye is in front at rest"
        assert after[pupil].mean(0)[0] > 0.002, "and goes to the subject's left with a turn about +y"
        others = torch.ones(len(turned), dtype=torch.bool)
        others[members] = False
        torch.testing.assert_close(turned[others], ict.template[others], atol=1e-6, rtol=0)


def test_the_lips_that_are_published_apart_meet_at_rest(ict: HeadModel) -> None:
    with np.load(SHARED / "heads" / "ict_facekit" / "ict_facekit_light.npz") as file:
        published = torch.from_numpy(file["vertices"] * 0.01)
    upper, lower = ([LANDMARK_VERTICES[i] for i in row] for row in ((61, 62, 63), (67, 66, 65)))
    gaps = [float((shape[upper] - shape[lower])[:, 1].mean()) for shape in (published, ict.template)]
    assert 0.0005 < gaps[0] - gaps[1] < 0.0012, "meters; the published gap is 0.8 mm"
    still = torch.ones(len(ict.template), dtype=torch.bool)
    still[ict.points.regions["mouth"]] = False
    still[torch.cat([ict.points.regions[f"{side}_eyeball"] for side in ("left", "right")])] = False
    assert (ict.template - published[: len(ict.template)])[still].norm(dim=1).max() < 0.0012


def test_the_jaw_turns_the_lower_teeth_as_jaw_open_does(ict: HeadModel) -> None:
    regions = ict.points.regions
    poses = torch.zeros(1, 5, 3)
    poses[0, 2, 0] = float(np.radians(25.33))
    turned = ict(torch.zeros(1, 52), poses, torch.zeros(1, 3), torch.zeros(30))[0]
    opened = posed(ict, jawOpen=1.0)
    lower, upper = regions["lower_teeth"], regions["upper_teeth"]
    assert (turned - opened)[lower].norm(dim=1).mean() < 0.001
    assert (turned - ict.template)[upper].norm(dim=1).mean() < 0.0002
    chin = ict.points.landmarks.triangles[8, 0]
    assert (turned - opened)[chin].norm() < 0.006


def test_points_and_regions_are_carried_over(ict: HeadModel) -> None:
    assets = ict.assets
    points, marks = assets.points.mediapipe.on(assets.shape.template), assets.points.landmarks.on(assets.shape.template)
    # MediaPipe's numbers of some of the 68 points.
    for number, mark in ((33, 36), (133, 39), (362, 42), (263, 45), (61, 48), (291, 54), (0, 51), (17, 57), (2, 33)):
        assert (points[number] - marks[mark]).norm() < 0.005, number
    assert assets.points.mediapipe_ids.tolist() == list(range(478))
    assert all(
        len(assets.points.regions[name]) > 20 for name in ("lips", "mouth", "upper_face", "brows", "tongue", "neck")
    )
    assert len(assets.appearance.uv_faces) == len(assets.shape.faces) and assets.appearance.uv_faces.max() < len(
        assets.appearance.uv_coords
    )
    assert torch.allclose(assets.shape.skin_weights.sum(1), torch.ones(len(assets.shape.template)), atol=1e-5)
    assert assets.shape.skin_weights.min() >= 0


def write_obj(path: Path, vertices: np.ndarray) -> None:
    rows = ["# a cube's side", *(f"v {x:.6f} {y:.6f} {z:.6f}" for x, y, z in vertices)]
    rows += ["vt 0 0", "vt 1 0", "vt 1 1", "vt 0 1", "usemtl M_Face", "f 1/1 2/2 3/3 4/4", "f 1/1 3/3/1 5/4/2"]
    path.write_text("\n".join(rows) + "\n", "ascii")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "FaceXModel"
    folder.mkdir()
    neutral = np.arange(15.0).reshape(5, 3)
    write_obj(folder / "generic_neutral_mesh.obj", neutral)
    for index, name in enumerate(sorted(_expected())):
        write_obj(folder / f"{name}.obj", neutral + index)
    for index in range(2):
        write_obj(folder / f"identity{index:03d}.obj", neutral - index)
    write_obj(folder / "cheekRaiser_L.obj", neutral)
    return folder


def test_the_publishers_folder_is_read(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for _ in range(2):  # the second time from the cache
        arrays = _read_folder(folder)
        assert arrays.expression_names == tuple(sorted(_expected())) and len(arrays.expression_names) == 53
        np.testing.assert_allclose(arrays.expression[:, 0, 0], np.arange(53))
        np.testing.assert_allclose(arrays.identity[:, 2, 1], [0, -1])
        assert arrays.faces.tolist() == [[0, 1, 2], [0, 2, 3], [0, 2, 4]]
        assert arrays.uv_faces.tolist() == [[0, 1, 2], [0, 2, 3], [0, 2, 3]]


def test_split_shapes_are_added_and_sided_ones_found(folder: Path) -> None:
    shapes = arkit_shapes(_read_folder(folder))
    names = sorted(_expected())
    value = dict(zip(ARKIT_NAMES, shapes[:, 0, 0], strict=True))
    assert value["browInnerUp"] == names.index("browInnerUp_L") + names.index("browInnerUp_R")
    assert value["eyeLookInRight"] == names.index("eyeLookIn_R") and value["jawLeft"] == names.index("jawLeft")
    assert value["mouthLeft"] == names.index("mouthLeft") and value["tongueOut"] == 0


def test_wrong_folders_say_what_is_wrong(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingAssetError, match=r"generic_neutral_mesh\.obj.*clone"):
        load_head_assets(f"ict:{tmp_path}")
    with pytest.raises(MissingAssetError, match="no ICT-FaceKit file"):
        load_head_assets(f"ict:{tmp_path / 'none.npz'}")
    with pytest.raises(FacetalkError, match="5 vertices; ICT-FaceKit Light has 26719"):
        load_head_assets(f"ict:{folder}")
    write_obj(folder / "jawOpen.obj", np.zeros((6, 3)))
    with pytest.raises(FacetalkError, match=r"jawOpen\.obj has 6 vertices"):
        load_head_assets(f"ict:{folder}")
    (folder / "jawOpen.obj").unlink()
    with pytest.raises(FacetalkError, match="lacks the shapes jawOpen"):
        load_head_assets(f"ict:{folder}")
