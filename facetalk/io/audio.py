"""Audio files: any audio or video file in, 16 kHz mono out."""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

import soundfile
import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.core.errors import InvalidValueError
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


def checked_waveform(waveform: object) -> Waveform:
    """The waveform in single precision, if it is one; streamed audio was checked when it was read.

    Raises:
        InvalidValueError: it is no tensor of one dimension, is empty, or has values that are not finite.
    """
    if isinstance(waveform, StreamedAudio):
        return waveform
    samples = checked_samples(waveform)
    if len(samples) == 0:
        raise InvalidValueError("the waveform is empty")
    return samples


def checked_samples(waveform: object) -> Float[Tensor, " samples"]:
    """A piece of a waveform in single precision, if it is one; it may be empty.

    Raises:
        InvalidValueError: it is no tensor of one dimension, or has values that are not finite.
    """
    if not isinstance(waveform, Tensor) or waveform.ndim != 1 or not waveform.is_floating_point():
        what = f"a tensor {tuple(waveform.shape)}" if isinstance(waveform, Tensor) else type(waveform).__name__
        raise InvalidValueError(f"a waveform is a tensor of floating-point samples in one dimension, not {what}")
    if not bool(torch.isfinite(waveform).all()):
        raise InvalidValueError("the waveform has samples that are not finite")
    return waveform.float()


def write_wav(path: Path | str, waveform: Waveform, sample_rate: int = SAMPLE_RATE) -> None:
    """Write mono 16-bit audio; samples beyond [-1, 1] are clipped."""
    with (
        replacing(Path(path)) as temporary,
        temporary.open("wb") as opened,  # libsndfile wants names in Unicode
        soundfile.SoundFile(opened, "w", sample_rate, 1, format="WAV", subtype="PCM_16") as file,
    ):
        for start in range(0, len(waveform), BLOCK):
            file.write(waveform[start : start + BLOCK].detach().cpu().clamp(-1, 1).numpy())
