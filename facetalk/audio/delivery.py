"""How something is said, as it is heard: loudness, voice and pitch of each frame without a look ahead.

Head motion follows stress, which is louder and higher speech (Graf et al. 2002), and blinks follow the ends of phrases
(Condon and Ogston 1967). Row t depends on the audio before second t / 30 only, so that the beginning of a recording
does not depend on what follows.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.audio.prosody import prosody
from facetalk.audio.samples import Samples
from facetalk.core.timing import FPS, SAMPLE_RATE, frames_for

DELIVERY = ("loudness", "voicing", "pitch", "rise", "stress", "speaking", "since_start", "since_end")
"""Columns: level below the running one, nepers; periodicity, 0 to 1; octaves above the running mean; change of loudness
and of its slow part; whether there is speech; how recent its start and its end are, 1 falling to 0."""

_BLOCK = 150
"""Frames that are computed at once, always with the same shapes: results do not depend on the recording's length."""
_GROUP_FRAMES = 3
"""Frames that are a whole number of samples."""
_GROUP = round(_GROUP_FRAMES * SAMPLE_RATE / FPS)
_BLOCK_GROUPS = _BLOCK // _GROUP_FRAMES
_LATE = 800
"""Samples by which `prosody` is delayed, so that its windows end before the frame."""
_GAIN = 10.0
"""Brings ordinary speech to the unit variance that `prosody` wants."""
_USUAL_LEVEL = 0.0
_FADE = 0.5 / (10 * FPS)
"""Nepers by which the running level falls in a frame: half a neper, 4 dB, in ten seconds."""
_SPEAKING, _PAUSING = -2.2, -2.8
"""Speech starts above the first and ends below the second, nepers below the running level."""
_HANGOVER = 6
"""Quiet frames after which speech has ended; stops are shorter."""
_MEMORY = 150
"""Voiced frames over which pitch is averaged."""
_RECENT_S = 0.5
"""Time after which the start or end of speech counts 1/e."""


def delivery(waveform: Samples) -> Float[Tensor, "frames delivery"]:
    """Return `DELIVERY` for each frame at 30 frames a second.

    Args:
        waveform: mono speech at 16 kHz, in [-1, 1]; of long audio only a part is read at a time.
    """
    contours, done = Contours(), 0
    # One result for all blocks: small tensors that stay would keep the allocator from reusing the large ones.
    rows = torch.empty(frames_for(len(waveform) / SAMPLE_RATE), len(DELIVERY))
    for block in _prosody_blocks(waveform):
        rows[done : done + len(block)] = contours.feed(block)
        done += len(block)
    return rows


def _prosody_blocks(waveform: Samples) -> Iterator[Float[Tensor, "frames 3"]]:
    num_frames = frames_for(len(waveform) / SAMPLE_RATE)
    size = round(_BLOCK * SAMPLE_RATE / FPS)
    for start in range(0, num_frames, _BLOCK):
        first = round(start * SAMPLE_RATE / FPS)
        part = waveform[max(0, first - 2 * _LATE) : min(first + size, len(waveform))]
        before = 2 * _LATE - (first - max(0, first - 2 * _LATE))
        padded = torch.nn.functional.pad(part, (before, size + 2 * _LATE - before - len(part)))
        # Two delays in front, of which prosody's own window needs one.
        rows = prosody(_GAIN * padded[None, _LATE:], _BLOCK)[0]
        yield rows[: num_frames - start]


class DeliveryStream:
    """The `delivery` of speech that comes piece by piece."""

    def __init__(self) -> None:
        self._contours = Contours()
        self._samples = torch.zeros(_LATE + _GROUP)
        """Those under the next frames, and what the windows of these reach back to."""
        self._rows = torch.zeros(0, len(DELIVERY))
        self._groups = 0

    def feed(self, samples: Float[Tensor, " samples"]) -> None:
        """Take the next samples."""
        self._samples = torch.cat([self._samples, samples])
        self._listen((len(self._samples) - _LATE - _GROUP) // _GROUP)

    def take(self, num_frames: int) -> Float[Tensor, "frames delivery"]:
        """The rows of the next frames; where the speech has ended, there is silence."""
        missing = num_frames - len(self._rows)
        if missing > 0:
            groups = -(-missing // _GROUP_FRAMES)
            self.feed(torch.zeros(max(0, (groups + 1) * _GROUP + _LATE - len(self._samples))))
        rows, self._rows = self._rows[:num_frames], self._rows[num_frames:]
        return rows

    def _listen(self, groups: int) -> None:
        """Add the rows of some groups of frames."""
        while groups > 0:
            count = min(groups, _BLOCK_GROUPS - self._groups % _BLOCK_GROUPS)
            part = self._samples[: (count + 1) * _GROUP + _LATE].clone()
            if self._groups % _BLOCK_GROUPS == 0:
                part[:_GROUP] = 0  # as `delivery` does, whose blocks do not overlap
            rows = prosody(_GAIN * part[None], (count + 1) * _GROUP_FRAMES)[0, _GROUP_FRAMES:]
            self._rows = torch.cat([self._rows, self._contours.feed(rows)])
            self._samples = self._samples[count * _GROUP :].clone()
            self._groups += count
            groups -= count


class Contours:
    """Turns pitch, voicing and loudness into `DELIVERY`, frame by frame: relative to what was heard before."""

    def __init__(self) -> None:
        self._level, self._pitch, self._voiced = _USUAL_LEVEL, 0.0, 0
        self._slow = self._fast = -5.0
        self._quiet, self._speaking = _HANGOVER, False
        self._start = self._end = math.inf

    def feed(self, rows: Float[Tensor, "frames 3"]) -> Float[Tensor, "frames delivery"]:
        """Take the next rows of `prosody`; the result does not depend on how they are divided among calls."""
        return torch.tensor([self._row(*row) for row in rows.tolist()]).reshape(-1, len(DELIVERY))

    def _row(self, pitch: float, voicing: float, loudness: float) -> tuple[float, ...]:
        self._level = max(loudness, self._level - _FADE)
        relative = max(-5.0, loudness - self._level)
        higher = 0.0
        if pitch != 0:
            self._voiced += 1
            self._pitch += (pitch - self._pitch) / min(self._voiced, _MEMORY)
            higher = min(1.0, max(-1.0, pitch - self._pitch))
        self._fast += 0.4 * (relative - self._fast)
        self._slow += 0.07 * (relative - self._slow)
        self._follow_phrases(relative)
        recent = (math.exp(-time / _RECENT_S) for time in (self._start, self._end))
        rise = relative - self._fast
        return (relative, voicing, higher, rise, self._fast - self._slow, float(self._speaking), *recent)

    def _follow_phrases(self, relative: float) -> None:
        self._quiet = 0 if relative > (_PAUSING if self._speaking else _SPEAKING) else self._quiet + 1
        speaking = self._quiet == 0 or (self._speaking and self._quiet < _HANGOVER)
        self._start = 0.0 if speaking and not self._speaking else self._start + 1 / FPS
        self._end = 0.0 if self._speaking and not speaking else self._end + 1 / FPS
        self._speaking = speaking
