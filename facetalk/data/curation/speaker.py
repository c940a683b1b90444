"""Active speaker detection: correlation of the visible mouth with the audio."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from facetalk.core.timing import FPS, resample
from facetalk.data.curation.settings import SpeakerRules
from facetalk.data.curation.spans import Check
from facetalk.metrics.av_offset import AvOffset, estimate_av_offset, lagged_correlations, syllable_band


class Sync(NamedTuple):
    """How well a mouth follows the audio."""

    corr: float
    """Pearson correlation at the best lag; 0 where nothing moves."""
    lag_s: float
    """How much later than the audio the mouth moves; negative where it moves first."""


def best_sync(
    mouth: Float[Tensor, " frames"], expected: Float[Tensor, " frames"], search_s: float, fps: float = FPS
) -> Sync:
    """The highest correlation of two curves over a range of lags.

    Args:
        mouth: opening of the mouth.
        expected: what opens it: loudness, or the opening that a speech encoder expects.
        search_s: largest lag that is tried, in both directions.
        fps: frames per second.
    """
    reach = min(round(search_s * fps), len(mouth) // 3)
    correlations = lagged_correlations(expected[:, None], mouth[:, None], reach)[:, 0].tolist()
    found = Sync(0.0, 0.0)
    for lag in sorted(range(-reach, reach + 1), key=abs):  # of equal correlations the smallest lag counts
        if correlations[reach + lag] > found.corr + 1e-6:
            found = Sync(correlations[reach + lag], lag / fps)
    return found


@dataclass(frozen=True, eq=False)
class SpeakingScore:
    """How well one face follows the voice, in each frame: means over the windows around it."""

    corr: Float[Tensor, " frames"]
    """Correlation; a window whose best lag is too large counts as 0."""
    lag_s: Float[Tensor, " frames"]
    voice_share: Float[Tensor, " frames"]
    """Share of the time in which a voice is heard."""
    passes: Float[Tensor, " frames"]
    """Share of the windows in which the mouth follows the voice with a small enough lag."""

    @staticmethod
    def unknown(num_frames: int) -> SpeakingScore:
        """The score of a face that is no candidate: correlation -1, else 0."""
        zeros = [torch.zeros(num_frames) for _ in range(3)]
        return SpeakingScore(torch.full((num_frames,), -1.0), *zeros)


def score_speaking(
    mouth: Float[Tensor, " frames"],
    expected: Float[Tensor, " frames"],
    voiced: Bool[Tensor, " frames"],
    rules: SpeakerRules,
) -> SpeakingScore:
    """Score a mouth in overlapping windows of `window_s`.

    Args:
        mouth: opening of the lips; NaN where it is not visible.
        expected: opening that the speech encoder expects from the audio.
        voiced: frames with a voice.
        rules: thresholds.
    """
    size = max(2, round(rules.window_s * FPS))
    moved, expected = syllable_band(_filled(mouth)), syllable_band(expected)
    count = len(mouth)
    sums = torch.zeros(5, count)
    last = max(0, count - size)
    for start in sorted({*range(0, last + 1, max(1, size // 4)), last}):
        inside = slice(start, min(start + size, count))
        sync = best_sync(moved[inside], expected[inside], rules.search_s)
        corr = sync.corr if abs(sync.lag_s) <= rules.max_lag_s + 1e-6 else 0.0
        voice = float(voiced[inside].float().mean())
        sums[:, inside] += torch.tensor([corr, sync.lag_s, voice, float(corr > rules.min_corr), 1.0])[:, None]
    corr, lag_s, voice_share, passes = sums[:4] / sums[4]
    return SpeakingScore(corr, lag_s, voice_share, passes)


def speaking_checks(own: SpeakingScore, others: Sequence[SpeakingScore], rules: SpeakerRules) -> tuple[Check, ...]:
    """Conditions for the frames of a face that speaks.

    Args:
        own: score of the face.
        others: scores of the faces that are visible at the same time.
        rules: thresholds.
    """
    # Half of the windows around a frame must agree: one that reaches into another voice's turn decides nothing.
    corr = torch.where(own.passes >= 0.5, 1.0, own.corr.clamp(max=rules.min_corr - 1e-3))
    checks = [
        Check("no voice", own.voice_share, rules.min_voice_share, at_least=True),
        Check("not speaking", corr, rules.min_corr, at_least=True),
    ]
    if others:
        rival = torch.stack([other.corr for other in others]).amax(0)
        checks.append(Check("another face speaks", rival - own.corr, 0.0))
    return tuple(checks)


def mouth_offset(mouth: Float[Tensor, " frames"], expected: Float[Tensor, " frames"]) -> AvOffset | None:
    """How much later than the audio a mouth moves, from its opening alone; arguments as for `score_speaking`."""
    return estimate_av_offset(expected[:, None], _filled(mouth)[:, None])


def _filled(curve: Float[Tensor, " frames"]) -> Float[Tensor, " frames"]:
    """A curve with its gaps interpolated linearly."""
    known = (~curve.isnan()).nonzero()[:, 0]
    if not len(known):
        return torch.zeros_like(curve)
    frames = torch.arange(len(curve), dtype=torch.float64)
    return resample(curve[known], frames[known], frames)
