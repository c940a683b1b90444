"""Wrong timestamps: a file of seconds stays one, and what is late or pauses keeps its place."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from facetalk.core.timing import SAMPLE_RATE
from facetalk.io.audio import read_waveform
from facetalk.io.media import probe
from facetalk.io.timeline import LONGEST_PAUSE_S, Timeline, longest_pause
from facetalk.io.video import VideoReader
from facetalk.io.video_writer import VideoWriter
from tests.io.test_media import make, tone

AUDIO, VIDEO = 8, 9
HOURS_MS = 6_087_000


def times(stated: list[float], frame_s: float = 0.1) -> list[float]:
    timeline = Timeline(frame_s)
    return [round(timeline.shown(time_s), 6) for time_s in stated]


def test_even_uneven_and_late_frames_keep_their_times() -> None:
    for stated in ([0.0, 0.1, 0.2], [0.0, 0.3, 0.35, 1.9], [5.0, 5.1, 5.2], [0.2, 0.1, 0.3], [0.0, 30.0, 30.1]):
        assert times(stated) == stated


def test_a_single_wrong_time_is_put_between_its_neighbors() -> None:
    assert times([0.0, 0.1, 9000.0, 0.3, 0.4]) == pytest.approx([0.0, 0.1, 0.2, 0.3, 0.4])
    assert times([0.0, 0.1, -9000.0, 0.3, 0.4]) == pytest.approx([0.0, 0.1, 0.2, 0.3, 0.4])
    assert times([9000.0, 0.1, 0.2]) == pytest.approx([0.0, 0.1, 0.2])


def test_a_jump_that_lasts_is_closed() -> None:
    assert times([0.0, 0.1, 9000.2, 9000.3]) == pytest.approx([0.0, 0.1, 0.2, 0.3])


def test_pauses_are_bounded_by_what_was_shown() -> None:
    stated = [float(pause * 50) for pause in range(2000)]
    assert times(stated)[-1] < 600
    shown = times([frame * 0.1 for frame in range(3000)] + [600.0, 600.1])
    assert shown[-2:] == [600.0, 600.1], "a pause of five minutes after five minutes of video"


def change_times(path: Path, kind: int, change: Callable[[int, int], int]) -> None:
    """Rewrite the times (ms) of an FLV file's tags: `change(number, time)` of those of one kind."""
    data, place, number = bytearray(path.read_bytes()), 13, 0
    while place < len(data):
        size = int.from_bytes(data[place + 1 : place + 4], "big")
        if data[place] == kind:
            stamp = int.from_bytes(bytes([data[place + 7], *data[place + 4 : place + 7]]), "big")
            raw = change(number, stamp).to_bytes(4, "big")
            data[place + 4 : place + 8] = bytes([*raw[1:], raw[0]])
            number += 1
        place += 11 + size + 4
    path.write_bytes(data)


def flv(path: Path, seconds: float = 3.0) -> Path:
    wav = path.with_suffix(".wav")
    soundfile.write(wav, tone(seconds), SAMPLE_RATE)
    return make(
        path, "-f", "lavfi", "-i", f"testsrc=size=64x48:rate=30:duration={seconds}", "-i", str(wav),
        "-c:v", "flv", "-c:a", "mp3", "-ar", "44100", "-shortest",
    )  # fmt: skip


@pytest.mark.parametrize(
    "change",
    [
        lambda number, stamp: stamp + HOURS_MS if number == 40 else stamp,
        lambda number, stamp: stamp + HOURS_MS if number >= 40 else stamp,
        lambda number, stamp: stamp + HOURS_MS if number % 10 == 9 else stamp,
        lambda number, stamp: stamp + number * 20_000,
        lambda number, stamp: stamp + 2**31 if number >= 40 else stamp,
    ],
    ids=["one", "from then on", "every tenth", "growing", "negative"],
)
def test_wrong_times_do_not_become_hours(tmp_path: Path, change: Callable[[int, int], int]) -> None:
    path = flv(tmp_path / "a.flv")
    change_times(path, AUDIO, change)
    change_times(path, VIDEO, change)
    start = time.perf_counter()
    waveform = read_waveform(path)
    assert len(waveform) / SAMPLE_RATE < 80
    with VideoReader(path) as video:
        shown = [time_s for time_s, _ in video]
    assert shown[-1] < 80 and np.all(np.diff(shown) > 0)
    assert time.perf_counter() - start < 20


@pytest.mark.parametrize("late_ms", [0, 900])
def test_one_wrong_time_costs_nothing_of_the_audio_and_the_video(tmp_path: Path, late_ms: int) -> None:
    path = flv(tmp_path / "a.flv")
    change_times(path, AUDIO, lambda number, stamp: stamp + late_ms + (HOURS_MS if number == 40 else 0))
    change_times(path, VIDEO, lambda number, stamp: stamp + (HOURS_MS if number == 40 else 0))
    waveform = read_waveform(path)
    assert len(waveform) / SAMPLE_RATE == pytest.approx(3.0 + late_ms / 1000, abs=0.15)
    onset = float((waveform.abs() > 0.1).float().argmax()) / SAMPLE_RATE
    assert onset == pytest.approx(late_ms / 1000, abs=0.1)
    with VideoReader(path) as video:
        shown = np.array([time_s for time_s, _ in video])
    np.testing.assert_allclose(shown - shown[0], np.arange(len(shown)) / 30, atol=0.03)


def test_the_audio_of_a_written_video_has_no_hours_either(tmp_path: Path) -> None:
    path = flv(tmp_path / "a.flv")
    change_times(path, AUDIO, lambda number, stamp: stamp + (HOURS_MS if number == 40 else 0))
    start = time.perf_counter()
    with VideoWriter(tmp_path / "b.mp4", (16, 16), 25.0, path) as writer:
        for _ in range(50):
            writer.write(np.zeros((16, 16, 3), np.uint8))
    assert len(read_waveform(tmp_path / "b.mp4")) / SAMPLE_RATE == pytest.approx(2.0, abs=0.1)
    assert time.perf_counter() - start < 20


def test_a_track_that_pauses_while_the_other_goes_on_stays_in_step(tmp_path: Path) -> None:
    """As in recordings of calls, where the audio of a muted microphone is not stored."""
    wav, path = tmp_path / "a.wav", tmp_path / "call.mkv"
    soundfile.write(wav, tone(3.0), SAMPLE_RATE)
    # Three seconds of audio of which the last begins two minutes later; the video goes on for all of it.
    make(
        path, "-f", "lavfi", "-i", "testsrc=size=16x16:rate=2:duration=125", "-i", str(wav), "-c:v", "mpeg4",
        "-af", "asetpts='PTS+gt(T,2)*120/TB'", "-c:a", "pcm_s16le", "-fps_mode", "passthrough",
    )  # fmt: skip
    waveform = read_waveform(path)
    late = waveform[round(110 * SAMPLE_RATE) :]
    assert len(waveform) / SAMPLE_RATE == pytest.approx(123.0, abs=0.3)
    assert (waveform[4 * SAMPLE_RATE : 100 * SAMPLE_RATE] == 0).all() and late.abs().max() > 0.1
    assert 115 < longest_pause(probe(path)) < 125


def test_a_pause_during_which_nothing_goes_on_is_not_real(tmp_path: Path) -> None:
    path = flv(tmp_path / "a.flv")
    change_times(path, AUDIO, lambda number, stamp: stamp + (HOURS_MS if number == 40 else 0))
    assert longest_pause(probe(path)) == LONGEST_PAUSE_S
    assert longest_pause(probe(path.with_suffix(".wav"))) == LONGEST_PAUSE_S
