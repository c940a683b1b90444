"""The FLAME layer against its equations, with noise for a model."""

from __future__ import annotations

import time

import numpy as np
import pytest
import torch

from facetalk.head.annotations import Annotations
from facetalk.head.flame import LANDMARK_VERTICES, Embedding, FlameArrays, FlameExtras, flame_assets, mouth_lid
from facetalk.head.model import HeadModel
from facetalk.head.regions import REGIONS
from tests.head.flame_reference import flame_frame, rotation
from tests.io.flame_files import random_flame


def make_arrays(num_vertices: int = 40, n_betas: int = 7, n_expression: int = 6) -> FlameArrays:
    values = random_flame(num_vertices, n_betas, n_expression)
    return FlameArrays(
        template=values["v_template"],
        identity=values["shapedirs"][..., :n_betas],
        expression=values["shapedirs"][..., n_betas:],
        pose=values["posedirs"],
        joint_regressor=values["J_regressor"].toarray(),
        skin_weights=values["weights"],
        faces=values["f"].astype(np.int64),
    )


def make_annotations(num_vertices: int) -> Annotations:
    generator = np.random.default_rng(1)
    corners = generator.integers(0, num_vertices, (478, 3))
    weights = np.full((478, 3), 1 / 3)
    regions = {name: np.arange(i, num_vertices, 5) for i, name in enumerate(REGIONS)} | {
        "skin": np.arange(num_vertices)
    }
    gloss = np.tile(np.array([0.2, 20.0]), (num_vertices, 1))
    return Annotations(corners, weights, corners[:68], weights[:68], np.full((num_vertices, 3), 0.5), gloss, regions)


def make_head(**sizes: int) -> tuple[FlameArrays, HeadModel]:
    arrays = make_arrays(**sizes)
    contour = Embedding(np.arange(79 * 17).reshape(79, 17) % len(arrays.faces), np.full((79, 17, 3), 1 / 3))
    extras = FlameExtras(contour=contour)
    return arrays, HeadModel(flame_assets("flame:noise", arrays, make_annotations(len(arrays.template)), extras))


def parameters(head: HeadModel, frames: int, seed: int = 3) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(seed)
    expression = torch.randn(frames, len(head.expression_dirs), generator=generator)
    poses = 0.5 * torch.randn(frames, 5, 3, generator=generator)
    transl, betas = torch.randn(frames, 3, generator=generator), torch.randn(head.num_betas, generator=generator)
    return expression, poses, transl, betas


@pytest.mark.parametrize("frames", [1, 3, 70])
def test_it_agrees_with_the_equations_written_out(frames: int) -> None:
    arrays, head = make_head()
    expression, poses, transl, betas = parameters(head, frames)
    vertices = head(expression, poses, transl, betas)
    with_gradient = head(expression, poses, transl, betas.requires_grad_())
    for frame in (0, frames // 2, frames - 1):
        inputs = [value.detach().double().numpy() for value in (betas, expression[frame], poses[frame], transl[frame])]
        slow = flame_frame(arrays, *inputs)
        assert np.abs(vertices[frame].numpy() - slow).max() < 1e-6, "meters"
        assert np.abs(with_gradient[frame].detach().numpy() - slow).max() < 1e-6, "meters"


def test_nothing_moved_is_the_template_and_its_joints_are_regressed() -> None:
    arrays, head = make_head()
    still = head(torch.zeros(1, 6), torch.zeros(1, 5, 3), torch.zeros(1, 3), torch.zeros(7))
    np.testing.assert_allclose(still[0].numpy(), arrays.template, atol=1e-7)
    betas = torch.randn(7, generator=torch.Generator().manual_seed(0))
    template, joints = head.shaped(betas)
    np.testing.assert_allclose(joints.numpy(), arrays.joint_regressor @ template.double().numpy(), atol=1e-7)


def test_gradients_are_exact() -> None:
    _, head = make_head(num_vertices=6, n_betas=2, n_expression=2)
    inputs = [value.double().requires_grad_() for value in parameters(head, 1)]
    assert torch.autograd.gradcheck(head.double(), inputs, eps=1e-6, atol=1e-7)


def test_a_frame_does_not_depend_on_its_batch() -> None:
    _, head = make_head()
    expression, poses, transl, betas = parameters(head, 70)
    together = head(expression, poses, transl, betas)
    alone = head(expression[40:41], poses[40:41], transl[40:41], betas)
    torch.testing.assert_close(together[40:41], alone, atol=1e-6, rtol=0)


def test_two_identities_in_turn_are_not_mixed_up() -> None:
    arrays, head = make_head()
    expression, poses, transl, betas = parameters(head, 2)
    first = head(expression, poses, transl, betas)
    head(expression, poses, transl, -betas)
    torch.testing.assert_close(head(expression, poses, transl, betas), first, atol=0, rtol=0)
    assert len(arrays.template) == first.shape[1]


@pytest.mark.parametrize(
    ("yaw", "row"), [(0, 0), (-10, 10), (-39, 39), (-80, 39), (1, 40), (20, 59), (39, 78), (70, 78)]
)
def test_the_jaw_line_slides_with_the_yaw(yaw: int, row: int) -> None:
    arrays, head = make_head()
    half = np.radians(yaw) / 2
    poses = torch.zeros(1, 5, 3)
    poses[0, :2, 1] = float(half)  # half by the whole head, half by the neck
    vertices = head(torch.zeros(1, 6), poses, torch.zeros(1, 3), torch.zeros(7))
    seen = head.seen_landmarks(vertices, poses)[0]
    corners = vertices[0].numpy()[arrays.faces[(row * 17 + np.arange(17)) % len(arrays.faces)]]
    np.testing.assert_allclose(seen[:17].numpy(), corners.mean(1), atol=1e-6)
    static = head.points.landmarks.on(vertices)[0]
    torch.testing.assert_close(seen[17:], static[17:])
    assert rotation(np.array([0, 2 * half, 0]))[2, 0] == pytest.approx(-np.sin(np.radians(yaw)))


def test_published_landmarks_replace_the_computed_ones() -> None:
    arrays = make_arrays()
    generator = np.random.default_rng(5)
    inner = Embedding(generator.integers(0, len(arrays.faces), 51), np.full((51, 3), 1 / 3))
    known = Embedding(generator.integers(0, len(arrays.faces), 3), np.full((3, 3), 1 / 3))
    ids = np.array([5, 100, 400])
    bare = flame_assets("a", arrays, make_annotations(40))
    full = flame_assets("a", arrays, make_annotations(40), FlameExtras(inner, None, known, ids, {"lips": np.arange(4)}))
    np.testing.assert_array_equal(full.points.landmarks.triangles[17:].numpy(), arrays.faces[inner.faces])
    torch.testing.assert_close(full.points.landmarks.triangles[:17], bare.points.landmarks.triangles[:17])
    np.testing.assert_array_equal(full.points.mediapipe.triangles[ids].numpy(), arrays.faces[known.faces])
    torch.testing.assert_close(full.points.mediapipe.triangles[:5], bare.points.mediapipe.triangles[:5])
    assert full.points.regions["lips"].tolist() == [0, 1, 2, 3]


def test_a_long_clip_folds_the_identity_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Real sizes; the limit is generous, because test machines are busy."""
    _, head = make_head(num_vertices=5023, n_betas=100, n_expression=50)
    folded = []
    shaped = head.shaped
    monkeypatch.setattr(head, "shaped", lambda betas: folded.append(betas) or shaped(betas))
    inputs = parameters(head, 500)
    head(*inputs)
    before = time.process_time()
    head(*inputs)
    spent = time.process_time() - before
    assert len(folded) == 1
    assert 500 / spent > 1500, f"{500 / spent:.0f} frames per second of processor time"


def test_the_hole_behind_the_lips_is_closed_and_no_other() -> None:
    # A sheet with two holes in it; the lips' mark is beside the first.
    steps = 12
    x, y = np.meshgrid(np.arange(steps, dtype=float), np.arange(steps, dtype=float), indexing="ij")
    place = np.stack([x, y, 0 * x], -1).reshape(-1, 3)
    faces = []
    for i in range(steps - 1):
        for j in range(steps - 1):
            if not ((3 <= i < 6 and 3 <= j < 5) or (8 <= i < 10 and 8 <= j < 10)):
                a = i * steps + j
                faces += [(a, a + steps, a + steps + 1), (a, a + steps + 1, a + 1)]
    template = np.zeros((5023, 3))
    template[: len(place)] = place
    template[LANDMARK_VERTICES[51]] = [4.0, 4.0, 0.5]
    empty = np.zeros((5023, 3, 0))
    arrays = FlameArrays(template, empty, empty, np.zeros((5023, 3, 36)), np.zeros((5, 5023)), np.zeros((5023, 5)),
                         np.array(faces))  # fmt: skip
    lid, rim = mouth_lid(arrays)
    assert len(rim) == 10 and (place[rim].min(0)[:2] == 3).all() and (place[rim].max(0)[:2] == [6, 5]).all()
    corners = template[lid]
    areas = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])[:, 2] / 2
    sheet = template[np.array(faces)]
    facing = np.cross(sheet[:, 1] - sheet[:, 0], sheet[:, 2] - sheet[:, 0])[:, 2]
    assert len(lid) == 8 and areas.sum() * np.sign(facing[0]) == pytest.approx(6), "it faces as the sheet does"
