"""A seed for random choices that follows from a recording."""

from __future__ import annotations

import hashlib
import math
from itertools import pairwise

from facetalk.audio.samples import Samples
from facetalk.core.timing import SAMPLE_RATE

SEGMENTS = 32
"""Equal parts of the recording whose levels make up the seed."""

DECIBEL_STEPS = 100
"""Levels count in steps of a hundredth of a decibel: a million times coarser than the rounding errors of decoding and
resampling on different processors, and far finer than the difference between two takes of one sentence."""

_BLOCK = 30 * SAMPLE_RATE
_SILENCE = 1e-12


def recording_seed(waveform: Samples) -> int:
    """Derive a seed from a recording, so that each one gets its own performance, the same every time.

    The seed depends on the number of samples and on the level of 32 equal parts. Copies with the same samples have the
    same seed, whatever format they are stored in.

    Args:
        waveform: mono samples at 16 kHz.

    Returns:
        A number from 0 to 2^32 - 1.
    """
    edges = [len(waveform) * part // SEGMENTS for part in range(SEGMENTS + 1)]
    digest = hashlib.sha256(len(waveform).to_bytes(8, "little"))
    for start, stop in pairwise(edges):
        blocks = (waveform[at : min(at + _BLOCK, stop)] for at in range(start, stop, _BLOCK))
        energy = sum(float(block.double().square().sum()) for block in blocks) / max(1, stop - start)
        level = 10 * math.log10(energy + _SILENCE)
        digest.update(round(level * DECIBEL_STEPS).to_bytes(4, "little", signed=True))
    return int.from_bytes(digest.digest()[:4], "little")
