"""The contract of every talker in the table, with a toy among them."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch import nn

from facetalk.audio.transcript import Transcript
from facetalk.core.emotions import EMOTIONS, parse_emotions
from facetalk.core.errors import FacetalkError, InvalidValueError, UsageError
from facetalk.core.timing import SAMPLE_RATE
from facetalk.io.weights import is_bundled, write_model
from facetalk.motion.regions import RegionalControl
from facetalk.talkers import registry
from facetalk.talkers.base import (
    OPTIONS,
    Direction,
    EmotionalTalker,
    StreamingTalker,
    Talker,
    person_index,
    reject_unsupported,
)
from facetalk.talkers.registry import TALKERS, load_talker, streaming_talker
from facetalk.talkers.styles import StyledTalker
from tests.talkers.toys import Mumbler, listening_talker, toy_talker

ASKED: dict[str, Direction] = {
    "style": Direction(style="happy"),
    "strength": Direction(strength=0.5),
    "emotion": Direction(emotion=parse_emotions("happy:2")),
    "laughter": Direction(laughter=0.5),
    "person": Direction(person="2"),
    "control": Direction(control=RegionalControl(gains={"mouth": 1.2})),
}
STYLED = {"style", "strength", "emotion", "control"}
SUPPORTED = {
    "emotalk": {"emotion", "person"},
    "laughtalk": {"laughter"},
    "styletalk": STYLED,
    "mumbler": {"emotion"},
    "small": STYLED,
    "listening": STYLED,
}


@pytest.fixture(params=[*TALKERS, "mumbler", "small", "listening"], scope="module")
def talker(request: pytest.FixtureRequest) -> Talker:
    """Each bundled talker, a toy of another kind, and two untrained StyleTalks."""
    toys = {"mumbler": Mumbler, "small": toy_talker, "listening": listening_talker}
    if request.param not in (*toys, *(name for name in TALKERS if is_bundled(name))):
        pytest.skip(f"the weights of {request.param} are not bundled")
    return toys[request.param]() if request.param in toys else load_talker(request.param)


def speech(seconds: float = 0.8) -> torch.Tensor:
    noise = torch.randn(round(SAMPLE_RATE * seconds), generator=torch.Generator().manual_seed(0))
    return 0.2 * noise * torch.sin(torch.linspace(0, 20, len(noise))) ** 2


@pytest.mark.parametrize("seconds", [0.1, 0.8, 1.01])
def test_a_talker_returns_a_motion_at_30_fps_for_any_length(talker: Talker, seconds: float) -> None:
    assert isinstance(talker, Talker)
    motion = talker.speak(speech(seconds))
    assert motion.num_frames == max(1, round(30 * seconds))
    assert motion.fps == 30
    assert motion.head
    assert torch.isfinite(motion.expression).all()
    assert not motion.expression.requires_grad


def test_a_talker_repeats_itself_with_the_same_generator(talker: Talker) -> None:
    first, second = (talker.speak(speech(), Direction(), torch.Generator().manual_seed(3)).expression for _ in range(2))
    assert torch.equal(first, second)
    assert torch.equal(talker.speak(speech()).expression, talker.speak(speech()).expression)


@pytest.mark.parametrize("field", ASKED)
def test_a_talker_rejects_by_name_what_it_does_not_support(talker: Talker, field: str) -> None:
    name = "small" if getattr(talker, "head", "") == "toy" else talker.name
    if field in SUPPORTED.get(name, STYLED):
        direction = Direction(style="neutral") if field == "style" else ASKED[field]
        assert talker.speak(speech(), direction).num_frames == 24
    else:
        with pytest.raises(UsageError, match=f"does not support {OPTIONS[field]}; it supports: "):
            talker.speak(speech(), ASKED[field])


@pytest.mark.parametrize("size", [1, 1999, 10**6])
def test_a_session_returns_the_frames_of_the_whole_recording(talker: Talker, size: int) -> None:
    if not isinstance(talker, StreamingTalker) or talker.look_ahead_s == math.inf:
        pytest.skip("needs whole recordings")
    waveform = speech(0.11 if size == 1 else 13.03)
    waveform[16_000 * 4 : 16_000 * 5] = 0
    quiet = Direction(laughter=0.0) if "laughter" in talker.supported else Direction()
    session = talker.start()
    parts = [session.feed(part) for part in waveform.split(size)]
    motion = talker.speak(waveform, quiet)
    expression = torch.cat([part.expression for part in (*parts, session.finish())])
    torch.testing.assert_close(expression, motion.expression, rtol=0, atol=1e-5)
    assert not any(part.events for part in parts)


def test_a_session_may_have_nothing_to_say(talker: Talker) -> None:
    if not isinstance(talker, StreamingTalker) or talker.look_ahead_s == math.inf:
        pytest.skip("needs whole recordings")
    session = talker.start()
    assert session.feed(torch.zeros(0)).num_frames == session.finish().num_frames == 0
    with pytest.raises(InvalidValueError, match="not finite"):
        talker.start().feed(torch.tensor([float("nan")]))


@pytest.mark.parametrize("look_ahead_s", [0.0, 0.3])
def test_a_session_with_little_look_ahead_is_late_by_that_much(talker: Talker, look_ahead_s: float) -> None:
    if not isinstance(talker, StreamingTalker) or talker.look_ahead_s == math.inf:
        pytest.skip("needs whole recordings")
    waveform, results = speech(2.03), []
    for size in (1600, 777, 10**6):
        session, heard, frames = talker.start(look_ahead_s=look_ahead_s), 0, torch.zeros(0, 52)
        for part in waveform.split(size):
            heard += len(part)
            frames = torch.cat([frames, session.feed(part).expression])
            assert len(frames) == max(0, heard // 1600 * 3 - round(30 * look_ahead_s))
        results.append(torch.cat([frames, session.finish().expression]))
    assert len(results[0]) == 61
    torch.testing.assert_close(results[0], results[1], rtol=0, atol=1e-6)
    torch.testing.assert_close(results[0], results[2], rtol=0, atol=1e-6)


def test_a_talker_that_needs_whole_recordings_is_refused_a_stream() -> None:
    with pytest.raises(
        UsageError, match="needs whole recordings; talkers that speak while they listen: emotalk, laughtalk, styletalk"
    ):
        streaming_talker(Mumbler())
    with pytest.raises(UsageError, match="hears whole recordings"):
        toy_talker().start()
    with pytest.raises(UsageError, match="listening in a stream does not support --transcript"):
        listening_talker().start(Direction(transcript=Transcript(())))
    for wrong in (-1.0, float("nan"), float("inf")):
        with pytest.raises(UsageError, match="the look-ahead is"):
            listening_talker().start(look_ahead_s=wrong)


def test_a_styled_talker_has_a_code_for_every_name(talker: Talker) -> None:
    if not isinstance(talker, StyledTalker):
        pytest.skip("has no styles")
    for name in ("neutral", *talker.styles):
        code = talker.styles.get(name, talker.neutral_style)
        assert code.shape == talker.neutral_style.shape
        assert torch.equal(
            talker.speak(speech(), Direction(style=name)).expression,
            talker.speak(speech(), Direction(style=code)).expression,
        )


def test_a_direction_lists_what_it_asks_for() -> None:
    assert Direction().asked_for() == []
    assert Direction(style=torch.zeros(3), strength=1.0).asked_for() == ["style"]
    assert Direction(strength=0.5, laughter=0.0, person="M003").asked_for() == ["strength", "laughter", "person"]
    reject_unsupported("any", Direction(), ())
    with pytest.raises(UsageError, match="style strength is 9"):
        Direction(strength=9)


def test_a_talker_that_follows_emotions_names_them(talker: Talker) -> None:
    assert isinstance(talker, EmotionalTalker) == ("emotion" in getattr(talker, "supported", ("emotion",)))
    if isinstance(talker, EmotionalTalker):
        assert set(talker.emotions) <= set(EMOTIONS)


def test_a_person_has_a_name_and_a_number() -> None:
    people = ("ada", "ben", "3")
    assert [person_index(person, people) for person in ("ada", "2", "3")] == [0, 1, 2]
    for wrong in ("0", "4", "cleo", "-1", "²", ""):
        with pytest.raises(UsageError, match="a number from 1 to 3: ada, ben, 3"):
            person_index(wrong, people)


def test_a_folder_is_loaded_by_the_method_that_it_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.TALKERS, "mumbler", "tests.talkers.toys:Mumbler")
    write_model(tmp_path / "run", nn.Linear(1, 1), "talker", "mumbler", {})
    talker = load_talker(tmp_path / "run")
    assert isinstance(talker, Mumbler)
    assert talker.name == str(tmp_path / "run")


def test_what_is_no_talker_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="unknown talker 'parrot'; known: emotalk, laughtalk, styletalk, or a folder"):
        load_talker("parrot")
    write_model(tmp_path / "other", nn.Linear(1, 1), "talker", "singing", {})
    with pytest.raises(FacetalkError, match="names the method 'singing'; known methods: emotalk, laughtalk, styletalk"):
        load_talker(tmp_path / "other")
    write_model(tmp_path / "laugh", nn.Linear(1, 1), "laughter-detector", "laughter", {})
    with pytest.raises(FacetalkError, match="holds a network of kind 'laughter-detector'; 'talker' is needed"):
        load_talker(tmp_path / "laugh")
