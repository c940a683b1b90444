"""Frames while the audio comes, with toys in place of the released models."""

from __future__ import annotations

import csv
import io
import itertools
import json
import pickle
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from facetalk.core.errors import FacetalkError, UsageError
from facetalk.core.motion import POSES, joined
from facetalk.core.timing import SAMPLE_RATE
from facetalk.exporters.csv import COLUMN_NAMES
from facetalk.head.channels import ARKIT_NAMES
from facetalk.io.pcm import PcmFormat
from facetalk.motion.regions import RegionalControl
from facetalk.pipelines import animator, live
from facetalk.pipelines.animate_jobs import AnimateOptions
from facetalk.pipelines.animator import load_animator
from facetalk.pipelines.live import LiveAnimator, load_live_animator
from facetalk.pipelines.live_stream import animated_lines
from facetalk.talkers.styletalk import StyleTalk
from tests.pipelines.performers import use_toys
from tests.talkers.toys import listening_emotalk, listening_talker

RAW = PcmFormat()


@pytest.fixture(autouse=True)
def toys(monkeypatch: pytest.MonkeyPatch) -> None:
    use_toys(monkeypatch)
    monkeypatch.setattr(animator, "load_talker", lambda name: listening_talker())


def speech(seconds: float) -> torch.Tensor:
    noise = torch.randn(round(SAMPLE_RATE * seconds), generator=torch.Generator().manual_seed(0))
    return 0.2 * noise * torch.sin(torch.linspace(0, 20, len(noise))) ** 2


def as_bytes(waveform: torch.Tensor) -> bytes:
    return (32_767 * waveform.clamp(-1, 1)).round().numpy().astype("<i2").tobytes()


def lines_of(animator: LiveAnimator, data: bytes, name: str = "jsonl") -> list[str]:
    return list(itertools.chain(*animated_lines(animator, io.BytesIO(data).read, RAW, name)))


@pytest.mark.parametrize("gestures", ["idle", "facial"])
@pytest.mark.parametrize("control", [RegionalControl(), RegionalControl(gains={"head": 0.5, "mouth": 1.2})])
def test_a_stream_that_waits_for_all_that_counts_is_the_animation_of_the_recording(
    gestures: str, control: RegionalControl
) -> None:
    options = AnimateOptions(gestures=gestures, seed=3, laughter=0, control=control)
    waveform = speech(4.03)
    whole = load_animator(options, {}).motion(waveform, options)
    session = load_live_animator(options, None).start()
    parts = [*(session.feed(part) for part in waveform.split(2000)), session.finish()]
    fields = ("expression", *POSES, "transl") if not control.gains else ("expression", "neck_pose", "leye_pose")
    for field in fields:
        streamed = torch.cat([getattr(part, field) for part in parts])
        torch.testing.assert_close(streamed, getattr(whole, field), rtol=0, atol=1e-5, msg=field)


def test_an_emotion_shows_in_a_stream_and_lips_still_close() -> None:
    waveform = speech(3.0)
    shown = {}
    for emotion in (None, "happy:3"):
        session = load_live_animator(AnimateOptions(emotion=emotion, blinks=0)).start()
        motion = [session.feed(waveform), session.finish()]
        shown[emotion] = torch.cat([part.expression for part in motion]).mean(0)
        if emotion:
            assert motion[0].emotion is not None and motion[0].emotion[0, 1] == 3
    moved = dict(zip(ARKIT_NAMES, (shown["happy:3"] - shown[None]).tolist(), strict=True))
    assert moved["mouthSmileLeft"] > 0.3 and moved["cheekSquintRight"] > 0.3


def test_the_emotion_of_the_voice_shows_in_a_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "streamed_listener", lambda talker: listening_emotalk(happy=True))
    waveform, shown = speech(4.0), []
    for size in (1600, 9999):
        session = load_live_animator(AnimateOptions(emotion="auto", blinks=0)).start()
        shown.append(joined([*(session.feed(part) for part in waveform.split(size)), session.finish()]))
    assert torch.equal(shown[0].expression, shown[1].expression), "however the samples come"
    assert shown[0].emotion is not None and shown[0].emotion[0].sum() < 1 < shown[0].emotion[60:, 1].min()
    smile = shown[0].channel("mouthSmileLeft")
    assert smile[60:].mean() > smile[0] + 0.2


def test_lines_are_json_objects_with_a_start_frames_and_an_end() -> None:
    animator = load_live_animator(AnimateOptions(seed=5))
    start, *frames, end = map(json.loads, lines_of(animator, as_bytes(speech(1.0))))
    assert start["event"] == "start" and start["blendshapes"] == list(ARKIT_NAMES)
    assert (start["fps"], start["seed"], start["look_ahead_s"]) == (30, 5, 0.3)
    assert [frame["frame"] for frame in frames] == list(range(30))
    assert frames[15]["seconds"] == 0.5 and len(frames[15]["blendshapes"]) == 52
    assert all(len(frames[0][name]) == 3 for name in ("head", "left_eye", "right_eye", "position"))
    assert end == {"event": "end", "frames": 30, "seconds": 1.0}


def test_rows_are_those_of_the_table() -> None:
    rows = list(csv.DictReader(lines_of(load_live_animator(AnimateOptions()), as_bytes(speech(1.0)), "csv")))
    assert len(rows) == 30 and list(rows[0]) == ["Timecode", "BlendShapeCount", *COLUMN_NAMES]
    assert rows[15]["Timecode"] == "00:00:00:15.000"


def test_frames_come_as_soon_as_the_audio_does() -> None:
    waiting = [as_bytes(speech(0.4)), as_bytes(speech(0.1))]
    asked: list[int] = []

    def read(size: int) -> bytes:
        asked.append(size)
        return waiting.pop(0) if waiting else b""

    lines = animated_lines(load_live_animator(AnimateOptions()), read, RAW, "jsonl")
    next(lines)
    assert len(next(lines)) == 3 and len(asked) == 1, "after 0.4 s of audio"
    assert len(next(lines)) == 3 and len(asked) == 2


def _held(value: object, seen: set[int] | None = None) -> list[object]:
    """The tensors and lists that an object of ours refers to, at any depth."""
    seen = set() if seen is None else seen
    if id(value) in seen:
        return []
    seen.add(id(value))
    if isinstance(value, torch.Tensor | list | bytes):
        return [value]
    if not type(value).__module__.startswith("facetalk") or isinstance(value, torch.nn.Module | StyleTalk):
        return []
    return [found for part in vars(value).values() for found in _held(part, seen)] if hasattr(value, "__dict__") else []


def test_an_endless_input_needs_no_more_memory_than_a_short_one() -> None:
    session = load_live_animator(AnimateOptions(emotion="happy")).start()
    piece, used = speech(0.5), []
    for _ in range(12):
        session.feed(piece)
        used.append(len(pickle.dumps(_held(session))))
    assert max(used[6:]) < 1.03 * max(used[:6])


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the memory of the process from /proc")
def test_a_long_stream_grows_neither_in_memory_nor_in_delay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()  # the real networks
    session, piece = load_live_animator(AnimateOptions()).start(), speech(0.1)
    used, spent, frames = [], [], 0
    for step in range(450):
        start = time.process_time()
        frames += session.feed(piece).num_frames
        spent.append(time.process_time() - start)
        used.append(_resident_mb())
        assert frames == max(0, 3 * (step + 1) - 9)
    assert max(used[300:]) < max(used[150:300]) + 5
    assert sorted(spent[300:])[75] < 1.5 * sorted(spent[150:300])[75]


def _resident_mb() -> float:
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def test_input_that_is_no_audio_ends_with_an_error_after_the_frames_before_it() -> None:
    animator = load_live_animator(AnimateOptions())
    for data in (b"", b"\0"):
        with pytest.raises(FacetalkError, match="no audio samples"):
            lines_of(animator, data)
    floats = speech(1.0).numpy().tobytes() + np.float32("nan").tobytes() * 9
    lines = animated_lines(animator, io.BytesIO(floats).read, PcmFormat(sample="f32le"), "jsonl")
    with pytest.raises(FacetalkError, match="not numbers"):
        list(lines)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (AnimateOptions(fps=60), "no --fps"),
        (AnimateOptions(laughter=1), "no laughter"),
        (AnimateOptions(transcript="a.txt"), "--transcript"),
    ],
)
def test_what_a_stream_cannot_do_is_refused_by_name(options: AnimateOptions, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        load_live_animator(options)


def test_files_are_no_stream() -> None:
    with pytest.raises(UsageError, match="jsonl or csv while they come, not as 'mp4'"):
        lines_of(load_live_animator(AnimateOptions()), b"", "mp4")
