"""Does the seen mouth make the heard sound?"""

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

_BAND_HZ = (0.6, 7.0)
"""Syllables, faster than changes of loudness from sentence to sentence and slower than noise of the tracker."""


class Sync(NamedTuple):
    """How far a mouth follows a sound."""

    corr: float
    """Pearson correlation at the best lag; 0 where nothing moves."""
    lag_s: float
    """How much the mouth comes after the sound; negative where it moves first."""


def syllable_band(curve: Float[Tensor, " frames"], fps: float = FPS) -> Float[Tensor, " frames"]:
    """The part of a curve that moves as fast as syllables, 0.6 to 7 Hz."""
    padded = torch.cat([curve.flip(0), curve, curve.flip(0)])  # mirrored, so that the ends make no step
    spectrum = torch.fft.rfft(padded - padded.mean())
    hertz = torch.fft.rfftfreq(len(padded), 1 / fps, device=curve.device)
    low, high = _BAND_HZ
    gain = (1 - torch.exp(-0.5 * (hertz / low) ** 4)) * torch.exp(-0.5 * (hertz / high) ** 8)
    return torch.fft.irfft(spectrum * gain, len(padded))[len(curve) : 2 * len(curve)]


def best_sync(
    mouth: Float[Tensor, " frames"], sound: Float[Tensor, " frames"], search_s: float, fps: float = FPS
) -> Sync:
    """The strongest correlation of two curves over a range of lags.

    Args:
        mouth: how far the mouth is open.
        sound: what should open it: loudness, or the opening that a speech encoder expects; as long.
        search_s: largest lag that is tried, to either side.
        fps: rows a second.
    """
    reach = min(round(search_s * fps), len(mouth) // 3)
    found = Sync(0.0, 0.0)
    for lag in sorted(range(-reach, reach + 1), key=abs):  # of equal correlations the smallest lag counts
        corr = _correlation(mouth[max(lag, 0) : len(mouth) + min(lag, 0)],
                            sound[max(-lag, 0) : len(sound) - max(lag, 0)])  # fmt: skip
        if corr > found.corr + 1e-6:
            found = Sync(corr, lag / fps)
    return found


def _correlation(first: Tensor, second: Tensor) -> float:
    first, second = first - first.mean(), second - second.mean()
    norm = first.norm() * second.norm()
    return float((first * second).sum() / norm) if norm > 1e-9 else 0.0


@dataclass(frozen=True, eq=False)
class Speaking:
    """What is known about one face and the voice in each frame; see `judge_speaking`."""

    corr: Float[Tensor, " frames"]
    """Correlation in the stretches around a frame; a stretch whose best lag is too large counts as 0."""
    lag_s: Float[Tensor, " frames"]
    voice_share: Float[Tensor, " frames"]
    """Part of the stretches around a frame in which a voice is heard."""
    passes: Float[Tensor, " frames"]
    """Share of the stretches around a frame in which the mouth follows the voice with a small enough lag."""


def judge_speaking(
    mouth: Float[Tensor, " frames"],
    expected: Float[Tensor, " frames"],
    voiced: Bool[Tensor, " frames"],
    rules: SpeakerRules,
) -> Speaking:
    """How far a mouth follows a voice, stretch by stretch of `window_s`, half of it apart.

    Args:
        mouth: opening of the lips; NaN where it is not seen.
        expected: opening that the speech encoder expects from the sound.
        voiced: where a voice is heard.
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
    corr, lag_s, voice_share, passing = sums[:4] / sums[4]
    return Speaking(corr, lag_s, voice_share, passing)


def speaking_checks(own: Speaking, others: Sequence[Speaking], rules: SpeakerRules) -> tuple[Check, ...]:
    """What must hold in every frame of a face that speaks.

    Args:
        own: of the face.
        others: of the faces that are seen at the same time, with -1 as the correlation where they are not.
        rules: thresholds.
    """
    checks = [
        Check("no voice", own.voice_share, rules.min_voice_share, at_least=True),
        # Half of the stretches around a frame must agree: one that reaches into another voice's turn decides nothing.
        Check("not speaking", torch.where(own.passes >= 0.5, 1.0, own.corr.clamp(max=rules.min_corr - 1e-3)),
              rules.min_corr, at_least=True),
    ]  # fmt: skip
    if others:
        rival = torch.stack([other.corr for other in others]).amax(0)
        checks.append(Check("another face speaks", rival - own.corr, 0.0))
    return tuple(checks)


def _filled(curve: Tensor) -> Tensor:
    """A curve with straight lines over its holes."""
    known = (~curve.isnan()).nonzero()[:, 0]
    if not len(known):
        return torch.zeros_like(curve)
    moments = torch.arange(len(curve), dtype=torch.float64)
    return resample(curve[known], moments[known], moments)
