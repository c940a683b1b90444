"""Cues for curation from the audio of a video: expected mouth opening, voice, and laughter."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from facetalk.audio.activity import speech_activity
from facetalk.core.spans import Span
from facetalk.core.timing import FPS, SAMPLE_RATE, windows
from facetalk.data.curation.laughter import find_laughs, laughs_at
from facetalk.data.curation.select import AudioCues
from facetalk.data.curation.settings import LaughterRules
from facetalk.io.audio import Waveform
from facetalk.networks.registry import load

_PIECE_FRAMES, _MARGIN_FRAMES = 9000, 60
"""Audio is analyzed in pieces of five minutes, each normalized separately, so that memory does not grow with it."""


def audio_cues(
    audio: Waveform,
    num_frames: int,
    rules: LaughterRules,
    laugh_times: Sequence[tuple[float, float]] | None = None,
    delay_s: float = 0.0,
) -> AudioCues:
    """Analyze the audio of a video.

    Args:
        audio: mono, 16 kHz.
        num_frames: of the video, at 30 fps.
        rules: what counts as a laugh.
        laugh_times: start and end of each laugh in seconds, where they are known; else they are detected.
        delay_s: how much later the audio is to be heard.
    """
    encoder, detector = load("speech-encoder"), None if laugh_times is not None else load("laughter-detector")
    parts = []
    for part, keep in pieces_of(audio, num_frames, delay_s):
        expected = encoder.encode(part)[:, encoder.slices["mouth"]][:, 0]
        voiced = speech_activity(part)
        # The detector is unreliable near silence: what is not heard is no laugh.
        laughing = torch.zeros_like(expected) if detector is None else detector.probability(part) * voiced
        parts.append(torch.stack([expected, voiced.float(), laughing])[:, keep])
    expected, voiced, laughing = torch.cat(parts, 1)
    laughs = find_laughs(laughing, rules) if laugh_times is None else laughs_at(laugh_times, num_frames)
    return AudioCues(expected, voiced > 0, laughs)


def pieces_of(audio: Waveform, num_frames: int, delay_s: float = 0.0) -> Iterator[tuple[Tensor, slice]]:
    """Pieces of the audio of a video that overlap, and which of their frames to keep; arguments as for `audio_cues`."""
    for window in windows(num_frames, _PIECE_FRAMES + 2 * _MARGIN_FRAMES, _MARGIN_FRAMES):
        yield audio_of(audio, Span(window.read.start, window.read.stop), delay_s), window.keep


def audio_of(audio: Waveform, span: Span, delay_s: float = 0.0) -> Tensor:
    """Samples of a span of frames, padded with silence beyond both ends of the audio.

    Args:
        audio: mono, 16 kHz.
        span: frames at 30 fps.
        delay_s: how much later the audio is to be heard; negative for earlier.
    """
    first, last = (round((edge / FPS - delay_s) * SAMPLE_RATE) for edge in span)
    samples = audio[max(0, first) : max(0, last)]
    before = min(max(0, -first), last - first)
    return torch.nn.functional.pad(samples, (before, last - first - before - len(samples)))
