from typing import Any

import pytest
import torch
from torch import Tensor

from facetalk.networks.emotalk import (
    CHUNK_FRAMES,
    Asked,
    ContentCritics,
    EmoTalkConfig,
    EmoTalkNetwork,
    Performed,
    level_vectors,
)
from facetalk.networks.wav2vec import Wav2VecConfig

SIZES: dict[str, Any] = {
    "width": 8, "num_layers": 1, "num_heads": 2, "inner": 8, "channels": (8, 8, 8), "position_taps": 4,
    "position_groups": 2,
}  # fmt: skip
TINY = EmoTalkConfig(
    content=Wav2VecConfig(**SIZES),
    emotion=Wav2VecConfig(**SIZES, prosody=True),
    content_width=8,
    emotion_width=4,
    level_width=2,
    person_width=2,
    inner=8,
    sounds=("neutral", "calm", "happy", "boredom"),
    emotions=("neutral", "happy", "angry"),
    num_persons=3,
)
FEATURES = 9


@pytest.fixture
def network() -> EmoTalkNetwork:
    torch.manual_seed(0)
    network = EmoTalkNetwork(TINY, FEATURES).eval().requires_grad_(False)
    network.decoder.to_motion.weight.normal_(0, 0.5)
    network.mean.fill_(0.3)
    network.spread.fill_(0.1)
    return network


def perform(network: EmoTalkNetwork, rows: Tensor, asked: Asked | None = None, block: int = 50) -> Performed:
    blocks = list(network.perform(rows.split(block), len(rows), torch.full((3,), 1 / 3), asked))
    return Performed(*(torch.cat(parts) for parts in zip(*blocks, strict=True)))


def asked(num_frames: int, emotion: int, level: float) -> Asked:
    shares = torch.zeros(num_frames, 3)
    shares[:, emotion] = 1
    return Asked(shares, level_vectors(torch.full((num_frames,), level)))


def test_an_untrained_network_shows_the_mean_face() -> None:
    network = EmoTalkNetwork(TINY, FEATURES).eval()
    network.mean.fill_(0.3)
    assert (perform(network, torch.randn(20, FEATURES)).expression == network.mean).all()


def test_long_speech_has_a_row_for_every_frame_whatever_its_blocks(network: EmoTalkNetwork) -> None:
    rows = torch.randn(2 * CHUNK_FRAMES + 37, FEATURES)
    first, second = perform(network, rows, block=50), perform(network, rows, block=1000)
    assert first.expression.shape == (len(rows), 52)
    assert torch.equal(first.expression, second.expression)
    torch.testing.assert_close(first.sounds.sum(1), torch.ones(len(rows)))


def test_what_is_said_later_than_a_chunk_does_not_matter(network: EmoTalkNetwork) -> None:
    rows = torch.randn(3 * CHUNK_FRAMES, FEATURES)
    changed = rows.clone()
    changed[2 * CHUNK_FRAMES :] += 1
    before, after = perform(network, rows).expression, perform(network, changed).expression
    assert torch.equal(before[:CHUNK_FRAMES], after[:CHUNK_FRAMES])
    assert not torch.equal(before, after)


def test_the_emotion_that_is_asked_for_replaces_that_of_the_voice(network: EmoTalkNetwork) -> None:
    rows = torch.randn(40, FEATURES)
    assert network.emotion_encoder.prosody is not None
    network.emotion_encoder.prosody.weight.normal_()
    excited = rows.clone()
    excited[:, -3:] = torch.randn(40, 3)  # pitch and loudness, which the content encoder does not hear
    happy = [perform(network, heard, asked(40, 1, 2.0)).expression for heard in (rows, excited)]
    voiced = [perform(network, heard).expression for heard in (rows, excited)]
    assert torch.equal(*happy)
    assert not torch.equal(*voiced)
    assert not torch.equal(happy[0], perform(network, rows, asked(40, 2, 2.0)).expression)
    assert not torch.equal(happy[0], perform(network, rows, asked(40, 1, 3.0)).expression)


def test_levels_are_zero_one_and_straight_in_between() -> None:
    vectors = level_vectors(torch.tensor([0.0, 1.0, 2.0, 2.5, 3.0]))
    expected = [[0.0, 0.0], [0.5, 0.0], [1.0, 0.0], [0.5, 0.5], [0.0, 1.0]]
    torch.testing.assert_close(vectors, torch.tensor(expected))


def test_emotions_over_time_agree_with_those_of_the_whole(network: EmoTalkNetwork) -> None:
    network.classifier.weight.normal_()
    states = torch.randn(1, 30, 8)
    whole, frames = network.classify(states), network.classify_frames(states)
    torch.testing.assert_close(frames.sounds[15], whole.sounds[0])
    torch.testing.assert_close(frames.levels[15], whole.levels[0])


def test_calm_and_bored_voices_mean_no_emotion(network: EmoTalkNetwork) -> None:
    assert network.calm == [0, 1, 3]


def test_the_content_learns_to_hide_the_emotion() -> None:
    torch.manual_seed(0)
    critics = ContentCritics(8, 5, 3)
    content = torch.randn(4, 10, 8, requires_grad=True)
    true = torch.tensor([0, 1, 2, 0])
    loss = torch.nn.functional.cross_entropy(critics.sounds(content), true)
    loss.backward()
    assert content.grad is not None
    with torch.no_grad():
        stepped = torch.nn.functional.cross_entropy(
            critics.sounds(content - 0.1 * content.grad), torch.tensor([0, 1, 2, 0])
        )
    assert stepped > loss  # following its gradient makes the emotion harder to read


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"content_width": 9}, "even"),
        ({"sounds": ()}, "at least one"),
        ({"emotions": ("neutral", "happy", "happy")}, "none twice"),
        ({"emotions": ("neutral", "joy")}, "has 'joy'"),
        ({"emotions": ("happy",)}, "no neutral"),
        ({"emotion": Wav2VecConfig(**SIZES)}, "hears pitch"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(changes: dict[str, Any], message: str) -> None:
    from dataclasses import replace

    with pytest.raises(ValueError, match=message):
        replace(TINY, **changes)
