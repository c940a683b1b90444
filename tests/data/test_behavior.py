"""Behavior is read from tracked motions in units of each clip."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
import torch

from facetalk.core.errors import FacetalkError
from facetalk.core.motion import Motion, still_motion
from facetalk.core.rotations import from_yaw_pitch_roll, matrix_to_axis_angle
from facetalk.data.behavior import (
    BehaviorDataConfig,
    BehaviorSampler,
    behavior_of,
    lid_closure_of,
    read_behaviors,
    smoothed,
)
from facetalk.data.manifest import read_manifest
from facetalk.head.behavior import BLINK_UNIT, NUM_STATES, STATES, WINDOW
from facetalk.head.channels import ARKIT_NAMES, BLINK_NAMES, indices
from facetalk.io.audio import write_wav
from facetalk.io.motion import write_motion


def tracked(num_frames: int = 300) -> Motion:
    """A head that sways by 4 degrees of yaw and 1 of pitch, and blinks once."""
    times = torch.arange(num_frames) / 30
    angles = torch.stack([4 * torch.sin(2 * times), 1 * torch.cos(3 * times), torch.zeros(num_frames)], 1).deg2rad()
    expression = torch.full((num_frames, 52), 0.2)
    expression[100:104, indices(BLINK_NAMES)] = 1.0
    motion = still_motion("toy", expression, ARKIT_NAMES, 30.0, 3)
    return motion.replace(global_orient=matrix_to_axis_angle(from_yaw_pitch_roll(angles)))


def dataset(folder: Path, frames: tuple[int, ...]) -> Path:
    with (folder / "manifest.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["name", "speaker"])
        for index, length in enumerate(frames):
            write_motion(folder / f"c{index}.npz", tracked(length))
            write_wav(folder / f"c{index}.wav", 0.1 * torch.ones(length * 534))
            rows.writerow([f"c{index}", f"s{index}"])
    return folder


def test_states_are_in_units_of_the_clip_s_own_spread() -> None:
    states, spread = behavior_of(tracked(600))
    assert states.shape == (600, NUM_STATES)
    torch.testing.assert_close(spread[:3], torch.tensor([4 / 2**0.5, 1 / 2**0.5, 0.7]), atol=0.1, rtol=0.05)
    torch.testing.assert_close(states[:, :2].std(0), torch.ones(2), atol=0.02, rtol=0)
    assert states[:, 2].abs().max() < 0.01


def test_lids_count_from_where_they_usually_are() -> None:
    closure = lid_closure_of(tracked())
    assert closure[:95].abs().max() < 1e-6
    torch.testing.assert_close(closure[100:104], torch.ones(4))
    states = behavior_of(tracked()).states[:, STATES["blink"]]
    torch.testing.assert_close(states[:, 0] * BLINK_UNIT, closure)


def test_the_filter_keeps_cubic_courses_and_removes_noise() -> None:
    times = torch.arange(30.0)[:, None] / 10
    cubic = times**3 - times
    torch.testing.assert_close(smoothed(cubic)[4:-4], cubic[4:-4], atol=1e-4, rtol=0)
    noise = torch.randn(500, 1, generator=torch.Generator().manual_seed(0))
    assert smoothed(noise).std() < 0.65 * noise.std()
    assert torch.equal(smoothed(noise[:5]), noise[:5])


def test_clips_shorter_than_a_window_are_left_out(tmp_path: Path) -> None:
    examples = read_behaviors(read_manifest(dataset(tmp_path, (WINDOW, WINDOW + 1, 300))), 0.5)
    assert [example.clip.name for example in examples] == ["c1", "c2"]
    with pytest.raises(FacetalkError, match="longer than a window"):
        read_behaviors(read_manifest(tmp_path)[:1], 0.5)


def test_windows_come_with_the_frame_before(tmp_path: Path) -> None:
    examples = read_behaviors(read_manifest(dataset(tmp_path, (300, WINDOW + 1))), 0.5)
    sampler = BehaviorSampler(examples, BehaviorDataConfig(batch_size=5))
    first, second = (sampler.sample(torch.Generator().manual_seed(seed)) for seed in (0, 0))
    assert first.states.shape == (5, WINDOW + 1, NUM_STATES)
    assert first.features.shape[:2] == first.trusted.shape == (5, WINDOW)
    assert torch.equal(first.states, second.states)
