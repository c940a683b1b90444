"""Text that a voice says: names, limits, times of its sounds, and what is not installed."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch

from facetalk.core.errors import FacetalkError, MissingAssetError, UsageError
from facetalk.io import voices
from facetalk.io.voices import SpokenText, check_voice, say


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Hello, there!", "hello-there"),
        ("../../etc/passwd", "etc-passwd"),
        ("What a very long sentence this is, isn't it?", "what-a-very-long-sentence-this-is-isn-t"),
        ("ä" * 100, "ä" * 20),
    ],
)
def test_outputs_are_named_by_the_first_words(text: str, name: str) -> None:
    assert SpokenText(text).name == name


@pytest.mark.parametrize(
    ("text", "speed", "message"),
    [("", 1, "no words"), (" ?!\n", 1, "no words"), ("a" * 100_001, 1, "at most"), ("a", 3, "0.5 to 2"),
     ("a", float("nan"), "0.5 to 2")],
)  # fmt: skip
def test_what_cannot_be_said_is_wrong_usage(text: str, speed: float, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        SpokenText(text, speed=speed)


def test_without_the_extra_the_command_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("hibari", "hibari.voices"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingAssetError, match=r"pip install 'facetalk\[tts\]'"):
        check_voice("heart")


def test_sounds_get_their_marks_and_short_pauses_and_words_their_labels() -> None:
    phones = "bˈi,  mˌIː"
    edges = np.cumsum([0.5, 0.1, 0.1, 0.1, 0.2, 0.02, 0.02, 0.1, 0.1, 0.1, 0.1])
    events = voices._events(phones, edges, ["bee", "my"])
    assert [(event.kind, event.label, round(event.start, 2), round(event.end, 2)) for event in events] == [
        ("word", "bee", 0.5, 0.8), ("word", "my", 1.04, 1.44), ("phoneme", "B", 0.5, 0.65),
        ("phoneme", "IY", 0.65, 0.8), ("phoneme", "M", 1.04, 1.19), ("phoneme", "AY", 1.19, 1.44),
    ]  # fmt: skip
    joined = voices._events("b m", np.array([0.0, 0.1, 0.14, 0.24]), [])
    assert [(event.label, round(event.start, 2), round(event.end, 2)) for event in joined] == [
        ("B", 0, 0.12), ("M", 0.12, 0.24),
    ]  # fmt: skip


def test_a_further_output_is_a_message_in_a_message_in_a_message() -> None:
    assert voices._further_output("ab") == b"\x3a\x06\x62\x04\x0a\x02ab"


@pytest.mark.slow
def test_the_voice_says_words_and_closes_lips_when_it_says_so() -> None:
    pytest.importorskip("hibari", reason="the extra tts is not installed")
    spoken = SpokenText("Bob bought 25 maps. Five more!")
    speech, again = say(spoken, seed=3), say(spoken, seed=3)
    assert torch.equal(speech.waveform, again.waveform)
    words = [event for event in speech.transcript.events if event.kind == "word"]
    assert [word.label for word in words] == ["Bob", "bought", "25", "25", "maps", "Five", "more"]
    seconds = len(speech.waveform) / speech.sample_rate
    assert all(0 <= event.start < event.end <= seconds for event in speech.transcript.events)
    quiet = next(word.end for word in words if word.label == "maps") + 0.1
    level = speech.waveform[int(quiet * speech.sample_rate) :][:2400].square().mean().sqrt()
    assert level < 0.1 * speech.waveform.square().mean().sqrt()
    with pytest.raises(FacetalkError, match="it speaks English"):
        say(SpokenText("。你"))
    with pytest.raises(UsageError, match="unknown voice"):
        check_voice("nobody")
