"""Phonemes with times out of their probabilities: the most likely sequence of segments (Viterbi 1967).

The sequence maximizes the summed log-probability of its phonemes, less a cost for every change of phoneme. Taken frame
by frame, the most likely phoneme would flicker between similar ones. The shortest phoneme is one frame, 33 ms, which is
what a flap or a release takes; twice as much would lose a fifth of the phonemes of EMO-DB's manual labels.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, UInt8
from torch import Tensor

from facetalk.audio.phonemes import PHONEME_IDS, PHONEMES
from facetalk.core.events import Event
from facetalk.core.timing import FPS

CHANGE_COST = 0.5
"""Nepers. On training speakers of EMO-DB, 0 to 0.5 finds the phonemes best, and 0.5 invents the fewest."""

LEAST = 1e-4
"""Lowest probability: nothing is impossible."""
MOST_DOUBT = 60
"""Frames after which a decision is taken even if what follows could still change it: two seconds. In speech, laughter
and noise no more than six were seen to be in doubt."""
_LABELS = np.arange(len(PHONEMES), dtype=np.uint8)
_EDGE = 0.05
"""How close to the middle of a frame a boundary may be, in frames: every phoneme keeps some length."""


class PhonemePath:
    """The phoneme of each frame, for probabilities that come block by block.

    Only the frames in doubt, a few of them, are held. The result does not depend on how the frames are divided among
    calls of `feed`.
    """

    def __init__(self, change_cost: float = CHANGE_COST) -> None:
        """Begin a recording.

        Args:
            change_cost: by how much two phonemes have to be more likely than one, nepers.
        """
        self._cost = change_cost
        self._scores = np.zeros(len(PHONEMES))
        """Of the best sequences that end with each phoneme."""
        self._before: list[UInt8[np.ndarray, " phonemes"]] = []
        """For each frame in doubt: where the best sequence that ends with each phoneme was one frame before."""

    def feed(self, probabilities: Float[Tensor, "frames phonemes"]) -> list[int]:
        """Go on by some frames, and return the phonemes of those that are no longer in doubt, by their ids.

        Args:
            probabilities: a column for each of `PHONEMES`.
        """
        decided: list[int] = []
        for row in log_probabilities(probabilities):
            best = self._scores.argmax()
            after_change = self._scores[best] - self._cost
            self._before.append(np.where(self._scores < after_change, np.uint8(best), _LABELS))
            self._scores = np.maximum(self._scores, after_change) + row
            if len(self._before) > MOST_DOUBT:
                decided += self._decide(1)
        return decided + self._decide(self._certain())

    def ending(self, probabilities: Float[Tensor, "frames phonemes"]) -> list[int]:
        """What would follow if the recording ended after these frames, without taking them."""
        path = copy.deepcopy(self)
        return path.feed(probabilities) + path.finish()

    def finish(self) -> list[int]:
        """Return the phonemes of the frames in doubt."""
        return self._decide(len(self._before))

    @property
    def doubt(self) -> int:
        """Number of frames in doubt."""
        return len(self._before)

    def _certain(self) -> int:
        """Number of frames in doubt that are the same in all sequences that may still win."""
        labels = np.arange(len(PHONEMES))
        for frame in range(len(self._before) - 1, 0, -1):
            labels = self._before[frame][labels]
            if (labels == labels[0]).all():
                return frame
        return 0

    def _decide(self, count: int) -> list[int]:
        """Take the first frames in doubt from the best sequence."""
        if count == 0:
            return []
        labels = [int(self._scores.argmax())]
        for before in self._before[:0:-1]:
            labels.append(int(before[labels[-1]]))
        del self._before[:count]
        return labels[::-1][:count]


class PhonemeTrack:
    """Collects the phonemes of a recording whose probabilities come block by block; see `PhonemePath`."""

    def __init__(self, change_cost: float = CHANGE_COST) -> None:
        """Begin a recording; see `PhonemePath`."""
        self._path = PhonemePath(change_cost)
        self._rows: list[Float[np.ndarray, " phonemes"]] = [np.zeros(len(PHONEMES))]
        """Log-probabilities of the last decided frame and of the frames in doubt."""
        self._decided = 0
        self._label, self._start_s = "", 0.0
        """The phoneme that goes on."""
        self._found: list[Event] = []

    def feed(self, probabilities: Float[Tensor, "frames phonemes"]) -> None:
        """Go on by some frames, with a column for each of `PHONEMES`."""
        self._rows += list(log_probabilities(probabilities))
        self._take(self._path.feed(probabilities))

    def finish(self) -> tuple[Event, ...]:
        """Return the phonemes of the whole recording, back to back; silence is one of them."""
        self._take(self._path.finish())
        self._begin("", self._decided / FPS)
        return tuple(self._found)

    def _take(self, labels: Sequence[int]) -> None:
        """Go on by frames whose phonemes are decided."""
        for frame, label in enumerate(labels):
            symbol = PHONEMES[label]
            if not self._label:
                self._label = symbol
            elif symbol != self._label:
                share = crossing(PHONEME_IDS[self._label], label, *self._rows[frame : frame + 2])
                self._begin(symbol, (self._decided + frame - 0.5 + share) / FPS)
        self._decided += len(labels)
        del self._rows[: len(labels)]

    def _begin(self, symbol: str, time_s: float) -> None:
        """End the phoneme that goes on, and begin another."""
        if self._label:
            self._found.append(Event("phoneme", self._start_s, time_s, self._label))
        self._label, self._start_s = symbol, time_s


def log_probabilities(probabilities: Float[Tensor, "frames phonemes"]) -> Float[np.ndarray, "frames phonemes"]:
    """Natural logarithms, of which none is infinite."""
    return np.log(probabilities.detach().cpu().numpy().clip(LEAST, 1))


def crossing(
    before: int, after: int, earlier: Float[np.ndarray, " phonemes"], later: Float[np.ndarray, " phonemes"]
) -> float:
    """Where between two frames a phoneme becomes less likely than the next one, from 0 to 1.

    Args:
        before: id of the phoneme.
        after: id of the next one.
        earlier: log-probabilities of the earlier frame.
        later: of the later one.
    """
    first, second = (float(row[before] - row[after]) for row in (earlier, later))
    share = first / (first - second) if first > second else 0.5
    return min(max(share, _EDGE), 1 - _EDGE)
