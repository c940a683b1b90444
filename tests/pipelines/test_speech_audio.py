"""A rendered motion gets the audio that it was made from, and never a file that it merely names."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path
from typing import Any

import pytest

from facetalk.core.motion import Motion
from facetalk.head.model import HeadModel
from facetalk.io.motion import read_motion, write_motion
from facetalk.io.video import VideoReader
from facetalk.pipelines import export as export_pipeline
from facetalk.pipelines import render as render_pipeline
from facetalk.pipelines.animate import animate
from facetalk.pipelines.export import export_all
from facetalk.pipelines.render_files import render_file
from facetalk.pipelines.speech_audio import speech_of
from tests.pipelines.performers import use_toys
from tests.pipelines.test_animate import make_speech
from tests.pipelines.test_render import fitted, toy_motion, write_clip


@pytest.fixture(autouse=True)
def toys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, toy_head: HeadModel) -> None:
    use_toys(monkeypatch)
    monkeypatch.setattr(export_pipeline, "load_head", lambda name, look=None: toy_head)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def motion_path(tmp_path: Path) -> Path:
    """`hello/hello.npz`, made from `hello.wav` in the current folder."""
    return animate(make_speech(tmp_path / "hello.wav"), formats=("npz",)).paths["npz"]


def has_audio(path: Path | str) -> bool:
    return VideoReader(path).has_audio


def renamed(motion_path: Path, **meta: Any) -> Motion:
    motion = read_motion(motion_path)
    return motion.replace(meta={**motion.meta, **meta})


def test_speech_in_the_current_folder_is_found(motion_path: Path) -> None:
    outcome = render_file(motion_path, "a.mp4", size=32)
    assert has_audio("a.mp4")
    assert outcome.details["audio"] == Path("hello.wav")


def test_speech_next_to_the_motion_file_is_found(motion_path: Path) -> None:
    Path("hello.wav").rename("hello/hello.wav")
    assert speech_of(read_motion(motion_path), motion_path) == Path("hello/hello.wav")


def test_an_exported_video_has_the_audio_too(motion_path: Path) -> None:
    export_all([motion_path], "b.mp4")
    assert has_audio("b.mp4")


def test_missing_speech_is_said(motion_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    Path("hello.wav").unlink()
    outcome = render_file(motion_path, "a.mp4", size=32)
    assert not has_audio("a.mp4") and outcome.details["audio"] is None
    assert "no audio: hello.wav is neither next to hello/hello.npz nor in the current folder; --audio" in caplog.text


def test_another_recording_of_the_same_name_is_not_used(motion_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    make_speech(Path("hello.wav").absolute(), seed=9)
    assert speech_of(read_motion(motion_path), motion_path) is None
    assert "hello.wav is another recording" in caplog.text


def test_the_right_one_of_two_files_is_used(motion_path: Path) -> None:
    make_speech(Path("hello/hello.wav").absolute(), seed=9)
    assert speech_of(read_motion(motion_path), motion_path) == Path("hello.wav")


def test_without_a_fingerprint_the_length_decides(motion_path: Path) -> None:
    motion = renamed(motion_path, speech_fingerprint=None)
    assert speech_of(motion, motion_path) == Path("hello.wav")
    make_speech(Path("hello.wav").absolute(), seconds=1.5)
    assert speech_of(motion, motion_path) is None


@pytest.mark.parametrize("name", ["../secret.wav", "/etc/passwd", "sub/secret.wav", "..", "", None, 7, "a\0b", ["x"]])
def test_a_motion_cannot_name_a_file_elsewhere(motion_path: Path, name: object, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    for place in (tmp_path.parent / "secret.wav", tmp_path / "sub/secret.wav"):
        shutil.copy("hello.wav", place)
    assert speech_of(renamed(motion_path, speech=name), motion_path) is None


def test_a_link_that_leads_elsewhere_is_not_followed(motion_path: Path, tmp_path: Path) -> None:
    (tmp_path / "private").mkdir()
    Path("hello.wav").rename("private/hello.wav")
    Path("hello/hello.wav").symlink_to(tmp_path / "private/hello.wav")
    assert speech_of(read_motion(motion_path), motion_path) is None


def test_the_source_of_a_fit_is_never_opened(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    source = write_clip(tmp_path / "private.mp4", 10)
    motion = fitted(toy_motion(12)).replace(source=str(source), meta={"command": "fit"})
    write_motion("fit.npz", motion)
    with caplog.at_level(logging.INFO):
        assert not has_audio(render_file("fit.npz", "a.mp4", size=32).files["mp4"])
    assert caplog.text == ""


def test_audio_can_be_named_or_declined(motion_path: Path) -> None:
    other = make_speech(Path("other.wav").absolute(), seed=3)
    assert render_file(motion_path, "a.mp4", size=32, audio=other).details["audio"] == other
    assert not has_audio(render_file(motion_path, "b.mp4", size=32, with_audio=False).files["mp4"])


def test_an_overlay_has_the_audio_of_its_video(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "source.mp4", 10)
    write_motion("fit.npz", fitted(toy_motion(12)))
    render_file("fit.npz", "over.mp4", camera="tracked", over=source)
    assert has_audio("over.mp4")
    assert render_pipeline.own_audio(read_motion("fit.npz"), Path("fit.npz"), source) == source
