"""`animate` from an audio file to files, with toys in place of the released models."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from facetalk.core.errors import FacetalkError, UsageError
from facetalk.exporters.registry import FORMATS
from facetalk.io.audio import write_wav
from facetalk.io.motion import read_motion, write_motion
from facetalk.io.video import VideoReader
from facetalk.pipelines.animate import AnimateOptions, animate, animate_all
from facetalk.pipelines.animate_table import animate_inputs
from tests.conftest import make_toy_head
from tests.exporters.motions import lively_motion
from tests.pipelines.performers import use_toys


@pytest.fixture(autouse=True)
def toys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    use_toys(monkeypatch)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def speech(tmp_path: Path) -> Path:
    return make_speech(tmp_path / "hello.wav")


def make_speech(path: Path, seconds: float = 0.7, seed: int = 0) -> Path:
    noise = torch.randn(int(16_000 * seconds), generator=torch.Generator().manual_seed(seed))
    swell = torch.sin(torch.linspace(0, 20 * seconds, len(noise))) ** 2
    write_wav(path, 0.2 * noise * swell)
    return path


def listed(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


def test_the_default_is_a_folder_with_video_motion_and_mesh(speech: Path, tmp_path: Path) -> None:
    result = animate(speech, size=64)
    assert listed(tmp_path / "hello") == ["hello.glb", "hello.mp4", "hello.npz"]
    assert result.paths == {name: Path("hello") / f"hello.{name}" for name in ("mp4", "npz", "glb")}
    motion = read_motion(tmp_path / "hello/hello.npz")
    assert (motion.num_frames, motion.fps, motion.source) == (21, 30, "hello.wav")
    assert result.duration_s == pytest.approx(0.7)
    assert motion.meta["talker"] == "styletalk"
    with VideoReader(tmp_path / "hello/hello.mp4") as video:
        assert video.size == (64, 64)
        assert video.has_audio
        assert len(list(video)) == 21


def test_every_format_appears_and_nothing_else(speech: Path, tmp_path: Path) -> None:
    formats = [name for name in FORMATS if name != "flame"]  # the toy head has no FLAME parameters
    animate(speech, out=tmp_path / "all", formats=formats, size=32)
    names = [f"hello{FORMATS[name].suffix}" for name in formats]
    assert listed(tmp_path / "all/hello") == sorted([*names, "hello.usda_textures"])
    assert len(list((tmp_path / "all/hello/hello_obj").glob("*.obj"))) == 21


def test_the_motion_file_says_what_happens_when(tmp_path: Path) -> None:
    animate(make_speech(tmp_path / "long.wav", 5.0), formats=("npz",), fps=25, seed=1, blinks=4)
    motion = read_motion("long/long.npz")
    assert [(event.kind, round(event.end - event.start, 1)) for event in motion.events_of("phrase")] == [
        ("phrase", 5.0)
    ]
    assert motion.events_of("phoneme")[-1].end == pytest.approx(5.0, abs=1e-3)
    for blink in motion.events_of("blink"):
        assert motion.cut(round(blink.start * 25), round(blink.end * 25)).channel("eyeBlinkLeft").max() > 0.8
    assert "blink" in {event.kind for event in motion.events}


def test_a_seed_repeats_and_switches_switch(speech: Path) -> None:
    def moved(**options: Any) -> torch.Tensor:
        paths = animate(speech, formats=("npz",), overwrite=True, **options).paths
        motion = read_motion(paths["npz"])
        return torch.cat([motion.expression, motion.neck_pose, motion.leye_pose], 1)

    first = moved(seed=1)
    assert torch.equal(moved(seed=1), first)
    assert not torch.equal(moved(seed=2), first)
    still = moved(seed=1, head_motion=0, blinks=0, gaze=0)
    assert still[:, 52:].abs().max() == 0
    assert torch.equal(still, moved(seed=2, still=True, blinks=0))


def test_each_recording_has_its_own_seed_which_the_motion_file_names(speech: Path, tmp_path: Path) -> None:
    other = make_speech(tmp_path / "other.wav", seed=5)
    first, second = (animate(path, formats=("npz",)) for path in (speech, other))
    assert first.seed != second.seed
    assert animate(speech, formats=("npz",), out="again").seed == first.seed
    motion = read_motion(first.paths["npz"])
    assert motion.meta["seed"] == first.seed
    same = read_motion(animate(speech, formats=("npz",), out="given", seed=first.seed).paths["npz"])
    assert torch.equal(same.neck_pose, motion.neck_pose)
    assert animate(speech, formats=("npz",), out="seven", seed=7).seed == 7


def test_all_files_have_the_frame_rate_that_was_asked_for(speech: Path, tmp_path: Path) -> None:
    result = animate(speech, formats=("npz", "mp4", "csv"), fps=24, size=32)
    motion = read_motion(result.paths["npz"])
    assert (motion.fps, motion.num_frames) == (24, 17)
    with VideoReader(result.paths["mp4"]) as video:
        assert (video.fps, len(list(video))) == (24, 17)
    assert len(result.paths["csv"].read_text().splitlines()) == 1 + 17
    assert result.duration_s == pytest.approx(0.7)


def test_a_frame_rate_that_makes_no_sense_is_refused(speech: Path) -> None:
    with pytest.raises(UsageError, match="fps is 0; it must be a number between 1 and 1000"):
        animate(speech, fps=0)


def test_a_style_changes_the_motion(speech: Path, tmp_path: Path) -> None:
    write_motion(tmp_path / "style.npz", lively_motion(make_toy_head(), num_frames=40))
    plain = read_motion(animate(speech, formats=("npz",), out="plain").paths["npz"])
    styled = read_motion(animate(speech, formats=("npz",), out="styled", style="style.npz").paths["npz"])
    assert (plain.expression - styled.expression).abs().mean() > 0.05
    assert styled.meta["style"] == "style.npz"


def test_many_audio_files_get_a_folder_each_and_bad_ones_do_not_stop_them(tmp_path: Path) -> None:
    good = [make_speech(tmp_path / f"{name}.wav", seed=n) for n, name in enumerate(("a", "b"))]
    bad = tmp_path / "text.wav"
    bad.write_text("this is not audio")
    options = AnimateOptions(formats=("npz",))
    batch = animate_all([good[0], bad, tmp_path / "none.wav", good[1]], options, out=tmp_path / "out")
    assert [result.speech for result in batch.done] == good
    assert set(batch.failed) == {bad, tmp_path / "none.wav"}
    assert listed(tmp_path / "out") == ["a", "b"]
    again = animate_all(good, options, out=tmp_path / "out", skip_existing=True)
    assert again.skipped == good and not again.done and not again.failed
    (tmp_path / "out/b/b.npz").unlink()
    again = animate_all(good, options, out=tmp_path / "out", skip_existing=True)
    assert again.skipped == [good[0]] and [result.speech for result in again.done] == [good[1]]


@pytest.mark.usefixtures("speech")
def test_recordings_of_the_same_name_get_those_of_their_folders(tmp_path: Path) -> None:
    for name in ("ann/a.wav", "ben/a.wav", "ben/a.flac.wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        make_speech(tmp_path / name)
    (tmp_path / "ben/a.flac.wav").rename(tmp_path / "ben/a.au")  # what a file holds counts
    (tmp_path / "list.txt").write_text("*/a.*\nann/../ann/a.wav\n")
    batch = animate_inputs([f"@{tmp_path}/list.txt"], AnimateOptions(formats=("npz",)), out=tmp_path / "out")
    assert [result.paths["npz"].name for result in batch.done] == ["a.npz", "a_au.npz", "a_wav.npz"]


def test_existing_outputs_are_kept(speech: Path, tmp_path: Path) -> None:
    animate(speech, formats=("npz",))
    before = (tmp_path / "hello/hello.npz").read_bytes()
    with pytest.raises(FacetalkError, match=r"hello\.npz exists already; --overwrite"):
        animate(speech, formats=("npz", "csv"))
    assert listed(tmp_path / "hello") == ["hello.npz"]
    assert (tmp_path / "hello/hello.npz").read_bytes() == before
    animate(speech, formats=("npz",), seed=5, overwrite=True)
    assert (tmp_path / "hello/hello.npz").read_bytes() != before


def test_an_audio_file_is_never_replaced_by_its_animation(tmp_path: Path, speech: Path) -> None:
    animate(speech, formats=("mp4",), size=32)
    talk = tmp_path / "hello/hello.mp4"
    before = talk.read_bytes()
    with pytest.raises(FacetalkError, match="replaced by its own animation"):
        animate(talk, out=tmp_path, formats=("mp4",), overwrite=True)
    assert talk.read_bytes() == before


def test_wrong_requests_are_refused_before_anything_is_written(tmp_path: Path, speech: Path) -> None:
    before = listed(tmp_path)
    cases: list[tuple[dict[str, object], type[FacetalkError], str]] = [
        ({"talker": "parrot"}, UsageError, "unknown talker 'parrot'"),
        ({"head": "potato"}, UsageError, "unknown head 'potato'"),
        ({"formats": ("mp4", "fbx")}, UsageError, "unknown format 'fbx'; known formats: mp4, npz"),
        ({"formats": ()}, UsageError, "no format given"),
        ({"style": tmp_path / "none.mp4"}, FacetalkError, "no such style reference"),
        ({"blinks": -1.0}, UsageError, "between 0 and 10"),
        ({"portrait": "face.png", "formats": ("glb",)}, UsageError, "only the video shows a person"),
        ({"style_strength": 9.0}, UsageError, "style strength is 9.0; it must be a number between 0 and 1.5"),
        ({"size": 8}, UsageError, "size is 8"),
    ]
    for options, kind, complaint in cases:
        with pytest.raises(kind, match=complaint):
            animate(speech, **options)  # type: ignore[arg-type]
    assert listed(tmp_path) == before


@pytest.mark.slow
def test_a_format_for_another_head_is_refused_before_any_work(tmp_path: Path, speech: Path) -> None:
    with pytest.raises(UsageError, match="the head 'toy' has no FLAME parameters"):
        animate(speech, formats=("npz", "flame"))
    assert listed(tmp_path) == ["hello.wav"]


def test_patterns_and_lists_stand_for_recordings(tmp_path: Path) -> None:
    for name in ("a", "b"):
        make_speech(tmp_path / f"{name}.wav")
    (tmp_path / "takes.txt").write_text("a.wav\n*.wav\n")
    for given in (tmp_path / "*.wav", f"@{tmp_path / 'takes.txt'}"):
        batch = animate_all([given], AnimateOptions(formats=("npz",)), out=tmp_path / "out", overwrite=True)
        assert [result.speech.name for result in batch.done] == ["a.wav", "b.wav"]
    with pytest.raises(UsageError, match="give it to animate_all"):
        animate(tmp_path / "*.wav")


def test_options_of_another_type_are_refused() -> None:
    """In a process of its own, without the type checks of the tests."""
    code = """
from facetalk import AnimateOptions, UsageError
wrong = {"seed": 1.5}, {"seed": "7"}, {"fps": "30"}, {"blinks": "no"}, {"size": 64.0}, {"style_strength": "1"}
for option in (*wrong, {"transcript": 5}):
    try:
        AnimateOptions(**option)
    except UsageError as error:
        print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "the seed is 1.5; it must be a whole number (int)",
        "the seed is '7'; it must be a whole number (int)",
        "fps is 30; it must be a number between 1 and 1000, such as 24, 29.97 or 60",
        "blinks is no; it must be a number between 0 and 10",
        "size is 64.0; it must be a whole number between 16 and 4096",
        "style strength is 1; it must be a number between 0 and 1.5",
        "a transcript is 5; a path is text or a Path",
    ]


def test_a_failing_video_leaves_no_half_written_file(
    tmp_path: Path, speech: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from facetalk.exporters import mp4

    def fail(*_: object) -> None:
        raise FacetalkError("the renderer broke")

    monkeypatch.setattr(mp4, "rendered", fail)
    with pytest.raises(FacetalkError, match="the renderer broke"):
        animate(speech, size=32)
    assert listed(tmp_path / "hello") == ["hello.glb", "hello.npz"]
