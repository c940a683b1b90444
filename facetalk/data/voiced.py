"""Clips with their waveforms: the examples of talkers whose encoders are trained too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from facetalk.core.errors import FacetalkError
from facetalk.core.timing import FPS, SAMPLE_RATE, frame_times, resample
from facetalk.data.manifest import Clip
from facetalk.head.controls import Controls
from facetalk.io.audio import read_waveform
from facetalk.io.motion import read_motion


@dataclass(frozen=True, eq=False)
class VoicedExample:
    """One clip in memory."""

    clip: Clip
    waveform: Float[Tensor, " samples"]
    """16 kHz, in half precision."""
    rows: Float[Tensor, "frames controls"]
    """The motion at 30 fps."""
    trusted: Float[Tensor, " frames"]
    """1 where the fit of a frame is trusted, else 0."""

    @property
    def num_frames(self) -> int:
        """Length at 30 fps."""
        return len(self.rows)

    def samples(self, start: int, num_frames: int) -> Float[Tensor, " samples"]:
        """The audio under some frames, with silence beyond its ends."""
        first = round(start / FPS * SAMPLE_RATE)
        wanted = round(num_frames / FPS * SAMPLE_RATE)
        piece = self.waveform[max(0, first) : first + wanted].float()
        before = max(0, -first)
        return functional.pad(piece, (before, wanted - before - len(piece)))


def read_voiced(
    clip: Clip,
    controls: Controls,
    *,
    audio_lags_ms: Mapping[str, float],
    fix_sync: bool = True,
    min_confidence: float = 0.5,
) -> VoicedExample:
    """Audio and motion of one clip, with the offset between them removed.

    Args:
        clip: has audio.
        controls: columns of the motion.
        audio_lags_ms: how much later than the video the audio of a speaker comes, by pattern.
        fix_sync: whether the offset that the manifest states is removed too.
        min_confidence: frames whose fit has a lower confidence are not trusted.
    """
    motion = read_motion(clip.motion_path).to_fps(FPS)
    try:
        rows = controls.rows(motion)
    except ValueError as error:
        raise FacetalkError(f"{clip.motion_path}: {error}; fit the clips with the head of the configuration") from None
    times = frame_times(motion.num_frames)
    moved = times - clip.audio_lag_s(audio_lags_ms, fix_sync)
    trusted = torch.ones(len(rows)) if motion.confidence is None else (motion.confidence >= min_confidence).float()
    return VoicedExample(
        clip,
        read_waveform(clip.audio_path).half(),
        resample(rows, times, moved),
        (resample(trusted, times, moved) > 0.99).float(),
    )
