"""Compiled search for the most likely path through the phonemes of a text."""

from __future__ import annotations

from typing import no_type_check

import numpy as np

from facetalk.core.kernels import compiled

STAY, NEXT, OVER_ONE, OVER_WORD = 0, 1, 2, 3
"""How a path came to a state: from itself, the state before, the one before that, or the gap before a whole word."""


@compiled(nogil=True)
@no_type_check
def best_path(
    frames: np.ndarray,
    gaps: np.ndarray,
    symbols: np.ndarray,
    over_one: np.ndarray,
    word_starts: np.ndarray,
    over_word: float,
    first: np.ndarray,
    last: np.ndarray,
) -> np.ndarray:
    """Find the most likely state of every frame (Viterbi 1967).

    Args:
        frames: (frames, phonemes) log-probabilities.
        gaps: (frames,) log-probability of what is between words.
        symbols: (states,) phoneme of each state; -1 for a gap.
        over_one: (states,) cost of coming from the state before the one before.
        word_starts: (states,) for a gap, the gap before it; -1 for the first gap and for phonemes.
        over_word: cost of going from one gap to the next without saying the word between them.
        first: (states,) score of beginning in a state.
        last: (states,) score of ending in it.

    Returns:
        (frames,) number of the state.
    """
    num_frames, num_states = len(frames), len(symbols)
    came = np.zeros((num_frames, num_states), np.uint8)
    scores = np.empty(num_states, np.float32)
    before = np.empty(num_states, np.float32)
    for s in range(num_states):
        scores[s] = first[s] + (gaps[0] if symbols[s] < 0 else frames[0, symbols[s]])
    for t in range(1, num_frames):
        before[:] = scores
        for s in range(num_states):
            best, how = before[s], STAY
            if s > 0 and before[s - 1] > best:
                best, how = before[s - 1], NEXT
            if s > 1 and before[s - 2] - over_one[s] > best:
                best, how = before[s - 2] - over_one[s], OVER_ONE
            if word_starts[s] >= 0 and before[word_starts[s]] - over_word > best:
                best, how = before[word_starts[s]] - over_word, OVER_WORD
            scores[s] = best + (gaps[t] if symbols[s] < 0 else frames[t, symbols[s]])
            came[t, s] = how
    path = np.empty(num_frames, np.int32)
    s = 0
    for k in range(num_states):
        if scores[k] + last[k] > scores[s] + last[s]:
            s = k
    for t in range(num_frames - 1, -1, -1):
        path[t] = s
        s = word_starts[s] if came[t, s] == OVER_WORD else s - came[t, s]
    return path
