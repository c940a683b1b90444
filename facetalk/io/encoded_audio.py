"""Audio of files, parts of files and samples, as ffmpeg encodes it."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from jaxtyping import Float
from torch import Tensor

from facetalk.core.leftovers import temporary
from facetalk.core.timing import SAMPLE_RATE
from facetalk.io.audio_clip import AudioClip
from facetalk.io.ffmpeg import Encoding, no_audio, source
from facetalk.io.media import Stream, checked_file, probe
from facetalk.io.sample_blocks import sample_blocks
from facetalk.io.timeline import audio_filter, longest_pause

AudioSource = Path | str | AudioClip | Float[Tensor, " samples"]
"""Audio or video file whose audio is meant, or a part of it, or mono samples in [-1, 1]."""

MAX_CHANNELS = 8
"""AAC's limit."""

_SMALL = ["-ac", "1", "-c:a", "aac", "-b:a", "48k"]
"""One voice, as a page carries it: 0.36 MB a minute."""


def small_audio(audio: AudioSource, duration_s: float) -> bytes:
    """Return audio as a small MP4 file (AAC), which every browser plays.

    Args:
        audio: what to encode; samples are at 16 kHz.
        duration_s: what lies beyond is cut off.

    Raises:
        FacetalkError: there is no such file, or it has no audio.
    """
    with temporary(Path(tempfile.mkdtemp(prefix="facetalk-"))) as folder:
        path = folder / "audio.mp4"
        target = [*_SMALL, "-t", f"{duration_s:.6f}", "-movflags", "+faststart", "-f", "mp4", f"file:{path}"]
        with Encoding(path, encoding_arguments(audio, target, folder)) as encoding:
            encoding.finish()
        return path.read_bytes()


def encoding_arguments(
    audio: AudioSource, encoded: list[str], folder: Path, sample_rate: int = SAMPLE_RATE
) -> list[str]:
    """Arguments with which ffmpeg reads audio and writes it as `encoded` says.

    Args:
        audio: what to read.
        encoded: arguments of the output.
        folder: gets a file with the samples.
        sample_rate: of the samples, Hz.
    """
    if isinstance(audio, Tensor):
        samples = folder / "samples.f32"
        samples.write_bytes(audio.detach().cpu().numpy().astype("<f4").tobytes())
        return ["-f", "f32le", "-ar", str(sample_rate), "-ac", "1", "-i", f"file:{samples}", *encoded]
    return _of_clip(audio if isinstance(audio, AudioClip) else AudioClip(Path(audio)), encoded)


def _of_clip(clip: AudioClip, encoded: list[str]) -> list[str]:
    """Arguments that read the audio of a file, or a part of it, and write it as `encoded` says.

    Audio that starts late in its file keeps its place. Float samples beyond [-1, 1] are scaled down, as for the talker;
    more channels than AAC can hold are mixed.
    """
    path = checked_file(clip.path, "an audio file")
    media = probe(path)
    if media.audio is None:
        raise no_audio(path)
    filters = [audio_filter(longest_pause(media)), *clip.filters()]
    if media.audio.line.startswith("pcm_f"):
        peak = max((float(abs(block).max(initial=0)) for _, block in clip.of_blocks(sample_blocks(path))), default=0.0)
        if peak > 1:
            filters.append(f"volume={1 / peak:.9f}")
    channels = _num_channels(media.audio)
    if channels > MAX_CHANNELS and clip.part.channel is None:
        filters.append("pan=mono|c0<" + "+".join(f"c{channel}" for channel in range(channels)))
    return [*source(path), "-map", f"0:{media.audio.index}", "-af", ",".join(filters), *encoded, *media.clock()]


def _num_channels(stream: Stream) -> int:
    """Number of channels in ffmpeg's line about an audio stream: `12 channels`, `7.1.4`, `stereo`."""
    counted = re.search(r", (\d+) channels", stream.line)
    if counted is not None:
        return int(counted[1])
    layout = re.search(r" Hz, ([\w.]+)", stream.line)
    name = layout[1] if layout is not None else ""
    if name == "hexadecagonal":
        return 16
    return sum(map(int, name.split("."))) if re.fullmatch(r"\d+(\.\d+)+", name) else 2
