"""`animate --emotion` and `--person`, from the command line to the motion file."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner, Result

from facetalk.cli.app import app
from facetalk.core.emotions import EMOTIONS, EmotionTrack
from facetalk.core.errors import UsageError
from facetalk.core.motion import Motion
from facetalk.head.model import HeadModel
from facetalk.importers.registry import import_motion
from facetalk.io import emotion_track, weights
from facetalk.io.motion import read_motion, write_motion
from facetalk.motion.edits import trimmed
from facetalk.motion.mirror import mirrored_motion
from facetalk.motion.retarget import retarget
from facetalk.pipelines import animator
from facetalk.pipelines.animate import animate, animate_all
from facetalk.pipelines.animate_jobs import AnimateOptions
from tests.avatars import little_avatar
from tests.conftest import make_toy_head
from tests.pipelines.performers import use_toys
from tests.pipelines.test_animate import make_speech
from tests.talkers.toys import Mumbler

HAPPY = EMOTIONS.index("happy")


@pytest.fixture(autouse=True)
def toys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    use_toys(monkeypatch)
    monkeypatch.chdir(tmp_path)
    make_speech(Path("talk.wav"), seconds=0.5)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["animate", "talk.wav", "--format", "npz", *map(str, arguments)])


def test_an_emotion_moves_the_face_and_is_in_the_motion_file() -> None:
    animate("talk.wav", formats=("npz",), out="calm")
    assert run("--emotion", "joy:3").exit_code == 0
    calm, happy = read_motion("calm/talk/talk.npz"), read_motion("talk/talk.npz")
    assert calm.emotion is None and "emotion" not in calm.meta
    assert happy.meta["emotion"] == "joy:3"
    assert happy.emotion is not None and happy.emotion[:, HAPPY].tolist() == [3.0] * 15
    assert float((happy.channel("mouthSmileLeft") - calm.channel("mouthSmileLeft")).mean()) >= 0.599
    torch.testing.assert_close(happy.neck_pose, calm.neck_pose)


def test_a_track_is_read_and_what_is_kept_follows_it() -> None:
    Path("track.csv").write_text("seconds,emotion,level\n0,happy,1\n0.5,happy,3\n")
    options = AnimateOptions(emotion="track.csv", formats=("npz",))
    assert len(animate_all(["talk.wav"], options).done) == 1
    assert len(animate_all(["talk.wav"], options, skip_existing=True).skipped) == 1
    Path("track.csv").write_text("seconds,emotion,level\n0,happy,1\n0.5,happy,2\n")
    assert len(animate_all(["talk.wav"], options, skip_existing=True).done) == 1
    motion = read_motion("talk/talk.npz")
    assert motion.meta["emotion"] == "track.csv" and motion.meta["emotion_fingerprint"]
    assert motion.emotion is not None and float(motion.emotion[-1, HAPPY]) > float(motion.emotion[0, HAPPY]) >= 1
    track = EmotionTrack.constant({"sad": 1})
    made = animate("talk.wav", emotion=track, formats=("npz",), overwrite=True)
    assert read_motion(made.paths["npz"]).meta["emotion"] == "track"


def test_a_line_of_a_table_has_an_emotion() -> None:
    Path("more").mkdir()
    Path("more/track.csv").write_text("seconds,emotion\n0,sad\n")
    Path("more/lines.csv").write_text(
        "file,name,emotion\n../talk.wav,a,track.csv\n../talk.wav,b,happy:1\n../talk.wav,c,\n"
    )
    assert CliRunner().invoke(app, ["animate", "@more/lines.csv", "--format", "npz"]).exit_code == 0
    shown = [read_motion(f"{name}/{name}.npz").emotion for name in "abc"]
    assert [None if rows is None else rows[0].nonzero().flatten().tolist() for rows in shown] == [[2], [1], None]


def test_an_emotion_is_in_every_file_of_a_take_and_on_avatars() -> None:
    avatar = little_avatar(Path("character.glb"))
    for folder, emotion in (("calm", "neutral"), ("glad", "happy:2")):
        formats = ("npz", "csv", "glb", "a2f")
        options = AnimateOptions(emotion=emotion, formats=formats, avatar=avatar)
        assert not animate_all(["talk.wav"], options, out=folder).failed
    for suffix in ("csv", "glb", "a2f.json"):
        calm, glad = (import_motion(Path(f"{folder}/talk/talk.{suffix}")) for folder in ("calm", "glad"))
        assert float((glad.channel("mouthSmileLeft") - calm.channel("mouthSmileLeft")).mean()) > 0.4, suffix


def test_levels_follow_edits() -> None:
    animate("talk.wav", formats=("npz",), out="calm")
    assert run("--emotion", "happy:2").exit_code == 0
    edits = {"retime": ("--retime", "1.5"), "loop": ("--loop",), "join": ("--join", "calm/talk/talk.npz")}
    for name, options in edits.items():
        result = CliRunner().invoke(app, ["edit", "talk/talk.npz", *options, "-o", f"{name}.npz"])
        assert result.exit_code == 0, result.output
        motion = read_motion(f"{name}.npz")
        assert motion.emotion is not None and motion.emotion.shape == (motion.num_frames, len(EMOTIONS))
        assert float(motion.emotion[0, HAPPY]) == 2.0
    joined = read_motion("join.npz").emotion
    assert joined is not None and float(joined[-1, HAPPY]) == 0.0


def test_every_line_of_a_table_has_its_own_person(monkeypatch: pytest.MonkeyPatch) -> None:
    spoke: list[str | None] = []

    class Two(Mumbler):
        supported = ("emotion", "person")
        people = ("ada", "ben")

        def speak(self, waveform: Any, direction: Any = None, generator: Any = None) -> Motion:
            spoke.append(direction.person)
            return super().speak(waveform, replace(direction, person=None), generator)

    monkeypatch.setattr(animator, "load_talker", lambda name: Two())
    Path("lines.csv").write_text("file,name,person\ntalk.wav,a,ben\ntalk.wav,b,\ntalk.wav,c,ada\ntalk.wav,d,eve\n")
    result = CliRunner().invoke(app, ["animate", "@lines.csv", "--format", "npz"])
    assert result.exit_code == 1 and "unknown person 'eve'" in result.output.replace("\n", " ")
    assert spoke == ["ben", None, "ada"]


def test_a_track_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("track.csv").write_text("seconds,emotion\n0,sad\n")
    reads: list[Path] = []
    read = emotion_track.read_emotion_track
    monkeypatch.setattr(emotion_track, "read_emotion_track", lambda path: (reads.append(path), read(path))[1])
    options = AnimateOptions(emotion="track.csv", formats=("npz",))
    assert len(animate_all(["talk.wav"], options).done) == 1
    assert len(reads) == 1


@pytest.mark.parametrize(
    ("asked", "code", "reason"),
    [
        (("--emotion", "hapy"), 2, "did you mean happy"),
        (("--emotion", "happy:9"), 2, "between 0 and 3"),
        (("--emotion", "gone.csv"), 1, "gone.csv"),
        (("--person", "ada"), 2, "the talker styletalk does not support --person; it supports: --style"),
        (("--emotion", "auto"), 3, "emotalk"),
        (("--emotion", "auto:2"), 2, "auto stands alone"),
        (("--emotion", "."), 2, "is a folder; a track of emotions is a CSV file"),
        (("--emotion", "moods.txt"), 2, "neither an emotion nor a file that ends in .csv"),
    ],
)
def test_what_cannot_be_shown_is_refused_before_any_work(
    asked: tuple[str, ...], code: int, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weights, "weights_dir", lambda: tmp_path / "none")
    result = run(*asked, "--json")
    assert result.exit_code == code
    assert reason in json.loads(result.stdout)["error"]
    assert not Path("talk").exists()


def test_somebody_whom_a_talker_does_not_know_is_refused_before_any_work(monkeypatch: pytest.MonkeyPatch) -> None:
    class Two(Mumbler):
        supported = ("emotion", "person")
        people = ("ada", "ben")

    monkeypatch.setattr(animator, "load_talker", lambda name: Two())
    assert animate("talk.wav", person="2", formats=("npz",)).paths
    result = run("--style-strength", "1.2", "--overwrite")
    assert result.exit_code == 2 and "does not support --style-strength; it" in result.output.replace("\n", " ")
    result = run("--person", "cleo", "--overwrite")
    assert result.exit_code == 2 and "a number from 1 to 2: ada, ben" in result.output.replace("\n", " ")


def test_a_loop_shows_an_emotion_that_lasts() -> None:
    motion = read_motion(animate(idle_s=2, emotion="happy:2", formats=("npz",)).paths["npz"])
    assert float(motion.channel("mouthSmileLeft").mean()) >= 0.42
    assert float((motion.expression[0] - motion.expression[-1]).abs().max()) < 0.1
    Path("track.csv").write_text("seconds,emotion\n0,happy\n1,sad\n")
    for emotion in ("auto", "track.csv"):
        with pytest.raises(UsageError, match="a loop ends where it begins"):
            AnimateOptions(idle_s=2.0, emotion=emotion)


def test_the_levels_stay_with_the_frames() -> None:
    Path("track.csv").write_text("seconds,emotion,level\n0,happy,0\n0.5,happy,3\n")
    motion = read_motion(animate("talk.wav", emotion=Path("track.csv"), formats=("npz",)).paths["npz"])
    assert motion.emotion is not None
    cut = trimmed(motion, 0.2, 0.4).emotion
    assert cut is not None and torch.equal(cut, motion.emotion[6:12])
    faster = motion.to_fps(60).emotion
    assert faster is not None and torch.equal(faster[::2], motion.emotion)
    for changed in (mirrored_motion(motion), retarget(motion, HeadModel(make_toy_head()), HeadModel(make_toy_head()))):
        assert changed.emotion is not None and torch.equal(changed.emotion, motion.emotion)
    write_motion("again.npz", motion)
    again = read_motion("again.npz").emotion
    assert again is not None and torch.equal(again, motion.emotion)
