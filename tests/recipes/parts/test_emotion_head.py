"""The classifier of a voice, fitted to what an encoder makes of recordings."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from facetalk.data.emotional import UNKNOWN
from facetalk.networks.emotalk import EmoTalkNetwork
from facetalk.recipes.parts.emotion_head import EmotionHeadConfig, KnownVoice, fit_emotion_head
from tests.networks.test_emotalk import FEATURES, TINY

SOUNDS = ("neutral", "happy", "ordinary")


@pytest.fixture
def network() -> EmoTalkNetwork:
    torch.manual_seed(0)
    return EmoTalkNetwork(replace(TINY, sounds=SOUNDS), FEATURES).eval()


def voices() -> list[KnownVoice]:
    """Each emotion and level has a sound of its own."""
    generator = torch.Generator().manual_seed(0)
    directions = torch.randn(4, FEATURES, generator=generator)
    made = []
    for sound, strength in ((0, UNKNOWN), (1, 0), (1, 1), (2, UNKNOWN)):
        for length in (30, 50, 140):
            rows = torch.randn(length, FEATURES, generator=generator) + 3 * directions[sound]
            made.append(KnownVoice(rows + 2 * max(strength, 0) * directions[3], sound, strength))
    return made


def test_it_finds_the_emotion_and_the_level(network: EmoTalkNetwork) -> None:
    fit_emotion_head(network, voices(), EmotionHeadConfig(decay=1e-3))
    for voice in voices():
        logits = network.classify(network.feel(voice.rows[None]))
        assert int(logits.sounds.argmax()) == voice.sound
        assert voice.strength in (UNKNOWN, int(logits.levels.argmax()))


def test_the_expected_share_of_ordinary_speech_shifts_its_probability(network: EmoTalkNetwork) -> None:
    odds = []
    for share in (1 / 3, 0.9):
        network.classifier.weight.zero_()
        network.classifier.bias.zero_()
        fit_emotion_head(network, voices(), EmotionHeadConfig(ordinary_share=share))
        logits = network.classify(network.feel(voices()[0].rows[None])).sounds[0]
        odds.append(float((logits[2] - logits[:2].logsumexp(0)).detach()))
    assert odds[1] - odds[0] == pytest.approx(torch.log(torch.tensor(9 / 0.5)).item(), abs=0.01)


def test_without_voices_everything_is_equally_likely(network: EmoTalkNetwork) -> None:
    fit_emotion_head(network, [KnownVoice(torch.zeros(5, FEATURES), UNKNOWN, UNKNOWN)], EmotionHeadConfig())
    logits = network.classify(torch.randn(1, 20, network.config.emotion.width))
    assert torch.equal(logits.sounds.softmax(1), torch.full((1, 3), 1 / 3))
