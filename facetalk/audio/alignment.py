"""When known words are said: the most likely path through their phonemes, given the probabilities of every frame.

Between words there may be silence, and speech that is not in the text; words of the text may not be said. A path
through such a gap gets the probability of what is most likely there, less a cost: words that do not fit are left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Float32, Int32

from facetalk.audio.phonemes import SILENCE
from facetalk.audio.segmentation import LEAST, crossing
from facetalk.audio.visemes import viseme_of_phoneme
from facetalk.core.timing import FPS

STRANGE_COST = 1.0
"""Nepers per frame by which speech that is not in the text is less likely than the most likely phoneme."""
UNSAID_COST = 4.0
"""Nepers for a word of the text that is not said."""
SWALLOWED_COST = 2.0
"""Nepers for a phoneme of a word that is not said, or takes less than a frame."""

_MOST_UNSAID = 20
"""Words before the first one that is said, and after the last one, count up to this many times."""
_BLOCK_FRAMES = 9000
"""Five minutes are searched at once: the choices of an hour at once would take gigabytes."""
_LOOK_AHEAD_FRAMES = 600
"""What ends this close to the end of a block is searched again together with what follows."""
_MOST_STATES = _BLOCK_FRAMES * 5 // 6
"""Phonemes of a block: 25 a second, more than the fastest speech has."""
_IMPOSSIBLE = np.float32(-1e9)


class AlignedPhoneme(NamedTuple):
    """A phoneme and when it is said."""

    phoneme: int
    """Its id."""
    start_s: float
    end_s: float
    fit: float
    """Probability of its viseme as a share of that of the most likely one, geometric mean, 0 to 1."""


@dataclass(frozen=True)
class AlignedWord:
    """A word and when it is said."""

    index: int
    """Which one of the words it is."""
    phonemes: tuple[AlignedPhoneme, ...]
    """Back to back; without those that are swallowed."""
    fit: float
    """See `AlignedPhoneme.fit`."""


class _Run(NamedTuple):
    """Consecutive frames of a phoneme."""

    phoneme: int
    start: int
    stop: int


def align(probabilities: Float[np.ndarray, "frames phonemes"], words: Sequence[Sequence[int]]) -> list[AlignedWord]:
    """Find words in speech, in time that grows with its length, and memory that does not grow beyond five minutes.

    Args:
        probabilities: of each of `PHONEMES`, 30 frames a second.
        words: ids of the phonemes of each word, at least one.

    Returns:
        The words that are said, with times from the first frame. Some may fit badly, see `AlignedWord.fit`.
    """
    found: list[AlignedWord] = []
    frame, word = 0, 0
    while frame < len(probabilities) and word < len(words):
        rows = np.log(probabilities[frame : frame + _BLOCK_FRAMES].clip(LEAST, 1)).astype(np.float32)
        is_last = frame + _BLOCK_FRAMES >= len(probabilities)
        states = _States(words[word : _words_until(words, word)])
        certain = len(rows) if is_last else len(rows) - _LOOK_AHEAD_FRAMES
        path = states.path(rows, frame == 0, is_last)
        runs = {index: own for index, own in states.runs(path) if own[-1].stop <= certain}
        found += [_timed(rows, word + index, own, frame / FPS) for index, own in runs.items()]
        if runs:
            word += max(runs) + 1
            certain = certain if is_last else runs[max(runs)][-1].stop
        frame += certain
    return found


def _words_until(words: Sequence[Sequence[int]], first: int) -> int:
    """How many words, from the first on, may be said in a block."""
    states = 0
    for index in range(first, len(words)):
        states += len(words[index]) + 1
        if states > _MOST_STATES:
            return max(index, first + 1)
    return len(words)


class _States:
    """The phonemes of some words, each word after a gap, and a gap at the end."""

    def __init__(self, words: Sequence[Sequence[int]]) -> None:
        lengths = np.array([len(word) for word in words])
        self._gaps = np.concatenate([[0], np.cumsum(lengths + 1)])
        self._symbols = np.full(self._gaps[-1] + 1, -1, np.int32)
        self._owners = np.repeat(np.arange(len(words) + 1), [*(lengths + 1), 1])
        self._over_one = np.full(len(self._symbols), SWALLOWED_COST, np.float32)
        for gap, word in zip(self._gaps[:-1], words, strict=True):
            self._symbols[gap + 1 : gap + 1 + len(word)] = word
        self._over_one[self._gaps[:-1] + 1] = 0.0  # without a gap between two words
        self._over_one[self._gaps[1:][lengths == 1]] = UNSAID_COST  # over a word of one phoneme
        self._previous_gaps = np.full(len(self._symbols), -1, np.int32)
        self._previous_gaps[self._gaps[1:]] = self._gaps[:-1]

    def path(
        self, rows: Float32[np.ndarray, "frames phonemes"], is_first: bool, is_last: bool
    ) -> Int32[np.ndarray, " frames"]:
        """State of each frame; the text may begin or end outside of the first or last block."""
        between = np.maximum(rows[:, SILENCE], rows.max(1) - np.float32(STRANGE_COST))
        before = np.arange(len(self._gaps))
        begin = np.full(len(self._symbols), _IMPOSSIBLE, np.float32)
        late = -UNSAID_COST * np.minimum(before, _MOST_UNSAID) if is_first else np.where(before, _IMPOSSIBLE, 0)
        begin[self._gaps] = late
        begin[self._gaps[:-1] + 1] = late[:-1]
        end = np.zeros(len(self._symbols), np.float32)
        if is_last:
            left = len(self._gaps) - 1 - self._owners
            left[self._gaps[1:] - 1] -= 1  # at the last phoneme of a word, the word has been said
            end -= UNSAID_COST * np.minimum(left, _MOST_UNSAID).astype(np.float32)
        from facetalk.audio.alignment_kernel import best_path  # numba loads with the first transcript

        return best_path(rows, between, self._symbols, self._over_one, self._previous_gaps, UNSAID_COST, begin, end)

    def runs(self, path: Int32[np.ndarray, " frames"]) -> Iterator[tuple[int, list[_Run]]]:
        """Yield each word that a path goes through, and its phonemes."""
        edges = [0, *(np.flatnonzero(np.diff(path)) + 1).tolist(), len(path)]
        spoken = [(path[start], start, stop) for start, stop in pairwise(edges) if self._symbols[path[start]] >= 0]
        for index, own in groupby(spoken, lambda run: int(self._owners[run[0]])):
            yield index, [_Run(int(self._symbols[state]), start, stop) for state, start, stop in own]


def _timed(rows: Float32[np.ndarray, "frames phonemes"], index: int, runs: list[_Run], offset_s: float) -> AlignedWord:
    """A word with the times at which its phonemes become more likely than those before them."""
    around = [SILENCE, *(run.phoneme for run in runs), SILENCE]
    starts = [*(run.start for run in runs), runs[-1].stop]
    times = [offset_s + _boundary(rows, *pair, frame) for pair, frame in zip(pairwise(around), starts, strict=True)]
    fits = [_fit(rows[run.start : run.stop], run.phoneme) for run in runs]
    phonemes = [
        AlignedPhoneme(run.phoneme, start, end, float(np.exp(fit.mean())))
        for run, (start, end), fit in zip(runs, pairwise(times), fits, strict=True)
    ]
    return AlignedWord(index, tuple(phonemes), float(np.exp(np.concatenate(fits).mean())))


def _boundary(rows: Float32[np.ndarray, "frames phonemes"], before: int, after: int, frame: int) -> float:
    """Seconds from the first row at which a phoneme begins whose first frame is known."""
    if not 0 < frame < len(rows):
        return frame / FPS
    return (frame - 0.5 + crossing(before, after, rows[frame - 1], rows[frame])) / FPS


def _fit(rows: Float32[np.ndarray, "frames phonemes"], phoneme: int) -> Float[np.ndarray, " frames"]:
    """Log-probability of a phoneme's viseme in each frame, relative to the most likely viseme."""
    viseme = viseme_of_phoneme().numpy()
    visemes = np.exp(rows) @ np.eye(viseme.max() + 1)[viseme]
    return np.log(visemes[:, viseme[phoneme]] / visemes.max(1))
