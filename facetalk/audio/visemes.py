"""Visemes: phonemes that look alike on the lips."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from jaxtyping import Bool, Int64
from torch import Tensor

from facetalk.audio.phonemes import PHONEME_IDS, PHONEMES

VISEMES: tuple[tuple[str, ...], ...] = (
    ("P", "B", "M"), ("F", "V"), ("TH", "DH"), ("T", "D", "N", "L"), ("K", "G", "NG", "HH"), ("S", "Z"),
    ("SH", "ZH", "CH", "JH"), ("R",), ("IY", "Y", "IH"), ("UW", "W", "UH"), ("AH", "ER"), ("AA", "AE", "AW", "AY"),
    ("EY",), ("EH",), ("OW", "OY"), ("AO",), ("SIL", "NSN"),
)  # fmt: skip

OCULUS_VISEMES = ("sil", "PP", "FF", "TH", "DD", "kk", "CH", "SS", "nn", "RR", "aa", "E", "ih", "oh", "ou")
"""The 15 visemes of Oculus LipSync in their order."""

OCULUS: Mapping[str, tuple[str, ...]] = {
    "P": ("PP",), "B": ("PP",), "M": ("PP",), "F": ("FF",), "V": ("FF",), "TH": ("TH",), "DH": ("TH",),
    "T": ("DD",), "D": ("DD",), "K": ("kk",), "G": ("kk",), "NG": ("kk",), "HH": ("kk",), "CH": ("CH",), "JH": ("CH",),
    "SH": ("CH",), "ZH": ("CH",), "S": ("SS",), "Z": ("SS",), "N": ("nn",), "L": ("nn",), "R": ("RR",), "ER": ("RR",),
    "AA": ("aa",), "AE": ("aa",), "AH": ("aa",), "AW": ("aa", "ou"), "AY": ("aa", "ih"), "EH": ("E",),
    "EY": ("E", "ih"), "IH": ("ih",), "IY": ("ih",), "Y": ("ih",), "AO": ("oh",), "OW": ("oh", "ou"),
    "OY": ("oh", "ih"), "UW": ("ou",), "UH": ("ou",), "W": ("ou",), "SIL": ("sil",), "NSN": ("sil",),
}  # fmt: skip
"""The visemes of each phoneme; a diphthong has two, one after the other."""

BILABIAL = ("P", "B", "M")
"""Phonemes with closed lips."""

LABIODENTAL = ("F", "V")
"""Phonemes with the lower lip against the upper teeth."""


def bilabial_frames(labels: Int64[Tensor, " frames"]) -> Bool[Tensor, " frames"]:
    """In which frames a P, B or M is spoken.

    Args:
        labels: phoneme id of each frame.
    """
    return torch.isin(labels, torch.tensor([PHONEME_IDS[symbol] for symbol in BILABIAL]))


def viseme_of_phoneme() -> Int64[Tensor, " phonemes"]:
    """Number of the viseme of each phoneme id."""
    numbers = {symbol: number for number, viseme in enumerate(VISEMES) for symbol in viseme}
    return torch.tensor([numbers[symbol] for symbol in PHONEMES])
