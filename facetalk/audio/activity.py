"""Voice activity and loudness."""

from __future__ import annotations

import math

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from facetalk.audio.samples import Samples
from facetalk.core.events import Event
from facetalk.core.spans import runs
from facetalk.core.timing import FPS, SAMPLE_RATE, frames_for

_BLOCK_FRAMES = 900
_HALF_PAUSE_S = 0.15
_QUIET_DB = -60.0
"""A frame below this level, relative to full scale, is never speech."""
_FAINT = -14 / 20 * math.log(10)
"""Sounds 14 dB below the usual loudness of speech are none."""
AUDIBLE_REACH = 5
"""Frames to either side."""


def loudness_db(waveform: Samples, fps: float = FPS) -> Float[Tensor, " frames"]:
    """Level of the audio under each video frame in decibels relative to full scale, at least -100."""
    num_frames = frames_for(len(waveform) / SAMPLE_RATE, fps)
    edges = (torch.arange(num_frames + 1, dtype=torch.float64) * SAMPLE_RATE / fps).round().long()
    edges = edges.clamp(max=len(waveform))
    # One result for all blocks: small tensors that stay would keep the allocator from reusing the large ones.
    levels = torch.empty(num_frames)
    for start in range(0, num_frames, _BLOCK_FRAMES):
        block = edges[start : start + _BLOCK_FRAMES + 1]
        levels[start : start + len(block) - 1] = _levels(waveform, block)
    return levels


def _levels(waveform: Samples, edges: Int64[Tensor, " edges"]) -> Float[Tensor, " frames"]:
    first, last = int(edges[0]), int(edges[-1])
    # In place and read bit by bit: each copy of half a minute would take 4 MB.
    energy = torch.zeros(last - first + 1, dtype=torch.float64)
    for start in range(first, last, SAMPLE_RATE):
        stop = min(start + SAMPLE_RATE, last)
        energy[start - first + 1 : stop - first + 1] = waveform[start:stop]
    energy.square_().cumsum_(0)
    power = (energy[edges[1:] - first] - energy[edges[:-1] - first]) / (edges[1:] - edges[:-1]).clamp_min(1)
    return (10 * power.clamp_min(1e-10).log10()).float()


def speech_activity(waveform: Samples, fps: float = FPS, hold_s: float = 0.15) -> Bool[Tensor, " frames"]:
    """True for the video frames that contain speech.

    A frame counts when its level rises from the clip's own noise level towards its own loud parts, so the result does
    not depend on the gain. Only loudness is used: loud music counts as speech.

    Args:
        waveform: mono samples at 16 kHz.
        fps: video frames a second.
        hold_s: gaps up to twice this long are closed and every segment is widened by this much, seconds.
    """
    level = loudness_db(waveform, fps)
    noise, loud = torch.quantile(level, torch.tensor([0.1, 0.95], dtype=level.dtype, device=level.device))
    # Without pauses the noise level is close to the loud level; then the limit is 25 dB below the loud parts.
    limit = torch.maximum(torch.minimum(noise + 0.35 * (loud - noise), loud - 12), loud - 25)
    active = level > limit.clamp_min(_QUIET_DB)
    return _widened(active, round(hold_s * fps))


def audible(loudness: Float[Tensor, " frames"]) -> Bool[Tensor, " frames"]:
    """True for the frames that contain sound, up to `AUDIBLE_REACH` frames around it.

    Unlike `speech_activity` it does not need the whole recording. They agree in 98 % of the
    frames of the training clips.

    Args:
        loudness: natural logarithm of the root mean square of each frame, relative to the running level.
    """
    return _widened(loudness > _FAINT, AUDIBLE_REACH)


def phrases(waveform: Samples) -> tuple[Event, ...]:
    """Stretches of speech between pauses of 0.3 s or more; see `speech_activity`.

    Args:
        waveform: mono samples at 16 kHz.
    """
    speech = ~_widened(~speech_activity(waveform, hold_s=_HALF_PAUSE_S), round(_HALF_PAUSE_S * FPS))
    return tuple(Event("phrase", span.start / FPS, span.stop / FPS) for span in runs(speech))


def _widened(active: Bool[Tensor, " frames"], reach: int) -> Bool[Tensor, " frames"]:
    return torch.nn.functional.max_pool1d(active.float()[None], 2 * reach + 1, 1, reach)[0] > 0
