"""The contract of every metric, and figures by hand."""

from __future__ import annotations

import math
import re

import pytest
import torch

from facetalk.core.errors import UsageError
from facetalk.metrics.base import AnglePair, CurvePair, Evidence, LandmarkPair, Metric, NotOfferedError, Reading
from facetalk.metrics.registry import ALL, DEFAULT, HIGHER_IS_BETTER, METRICS, chosen_metrics, load_metric
from tests.metrics.evidence import ToyEvidence, noise

DISTANCES = ("lve", "lve-sq", "mve", "fve", "eve", "fdd", "fdd-abs", "mod", "m-lmd", "f-lmd", "emotion-distance",
             "diversity")  # fmt: skip
UNITS = ("_mm", "_mm2", "_iod", "_s2", "_hz", "_s", "_deg", "_deg_s", "_db", "_ms", "_levels")
PLAIN = (
    "ssim",
    "cpbd",
    "sync",
    "closure",
    "beat",
    "pose_speech_r",
    "gaze_contact",
    "gaze_reference_contact",
    "emotion_distance",
    "phoneme",
    "viseme",
)
"""Beginnings of figures without a unit."""


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_is_a_module_with_figures_whose_names_state_units(name: str) -> None:
    metric, clips = load_metric(name), ToyEvidence(0.5)
    assert isinstance(metric, Metric) and isinstance(clips, Evidence)
    assert re.search(r"(19|20)\d\d", metric.__doc__ or "") or name in ("psnr", "fdd-abs", "lip-closure"), "its source"
    found = metric.measure(clips)
    assert found.figures and all(key.endswith(UNITS) or key.startswith(PLAIN) for key in found.figures)
    assert all(curve.ndim == 1 for curve in found.curves.values())
    assert {key for key in found.figures if key in HIGHER_IS_BETTER} == set(METRICS[name].higher)
    assert set(found.figures) <= set(METRICS[name].figures)
    others = {figure.replace("_mm", "_iod") for figure in found.figures}
    assert set(METRICS[name].figures) <= {*found.figures, *others}, "all of them are found, in one unit or another"


@pytest.mark.parametrize("name", DISTANCES)
def test_distances_are_zero_for_equal_clips_only(name: str) -> None:
    equal, different = (load_metric(name).measure(ToyEvidence(offset)).figures for offset in (0.0, 0.5))
    assert equal.keys() == different.keys()
    for key in equal:
        assert equal[key] == pytest.approx(0.0, abs=2e-3)
        assert abs(different[key]) > 0.02


def test_the_table_is_chosen_from_by_name() -> None:
    assert chosen_metrics(()) == DEFAULT
    assert chosen_metrics(("mve", "lve", "mve")) == ("mve", "lve")
    assert chosen_metrics((ALL,)) == tuple(METRICS)
    with pytest.raises(UsageError, match="unknown metric 'fid'; known metrics: lve, lve-sq"):
        chosen_metrics(("fid",))


class Opening(ToyEvidence):
    """Lips of 68 points at rest in one plane, which open by given millimeters; nothing else moves."""

    openings = (torch.tensor([0.0, 4.0, 9.0, 0.0] * 10), torch.tensor([0.0, 6.0, 6.0, 0.0] * 10))

    def landmarks(self) -> LandmarkPair:
        points = 40 * noise(68, 3)
        points[62] = points[66]
        clips = []
        for opening in self.openings:
            moved = points.repeat(len(opening), 1, 1)
            moved[:, 66, 1] -= opening
            clips.append(moved)
        return LandmarkPair(clips[0], clips[1], "mm")

    def bilabials(self) -> torch.Tensor:
        return torch.arange(40) % 4 == 3


def test_mouth_opening_difference_by_hand() -> None:
    """|4 - 6| and |9 - 6| in two of four frames, but for the alignment that one moved point of 68 disturbs a little."""
    figures = load_metric("mod").measure(Opening()).figures
    assert figures["mod_mm"] == pytest.approx((2 + 3) / 4, abs=0.1)


def test_closures_by_hand() -> None:
    assert load_metric("lip-closure").measure(Opening()).figures == {"closure_recall": 1, "closure_precision": 1}
    lazy = Opening()
    lazy.openings = (torch.tensor([0.0] + [5.0] * 39), lazy.openings[1])
    # None of the ten closures is made, and the one at the start is right.
    assert load_metric("lip-closure").measure(lazy).figures == {"closure_recall": 0, "closure_precision": 1}
    lazy.openings = (torch.full((40,), 5.0), lazy.openings[1])
    found = load_metric("lip-closure").measure(lazy).figures
    assert found["closure_recall"] == 0 and math.isnan(found["closure_precision"])  # lips that never close


def test_blinks_and_their_distances_by_hand() -> None:
    class Blinking(ToyEvidence):
        def lid_closures(self) -> CurvePair:
            clock = torch.arange(300) / 30
            curves = [
                torch.stack([(1 - (clock - at).abs() / width).clamp_min(0) for at in times]).amax(0)
                for times, width in (((1.0, 4.0), 0.2), ((1.0, 3.0, 5.0), 0.3))
            ]
            return CurvePair(curves[0], curves[1])

    figures = load_metric("blink").measure(Blinking()).figures
    assert figures["blink_rate_hz"] == pytest.approx(0.2) and figures["blink_reference_rate_hz"] == pytest.approx(0.3)
    assert figures["blink_duration_s"] == pytest.approx(0.2, abs=1e-3)
    assert figures["blink_duration_distance_s"] == pytest.approx(0.1, abs=1e-3)
    assert figures["blink_interval_s"] == pytest.approx(3) and figures["blink_reference_interval_s"] == pytest.approx(2)
    assert figures["blink_interval_distance_s"] == pytest.approx(1)


def test_pose_and_beat_do_without_speech_and_with_a_still_head() -> None:
    class Silent(ToyEvidence):
        def loudness(self) -> torch.Tensor:
            raise NotOfferedError("needs the speech")

    assert "pose_speech_r" in load_metric("pose").measure(ToyEvidence()).figures
    assert "pose_speech_r" not in load_metric("pose").measure(Silent()).figures
    assert set(load_metric("beat").measure(Silent()).figures) == {"beat_reference", "beat_reference_chance"}

    class Still(ToyEvidence):
        def head_angles(self) -> AnglePair:
            return AnglePair(torch.zeros(120, 3), super().head_angles().reference)

    assert load_metric("pose").measure(Still()).figures["pose_range_deg"] == 0
    assert math.isnan(load_metric("beat").measure(Still()).figures["beat_reference"])
    assert load_metric("beat").measure(ToyEvidence()).figures["beat_reference"] == 1  # of equal heads


def test_sync_finds_offset_and_confidence() -> None:
    figures = load_metric("sync").measure(ToyEvidence(offset=1.0)).figures
    assert figures["sync_offset_ms"] == pytest.approx(100) and figures["sync_reference_offset_ms"] == pytest.approx(0)
    assert figures["sync_confidence"] == pytest.approx(1, abs=0.1)


def test_error_rates_of_a_lip_reader_by_hand() -> None:
    figures = load_metric("lip-reading").measure(ToyEvidence(offset=1.0)).figures
    assert figures["phoneme_error_rate"] == pytest.approx(1 / 4)  # 1 2 2 4 for 1 2 3 4
    assert figures["viseme_error_rate"] == pytest.approx(1 / 3)  # 1 3 for 1 2 3: equal visemes in a row are one
    assert figures["phoneme_error_rate_reference"] == 0

    class Mute(ToyEvidence):
        def reading(self) -> Reading:
            return Reading([], [1], [1], [0, 1])

    with pytest.raises(NotOfferedError, match="none is heard"):
        load_metric("lip-reading").measure(Mute())


def test_diversity_is_the_mean_distance_to_the_other_takes() -> None:
    mesh = ToyEvidence().meshes()
    takes = [mesh.predicted + torch.tensor([0.003, 0, 0]), mesh.predicted[:50] + torch.tensor([0, 0.001, 0])]
    assert load_metric("diversity").measure(ToyEvidence(takes=takes)).figures["diversity_mm"] == pytest.approx(2, 1e-3)


def test_jitter_of_a_known_acceleration() -> None:
    class Falling(ToyEvidence):
        def landmarks(self) -> LandmarkPair:
            clock = torch.arange(31.0) / 30
            points = torch.zeros(31, 68, 3) + noise(68, 3)
            points[..., 1] += 0.5 * 1000 * clock[:, None] ** 2
            return LandmarkPair(points, points.mean(0).expand_as(points), "mm")

    figures = load_metric("jitter").measure(Falling()).figures
    assert figures["jitter_mm_s2"] == pytest.approx(1000, rel=1e-2) and figures["jitter_reference_mm_s2"] < 1
    with pytest.raises(NotOfferedError, match="at least 3 frames; these clips have 2"):
        load_metric("jitter").measure(ToyEvidence(num_frames=2))
