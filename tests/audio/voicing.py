"""Probabilities of phonemes as a speech encoder would hear them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from facetalk.audio.phonemes import PHONEME_IDS, PHONEMES


def heard(symbols: str | Sequence[int], frames_each: int = 3, noise: float = 0.02, seed: int = 0) -> Tensor:
    """Each phoneme in turn, with a trace of all others."""
    ids = [PHONEME_IDS[symbol] for symbol in symbols.split()] if isinstance(symbols, str) else list(symbols)
    rows = torch.rand(len(ids) * frames_each, len(PHONEMES), generator=torch.Generator().manual_seed(seed)) * noise
    rows[torch.arange(len(rows)), torch.tensor(ids).repeat_interleave(frames_each)] += 1
    return rows / rows.sum(1, keepdim=True)
