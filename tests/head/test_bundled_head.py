"""Facts about the head that is shipped."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch

from facetalk.head.assets import HeadAssets
from facetalk.head.channels import ARKIT_NAMES, mirrored
from facetalk.head.model import HeadModel
from facetalk.head.regions import PAINT_REGIONS, REGIONS
from facetalk.motion.heads import load_head_assets
from facetalk.workshop.head.anatomy import read_measurements
from facetalk.workshop.head.sculpture import sculpt

MM = 1e-3
EYE_RADIUS = 12.2 * MM


@pytest.fixture(scope="module")
def assets() -> HeadAssets:
    return load_head_assets("facetalk")


@pytest.fixture(scope="module")
def head(assets: HeadAssets) -> HeadModel:
    return HeadModel(assets)


@pytest.fixture(scope="module")
def partner(assets: HeadAssets) -> torch.Tensor:
    """Each vertex's number on the other side, from the sculptor's own tables."""
    sculpture = sculpt(read_measurements())
    assert len(sculpture.points) == len(assets.shape.template)
    return torch.from_numpy(sculpture.partner)


def posed(head: HeadModel, **channels: float) -> torch.Tensor:
    return posed_and_turned(head, {}, **channels)


def posed_and_turned(head: HeadModel, poses: dict[int, list[float]], **channels: float) -> torch.Tensor:
    expression = torch.tensor([[channels.get(name, 0.0) for name in ARKIT_NAMES]])
    joints = torch.zeros(1, 5, 3)
    for joint, turn in poses.items():
        joints[0, joint] = torch.tensor(turn)
    return head(expression, joints, torch.zeros(1, 3), torch.zeros(head.num_betas))[0]


def test_zero_parameters_give_the_template(head: HeadModel) -> None:
    torch.testing.assert_close(posed(head), head.template, rtol=0, atol=1e-7)


def test_the_head_has_everything_that_a_head_carries(assets: HeadAssets) -> None:
    assert assets.shape.expression_names == ARKIT_NAMES
    assert 6000 <= len(assets.shape.template) <= 12000
    assert set(assets.points.regions) == set(REGIONS) | set(PAINT_REGIONS)
    assert all(len(members) > 0 for members in assets.points.regions.values())
    assert len(assets.points.regions["upper_lip_inner"]) == len(assets.points.regions["lower_lip_inner"])
    assert len(assets.points.landmarks.triangles) == 68
    assert assets.points.mediapipe_ids.tolist() == list(range(478))
    assert len(assets.shape.identity_names) >= 12
    assert assets.appearance.texture is not None and assets.appearance.texture.shape == (1024, 1024, 3)
    torch.testing.assert_close(assets.shape.skin_weights.sum(1), torch.ones(len(assets.shape.template)))
    assert int(assets.shape.faces.max()) < len(assets.shape.template) and int(assets.appearance.uv_faces.max()) < len(
        assets.appearance.uv_coords
    )


def test_pupils_are_63_mm_apart_and_the_face_looks_along_z(assets: HeadAssets) -> None:
    points = assets.points.mediapipe.on(assets.shape.template)
    assert float((points[473] - points[468]).norm()) == pytest.approx(63 * MM, abs=3 * MM)
    assert float(points[473, 0]) > 0 > float(points[468, 0]), "the subject's left is at positive x"
    assert float(points[10, 1]) > float(points[152, 1]) and float(points[4, 2]) > float(points[10, 2])


def test_template_and_faces_are_their_own_mirror_image(assets: HeadAssets, partner: torch.Tensor) -> None:
    assert torch.equal(partner[partner], torch.arange(len(partner)))
    flip = torch.tensor([-1.0, 1, 1])
    torch.testing.assert_close(assets.shape.template[partner] * flip, assets.shape.template, rtol=0, atol=2e-6)


@pytest.mark.parametrize("name", ARKIT_NAMES)
def test_each_channel_mirrors_its_partner(assets: HeadAssets, partner: torch.Tensor, name: str) -> None:
    one = assets.shape.expression_dirs[ARKIT_NAMES.index(name)]
    other = assets.shape.expression_dirs[ARKIT_NAMES.index(mirrored(name))]
    torch.testing.assert_close(one[partner] * torch.tensor([-1.0, 1, 1]), other, rtol=0, atol=3e-5)
    assert float(one.norm(dim=1).max()) > 0.4 * MM, "a channel has to move something"


def areas(vertices: torch.Tensor, faces: torch.Tensor) -> torch.Tensor:
    a, b, c = vertices[faces].unbind(1)
    return torch.linalg.cross(b - a, c - a).norm(dim=1) / 2


def test_no_triangle_collapses_at_rest_or_under_random_expressions(head: HeadModel) -> None:
    skin = head.points.regions["skin"]
    outside = torch.isin(head.shape.faces, skin).all(1)
    faces = head.shape.faces[outside]
    assert float(areas(head.template, faces).min()) > 1e-10, "smaller than a square 0.01 mm wide"
    generator = torch.Generator().manual_seed(0)
    expression = torch.rand(20, len(ARKIT_NAMES), generator=generator) ** 4
    vertices = head(expression, torch.zeros(20, 5, 3), torch.zeros(20, 3), torch.zeros(head.num_betas))
    smallest = torch.stack([areas(frame, faces).min() for frame in vertices])
    assert float(smallest.min()) > 1e-12
    assert bool(torch.isfinite(vertices).all())


def lip_gap(assets: HeadAssets, vertices: torch.Tensor) -> torch.Tensor:
    regions = assets.points.regions
    return vertices[regions["upper_lip_inner"]] - vertices[regions["lower_lip_inner"]]


@pytest.mark.parametrize("amount", [0.3, 0.6, 1.0])
def test_mouth_close_brings_the_lips_of_an_open_jaw_together(head: HeadModel, amount: float) -> None:
    opened = lip_gap(head.assets, posed(head, jawOpen=amount))[:, 1]
    closed = lip_gap(head.assets, posed(head, jawOpen=amount, mouthClose=amount))
    assert float(opened.max()) > 0.9 * amount * 38 * MM
    assert float(closed.norm(dim=1).max()) < 0.2 * MM
    assert float(closed[:, 1].min()) > -0.05 * MM, "lips must not cross"


def test_jaw_open_lowers_the_lower_lip_monotonically(head: HeadModel) -> None:
    middle = [float(lip_gap(head.assets, posed(head, jawOpen=x / 4))[:, 1].mean()) for x in range(5)]
    assert all(a < b for a, b in pairwise(middle))


@pytest.mark.parametrize("name", ["mouthSmile", "mouthFrown", "mouthDimple", "mouthPress"])
def test_closed_lips_stay_closed(head: HeadModel, name: str) -> None:
    gap = lip_gap(head.assets, posed(head, **{name + "Left": 1.0, name + "Right": 0.4}))
    assert float(gap.norm(dim=1).max()) < 0.3 * MM


def test_lower_teeth_move_rigidly_with_the_jaw_and_upper_teeth_stay(head: HeadModel) -> None:
    regions = head.points.regions
    moved = posed(head, jawOpen=1.0)
    torch.testing.assert_close(moved[regions["upper_teeth"]], head.template[regions["upper_teeth"]])
    before, after = head.template[regions["lower_teeth"]], moved[regions["lower_teeth"]]
    torch.testing.assert_close(torch.pdist(after[::9]), torch.pdist(before[::9]), rtol=0, atol=0.1 * MM)
    assert float((before - after)[:, 1].mean()) > 15 * MM
    turned = posed_and_turned(head, {2: [0.3, 0.0, 0.0]})
    torch.testing.assert_close(
        torch.pdist(turned[regions["lower_teeth"]][::9]), torch.pdist(before[::9]), rtol=0, atol=1e-6
    )
    assert float((before - turned[regions["lower_teeth"]])[:, 1].mean()) > 10 * MM


# Points of MediaPipe's mesh on the lid margins, upper over lower: right eye, left eye.
LIDS = {"Right": ((160, 144), (159, 145), (158, 153)), "Left": ((387, 373), (386, 374), (385, 380))}


def eyelid_vertices(assets: HeadAssets, side: str) -> torch.Tensor:
    """Skin vertices that a blink of this eye moves, without the rim that dips behind the margin."""
    blink = assets.shape.expression_dirs[ARKIT_NAMES.index(f"eyeBlink{side}")].norm(dim=1) > 0.3 * MM
    skin = torch.zeros(len(blink), dtype=torch.bool)
    skin[assets.points.regions["skin"]] = True
    return torch.nonzero(blink & skin)[:, 0]


@pytest.mark.parametrize("side", ["Left", "Right"])
@pytest.mark.parametrize("amount", [0.0, 0.25, 0.5, 0.75, 1.0])
def test_lids_stay_outside_of_the_eyeball(head: HeadModel, side: str, amount: float) -> None:
    vertices = posed(head, **{f"eyeBlink{side}": amount})
    center = head.joints[3 if side == "Left" else 4]
    lids = eyelid_vertices(head.assets, side)
    assert float((vertices[lids] - center).norm(dim=1).min()) > EYE_RADIUS + 0.05 * MM


@pytest.mark.parametrize("side", ["Left", "Right"])
def test_lids_meet_when_the_eye_is_shut_and_the_other_eye_stays_open(head: HeadModel, side: str) -> None:
    assets = head.assets
    vertices = posed(head, **{f"eyeBlink{side}": 1.0})
    rest, shut = assets.points.mediapipe.on(head.template), assets.points.mediapipe.on(vertices)
    for upper, lower in LIDS[side]:
        assert float((shut[upper] - shut[lower]).norm()) < 0.35 * float((rest[upper] - rest[lower]).norm())
    # Exactly: the margins themselves meet. They are the lid vertices nearest to the eyeball at rest.
    other = "Left" if side == "Right" else "Right"
    for upper, lower in LIDS[other]:
        torch.testing.assert_close(shut[upper], rest[upper], rtol=0, atol=1e-6)
        torch.testing.assert_close(shut[lower], rest[lower], rtol=0, atol=1e-6)


@pytest.mark.parametrize("joint, region", [(3, "left_eyeball"), (4, "right_eyeball")])
def test_an_eyeball_turns_about_its_joint_and_nothing_else_moves(head: HeadModel, joint: int, region: str) -> None:
    moved = posed_and_turned(head, {joint: [0.1, 0.3, 0.0]})
    ball = head.points.regions[region]
    radius = (moved[ball] - head.joints[joint]).norm(dim=1)
    torch.testing.assert_close(radius, (head.template[ball] - head.joints[joint]).norm(dim=1), rtol=0, atol=1e-6)
    others = torch.ones(len(head.template), dtype=torch.bool)
    others[ball] = False
    torch.testing.assert_close(moved[others], head.template[others], rtol=0, atol=1e-7)


def test_gaze_channels_leave_the_eyeballs_still(assets: HeadAssets) -> None:
    balls = torch.cat([assets.points.regions["left_eyeball"], assets.points.regions["right_eyeball"]])
    assert float(assets.shape.expression_dirs[:, balls].abs().max()) == 0.0


def test_the_bust_follows_the_root_only(head: HeadModel) -> None:
    lowest = head.template[:, 1] < head.template[:, 1].min() + 30 * MM
    moved = posed_and_turned(head, {1: [0.0, 0.4, 0.0]})
    torch.testing.assert_close(moved[lowest], head.template[lowest], rtol=0, atol=1e-6)
    crown = head.template[:, 1] > 60 * MM
    assert float((moved[crown] - head.template[crown]).norm(dim=1).mean()) > 5 * MM
