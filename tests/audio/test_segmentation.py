"""Phonemes out of probabilities, against a slow obvious search and whatever way the frames come in."""

from __future__ import annotations

import itertools

import pytest
import torch

from facetalk.audio.phonemes import PHONEME_IDS, PHONEMES
from facetalk.audio.segmentation import MOST_DOUBT, PhonemePath, PhonemeTrack


def said(*frames: str) -> torch.Tensor:
    """Probabilities that are certain of a phoneme in each frame."""
    rows = torch.full((len(frames), len(PHONEMES)), 0.002)
    rows[torch.arange(len(frames)), torch.tensor([PHONEME_IDS[frame] for frame in frames])] = 0.92
    return rows


def noisy(num_frames: int, seed: int, sharpness: float = 2.0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return (sharpness * torch.randn(num_frames, len(PHONEMES), generator=generator)).softmax(1)


def found(probabilities: torch.Tensor, size: int = 1000, cost: float = 0.5) -> list[tuple[str, float, float]]:
    track = PhonemeTrack(cost)
    for block in probabilities.split(size):
        track.feed(block)
    return [(event.label, event.start, event.end) for event in track.finish()]


def frame_sequence(segments: list[tuple[str, float, float]], num_frames: int) -> list[str]:
    middles = [(frame + 0.5) / 30 for frame in range(num_frames)]
    return [next(label for label, start, end in segments if start <= middle < end) for middle in middles]


def test_phonemes_lie_back_to_back_from_the_first_to_the_last_frame() -> None:
    segments = found(said("SIL", "SIL", "HH", "AH", "AH", "AH", "P", "SIL"))
    assert [label for label, _, _ in segments] == ["SIL", "HH", "AH", "P", "SIL"]
    assert [end for _, _, end in segments[:-1]] == [start for _, start, _ in segments[1:]]
    assert (segments[0][1], segments[-1][2]) == (0, pytest.approx(8 / 30))
    assert [start for _, start, _ in segments] == pytest.approx([0, 2 / 30, 3 / 30, 6 / 30, 7 / 30])


def test_a_boundary_lies_where_the_probabilities_cross() -> None:
    rows = said("AA", "AA", "IY", "IY")
    rows[1, PHONEME_IDS["IY"]] = 0.9  # almost there one frame earlier
    (_, _, early), _ = found(rows)
    assert 1.5 / 30 < early < 1.6 / 30


def test_a_flicker_is_no_phoneme_and_a_certain_frame_is_one() -> None:
    rows = said(*["AA"] * 9)
    rows[4, PHONEME_IDS["AE"]], rows[4, PHONEME_IDS["AA"]] = 0.50, 0.42
    assert [label for label, _, _ in found(rows)] == ["AA"]
    rows[4, PHONEME_IDS["T"]], rows[4, PHONEME_IDS["AA"]] = 0.9, 0.1
    assert [label for label, _, _ in found(rows)] == ["AA", "T", "AA"]


@pytest.mark.parametrize("seed", range(5))
def test_the_sequence_is_the_best_of_all(seed: int) -> None:
    few = [PHONEME_IDS[name] for name in ("AA", "B", "SIL")]
    rows = torch.full((6, len(PHONEMES)), 1e-4)
    rows[:, few] = noisy(6, seed)[:, :3]

    def value(labels: tuple[int, ...]) -> float:
        changes = sum(first != second for first, second in itertools.pairwise(labels))
        return float(rows[torch.arange(6), list(labels)].log().sum()) - 0.5 * changes

    best = max(itertools.product(few, repeat=6), key=value)
    assert frame_sequence(found(rows), 6) == [PHONEMES[label] for label in best]


@pytest.mark.parametrize("size", [1, 7, 64])
def test_the_result_does_not_depend_on_the_blocks(size: int) -> None:
    rows = noisy(400, 3)
    assert found(rows, size) == found(rows)
    assert len(found(rows)) > 50


def test_only_frames_in_doubt_are_held() -> None:
    track = PhonemeTrack()
    for _ in range(20):
        track.feed(said(*["AA"] * 20, *["B"] * 3))
    assert track._path.doubt < 60 and len(track._rows) < 60
    assert len(track.finish()) == 40


@pytest.mark.parametrize("size", [1, 30, 900])
def test_endless_doubt_is_ended(size: int) -> None:
    rows = torch.full((300, len(PHONEMES)), 1 / len(PHONEMES))
    rows[200] = said("B")[0]
    path, labels = PhonemePath(), []
    for block in rows.split(size):
        labels += path.feed(block)
        assert path.doubt <= MOST_DOUBT
    assert len(labels) >= 300 - MOST_DOUBT
    assert PHONEMES[labels[200]] == "B"
    (*_, event) = found(rows, size)
    assert event[2] == pytest.approx(10.0)


@pytest.mark.parametrize("size", [1, 7])
def test_frames_are_decided_as_soon_as_they_are_certain_and_an_ending_is_not_taken(size: int) -> None:
    rows, path = noisy(60, 4), PhonemePath()
    labels: list[int] = []
    for block in rows.split(size):
        labels += path.feed(block)
        heard = len(labels) + path.doubt
        assert labels + path.ending(rows[heard:]) == PhonemePath().ending(rows)
    assert len(labels) > 50
    assert len(PhonemePath().ending(rows)) == 60


def test_without_frames_there_are_no_phonemes() -> None:
    assert PhonemeTrack().finish() == ()
