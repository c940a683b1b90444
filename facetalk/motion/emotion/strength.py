"""The guarantee about strength: what a talker's own emotion lacks of the table's amounts is added to its motion.

In the mean over a take, every characteristic channel moves by at least the amount of the table against the same take
without emotion, or as far as its range goes. A talker that does more by itself keeps what it does.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from facetalk.core.filters import all_pole
from facetalk.motion.emotion.amounts import Amounts

AROUND_FRAMES = 30
"""What a talker does by itself is measured over this many frames to either side, so that its words stay in motion."""

PAST_FRAMES = 15.0
"""The same where only the past is known: frames after which one counts 1/e."""

Finish = Callable[[Float[Tensor, "_ channels"], slice], Float[Tensor, "_ channels"]]
"""What is done to rows of expression, and which frames they are."""

_BLOCK = 4096
_CERTAIN = 0.05
"""Amounts from which on a channel is moved wholly towards them, so that nothing jumps where an amount changes sign."""
_CORRECTIONS = 5
"""Rounds in which the means are corrected for what limits and closed lips take away."""
_MOST_ADDED = 1.5
"""Of a correction, as a multiple of the amount: where there is no room, there is no use in asking for more."""
_AIM = 1.05
"""Of the amounts: gestures that reach the limits of channels take a little away."""


def with_amounts(
    without: Float[Tensor, "frames channels"],
    own: Float[Tensor, "frames channels"],
    levels: Float[Tensor, "frames emotions"],
    amounts: Amounts,
    emphasis: Float[Tensor, " frames"],
    finish: Finish,
) -> Float[Tensor, "frames channels"]:
    """Return the expression of an emotional take that moves by at least the table's amounts.

    Args:
        without: ARKit channels of the take without emotion, in [0, 1].
        own: of the same take as the talker itself shows the emotion; the same as `without` if it shows none.
        levels: of each emotion.
        amounts: the table.
        emphasis: factor on what is added, around 1.
        finish: what is done at last, such as closing the lips.
    """
    columns = amounts.characteristic(levels)
    amounts = amounts.among(columns)
    wanted, shown = _AIM * amounts.moved(levels), own.clone()
    change = local_mean(own[:, columns] - without[:, columns])
    added = _lacking(wanted, amounts.held(levels), change) * emphasis[:, None]
    goal, more = wanted.abs().mean(0), torch.zeros(len(columns))
    for _ in range(1 + _CORRECTIONS):
        for start in range(0, len(own), _BLOCK):  # an hour of rows would be copied many times otherwise
            frames = slice(start, start + _BLOCK)
            rows = own[frames].clone()
            rows[:, columns] += added[frames] + more * wanted[frames] * emphasis[frames, None]
            shown[frames] = finish(rows.clamp(0, 1), frames)
        short = goal - (wanted.sign() * (shown[:, columns] - without[:, columns])).mean(0)
        if bool((short < 1e-4).all()):
            break
        more = (more + short.clamp_min(0) / goal.clamp_min(1e-6)).clamp(max=_MOST_ADDED)
    return shown


class AmountStream:
    """Moves the channels of an emotional take that comes piece by piece by the table's amounts.

    Unlike `with_amounts`, it measures what a talker does by itself over the second before each frame, weights no
    phrases by their loudness, and does not correct the mean over the take: all of these need what comes later.
    """

    def __init__(self, amounts: Amounts) -> None:
        self._amounts = amounts
        self._memory: np.ndarray | None = None

    def feed(
        self,
        without: Float[Tensor, "frames channels"],
        own: Float[Tensor, "frames channels"],
        levels: Float[Tensor, "frames emotions"],
    ) -> Float[Tensor, "frames channels"]:
        """The next frames, not limited to [0, 1]; arguments as for `with_amounts`."""
        change = self._past_mean(own - without)
        columns = self._amounts.characteristic(levels)
        amounts = self._amounts.among(columns)
        shown = own.clone()
        shown[:, columns] += _lacking(_AIM * amounts.moved(levels), amounts.held(levels), change[:, columns])
        return shown

    def _past_mean(self, rows: Float[Tensor, "frames channels"]) -> Float[Tensor, "frames channels"]:
        """Weighted mean of the rows up to each frame, of which older ones count less."""
        counted = torch.cat([rows.new_ones(len(rows), 1), rows], 1).double().numpy()
        summed, self._memory = all_pole(counted, 1.0, [-math.exp(-1 / PAST_FRAMES)], self._memory)
        return torch.from_numpy(summed[:, 1:] / summed[:, :1]).to(rows)


def local_mean(rows: Float[Tensor, "frames channels"]) -> Float[Tensor, "frames channels"]:
    """Weighted mean of the rows around each frame, that of the ends taken over fewer rows."""
    reach = min(AROUND_FRAMES, len(rows) - 1)
    weights = torch.hann_window(2 * reach + 3, periodic=False).to(rows)[None, None, 1:-1]
    columns = torch.cat([rows.new_ones(1, len(rows)), rows.T])[:, None]
    summed = functional.conv1d(columns, weights, padding=reach)[:, 0]
    return (summed[1:] / summed[:1]).T


def _lacking(
    wanted: Float[Tensor, "frames channels"],
    held: Float[Tensor, "frames channels"],
    own: Float[Tensor, "frames channels"],
) -> Float[Tensor, "frames channels"]:
    """What has to be added to what a talker does by itself; nothing to a channel that is not characteristic."""
    up, down = ((sign * wanted / _CERTAIN).clamp(0, 1) for sign in (1, -1))
    falling = torch.maximum(down, held * (1 - up))
    return up * (wanted - own).clamp_min(0) + falling * (wanted.clamp_max(0) - own).clamp_max(0)
