"""Visemes: phonemes that look alike on the lips."""

from __future__ import annotations

import torch
from jaxtyping import Int64
from torch import Tensor

from facetalk.audio.phonemes import PHONEMES

VISEMES: tuple[tuple[str, ...], ...] = (
    ("P", "B", "M"), ("F", "V"), ("TH", "DH"), ("T", "D", "N", "L"), ("K", "G", "NG", "HH"), ("S", "Z"),
    ("SH", "ZH", "CH", "JH"), ("R",), ("IY", "Y", "IH"), ("UW", "W", "UH"), ("AH", "ER"), ("AA", "AE", "AW", "AY"),
    ("EY",), ("EH",), ("OW", "OY"), ("AO",), ("SIL", "NSN"),
)  # fmt: skip

BILABIAL = ("P", "B", "M")
"""Phonemes with closed lips."""

LABIODENTAL = ("F", "V")
"""Phonemes with the lower lip against the upper teeth."""


def viseme_of_phoneme() -> Int64[Tensor, " phonemes"]:
    """Number of the viseme of each phoneme id."""
    numbers = {symbol: number for number, viseme in enumerate(VISEMES) for symbol in viseme}
    return torch.tensor([numbers[symbol] for symbol in PHONEMES])
