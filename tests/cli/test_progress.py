"""Progress on stderr: plain lines, JSON, bars; inputs, time left and losses."""

from __future__ import annotations

import json

import pytest

from facetalk.cli import progress
from facetalk.cli.output import print_failures, print_text
from facetalk.cli.progress import Messages, ProgressMode, duration, note, progress_display, say, use_messages
from facetalk.core.progress import INPUTS


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, in a list of one."""
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def shown(mode: str, clock: list[float], capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Lines of a batch of three, of which each step takes six seconds."""
    with use_messages(Messages(progress=ProgressMode(mode))), progress_display() as show:
        show(INPUTS, 0, 3)
        for done in range(4):
            show("rendering a.wav", 10 * done, 30)
            clock[0] += 6
        show(INPUTS, 1, 3)
        clock[0] += 6
        show("rendering b\n.wav", 15, 30)
    return capsys.readouterr().err.splitlines()


def test_plain_lines_come_every_few_seconds(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    assert shown("plain", clock, capsys) == [
        "0 of 3, rendering a.wav 33%",
        "0 of 3, rendering a.wav 66%",
        "0 of 3, rendering a.wav 100%",
        "1 of 3, 48 s left",
        r"1 of 3, rendering b\n.wav 50%, 60 s left",
    ]


def test_json_progress_is_an_object_per_line(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    objects = [json.loads(line) for line in shown("json", clock, capsys)]
    assert objects[-1] == {
        "step": "rendering b\n.wav",
        "done": 15,
        "total": 30,
        "inputs_done": 1,
        "inputs": 3,
        "seconds_left": 60.0,
    }


def test_no_progress_is_silent(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    assert shown("none", clock, capsys) == []


def test_a_single_input_has_the_time_of_its_step(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    with use_messages(Messages(progress=ProgressMode.plain)), progress_display() as show:
        show(INPUTS, 0, 1)
        show("tracking a.mp4", 0, 100)
        clock[0] += 10
        show("tracking a.mp4", 20, 100)
    assert capsys.readouterr().err == "tracking a.mp4 20%, 40 s left\n"


def test_a_short_batch_has_the_time_of_the_inputs_that_were_not_skipped(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    with use_messages(Messages(progress=ProgressMode.plain)), progress_display() as show:
        clock[0] += 3  # networks are loaded
        for done in range(96, 101):
            show(INPUTS, done, 100)
            show("rendering a.wav", 30, 30)
            clock[0] += 0.75
    assert capsys.readouterr().err.splitlines() == ["98 of 100, 2 s left"]


def test_training_shows_losses_and_the_time_left(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    with use_messages(Messages(progress=ProgressMode.plain)), progress_display() as show:
        show.training(500, 1000, {})  # resumed
        clock[0] += 10
        show.training(600, 1000, {"total": 0.1234567, "lips": 2.0})
    assert capsys.readouterr().err == "step 600 of 1000, total 0.1235, lips 2, 40 s left\n"


def test_the_bar_shows_inputs_and_the_step(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    with use_messages(Messages(progress=ProgressMode.bar)), progress_display() as show:
        show(INPUTS, 12, 30)
        show("rendering [red]a.wav", 1, 2)
        print_text("a result")
    printed = capsys.readouterr()
    assert "12 of 30" in printed.err and "rendering [red]a.wav" in printed.err
    assert printed.out == "a result\n", "results in a pipe stay there"


def test_a_bar_needs_a_terminal() -> None:
    assert Messages().mode is ProgressMode.plain
    assert Messages(quiet=True).mode is ProgressMode.none
    assert Messages(quiet=True, progress=ProgressMode.json).mode is ProgressMode.json


def test_failures_are_objects_among_json_progress(capsys: pytest.CaptureFixture[str]) -> None:
    with use_messages(Messages(progress=ProgressMode.json)):
        print_failures({"a.wav": "a.wav is empty", "b.wav": "no audio"})
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert lines == [{"message": "a.wav is empty"}, {"message": "b.wav: no audio"}]


def test_messages_are_objects_among_json_progress(capsys: pytest.CaptureFixture[str]) -> None:
    with use_messages(Messages(progress=ProgressMode.json)):
        note("two\nlines")
    assert json.loads(capsys.readouterr().err) == {"message": r"two\nlines"}
    with use_messages(Messages(quiet=True)):
        note("nothing")
        say("error: something")
    assert capsys.readouterr().err == "error: something\n"


@pytest.mark.parametrize(("seconds", "text"), [(-1, "0 s"), (89, "89 s"), (600, "10 min"), (12000, "3 h 20 min")])
def test_durations_are_read_at_a_glance(seconds: float, text: str) -> None:
    assert duration(seconds) == text
