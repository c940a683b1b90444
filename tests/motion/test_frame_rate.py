"""A motion at another frame rate keeps its length, its contacts and its rotations."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from facetalk.core.motion import Motion, still_motion
from facetalk.core.rotations import axis_angle_to_matrix
from facetalk.head.channels import ARKIT_NAMES
from facetalk.head.model import HeadModel
from facetalk.io.motion import read_motion
from facetalk.io.video import VideoReader
from facetalk.motion.contacts import lip_opening
from facetalk.motion.frame_rate import at_frame_rate
from facetalk.pipelines.export import export
from tests.exporters.motions import lively_motion

RATES = (23.976, 24, 25, 29.97, 50, 59.94, 60, 120)


def talking(num_frames: int = 300) -> Motion:
    return still_motion("toy", torch.full((num_frames, 52), 0.2), ARKIT_NAMES, 30.0, 3)


def with_channel(motion: Motion, name: str, values: torch.Tensor) -> Motion:
    expression = motion.expression.clone()
    expression[:, ARKIT_NAMES.index(name)] = values
    return motion.replace(expression=expression)


def mumbling(closures: torch.Tensor, num_frames: int = 300) -> Motion:
    """Lips that are open except in single frames."""
    jaw = torch.full((num_frames,), 0.5)
    jaw[closures] = 0.0
    return with_channel(still_motion("toy", torch.zeros(num_frames, 52), ARKIT_NAMES, 30.0, 3), "jawOpen", jaw)


@pytest.mark.parametrize("fps", RATES)
def test_the_length_stays_the_same_to_half_a_frame(fps: float) -> None:
    motion = at_frame_rate(talking(301), fps)
    assert motion.duration_s == pytest.approx(301 / 30, abs=0.501 / fps)


def test_rates_of_television_are_exact_over_an_hour() -> None:
    hour = still_motion("toy", torch.zeros(108_000, 1), ("jawOpen",), 30.0, 0)
    assert at_frame_rate(hour, 29.97).num_frames == round(3600 * 30_000 / 1001)
    assert at_frame_rate(hour, 29.97).fps == 30_000 / 1001
    assert at_frame_rate(hour, 23.976).fps == 24_000 / 1001
    assert at_frame_rate(hour, 59.94).fps == 60_000 / 1001
    assert at_frame_rate(hour, 24).fps == 24


def test_a_rate_that_is_there_already_changes_nothing() -> None:
    motion = at_frame_rate(talking(), 29.97)
    assert at_frame_rate(motion, 29.97) is motion
    assert at_frame_rate(motion, 30_000 / 1001) is motion


@pytest.mark.parametrize("fps", RATES)
def test_no_closure_of_the_lips_is_lost(fps: float) -> None:
    closures = torch.arange(7, 290, 9)
    motion = at_frame_rate(mumbling(closures), fps)
    closed = (lip_opening(motion) < 0.01).nonzero()[:, 0] / motion.fps
    late = (closed[None] - closures[:, None] / 30).abs().amin(1)
    assert late.max() <= 0.501 / fps


def test_interpolation_alone_loses_closures() -> None:
    closures = torch.arange(7, 290, 9)
    assert (lip_opening(mumbling(closures).to_fps(24)) < 0.01).sum() < len(closures) / 2


@pytest.mark.parametrize("fps", [24, 25, 29.97])
def test_every_blink_closes_the_eyes(fps: float) -> None:
    blink = torch.zeros(300)
    for start in (20, 87, 153, 211):
        blink[start : start + 3] = torch.tensor([0.5, 1.0, 0.5])
    motion = at_frame_rate(with_channel(talking(), "eyeBlinkLeft", blink), fps)
    assert (motion.channel("eyeBlinkLeft") > 0.999).sum() == 4
    assert motion.channel("eyeBlinkRight") == pytest.approx(0.2)


def test_only_the_mouth_moves_to_a_contact() -> None:
    motion = mumbling(torch.tensor([11]))
    brow = torch.linspace(0, 1, 300)
    motion = with_channel(motion, "browInnerUp", brow).replace(neck_pose=brow[:, None].expand(-1, 3).clone())
    kept, plain = at_frame_rate(motion, 24), motion.to_fps(24)
    assert torch.equal(kept.channel("browInnerUp"), plain.channel("browInnerUp"))
    assert torch.equal(kept.neck_pose, plain.neck_pose)
    assert not torch.equal(kept.channel("jawOpen"), plain.channel("jawOpen"))


def test_the_head_turns_at_constant_speed_along_the_shortest_arc() -> None:
    yaw = torch.tensor([3.0, -3.0])  # across the back: 0.28 radians apart
    motion = still_motion("toy", torch.zeros(2, 1), ("jawOpen",), 30.0, 0)
    motion = motion.replace(global_orient=torch.stack([0 * yaw, yaw, 0 * yaw], 1))
    turned = axis_angle_to_matrix(at_frame_rate(motion, 120).global_orient)
    angles = torch.atan2(turned[:, 0, 2], turned[:, 0, 0]) % (2 * torch.pi)
    step = (2 * torch.pi - 6) / 4
    torch.testing.assert_close(angles[:5], 3.0 + step * torch.arange(5.0), atol=1e-4, rtol=0)


def test_a_motion_without_arkit_channels_is_interpolated() -> None:
    motion = still_motion("flame", torch.randn(30, 4), ("a", "b", "c", "d"), 30.0, 0)
    torch.testing.assert_close(at_frame_rate(motion, 60).expression[::2], motion.expression)


def test_frames_without_a_fit_do_not_spread() -> None:
    error = torch.full((30,), 0.01)
    error[10] = torch.nan
    assert at_frame_rate(talking(30).replace(fit_error=error), 60).fit_error[:20].isnan().sum() == 1  # type: ignore


@pytest.mark.parametrize("fps", [24, 29.97, 50])
def test_the_video_runs_at_exactly_this_rate(tmp_path: Path, toy_head: HeadModel, fps: float) -> None:
    path = export(lively_motion(toy_head.assets, 60), tmp_path / "a.mp4", head=toy_head, fps=fps, size=32)
    exact = at_frame_rate(talking(), fps).fps
    with VideoReader(path) as video:
        assert video.fps == pytest.approx(exact, rel=1e-9)
        times = torch.tensor([time_s for time_s, _ in video])
    assert len(times) == round(2 * exact)
    torch.testing.assert_close(times, torch.arange(len(times)) / exact, atol=1e-4, rtol=0)


def test_a_motion_file_at_another_rate_names_it(tmp_path: Path, toy_head: HeadModel) -> None:
    export(lively_motion(toy_head.assets, 30), tmp_path / "a.npz", head=toy_head, fps=59.94)
    motion = read_motion(tmp_path / "a.npz")
    assert (motion.fps, motion.num_frames) == (60_000 / 1001, 60)
