"""Corrective shapes of the bundled head: combinations of channels, and half-closed lids."""

from __future__ import annotations

import numpy as np

from facetalk.head.channels import ARKIT_NAMES, mirrored
from facetalk.workshop.head.channels import Lids
from facetalk.workshop.head.domain import smoothstep
from facetalk.workshop.head.face import Face
from facetalk.workshop.head.muscles import TOGETHER
from facetalk.workshop.head.sculpture import keep_closed
from facetalk.workshop.head.topology import EYE_LEVELS, MOUTH_LEVELS

_LID_PARTNERS = ("eyeSquint", "eyeLookDown", "eyeLookUp", "eyeWide")
"""Channels that move the lids' margins; under a closed lid they must not."""
_WAY_TAKEN = 0.5
"""Share of a lid's upward path that another channel has used, or that a lowered brow blocks."""


def half_blink(lids: Lids) -> np.ndarray:
    """Difference at half closure between the linear path of the lids and the arc around the eyeball."""
    return lids.close(0.5, 0.5) - 0.5 * lids.close(1.0, 1.0)


def lids_only(lids: Lids, move: np.ndarray) -> np.ndarray:
    """Effect of a channel on the lids, fading out toward brow and cheek."""
    kept = np.zeros_like(move)
    for level, ring in zip(EYE_LEVELS, lids.rings, strict=True):
        kept[ring] = move[ring] * smoothstep(2.0, 0.6, level)
    kept[lids.linings] = move[lids.linings]
    return kept


def round_opening(face: Face, open_jaw: np.ndarray, share: float) -> np.ndarray:
    """Rounded lips resist an opening jaw: the mouth opens less than the teeth."""
    rings = face.head.rings["mouth"]
    columns = rings.shape[1]
    upper = np.cos(2 * np.pi * np.arange(columns) / columns)[:, None] > 0
    total = np.zeros_like(face.points)
    for level, ring in zip(MOUTH_LEVELS, rings, strict=True):
        held = np.interp(level, [0, 2, 3, 4], [1, 1, 0.9, 0.6]) * share
        drop = open_jaw[ring].mean(0)
        total[ring] = held * np.where(upper, 0.35, 1.0) * (drop - open_jaw[ring])
    for index, row in enumerate(face.head.linings["mouth"][:4]):
        total[row] = total[rings[0]] * (0.9, 0.7, 0.4, 0.15)[index]
    face.spread(total, 13.0)
    return total


def all_correctives(face: Face, channels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Displacements (n, vertices, 3) mm, and the pair of channels that each goes with, (n, 2).

    Args:
        face: fields on the face at rest.
        channels: the 52 channels of this face.
    """
    moves: dict[tuple[str, str], np.ndarray] = {}
    by_name = dict(zip(ARKIT_NAMES, channels, strict=True))
    for side, word in ((1.0, "Left"), (-1.0, "Right")):
        lids, blink = Lids(face, side), f"eyeBlink{word}"
        moves[blink, blink] = half_blink(lids)
        for partner in _LID_PARTNERS:
            moves[blink, partner + word] = -lids_only(lids, by_name[partner + word])
        # A lid that is wide open already has little way left.
        up, wide = f"eyeLookUp{word}", f"eyeWide{word}"
        moves[up, wide] = -_WAY_TAKEN * lids_only(lids, by_name[up])
        moves[f"browDown{word}", wide] = -_WAY_TAKEN * lids_only(lids, by_name[wide])
    for (first, second), pulls in TOGETHER.items():
        if second.endswith("Left") and not first.endswith("Left"):
            moves[first, second] = face.pulled(pulls)
            moves[first, mirrored(second)] = face.pulled(pulls, -1.0)
        else:
            moves[first, second] = face.both(pulls)
    for move in moves.values():
        keep_closed(face.head, move)
    for name, share in (("mouthFunnel", 0.30), ("mouthPucker", 0.62)):
        moves["jawOpen", name] = moves.get(("jawOpen", name), 0) + round_opening(face, by_name["jawOpen"], share)
        # Lips that mouthClose holds together need none of it.
        moves["mouthClose", name] = -moves["jawOpen", name]
    # Both draw the lips together: each alone is nearly as far as lips go.
    moves["mouthFunnel", "mouthPucker"] = -0.55 * by_name["mouthPucker"]
    pairs = np.array([[ARKIT_NAMES.index(name) for name in pair] for pair in moves])
    return symmetric(face, np.stack(list(moves.values())), pairs), pairs


def symmetric(face: Face, moves: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """Symmetrize: mean of each corrective and the mirror image of its counterpart."""
    names = [tuple(sorted(mirrored(ARKIT_NAMES[i]) for i in pair)) for pair in pairs]
    own = [tuple(sorted(ARKIT_NAMES[i] for i in pair)) for pair in pairs]
    other = [own.index(pair) for pair in names]
    return (moves + moves[other][:, face.head.partner] * [-1, 1, 1]) / 2
