"""Valence and arousal -> emotions.

The map interpolates between places of words in the plane of pleasure and arousal (Russell and Mehrabian 1977, Evidence
for a Three-Factor Theory of Emotions) by inverse distance weighting (Shepard 1968). Anger, fear and disgust lie close
to each other there, since only dominance separates them, so displeasure with high arousal is a mixture of them.
Contempt, which depends on dominance most, has no place of its own.
"""

from __future__ import annotations

import math

PLACES: tuple[tuple[float, float, dict[str, float]], ...] = (
    (0.0, 0.0, {}),
    (0.81, 0.51, {"happy": 1.0}),
    (0.40, 0.67, {"surprised": 1.0}),
    (-0.64, 0.60, {"fear": 1.0}),
    (-0.51, 0.59, {"angry": 1.0}),
    (-0.60, 0.35, {"disgusted": 1.0}),
    (-0.63, -0.27, {"sad": 1.0}),
    (-0.65, -0.62, {"sad": 1 / 3}),
    (0.20, -0.70, {}),
    (0.68, -0.46, {"happy": 1 / 3}),
)
"""Valence, arousal and share of the highest level: of rest, happy, surprised, fearful, angry, disgusted, sad, bored (a
little sad), sleepy (neutral) and relaxed (a little happy)."""

_POWER = 4.0
"""Of the inverse distance: high enough for a place to have its own emotion around it."""
_LEAST = 0.02
"""Smaller shares are left out: nobody sees them."""


def amounts_at(valence: float, arousal: float) -> dict[str, float]:
    """Share of the highest level for each emotion at a place in the plane; the sum is at most 1.

    Args:
        valence: -1 unpleasant to 1 pleasant.
        arousal: -1 asleep to 1 excited.
    """
    weights = [max(math.hypot(valence - x, arousal - y), 1e-6) ** -_POWER for x, y, _ in PLACES]
    amounts: dict[str, float] = {}
    for weight, (_, _, shares) in zip(weights, PLACES, strict=True):
        for name, share in shares.items():
            amounts[name] = amounts.get(name, 0.0) + share * weight / sum(weights)
    return {name: amount for name, amount in amounts.items() if amount >= _LEAST}
