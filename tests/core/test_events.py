"""Events of a motion: what a valid one is, and how they follow cutting and resampling."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from facetalk.core.errors import InvalidValueError
from facetalk.core.events import Event, cut_events, events_at_times, in_order
from facetalk.core.motion import Motion, check_values, still_motion
from facetalk.core.timing import frame_times

EVENTS = (
    Event("phrase", 0.1, 1.9),
    Event("phoneme", 0.1, 0.25, "HH"),
    Event("phoneme", 0.25, 0.5, "AH"),
    Event("blink", 0.9, 1.4, strength=0.8),
    Event("word", 1.5, 1.9, "hello"),
)


def eventful(num_frames: int = 60, fps: float = 30.0) -> Motion:
    return still_motion("toy", torch.zeros(num_frames, 1), ("jawOpen",), fps, 2).with_events(EVENTS)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (("yawn", 0, 1), "known kinds: phrase, word"),
        (("word", 2, 1), "from 2 to 1 s is no span"),
        (("word", -1, 1), "no span"),
        (("word", 0, math.nan), "no span"),
        (("word", 0, math.inf), "no span"),
        (("word", False, True), "no span"),
        (("word", 0, 1, "a\nb"), "printable"),
        (("word", 0, 1, "a" * 201), "200 characters"),
        (("blink", 0, 1, "", 1.5), "between 0 and 1"),
    ],
)
def test_an_event_that_makes_no_sense_is_refused(values: tuple[Any, ...], message: str) -> None:
    with pytest.raises(InvalidValueError, match=message):
        Event(*values)


def test_events_come_by_their_start_and_are_found_by_kind() -> None:
    motion = eventful()
    assert motion.events == in_order(reversed(EVENTS))
    assert [event.label for event in motion.events_of("phoneme")] == ["HH", "AH"]
    with pytest.raises(ValueError, match="sorted by their start"):
        motion.replace(events=tuple(reversed(motion.events)))


def test_cutting_shifts_events_and_cuts_off_their_ends() -> None:
    part = eventful().cut(9, 33)  # 0.3 to 1.1 s
    assert [(e.kind, e.label, round(e.start, 6), round(e.end, 6)) for e in part.events] == [
        ("phrase", "", 0, 0.8), ("phoneme", "AH", 0, 0.2), ("blink", "", 0.6, 0.8),
    ]  # fmt: skip
    assert part.events[-1].strength == 0.8
    assert eventful().cut(-6, 600).events_of("word")[0].start == pytest.approx(0, abs=1e-9)


def test_pieces_cover_what_the_whole_holds() -> None:
    motion = eventful()
    pieces = [motion.cut(start, start + 7) for start in range(0, 60, 7)]
    for kind in ("phoneme", "phrase", "blink", "word"):
        total = sum(event.duration_s for piece in pieces for event in piece.events_of(kind))
        assert total == pytest.approx(sum(event.duration_s for event in motion.events_of(kind)))


@pytest.mark.parametrize("fps", [12, 24, 29.97, 60])
def test_another_frame_rate_keeps_the_seconds(fps: float) -> None:
    assert eventful().to_fps(fps).events == EVENTS


def test_events_follow_a_change_of_speed() -> None:
    twice = eventful().at_times(frame_times(30, 15.0), 30.0)
    assert [e.start for e in twice.events] == pytest.approx([e.start / 2 for e in EVENTS])
    assert [e.end for e in twice.events] == pytest.approx([e.end / 2 for e in EVENTS])
    later = events_at_times(EVENTS, frame_times(30) + 1.0, 30.0)
    assert [(e.kind, round(e.start, 6), round(e.end, 6)) for e in later] == [
        ("phrase", 0, 0.9), ("blink", 0, 0.4), ("word", 0.5, 0.9),
    ]  # fmt: skip


def test_without_a_course_of_time_there_are_no_events() -> None:
    assert eventful().pick([3, 2, 1]).events == ()
    assert events_at_times(EVENTS, torch.tensor([0.0, 1.0, 0.5]), 30.0) == ()
    assert events_at_times((), frame_times(3), 30.0) == ()


def test_a_momentary_event_survives_a_cut_at_its_time() -> None:
    nod = (Event("nod", 1.0, 1.0),)
    assert cut_events(nod, 1.0, 2.0) == (Event("nod", 0.0, 0.0),)
    assert cut_events(nod, 0.0, 1.0) == ()


def test_events_beyond_the_end_are_cut_off_or_refused() -> None:
    motion = eventful(30)
    assert max(event.end for event in motion.events) == 1.0
    with pytest.raises(InvalidValueError, match=r"a blink ends at 9.00 s, the motion at 1.00 s"):
        check_values(motion.replace(events=(Event("blink", 0.5, 9.0),)))
