"""Positions of lips, jaw and tongue over time, computed from phonemes without any video.

Each phoneme has a target for every articulator and a dominance with which it enforces that target: /b/ enforces closed
lips and leaves the width of the mouth to its neighbors. Neighboring targets are blended by smoothing, so that a
rounded vowel rounds the consonants around it. Dominance follows Cohen and Massaro (1993); the numbers are our own
reading of phonetics.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.audio.phonemes import PHONEME_IDS, PHONEMES, Phoneme

ARTICULATORS = ("jaw", "aperture", "spread", "round", "closure", "labiodental", "tongue")
"""Jaw opening, lip opening, mouth width, rounding with protrusion, closed lips, lip on teeth, raised tongue tip."""

MOUTH_CURVES = ("mouth_open", "mouth_wide", "jaw_drop")
"""Curves that can be measured on a face in a video instead: gap of the inner lips, distance of the mouth corners,
distance from chin to nasion."""

_SPREAD_S = (0.055, 0.045, 0.06, 0.07, 0.022, 0.025, 0.03)
"""How far each articulator's targets reach into the neighbors: standard deviation in seconds."""
_RATE = 200.0
"""Positions a second while smoothing."""

# jaw, aperture, spread, round; closure, labiodental and tongue follow from the sets below.
_VOWELS = {
    "AA": (1.0, 0.9, 0.5, 0.1), "AE": (0.9, 0.8, 0.75, 0.0), "AH": (0.6, 0.55, 0.5, 0.05), "AO": (0.8, 0.7, 0.25, 0.55),
    "EH": (0.65, 0.6, 0.7, 0.0), "ER": (0.35, 0.4, 0.3, 0.5), "IH": (0.35, 0.4, 0.7, 0.0), "IY": (0.2, 0.3, 1.0, 0.0),
    "UH": (0.35, 0.35, 0.25, 0.6), "UW": (0.2, 0.2, 0.0, 1.0),
}  # fmt: skip
_GLIDING = {
    "AW": ("AA", "UH"), "AY": ("AA", "IH"), "EY": ("EH", "IY"), "OW": ("AO", "UW"), "OY": ("AO", "IY"),
}  # fmt: skip
"""Diphthongs move from one vowel to another."""
# The same four positions, and the dominance of each.
_CONSONANTS = {
    "B": ((0.2, 0.0, 0.5, 0.1), (0.5, 2.0, 0.2, 0.2)), "P": ((0.2, 0.0, 0.5, 0.1), (0.5, 2.0, 0.2, 0.2)),
    "M": ((0.2, 0.0, 0.5, 0.1), (0.5, 2.0, 0.2, 0.2)), "F": ((0.15, 0.15, 0.55, 0.0), (0.8, 1.5, 0.4, 0.5)),
    "V": ((0.15, 0.15, 0.55, 0.0), (0.8, 1.5, 0.4, 0.5)), "S": ((0.05, 0.3, 0.7, 0.0), (1.5, 0.8, 0.5, 0.2)),
    "Z": ((0.05, 0.3, 0.7, 0.0), (1.5, 0.8, 0.5, 0.2)), "SH": ((0.1, 0.4, 0.15, 0.7), (1.5, 0.8, 0.8, 1.0)),
    "ZH": ((0.1, 0.4, 0.15, 0.7), (1.5, 0.8, 0.8, 1.0)), "CH": ((0.1, 0.4, 0.15, 0.7), (1.5, 0.8, 0.8, 1.0)),
    "JH": ((0.1, 0.4, 0.15, 0.7), (1.5, 0.8, 0.8, 1.0)), "T": ((0.15, 0.35, 0.55, 0.0), (0.8, 0.4, 0.2, 0.15)),
    "D": ((0.2, 0.35, 0.55, 0.0), (0.6, 0.4, 0.2, 0.15)), "N": ((0.25, 0.4, 0.55, 0.0), (0.5, 0.4, 0.2, 0.15)),
    "L": ((0.35, 0.45, 0.5, 0.0), (0.5, 0.4, 0.2, 0.2)), "TH": ((0.2, 0.4, 0.55, 0.0), (0.8, 0.6, 0.3, 0.3)),
    "DH": ((0.2, 0.4, 0.55, 0.0), (0.6, 0.5, 0.3, 0.3)), "K": ((0.3, 0.4, 0.5, 0.0), (0.3, 0.2, 0.1, 0.1)),
    "G": ((0.3, 0.4, 0.5, 0.0), (0.3, 0.2, 0.1, 0.1)), "NG": ((0.3, 0.4, 0.5, 0.0), (0.3, 0.2, 0.1, 0.1)),
    "HH": ((0.4, 0.45, 0.5, 0.0), (0.1, 0.1, 0.1, 0.1)), "R": ((0.25, 0.3, 0.25, 0.6), (0.5, 0.5, 0.5, 0.6)),
    "W": ((0.2, 0.1, 0.0, 1.0), (0.8, 1.2, 1.2, 1.2)), "Y": ((0.2, 0.35, 0.9, 0.0), (0.5, 0.4, 0.6, 0.5)),
}  # fmt: skip
_REST = ((0.0, 0.0, 0.5, 0.0), (0.6, 0.6, 0.4, 0.4))
"""Silence: the mouth closes, with low dominance."""
_NOISE = ((0.3, 0.3, 0.5, 0.1), (0.1, 0.1, 0.1, 0.1))
_CLOSING = frozenset("BPM")
_ON_TEETH = frozenset("FV")
_TONGUE_TIP = frozenset(("T", "D", "N", "L", "TH", "DH", "S", "Z", "SH", "ZH", "CH", "JH"))


def articulation(phonemes: Sequence[Phoneme], times: Float[Tensor, " times"]) -> Float[Tensor, "times articulators"]:
    """Position of every articulator, 0 to 1, at the given times in seconds."""
    end = max(phonemes[-1].end_s, float(times[-1])) if phonemes else float(times[-1])
    grid = torch.arange(int(end * _RATE) + 2, dtype=torch.float64) / _RATE
    target, dominance = _targets(phonemes, grid)
    smooth = torch.stack([_blend(target[:, i], dominance[:, i], spread) for i, spread in enumerate(_SPREAD_S)], 1)
    place = (times.double() * _RATE).clamp(0, len(grid) - 1)
    low = place.long().clamp(max=len(grid) - 2)
    return torch.lerp(smooth[low], smooth[low + 1], (place - low)[:, None]).to(torch.float32)


def _targets(phonemes: Sequence[Phoneme], grid: Tensor) -> tuple[Tensor, Tensor]:
    """Target positions and their dominance on an even grid of seconds; silence outside the phonemes."""
    table = _TABLE.double()
    ids = torch.full((len(grid),), PHONEME_IDS["SIL"])
    progress = torch.zeros(len(grid), dtype=torch.float64)
    for phoneme in phonemes:
        inside = (grid >= phoneme.start_s) & (grid < phoneme.end_s)
        ids[inside] = PHONEME_IDS[phoneme.symbol]
        progress[inside] = (grid[inside] - phoneme.start_s) / (phoneme.end_s - phoneme.start_s)
    first, last, dominance = table[ids].unbind(1)
    return torch.lerp(first, last, progress[:, None]), dominance


def _blend(target: Tensor, dominance: Tensor, spread_s: float) -> Tensor:
    """Mean of the targets around each time, weighted by dominance and nearness."""
    reach = int(3 * spread_s * _RATE)
    kernel = torch.exp(-0.5 * (torch.arange(-reach, reach + 1, dtype=torch.float64) / (spread_s * _RATE)) ** 2)
    rows = torch.nn.functional.pad(
        torch.stack([target * dominance, dominance])[:, None], (reach, reach), mode="replicate"
    )
    top, bottom = torch.nn.functional.conv1d(rows, kernel[None, None])[:, 0]
    return top / bottom


def _table() -> Float[Tensor, "phonemes 3 articulators"]:
    """For each phoneme the position at its start, at its end, and the dominance."""
    rows = []
    for symbol in PHONEMES:
        start, end = _GLIDING.get(symbol, (symbol, symbol))
        if start in _VOWELS:
            first, last, dominance = _VOWELS[start], _VOWELS[end], (1.0, 1.0, 1.0, 1.0)
        else:
            first, dominance = _CONSONANTS.get(symbol, _NOISE if symbol == "NSN" else _REST)
            last = first
        flags = tuple(float(symbol in members) for members in (_CLOSING, _ON_TEETH, _TONGUE_TIP))
        rows.append([[*first, *flags], [*last, *flags], [*dominance, 1.0, 1.0, 1.0]])
    return torch.tensor(rows)


_TABLE = _table()
