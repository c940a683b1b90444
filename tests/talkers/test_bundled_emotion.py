"""Emotions of the bundled talkers on the example sentence: strength, and lips that close as without an emotion."""

from __future__ import annotations

from functools import cache

import pytest
import torch

from facetalk.audio.sound_synthesis import synthesize_sound
from facetalk.core.emotions import EMOTIONS, parse_emotions
from facetalk.core.motion import Motion
from facetalk.core.timing import SAMPLE_RATE
from facetalk.head.model import HeadModel
from facetalk.io.audio import read_waveform
from facetalk.io.weights import is_bundled
from facetalk.metrics.closures import count_closures, rest_opening
from facetalk.metrics.landmarks import lip_opening
from facetalk.motion.emotion.amounts import shipped_amounts
from facetalk.motion.heads import load_head
from facetalk.talkers.base import Direction, Talker
from facetalk.talkers.emotion import speak_with_emotion
from facetalk.talkers.lip_contact import closure_of
from facetalk.talkers.registry import TALKERS, load_talker
from facetalk.talkers.voice_emotion import emotion_of_voice, listener
from tests.documentation.blocks import ROOT

pytestmark = pytest.mark.slow

ASKED = ("sad:3", "contempt:1", "disgusted:2", "happy:1.5,fear:1.5")


@cache
def head() -> HeadModel:
    return load_head()


@cache
def talker_named(name: str) -> Talker:
    return load_talker(name)


@cache
def take(talker: str, asked: str | None) -> Motion:
    waveform = read_waveform(ROOT / "examples/speech.wav")[: 4 * SAMPLE_RATE]
    emotion = None if asked is None else parse_emotions(asked)
    return speak_with_emotion(talker_named(talker), waveform, Direction(emotion=emotion))


def opening_mm(motion: Motion) -> torch.Tensor:
    return 1000 * lip_opening(torch.as_tensor(head().pose(motion).landmarks))


@pytest.mark.parametrize("asked", ASKED)
@pytest.mark.parametrize("talker", TALKERS)
def test_an_emotion_is_as_strong_as_promised_and_lips_close(talker: str, asked: str) -> None:
    if not is_bundled(talker):
        pytest.skip(f"the weights of {talker} are not bundled")
    without, made = take(talker, "neutral"), take(talker, asked)
    made_mm, without_mm = (opening_mm(motion) - rest_opening(opening_mm(without)) for motion in (made, without))
    spoken = closure_of(without.events_of("phoneme"), without.num_frames) > 0.9
    counts = count_closures(spoken, made_mm, without_mm)
    assert counts["true"] >= 3 and counts["found"] >= 0.9 * counts["true"]
    wanted = shipped_amounts().moved(parse_emotions(asked).frames(1))[0]
    change, mean = (made.expression - without.expression).mean(0), made.expression.mean(0)
    up, down = (change >= wanted - 2e-3) | (mean > 0.97), (change <= wanted + 2e-3) | (mean < 0.03)
    reached = torch.where(wanted > 0, up, down)
    assert bool(reached[wanted != 0].all()), wanted[~reached & (wanted != 0)]
    if "," not in asked:
        still = shipped_amounts().counts[EMOTIONS.index(asked.split(":")[0])] & (wanted == 0)
        assert bool((change[still] < 0.01).all())


@pytest.mark.skipif(not is_bundled("emotalk"), reason="the weights of emotalk are not bundled")
def test_sounds_without_speech_and_ordinary_speech_have_no_emotion() -> None:
    voice = listener(talker_named("emotalk"))
    moments = torch.arange(4 * SAMPLE_RATE) / SAMPLE_RATE
    tones = [0.2 * torch.sin(2 * torch.pi * hertz * moments) for hertz in (110, 220, 440, 1000, 3000)]
    generator = torch.Generator().manual_seed(12345)  # not that of the training
    sounds = [synthesize_sound(generator) for _ in range(12)]
    speech = read_waveform(ROOT / "examples/speech.wav")[: 8 * SAMPLE_RATE]
    for waveform in (*tones, *sounds, speech):
        assert emotion_of_voice(voice.hear_emotion(waveform)).shown == ()
