"""Sound files: any recording or video in, 16 kHz mono out."""

from __future__ import annotations

import io
import subprocess
from pathlib import Path

import numpy as np
import soundfile
import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.audio.resample import mix_down, resample_waveform
from facetalk.core.errors import FacetalkError
from facetalk.core.timing import SAMPLE_RATE
from facetalk.io.files import replacing

MIN_SECONDS = 0.1
"""Shorter recordings hold no syllable."""


def read_waveform(path: Path | str) -> Float[Tensor, " samples"]:
    """Mono sound at 16 kHz in [-1, 1] of an audio or video file.

    In a video the sound starts where the file starts: a gap before the sound track becomes silence.
    """
    path = Path(path)
    if not path.is_file():
        raise FacetalkError(f"{path} is a folder, not a recording" if path.is_dir() else f"no such file: {path}")
    if path.stat().st_size == 0:
        raise FacetalkError(f"{path} is empty (0 bytes)")
    try:
        channels, sample_rate = soundfile.read(path, dtype="float32", always_2d=True)
    except soundfile.SoundFileError:
        channels, sample_rate = _decode_with_ffmpeg(path)
    if len(channels) == 0:
        raise FacetalkError(f"{path} holds no audio samples")
    if not np.isfinite(channels).all():
        raise FacetalkError(f"{path} holds samples that are not numbers (NaN or infinite); export the sound again")
    seconds = len(channels) / sample_rate
    if seconds < MIN_SECONDS:
        raise FacetalkError(f"{path} holds only {seconds:.3f} s of sound; at least {MIN_SECONDS} s are needed")
    waveform = resample_waveform(mix_down(torch.from_numpy(channels.T.copy())), sample_rate)
    peak = waveform.abs().max()
    return waveform / peak if peak > 1 else waveform


def write_wav(path: Path | str, waveform: Float[Tensor, " samples"], sample_rate: int = SAMPLE_RATE) -> None:
    """Write mono 16-bit sound; samples in [-1, 1]."""
    samples = waveform.detach().cpu().clamp(-1, 1).numpy()
    with replacing(Path(path)) as temporary:
        soundfile.write(temporary, samples, sample_rate, format="WAV", subtype="PCM_16")


def _decode_with_ffmpeg(path: Path) -> tuple[np.ndarray, int]:
    """Samples (samples, channels) and rate of the first sound track, through ffmpeg."""
    import imageio_ffmpeg

    # first_pts=0 keeps the sound in step with the picture where the sound track starts later; AU carries rate and
    # channels in a header that may leave the length open, which a pipe needs.
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-nostdin", "-i", str(path), "-map", "0:a:0",
               "-af", "aresample=async=1:first_pts=0", "-f", "au", "-c:a", "pcm_f32be", "-"]  # fmt: skip
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode == 0:
        try:
            return soundfile.read(io.BytesIO(done.stdout), dtype="float32", always_2d=True)
        except soundfile.SoundFileError:
            raise FacetalkError(f"{path}: the sound track holds no samples") from None
    message = done.stderr.decode(errors="replace").strip()
    if "matches no streams" in message:
        raise FacetalkError(f"{path} has no sound track; give a recording or a video with sound")
    reason = message.splitlines()[-1] if message else f"ffmpeg ended with code {done.returncode}"
    raise FacetalkError(f"{path} is not a sound or video file that can be read ({reason})")
