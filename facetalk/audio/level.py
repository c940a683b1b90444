"""Level of the loud parts of a recording: a spectrogram relative to it does not depend on how loud the recording is.

Loudness here is the natural log of the mel power of each spectrum (`LogMel`), 100 rows a second.
"""

from __future__ import annotations

import copy

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

QUIETEST = -1.0
"""Lowest level: recordings whose loud parts are quieter count as silence and are not amplified further."""

PAUSE = 9.0
"""Rows that are quieter than the loudest one by more, in nepers of power (40 dB), are pauses and do not count."""

AHEAD = 5
"""Blocks that the running level looks ahead: half a second."""

_QUANTILE = 0.9
_BLOCK = 10
"""Rows between two estimates of the running level."""
_LOWEST, _STEP, _BINS = -16.0, 0.25, 160
"""Histogram of loudness."""
_LOUD_HALF_LIFE, _PAUSE_HALF_LIFE = 1500.0, 12_000.0
"""Rows after which the past counts half: rows with speech, and rows of pauses."""
_USUAL, _USUAL_ROWS = 4.5, 5.0
"""A recording starts as if this many rows of this loudness had been heard: room noise before the first word is not
taken for speech."""
LOOK_AHEAD_ROWS = (AHEAD + 1) * _BLOCK
"""Rows up to the last one that counts for the level of a row."""
_FEW = 0.5
"""Bins with less than this many rows do not decide which row is the loudest."""


def recording_level(loudness: Float[Tensor, "batch rows"]) -> Float[Tensor, " batch"]:
    """Level of a whole recording: a high quantile of the loudness of its rows without pauses."""
    speech = torch.where(loudness > loudness.amax(1, keepdim=True) - PAUSE, loudness, torch.nan)
    return torch.nanquantile(speech, _QUANTILE, dim=1).clamp_min(QUIETEST)


def running_level(loudness: Float[Tensor, " rows"]) -> Float[Tensor, " rows"]:
    """Level of each row from the rows before and half a second after it; see `RunningLevel`."""
    return RunningLevel().feed(loudness, last=True)


class RunningLevel:
    """Level of each row from the rows before it and half a second after it; the past fades.

    The same quantile as in `recording_level`, of a histogram that forgets. The result does not depend on how the rows
    are divided among calls of `feed`.
    """

    def __init__(self) -> None:
        self._histogram = np.zeros(_BINS)
        self._add(np.full(round(_USUAL_ROWS), _USUAL))
        self._rest = np.zeros(0)
        """Rows that do not fill a block yet."""
        self._waiting = 0
        """Blocks in the histogram whose levels were not returned."""
        self._reached: float | None = None
        """Level of the last row that was returned."""

    def feed(self, loudness: Float[Tensor, " rows"], last: bool = False) -> Float[Tensor, " known"]:
        """Take the next rows, and return the levels that are known now: those of the next rows in turn.

        Args:
            loudness: rows that follow those of the call before.
            last: whether no rows follow; then the levels of all rows are returned.
        """
        rows = np.concatenate([self._rest, loudness.detach().double().numpy()])
        whole = len(rows) // _BLOCK * _BLOCK
        # Filled bit by bit: the arrays of all blocks of an hour take 8 MB.
        levels, done = np.empty(_BLOCK * self._waiting + len(rows)), 0
        for block in rows[:whole].reshape(-1, _BLOCK):
            self._add(block)
            self._waiting += 1
            if self._waiting > AHEAD:
                levels[done : done + _BLOCK] = self._ramp(_BLOCK)
                done += _BLOCK
        self._rest = rows[whole:]
        if last:
            self._add(self._rest)
            for count in (*[_BLOCK] * self._waiting, len(self._rest)):
                levels[done : done + count] = self._ramp(count)
                done += count
        return torch.from_numpy(levels[:done]).to(loudness)

    def ending(self, loudness: Float[Tensor, " rows"]) -> Float[Tensor, " known"]:
        """What `feed` would return for the last rows, without taking them."""
        return copy.deepcopy(self).feed(loudness, last=True)

    def _add(self, rows: np.ndarray) -> None:
        """Count rows, and fade those before."""
        top = self._top() if self._histogram.any() else 0
        places = ((rows - _LOWEST) / _STEP).astype(np.int64).clip(0, _BINS - 1)
        loud = int((places > top - PAUSE / _STEP).sum())
        self._histogram *= 0.5 ** (loud / _LOUD_HALF_LIFE + (len(rows) - loud) / _PAUSE_HALF_LIFE)
        self._histogram += np.bincount(places, minlength=_BINS)

    def _top(self) -> int:
        """The bin of the loudest rows."""
        return int(np.flatnonzero(self._histogram >= min(_FEW, self._histogram.max()))[-1])

    def _ramp(self, count: int) -> np.ndarray:
        """Levels of the next rows, which reach the present estimate at the end of a block."""
        self._waiting -= 1
        estimate = self._estimate()
        start = estimate if self._reached is None else self._reached
        levels = start + (estimate - start) * np.arange(1, count + 1) / _BLOCK
        self._reached = float(levels[-1]) if count else self._reached
        return levels

    def _estimate(self) -> float:
        """The quantile of the histogram, with linear interpolation inside its bin."""
        lowest = max(0, self._top() - round(PAUSE / _STEP))
        below = np.cumsum(self._histogram[lowest:])
        wanted = _QUANTILE * below[-1]
        place = int(np.searchsorted(below, wanted))
        before = below[place - 1] if place else 0.0
        inside = (wanted - before) / max(self._histogram[lowest + place], 1e-9)
        return max(QUIETEST, _LOWEST + _STEP * (lowest + place + inside))
