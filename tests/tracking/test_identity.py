from __future__ import annotations

import math
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from facetalk.core.camera import Camera
from facetalk.core.rotations import axis_angle_to_matrix
from facetalk.core.threads import one_torch_thread
from facetalk.head.channels import ARKIT_NAMES
from facetalk.head.model import HeadModel
from facetalk.motion.heads import load_head
from facetalk.rendering.camera import project
from facetalk.tracking.energy import FaceEnergy, Observation, State
from facetalk.tracking.face_basis import FaceBasis
from facetalk.tracking.fit import fit_landmarks
from facetalk.tracking.identity import joint_equations, through_lens
from facetalk.tracking.observation import estimate_camera
from facetalk.tracking.settings import FitSettings
from tests.tracking.synthetic import noisy_start

FRAMES = 2


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    with one_torch_thread():
        yield


@pytest.fixture(scope="module")
def scene() -> tuple[FaceBasis, Observation, State]:
    basis, seen, state = noisy_start(FRAMES, torch.Generator().manual_seed(3))
    return basis, seen, State(state.rotation, state.position, state.channels + 0.2)


def plain_errors(basis: FaceBasis, seen: Observation, values: Tensor, shared: Tensor, start: State) -> Tensor:
    """Errors over their expected size of points, pairs and depths, one frame after the other, written plainly.

    The head moves away with the lens; the scale from pixels to meters and the robust weights are those of `start`.
    """
    settings, errors = FitSettings(), []
    first, second = basis.pairs.unbind(1)
    rest = basis.template + torch.einsum("s,spc->pc", shared[:-1], basis.identity_dirs.double())
    for t, row in enumerate(values):
        turn = axis_angle_to_matrix(row[:3]) @ seen.reference.double()
        moved = rest + torch.einsum("e,epc->pc", row[6:], basis.expression_dirs.double()) - basis.pivot
        longer = shared[-1].exp()
        position = row[3:6] * torch.stack([longer.new_ones(()), longer.new_ones(()), longer])
        x, y, z = (moved @ turn.T + position).unbind(-1)
        scale = -start.position[t, 2] / seen.focal_px
        across = (torch.stack([x / -z, y / -z], -1) * seen.focal_px * longer - seen.image_points[t]) * scale
        weights = seen.weights[t] * basis.point_weights / settings.point_sigma_m**2
        square = (across.detach() ** 2).sum(-1) / settings.robust_m**2
        pairs = seen.weights[t, first] * seen.weights[t, second] * basis.pair_weights / settings.point_sigma_m**2
        share = seen.weights[t] * basis.depth_weights / settings.depth_sigma_m**2
        depth = z - seen.depth[t] * scale
        depth = depth - (share * depth).sum() / share.sum()
        errors += [
            (across * (weights / (1 + square)).sqrt()[:, None]).flatten(),
            ((across[first] - across[second]) * pairs.sqrt()[:, None]).flatten(),
            depth * share.sqrt(),
        ]
    return torch.cat(errors)


def test_shared_blocks_of_the_normal_equations_agree_with_autograd(
    scene: tuple[FaceBasis, Observation, State],
) -> None:
    basis, seen, state = scene
    energy = FaceEnergy(basis, FitSettings())
    rest = basis.rest(torch.zeros(4), torch.zeros(FRAMES, 8))
    ours = joint_equations(energy, rest, seen, state)
    values, shared = state.flat().double(), torch.zeros(5, dtype=torch.float64)

    def errors(values: Tensor, shared: Tensor) -> Tensor:
        return plain_errors(basis, seen, values, shared, state)

    by_values, by_shared = torch.autograd.functional.jacobian(
        errors, (values, shared), vectorize=True, strategy="forward-mode"
    )
    now = errors(values, shared)
    own, slope = by_shared.T @ by_shared / FRAMES, by_shared.T @ now / FRAMES
    cross = torch.einsum("rtn,rs->tns", by_values, by_shared)
    size = own.diagonal().sqrt()
    torch.testing.assert_close(ours.slope.double() / size, slope / size, atol=2e-2, rtol=1e-2)
    torch.testing.assert_close(ours.own.double() / size / size[:, None], own / size / size[:, None], atol=1e-2, rtol=0)
    frame = torch.einsum("rtn,rtn->tn", by_values, by_values).sqrt()[..., None] * size
    assert ((ours.cross.double() - cross) / frame).abs().max() < 2e-2


def test_a_longer_lens_at_a_larger_distance_keeps_the_size(scene: tuple[FaceBasis, Observation, State]) -> None:
    _, seen, state = scene
    longer, away = through_lens(seen, state, 2 * seen.focal_px)
    assert longer.focal_px == 2 * seen.focal_px
    torch.testing.assert_close(longer.focal_px / away.position[:, 2], seen.focal_px / state.position[:, 2])


@pytest.fixture(scope="module")
def head() -> HeadModel:
    return load_head("facetalk")


def turning(head: HeadModel, focal_px: float, seed: int) -> tuple[Tensor, Tensor]:
    """Points (48, 478, 3) with half a pixel of noise, and times, of somebody who turns 15 degrees to either side."""
    generator = torch.Generator().manual_seed(seed)
    times = torch.arange(48) / 30
    turn = torch.stack([0.1 * (2.1 * times).sin(), math.radians(15) * (3.5 * times).sin(), 0.05 * times.sin()], 1)
    # Eye corners that are 128 pixels apart, whatever the lens.
    distance = 0.089 * focal_px / 128
    transl = torch.stack([0.02 * times.sin(), 0.01 * times.cos(), -distance * (1 + 0.03 * times.sin())], 1)
    expression = torch.zeros(48, 52)
    expression[:, ARKIT_NAMES.index("jawOpen")] = 0.15 * (1 - (9 * times).cos())
    betas = 0.8 * torch.randn(head.num_betas, generator=generator)
    poses = torch.stack([turn, *[torch.zeros_like(turn)] * 4], 1)
    with torch.no_grad():
        seen = head.points.mediapipe.on(head(expression, poses, transl, betas))
    points = torch.zeros(48, 478, 3)
    K = torch.tensor([[focal_px, 0, 320], [0, focal_px, 240], [0, 0, 1.0]])
    ids = head.points.mediapipe_ids
    points[:, ids, :2] = project(seen, Camera(K, (640, 480)))
    points[:, ids, 2] = (-seen[..., 2] + seen[..., 2].mean(1, keepdim=True)) * focal_px / distance
    for iris, corners in ((468, (33, 133)), (473, (263, 362))):
        points[:, iris : iris + 5] = points[:, corners].mean(1, keepdim=True)
    points[..., :2] += 0.5 * torch.randn(points[..., :2].shape, generator=generator)
    return points, times


@pytest.mark.parametrize("length", [0.8, 3.0])
def test_a_head_that_turns_determines_the_focal_length(head: HeadModel, length: float) -> None:
    points, times = turning(head, length * 640, seed=1)
    usual = float(estimate_camera(points, (640, 480), FitSettings()).K[0, 0]) / 640
    motion = fit_landmarks(points, times, (640, 480), head)
    assert motion.camera is not None
    found = float(motion.camera.K[0, 0]) / 640
    assert abs(math.log(found / length)) < 0.65 * abs(math.log(usual / length))


def test_a_strong_prior_holds_the_focal_length(head: HeadModel) -> None:
    points, times = turning(head, 3 * 640, seed=1)
    usual = estimate_camera(points, (640, 480), FitSettings()).K
    motion = fit_landmarks(points, times, (640, 480), head, settings=FitSettings(focal_weight=1e7))
    assert motion.camera is not None
    torch.testing.assert_close(motion.camera.K, usual, rtol=1e-3, atol=0)
