import numpy as np
import pytest
import torch
from scipy.interpolate import CubicSpline

from facetalk.metrics.av_offset import (
    AvOffset,
    estimate_av_offset,
    lagged_correlations,
    pooled_offsets_ms,
    spline_through,
    syllable_band,
)


def mouths(num_frames: int, seed: int, offset_ms: float = 0.0) -> torch.Tensor:
    """Opening and width of a mouth that moves at the rate of syllables, at 30 fps, later by an offset."""
    generator = np.random.default_rng(seed)
    times = (np.arange(num_frames) / 30 - offset_ms / 1000)[:, None]
    rates, phases = generator.uniform(1, 6, (2, 40)), generator.uniform(0, 2 * np.pi, (2, 40))
    curves = [np.sin(2 * np.pi * times * r + p).sum(1) for r, p in zip(rates, phases, strict=True)]
    return torch.tensor(np.stack(curves, 1)).float()


@pytest.mark.parametrize("offset_ms", [-230.0, -50.0, 0.0, 12.0, 85.0, 310.0])
@pytest.mark.parametrize("fps", [25.0, 30.0])
def test_the_offset_of_a_late_mouth_is_positive_and_found_to_a_fraction_of_a_frame(
    offset_ms: float, fps: float
) -> None:
    times = torch.arange(round(6 * fps)) / fps
    frames = (times * 30).numpy()

    def sampled(curves: torch.Tensor) -> torch.Tensor:
        rows = [np.interp(frames, np.arange(len(curves)), column.numpy()) for column in curves.T]
        return torch.tensor(np.stack(rows, 1)).float()

    noise = 2 * torch.randn(len(times), 2, generator=torch.Generator().manual_seed(0))
    found = estimate_av_offset(sampled(mouths(180, 1)), sampled(mouths(180, 1, offset_ms)) + noise, fps)
    assert found is not None and found.ms == pytest.approx(offset_ms, abs=12)
    assert found.is_certain and found.corr > 0.8


def test_the_stated_uncertainty_covers_the_errors() -> None:
    errors = []
    for seed in range(40):
        noise = 12 * torch.randn(120, 2, generator=torch.Generator().manual_seed(seed))
        found = estimate_av_offset(mouths(120, seed), mouths(120, seed, 40.0) + noise)
        assert found is not None
        errors.append((found.ms - 40.0) / found.sd_ms)
    assert 0.1 < np.median(np.abs(errors)) < 1.2
    assert np.mean(np.abs(errors) < 3) > 0.9


def test_a_mouth_that_follows_another_voice_is_not_certain() -> None:
    found = [estimate_av_offset(mouths(120, seed), mouths(120, 1000 + seed)) for seed in range(40)]
    assert sum(estimate is not None and estimate.is_certain for estimate in found) <= 4


def test_short_clips_and_still_mouths_have_no_offset() -> None:
    assert estimate_av_offset(mouths(40, 0), mouths(40, 0)) is None
    assert estimate_av_offset(mouths(90, 0), torch.ones(90, 2)) is None
    assert estimate_av_offset(torch.zeros(90, 2), mouths(90, 0)) is None


def test_lagged_correlations_are_those_of_numpy() -> None:
    first, second = mouths(50, 0), mouths(50, 1)
    found = lagged_correlations(first, second, 3)
    for row, lag in zip(found, range(-3, 4), strict=True):
        late, early = second[max(lag, 0) : 50 + min(lag, 0)], first[max(-lag, 0) : 50 - max(lag, 0)]
        for column in range(2):
            slow = np.corrcoef(late[:, column], early[:, column])[0, 1]
            assert float(row[column]) == pytest.approx(slow, abs=1e-5)


def test_the_band_treats_each_curve_by_itself() -> None:
    curves = mouths(100, 2)
    torch.testing.assert_close(syllable_band(curves)[:, 1], syllable_band(curves[:, 1]))


def test_clips_of_a_source_support_each_other() -> None:
    source = [AvOffset(-100.0, 10.0, 0.6)] * 5
    unsure, wrong, none = AvOffset(40.0, 120.0, 0.3), AvOffset(300.0, 90.0, 0.2), None
    offsets = pooled_offsets_ms([*source, unsure, wrong, none])
    assert offsets == pytest.approx([-100.0] * 8, abs=10)


def test_a_clip_that_is_certain_keeps_an_offset_of_its_own() -> None:
    offsets = pooled_offsets_ms([AvOffset(0.0, 8.0, 0.7)] * 6 + [AvOffset(200.0, 6.0, 0.7)])
    assert offsets[:-1] == pytest.approx([0.0] * 6, abs=5) and offsets[-1] == pytest.approx(200.0, abs=5)


def test_without_any_estimate_nothing_is_moved() -> None:
    assert pooled_offsets_ms([]) == []
    assert pooled_offsets_ms([None, None]) == [0.0, 0.0]


@pytest.mark.parametrize("count", [4, 5, 27])
def test_splines_are_those_of_scipy(count: int) -> None:
    values = np.random.default_rng(0).normal(size=(count, 2))
    places = np.linspace(0, count - 1, 50)
    np.testing.assert_allclose(
        spline_through(values, places), CubicSpline(np.arange(count), values)(places), atol=1e-12
    )
