"""Known words in speech: their times, words that are not said, speech that is not in the text."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from facetalk.audio import alignment
from facetalk.audio.alignment import align
from facetalk.audio.alignment_kernel import best_path
from facetalk.audio.phonemes import PHONEME_IDS, PHONEMES
from tests.audio.voicing import heard


def ids(*words: str) -> list[list[int]]:
    return [[PHONEME_IDS[symbol] for symbol in word.split()] for word in words]


def test_phonemes_begin_and_end_where_they_are_heard() -> None:
    found = align(heard("SIL SIL HH AH L OW SIL B AA B SIL").numpy(), ids("HH AH L OW", "B AA B"))
    assert [word.index for word in found] == [0, 1]
    hello, bob = found
    assert [PHONEMES[phoneme.phoneme] for phoneme in hello.phonemes] == ["HH", "AH", "L", "OW"]
    starts = [phoneme.start_s for word in found for phoneme in word.phonemes]
    np.testing.assert_allclose(starts, np.array([6, 9, 12, 15, 21, 24, 27]) / 30, atol=0.02)
    assert hello.phonemes[-1].end_s == pytest.approx(0.6, abs=0.02)
    assert bob.fit > 0.9


def test_words_that_are_not_said_and_speech_that_is_not_in_the_text_do_not_move_the_others() -> None:
    rows = heard("SIL M AY Z Z OW SH ER IY SIL N EY M SIL").numpy()
    found = align(rows, ids("M AY", "F AH V AH F", "N EY M"))
    fitting = {word.index: word for word in found if word.fit > 0.5}
    assert sorted(fitting) == [0, 2]
    assert fitting[2].phonemes[0].start_s == pytest.approx(30 / 30, abs=0.04)


def test_a_phoneme_of_less_than_a_frame_is_left_out() -> None:
    (word,) = align(heard("SIL T EH S SIL").numpy(), ids("T EH K S"))
    assert [PHONEMES[phoneme.phoneme] for phoneme in word.phonemes] == ["T", "EH", "S"]


def test_blocks_of_a_long_recording_give_what_the_whole_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = torch.Generator().manual_seed(3)
    words = [torch.randint(0, 24, (5,), generator=generator).tolist() for _ in range(60)]
    rows = heard([phoneme for word in words for phoneme in (PHONEME_IDS["SIL"], *word)], noise=0.1).numpy()
    whole = align(rows, words)
    monkeypatch.setattr(alignment, "_BLOCK_FRAMES", 200)
    monkeypatch.setattr(alignment, "_LOOK_AHEAD_FRAMES", 60)
    monkeypatch.setattr(alignment, "_MOST_STATES", 160)
    blocks = align(rows, words)
    assert [word.index for word in blocks] == [word.index for word in whole] == list(range(60))
    for one, other in zip(blocks, whole, strict=True):
        np.testing.assert_allclose(one.phonemes, other.phonemes, atol=1e-3)


@pytest.mark.parametrize("num_frames", [1, 2, 5])
def test_fewer_frames_than_phonemes_are_no_error(num_frames: int) -> None:
    assert len(align(heard("B AA B").numpy()[:num_frames], ids("B AA B", "P EH P", "M IY"))) <= 3


@pytest.mark.parametrize("seed", range(8))
def test_the_path_is_the_best_of_all_paths(seed: int) -> None:
    """Against every sequence of states there is."""
    rng = np.random.default_rng(seed)
    symbols = np.array([-1, 0, 1, -1, 2, -1], np.int32)
    over_one = rng.random(6).astype(np.float32)
    previous = np.array([-1, -1, -1, 0, -1, 3], np.int32)
    frames, gaps = rng.normal(size=(5, 3)).astype(np.float32), rng.normal(size=5).astype(np.float32)
    first, last = rng.normal(size=(2, 6)).astype(np.float32)

    def step(before: int, after: int) -> float:
        costs = [0.0] if after - before in (0, 1) else []
        costs += [over_one[after]] if after - before == 2 else []
        costs += [0.7] if previous[after] == before and previous[after] >= 0 else []
        return -min(costs, default=np.inf)

    def score(path: tuple[int, ...]) -> float:
        heard = sum(gaps[t] if symbols[s] < 0 else frames[t, symbols[s]] for t, s in enumerate(path))
        return first[path[0]] + heard + sum(map(step, path, path[1:])) + last[path[-1]]

    best = max(itertools.product(range(6), repeat=5), key=score)
    path = best_path(frames, gaps, symbols, over_one, previous, 0.7, first, last)
    assert tuple(path) == best
