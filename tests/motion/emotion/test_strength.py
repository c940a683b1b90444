"""The guarantee about strength: for every emotion and level, whatever a talker does by itself."""

from __future__ import annotations

import pytest
import torch

from facetalk.core.emotions import EMOTIONS, EmotionTrack, level_row, parse_emotions
from facetalk.head.channels import ARKIT_NAMES
from facetalk.motion.emotion import strength
from facetalk.motion.emotion.amounts import shipped_amounts
from facetalk.motion.emotion.strength import AROUND_FRAMES, local_mean, with_amounts

FRAMES = 120
SMILE = ARKIT_NAMES.index("mouthSmileLeft")
AMOUNTS = shipped_amounts()


def speech(seed: int = 0) -> torch.Tensor:
    """A lively mouth and face that stay below a quarter of their range."""
    knots = torch.rand(1, 52, FRAMES // 6, generator=torch.Generator().manual_seed(seed))
    return 0.25 * torch.nn.functional.interpolate(knots, FRAMES, mode="linear")[0].T


def shown(text: str, without: torch.Tensor, own: torch.Tensor | None = None) -> torch.Tensor:
    levels = parse_emotions(text).frames(FRAMES)
    emphasis = 1 + 0.2 * torch.sin(torch.linspace(0, 9, FRAMES))
    own = without if own is None else own
    return with_amounts(without, own, levels, AMOUNTS, emphasis, lambda rows, frames: rows)


def assert_guaranteed(emotion: str, level: int, without: torch.Tensor, made: torch.Tensor) -> None:
    """Every characteristic channel has moved by its amount, or is at its limit."""
    change = (made - without).mean(0)
    wanted, counts = AMOUNTS.steps[EMOTIONS.index(emotion), level], AMOUNTS.counts[EMOTIONS.index(emotion)]
    enough = torch.where(wanted > 0, change >= wanted - 1e-3, change <= wanted + 1e-3)
    limit = torch.where(wanted > 0, made.mean(0) > 0.98, made.mean(0) < 0.02)
    assert bool((enough | limit)[counts].all()), [ARKIT_NAMES[c] for c in (counts & ~(enough | limit)).nonzero()[:, 0]]


@pytest.mark.parametrize("emotion", EMOTIONS[1:])
def test_each_level_moves_every_characteristic_channel_by_its_amount(emotion: str) -> None:
    without = speech()
    made = [without, *(shown(f"{emotion}:{level}", without) for level in (1, 2, 3))]
    for level in (1, 2, 3):
        assert_guaranteed(emotion, level, without, made[level])
        assert float(made[level].min()) >= 0 and float(made[level].max()) <= 1
    sign = AMOUNTS.steps[EMOTIONS.index(emotion), 3].sign()
    means = torch.stack([rows.mean(0) for rows in made]) * sign
    assert bool((means.diff(dim=0) >= -1e-4).all()), "more with every level"
    others = ~AMOUNTS.counts[EMOTIONS.index(emotion)]
    assert torch.equal(made[3][:, others], without[:, others])


@pytest.mark.parametrize("emotion", EMOTIONS[1:])
def test_a_talker_that_does_the_wrong_thing_is_corrected(emotion: str) -> None:
    without, other = speech(0), (speech(0) + 0.3 * torch.rand(52, generator=torch.Generator().manual_seed(5)))
    assert_guaranteed(emotion, 2, without, shown(f"{emotion}:2", without, other.clamp(0, 1)))


def test_sad_takes_a_smile_away() -> None:
    without = speech()
    own = without.clone()
    own[:, SMILE] += 0.3
    made = shown("sad:2", without, own)
    assert float(made[:, SMILE].mean()) < float(without[:, SMILE].mean()) - 0.1


def test_a_talker_that_does_more_by_itself_keeps_what_it_does() -> None:
    without = speech()
    own = without.clone()
    own[:, SMILE] = (without[:, SMILE] + 0.7).clamp(max=1)
    assert torch.equal(shown("happy:1", without, own)[:, SMILE], own[:, SMILE])


def test_what_is_taken_away_at_last_is_made_up_for() -> None:
    without, closed = speech(), torch.zeros(FRAMES, 1)
    closed[::4] = 1

    def finish(rows: torch.Tensor, frames: slice) -> torch.Tensor:
        return torch.lerp(rows, without[frames], closed[frames])

    levels = parse_emotions("surprised:2").frames(FRAMES)
    made = with_amounts(without, without, levels, AMOUNTS, torch.ones(FRAMES), finish)
    assert_guaranteed("surprised", 2, without, made)
    assert torch.equal(made[::4], without[::4])


def test_blocks_of_frames_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = shown("fear:2", speech())
    monkeypatch.setattr(strength, "_BLOCK", 7)
    torch.testing.assert_close(shown("fear:2", speech()), whole)


def test_words_stay_in_motion() -> None:
    without = speech()
    jaw = ARKIT_NAMES.index("jawOpen")
    made = shown("surprised:3", without)
    assert float(torch.corrcoef(torch.stack([made[:, jaw], without[:, jaw]]))[0, 1]) > 0.9


def test_nothing_jumps_where_a_track_does() -> None:
    rows = torch.stack([level_row({}), level_row({"happy": 3}), level_row({"sad": 3}), level_row({})])
    track = EmotionTrack(torch.tensor([1.0, 1.001, 2.0, 2.001]), rows)
    flat = torch.full((FRAMES, 52), 0.1)
    smiling = flat + 0.2 * track.frames(FRAMES)[:, 1:2] / 3  # a talker that smiles a little by itself
    made = with_amounts(flat, smiling, track.frames(FRAMES), AMOUNTS, torch.ones(FRAMES), lambda rows, frames: rows)
    assert float(made.diff(dim=0).abs().max()) < 0.12
    assert torch.equal(made[:15], flat[:15])
    torch.testing.assert_close(made[-15:], flat[-15:], atol=1e-3, rtol=0)


def test_the_local_mean_is_a_weighted_mean_of_the_neighbors() -> None:
    rows = torch.rand(90, 3, generator=torch.Generator().manual_seed(0))
    weight = torch.hann_window(2 * AROUND_FRAMES + 3, periodic=False)[1:-1]
    for frame in (0, 7, 45, 89):
        near = range(max(0, frame - AROUND_FRAMES), min(90, frame + AROUND_FRAMES + 1))
        shares = torch.stack([weight[other - frame + AROUND_FRAMES] for other in near])
        expected = (shares[:, None] * rows[near.start : near.stop]).sum(0) / shares.sum()
        torch.testing.assert_close(local_mean(rows)[frame], expected)
    torch.testing.assert_close(local_mean(rows[:1]), rows[:1])
