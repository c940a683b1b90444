"""Loudness, pitch and phrases as they are heard: nothing looks ahead."""

from __future__ import annotations

import pytest
import torch

from facetalk.audio.delivery import DELIVERY, Contours, delivery
from facetalk.core.timing import FPS, SAMPLE_RATE


def voice(seconds: float, hertz: float = 150.0) -> torch.Tensor:
    times = torch.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    return torch.stack([torch.sin(2 * torch.pi * hertz * k * times) / k for k in range(1, 8)]).sum(0) * 0.1


def column(rows: torch.Tensor, name: str) -> torch.Tensor:
    return rows[:, DELIVERY.index(name)]


@pytest.mark.parametrize("num_frames", [1, 30, 149, 150, 151, 900])
def test_the_first_frames_do_not_depend_on_what_follows(num_frames: int) -> None:
    noise = torch.randn(40 * SAMPLE_RATE, generator=torch.Generator().manual_seed(0)) * 0.1
    short = noise[: round(num_frames * SAMPLE_RATE / FPS)]
    assert torch.equal(delivery(short), delivery(noise)[:num_frames])


def test_rows_are_the_same_however_they_are_divided() -> None:
    rows = torch.randn(100, 3, generator=torch.Generator().manual_seed(1))
    whole, parts = Contours().feed(rows), Contours()
    assert torch.equal(torch.cat([parts.feed(part) for part in rows.split(7)]), whole)


def test_speech_begins_and_ends_where_it_does() -> None:
    rows = delivery(torch.cat([torch.zeros(SAMPLE_RATE), voice(1.0), torch.zeros(SAMPLE_RATE)]))
    speaking = column(rows, "speaking")
    assert speaking[:30].max() == 0
    assert speaking[35:60].min() == 1
    assert speaking[70:].max() == 0
    # The end is known once a stop would be over.
    assert 60 <= int(column(rows, "since_end").argmax()) <= 70
    assert int(column(rows, "since_start").argmax()) == pytest.approx(31, abs=2)


def test_the_level_of_the_recording_does_not_matter_after_a_while() -> None:
    quiet, loud = (delivery(gain * voice(3.0))[30:] for gain in (0.5, 1.0))
    torch.testing.assert_close(column(quiet, "speaking"), column(loud, "speaking"))


def test_pitch_is_relative_to_what_was_heard() -> None:
    rows = delivery(torch.cat([voice(2.0, 120.0), voice(0.5, 180.0)]))
    assert column(rows, "pitch")[30:58].abs().max() < 0.05
    assert column(rows, "pitch")[64:70].mean() > 0.4


def test_silence_is_finite() -> None:
    rows = delivery(torch.zeros(SAMPLE_RATE))
    assert torch.isfinite(rows).all()
    assert column(rows, "speaking").max() == 0
