from dataclasses import replace

import pytest
import torch

from facetalk.core.errors import FacetalkError
from facetalk.core.motion import Motion
from facetalk.core.rotations import axis_angle_to_matrix
from facetalk.head.channels import ARKIT_NAMES, GAZE_NAMES, indices
from facetalk.head.gaze import channels_to_gaze
from facetalk.head.model import HeadModel
from facetalk.tracking.fit import fit_landmarks
from facetalk.tracking.settings import FitSettings
from tests.tracking.synthetic import IMAGE_SIZE, make_point_head, see, swaying

EXACT = FitSettings(
    channel_sigma=5,
    channel_cost=0.01,
    side_sigma=5,
    betas_weight=1e6,
    focal_weight=1e6,
    personal_share=0.0,
    iterations=8,
)
"""Hardly any prior on channels, because synthetic points have no errors; the identity held at the true mean, the lens
at its true length."""

NUM_FRAMES = 45


@pytest.fixture(scope="module")
def head() -> HeadModel:
    return make_point_head()


def make_expression(num_frames: int) -> torch.Tensor:
    """Two blinks of two frames, lips that part and close, eyes that look left, and a slow smile."""
    t = torch.arange(num_frames) / 30
    expression = torch.zeros(num_frames, 52)
    for name in ("eyeBlinkLeft", "eyeBlinkRight"):
        expression[10:12, ARKIT_NAMES.index(name)] = 0.9
        expression[30:32, ARKIT_NAMES.index(name)] = 0.9
    expression[:, ARKIT_NAMES.index("jawOpen")] = 0.25 * (1 - (9 * t).cos())
    for name in ("mouthSmileLeft", "mouthSmileRight"):
        expression[:, ARKIT_NAMES.index(name)] = 0.3 + 0.3 * (2 * t).sin()
    expression[24:38, indices(("eyeLookOutLeft", "eyeLookInRight"))] = 0.5
    return expression


@pytest.fixture(scope="module")
def truth(head: HeadModel) -> Motion:
    turn, transl = swaying(NUM_FRAMES)
    expression = make_expression(NUM_FRAMES)
    leye_pose, reye_pose = channels_to_gaze(expression)
    still = torch.zeros_like(turn)
    return Motion("points", 30.0, expression, ARKIT_NAMES, turn, still, still, leye_pose, reye_pose, transl,
                  torch.zeros(4))  # fmt: skip


@pytest.fixture(scope="module")
def points(head: HeadModel, truth: Motion) -> torch.Tensor:
    return see(head, truth.expression, truth.global_orient, truth.transl, truth.betas)


@pytest.fixture(scope="module")
def fitted(head: HeadModel, points: torch.Tensor) -> Motion:
    return fit_landmarks(points, torch.arange(NUM_FRAMES) / 30, IMAGE_SIZE, head, settings=EXACT)


def test_rotation_and_position_are_recovered(fitted: Motion, truth: Motion) -> None:
    apart = axis_angle_to_matrix(fitted.global_orient).transpose(1, 2) @ axis_angle_to_matrix(truth.global_orient)
    angle = torch.arccos(((apart.diagonal(dim1=1, dim2=2).sum(1) - 1) / 2).clamp(-1, 1))
    assert torch.rad2deg(angle).max() < 1.5
    assert (fitted.transl - truth.transl).norm(dim=1).max() < 0.012


def test_channels_are_recovered_and_in_bounds(fitted: Motion, truth: Motion) -> None:
    solved = [i for i, name in enumerate(ARKIT_NAMES) if name not in GAZE_NAMES]
    error = (fitted.expression - truth.expression)[:, solved].abs()
    assert error.mean() < 0.03
    for name in ("jawOpen", "eyeBlinkLeft", "eyeBlinkRight"):
        assert (fitted.channel(name) - truth.channel(name)).abs().max() < 0.12
    assert fitted.expression.min() >= 0 and fitted.expression.max() <= 1
    assert (fitted.channel("tongueOut") == 0).all()


def test_blinks_of_two_frames_survive_and_are_sharp(fitted: Motion) -> None:
    blink = fitted.channel("eyeBlinkLeft")
    assert blink[10:12].min() > 0.75 and blink[30:32].min() > 0.75
    assert max(blink[8], blink[13], blink[28], blink[33]) < 0.15


def test_gaze_turns_the_eyeballs_and_carries_the_channels(fitted: Motion, truth: Motion) -> None:
    for name in ("leye_pose", "reye_pose"):
        ours, true = getattr(fitted, name), getattr(truth, name)
        change = ours[26:29].mean(0) - ours[14:18].mean(0)
        expected = true[26:29].mean(0) - true[14:18].mean(0)
        assert torch.rad2deg((change - expected).abs()).max() < 4
    assert fitted.channel("eyeLookOutLeft")[26:36].min() > fitted.channel("eyeLookOutLeft")[:22].max() + 0.15


def test_fit_error_is_small_and_confidence_high(fitted: Motion) -> None:
    assert fitted.fit_error is not None and fitted.confidence is not None
    assert fitted.fit_error.max() < 0.01
    assert fitted.confidence.min() > 0.95


def test_the_motion_poses_the_head_onto_the_points(fitted: Motion, head: HeadModel, points: torch.Tensor) -> None:
    vertices = head.pose(fitted).vertices
    camera = fitted.camera
    assert camera is not None
    focal, center = camera.K[0, 0], camera.K[:2, 2]
    shown = vertices[..., :2] / -vertices[..., 2:] * focal * torch.tensor([1.0, -1.0]) + center
    skin = (shown - points[..., :2])[:, :468].norm(dim=-1)
    assert skin.mean() < 0.6


def test_frames_without_a_face_are_bridged(head: HeadModel, points: torch.Tensor) -> None:
    holed = points.clone()
    holed[16:22] = torch.nan
    motion = fit_landmarks(holed, torch.arange(NUM_FRAMES) / 30, IMAGE_SIZE, head, settings=EXACT)
    assert motion.num_frames == NUM_FRAMES
    assert motion.confidence is not None
    assert (motion.confidence[16:22] == 0).all() and (motion.confidence[:16] > 0.9).all()
    assert torch.isfinite(motion.expression).all() and torch.isfinite(motion.transl).all()
    between = motion.transl[16:22] - (motion.transl[15] + motion.transl[22]) / 2
    assert between.norm(dim=1).max() < 0.02


def test_no_face_at_all_is_an_error(head: HeadModel) -> None:
    with pytest.raises(FacetalkError, match="no face"):
        fit_landmarks(torch.full((4, 478, 3), torch.nan), torch.arange(4) / 30, IMAGE_SIZE, head)


def test_windows_join_without_seams(head: HeadModel, points: torch.Tensor) -> None:
    times = torch.arange(NUM_FRAMES) / 30
    whole = fit_landmarks(points, times, IMAGE_SIZE, head)
    pieces = fit_landmarks(points, times, IMAGE_SIZE, head, settings=replace(FitSettings(), window=30, margin=9))
    assert (whole.expression - pieces.expression).abs().max() < 0.05
    assert (whole.transl - pieces.transl).abs().max() < 0.002


@pytest.mark.slow
def test_the_identity_is_recovered_and_a_prior_holds_it(head: HeadModel) -> None:
    betas = torch.tensor([1.0, -1.0, 0.5, 0.8])
    turn, transl = swaying(NUM_FRAMES)
    points = see(head, torch.zeros(NUM_FRAMES, 52), turn, transl, betas)
    times = torch.arange(NUM_FRAMES) / 30
    free = fit_landmarks(points, times, IMAGE_SIZE, head, settings=replace(EXACT, betas_weight=0.01))
    assert (free.betas - betas).abs().max() < 0.4
    held = fit_landmarks(points, times, IMAGE_SIZE, head, settings=EXACT)
    assert held.betas.abs().max() < 0.1


@pytest.mark.slow
def test_a_single_frame_and_a_very_short_clip_work(head: HeadModel, points: torch.Tensor) -> None:
    for count in (1, 2, 5):
        motion = fit_landmarks(points[:count], torch.arange(count) / 25, IMAGE_SIZE, head)
        assert motion.num_frames == max(1, round(count / 25 * 30))
        assert torch.isfinite(motion.expression).all()


def test_a_face_that_appears_only_once_is_held(head: HeadModel, points: torch.Tensor) -> None:
    flash = torch.full((9, 478, 3), torch.nan)
    flash[4] = points[0]
    motion = fit_landmarks(flash, torch.arange(9) / 25 + 0.013, IMAGE_SIZE, head)
    assert motion.confidence is not None and (motion.confidence == 0).all()
    assert torch.isfinite(motion.transl).all() and (motion.transl - motion.transl[0]).abs().max() < 2e-4


def test_settings_are_validated() -> None:
    with pytest.raises(ValueError, match="window=40"):
        FitSettings(window=40, margin=20)
