"""A seed for random choices that follows from a recording."""

from __future__ import annotations

import hashlib
import math
from itertools import pairwise

import torch

from facetalk.audio.samples import Samples
from facetalk.core.timing import SAMPLE_RATE

HEARD_S = 1.0
"""Seconds of audio that decide, from the first sound on: what comes later must not change the beginning."""

SEGMENTS = 32
"""Equal parts of these whose levels make up the seed."""

QUIET = 1e-4
"""Largest sample of what counts as silence before the first sound: three steps of 16 bits, which is digital silence
with dither."""

DECIBEL_STEPS = 100
"""Levels count in steps of a hundredth of a decibel: a million times coarser than the rounding errors of decoding and
resampling on different processors, and far finer than the difference between two takes of one sentence."""

_BLOCK = 30 * SAMPLE_RATE
_GRID = SAMPLE_RATE // 100
"""The first sound is found to a hundredth of a second, so that rounding does not move it."""
_SILENCE = 1e-12


def recording_seed(waveform: Samples) -> int:
    """Derive a seed from a recording, so that each one gets its own performance, the same every time.

    The seed depends on the first `HEARD_S` from the first sound on, so that a longer recording has the seed of its
    first part. Copies with the same samples have the same seed, whatever format they are stored in.

    Args:
        waveform: mono samples at 16 kHz.

    Returns:
        A number from 0 to 2^32 - 1; the same for all that is silent.
    """
    start, size = first_sound(waveform), round(HEARD_S * SAMPLE_RATE)
    digest = hashlib.sha256()
    for first, last in pairwise(start + size * part // SEGMENTS for part in range(SEGMENTS + 1)):
        energy = float(waveform[first:last].double().square().sum()) / (last - first)
        level = 10 * math.log10(energy + _SILENCE)
        digest.update(round(level * DECIBEL_STEPS).to_bytes(4, "little", signed=True))
    return int.from_bytes(digest.digest()[:4], "little")


def first_sound(waveform: Samples) -> int:
    """The sample from which on there is more than silence, in steps of a hundredth of a second; the end if never."""
    for at in range(0, len(waveform), _BLOCK):
        loud = waveform[at : at + _BLOCK].abs() > QUIET
        if bool(loud.any()):
            return at + int(loud.to(torch.uint8).argmax()) // _GRID * _GRID
    return len(waveform)
