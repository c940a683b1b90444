"""Where somebody laughs in a recording, and how a laugh fades in and out."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.audio.activity import speech_activity
from facetalk.audio.samples import Excerpt, Samples
from facetalk.core.events import Event
from facetalk.core.memory import giving_back_memory
from facetalk.core.spans import Span
from facetalk.core.timing import FPS, SAMPLE_RATE, frames_for, windows
from facetalk.data.curation.laughter import find_laughs
from facetalk.data.curation.settings import LaughterRules
from facetalk.networks.laughter_detector import LaughterDetector

LAUGH = "laugh"
"""Kind of the events."""

SHOWN = LaughterRules(min_probability=0.8, min_burst_s=0.6)
"""What counts as a laugh that a face shows. Stricter than for curation: in 38 minutes of talking clips these rules find
40 % of what the default ones find, and nine instead of ten of twelve recordings of laughter."""

_PIECE_FRAMES, _MARGIN_FRAMES = 9000, 60
"""Audio is analyzed in pieces of five minutes, each with its own level, so that memory does not grow with it."""
_AROUND_FRAMES = 45
"""What is heard before and after a laugh, beside the laugh itself."""
_FADE_IN_FRAMES, _FADE_OUT_FRAMES = 6, 12
"""The face starts to laugh a little before it is heard, and takes twice as long to calm down."""
_AFTERGLOW_FRAMES, _AFTERGLOW_TIME = 60, 15.0
"""A smile outlasts its laugh: it loses two thirds in half a second, and is gone after two."""


def laughter_probability(detector: LaughterDetector, waveform: Samples) -> Float[Tensor, " frames"]:
    """Probability of laughter in each frame of a recording of any length; zero where nothing is heard.

    Args:
        detector: `load("laughter-detector")`.
        waveform: 16 kHz.
    """
    parts, num_frames = [], frames_for(len(waveform) / SAMPLE_RATE)
    for window in giving_back_memory(windows(num_frames, _PIECE_FRAMES + 2 * _MARGIN_FRAMES, _MARGIN_FRAMES), every=1):
        first, last = (round(frame / FPS * SAMPLE_RATE) for frame in (window.read.start, window.read.stop))
        piece = Excerpt(waveform, first, min(last, len(waveform)))
        # The detector is unreliable near silence: what is not heard is no laugh.
        parts.append((detector.probability(piece) * speech_activity(piece))[window.keep])
    return torch.cat(parts)


def laugh_events(probability: Float[Tensor, " frames"], rules: LaughterRules | None = None) -> tuple[Event, ...]:
    """Laughs with start, end and strength: the mean probability between them.

    Args:
        probability: of laughter in each frame.
        rules: what counts as a laugh; `SHOWN` if None.
    """
    found = find_laughs(probability, rules or SHOWN)
    return tuple(
        Event(LAUGH, span.start / FPS, span.stop / FPS, strength=float(probability[span.start : span.stop].mean()))
        for span in found
    )


def laughs_in(detector: LaughterDetector, waveform: Samples) -> tuple[Event, ...]:
    """The laughs in a recording of any length; see `laugh_events`."""
    return laugh_events(laughter_probability(detector, waveform))


def laugh_spans(events: Sequence[Event], num_frames: int) -> list[Span]:
    """The frames of each laugh."""
    laughs = [event for event in events if event.kind == LAUGH]
    return [Span(round(laugh.start * FPS), min(num_frames, round(laugh.end * FPS))) for laugh in laughs]


def laugh_envelope(spans: Sequence[Span], num_frames: int) -> Float[Tensor, " frames"]:
    """How much of a laugh is shown in each frame: 1 inside of it, rising before and falling after it, 0 elsewhere."""
    shown = torch.zeros(num_frames)
    frames = torch.arange(num_frames)
    for start, stop in spans:
        near = slice(max(0, start - _FADE_IN_FRAMES), stop + _FADE_OUT_FRAMES)
        before = ((start - frames[near]) / _FADE_IN_FRAMES).clamp_min(0)
        after = ((frames[near] - stop + 1) / _FADE_OUT_FRAMES).clamp_min(0)
        rising = 0.5 + 0.5 * torch.cos(torch.pi * torch.maximum(before, after).clamp(max=1))
        shown[near] = torch.maximum(shown[near], rising)
    return shown


def with_afterglow(rows: Float[Tensor, "frames channels"], spans: Sequence[Span]) -> Float[Tensor, "frames channels"]:
    """Let a smile fade slowly: while and after somebody laughs no channel falls faster than `_AFTERGLOW_TIME`.

    Args:
        rows: residual of the channels that smile, with the laughs faded in and out.
        spans: frames of the laughs; the result differs from `rows` only near them.
    """
    rows = rows.clone()
    for start, stop in spans:
        near = rows[max(0, start - _FADE_IN_FRAMES) : stop + _AFTERGLOW_FRAMES]
        rising = (torch.arange(len(near), dtype=torch.float64) / _AFTERGLOW_TIME)[:, None]
        # exp(-t) max exp(u) r(u) over the past u, in logarithms because a laugh may be long.
        slow = ((near.double().clamp_min(1e-9).log() + rising).cummax(0).values - rising).exp().to(rows)
        near += (slow - near.clamp_min(0)).clamp_min(0)
    return rows


def laugh_windows(spans: Sequence[Span], num_frames: int) -> list[Span]:
    """The stretches of a recording that are needed to show its laughs; those that overlap are joined."""
    joined: list[Span] = []
    for start, stop in spans:
        wide = Span(max(0, start - _AROUND_FRAMES), min(num_frames, stop + _AROUND_FRAMES))
        if joined and wide.start <= joined[-1].stop:
            joined[-1] = Span(joined[-1].start, wide.stop)
        else:
            joined.append(wide)
    return joined
