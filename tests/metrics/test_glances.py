"""Fixations and saccades are told apart by speed, and looks at the viewer are counted."""

from __future__ import annotations

import itertools

import pytest
import torch

from facetalk.core.timing import frame_times, resample
from facetalk.metrics.glances import find_glances, rested_sight
from facetalk.metrics.registry import load_metric
from facetalk.motion.gestures.gaze import glances, sample_fixations
from tests.metrics.evidence import ToyEvidence


def looks(*parts: tuple[float, float, int]) -> torch.Tensor:
    """Yaw, pitch and frames of one rest after the other."""
    return torch.cat([torch.tensor([[float(yaw), float(pitch)]]).expand(frames, 2) for yaw, pitch, frames in parts])


def test_fixations_saccades_and_contact_by_hand() -> None:
    found = find_glances(looks((0, 0, 30), (8, 0, 15), (8, -6, 9), (0, 0, 6)), 30.0)
    torch.testing.assert_close(found.amplitudes, torch.tensor([8.0, 6.0, 10.0], dtype=torch.float64))
    # What the clip cuts off at both ends has no known length.
    torch.testing.assert_close(found.fixations, torch.tensor([14 / 30, 8 / 30], dtype=torch.float64))
    assert found.contact == 36 / 60 and found.rate == 3 / 2


def test_the_rested_sight_has_the_saccades_and_no_noise() -> None:
    clean = looks((0, 0, 30), (8, 0, 15), (8, -6, 9), (0, 0, 6))
    noisy = clean + 0.3 * torch.randn(60, 2, generator=torch.Generator().manual_seed(0))
    rested = rested_sight(noisy, 30.0)
    assert (rested - clean).abs().max() < 0.3 < (noisy - clean).abs().max()
    assert all(len(part.unique(dim=0)) == 1 for part in rested.split((30, 15, 9, 6)))


def test_a_saccade_over_several_frames_is_one_and_a_drift_is_none() -> None:
    course = torch.cat([torch.zeros(20), torch.tensor([1.0, 4.0, 8.0, 11.0]), torch.full((20,), 12.0)])
    found = find_glances(torch.stack([course, torch.zeros(44)], 1), 30.0)
    assert found.amplitudes.tolist() == [10.0]  # the slow beginning and end belong to the fixations
    drift = torch.stack(
        [torch.linspace(0, 30, 60), 0.4 * torch.randn(60, generator=torch.Generator().manual_seed(0))], 1
    )
    found = find_glances(drift, 30.0)
    assert len(found.amplitudes) == 0 and found.fixations.tolist() == [2.0]


def test_angles_near_the_pole_count_by_what_they_turn() -> None:
    assert len(find_glances(looks((0, 80, 10), (8, 80, 10)), 30.0).amplitudes) == 0  # 1.4 degrees


@pytest.mark.parametrize("fps", [25.0, 30.0, 60.0])
def test_the_fixations_of_a_gesture_are_found_again(fps: float) -> None:
    fixations = sample_fixations(300, torch.Generator().manual_seed(3), 0.7)
    rows = resample(glances(9000, fixations).rad2deg(), frame_times(9000), frame_times(round(300 * fps), fps))
    found = find_glances(rows, fps)
    assert found.contact == pytest.approx(0.7, abs=0.15)
    large = [f for a, f in itertools.pairwise(fixations) if abs(a.yaw - f.yaw) + abs(a.pitch - f.pitch) > 4]
    assert len(found.amplitudes) == pytest.approx(len(large), rel=0.2)


def test_a_face_that_stares_has_figures_too() -> None:
    class Staring(ToyEvidence):
        def gaze(self):
            pair = super().gaze()
            return pair._replace(predicted=torch.zeros(120, 2))

    figures = load_metric("gaze").measure(Staring()).figures
    assert figures["gaze_contact"] == 1 and figures["gaze_saccade_rate_hz"] == 0
    assert figures["gaze_saccade_deg"] != figures["gaze_saccade_deg"]  # NaN
    assert figures["gaze_fixation_s"] == 4.0
    same = load_metric("gaze").measure(ToyEvidence()).figures
    assert same["gaze_fixation_distance_s"] == same["gaze_saccade_distance_deg"] == 0
