"""Audio files: any audio or video file in, 16 kHz mono out."""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

import soundfile
from jaxtyping import Float
from torch import Tensor

from facetalk.core.timing import SAMPLE_RATE
from facetalk.io.files import replacing
from facetalk.io.streamed_audio import BLOCK, StreamedAudio

Waveform: TypeAlias = Float[Tensor, " samples"] | StreamedAudio
"""Mono samples in [-1, 1] that can be sliced."""


def read_waveform(path: Path | str) -> Float[Tensor, " samples"]:
    """Read mono audio at 16 kHz.

    Args:
        path: any audio or video file that soundfile or ffmpeg reads.

    Returns:
        Samples in [-1, 1]; louder files are scaled down. In a video, time 0 is where the file starts.

    Raises:
        FacetalkError: there is no such file, or no audio of at least 0.1 s in it.
    """
    with StreamedAudio(path) as audio:
        return audio[:]


def write_wav(path: Path | str, waveform: Waveform, sample_rate: int = SAMPLE_RATE) -> None:
    """Write mono 16-bit audio; samples beyond [-1, 1] are clipped."""
    with (
        replacing(Path(path)) as temporary,
        soundfile.SoundFile(temporary, "w", sample_rate, 1, format="WAV", subtype="PCM_16") as file,
    ):
        for start in range(0, len(waveform), BLOCK):
            file.write(waveform[start : start + BLOCK].detach().cpu().clamp(-1, 1).numpy())
