"""Bad inputs get one clear line on stderr, the right exit code, and leave nothing behind."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from facetalk.cli.app import app
from facetalk.io.audio import write_wav
from facetalk.io.motion import write_motion
from facetalk.io.video_writer import VideoWriter
from facetalk.vision import face_landmarker_model
from tests.conftest import make_toy_head
from tests.exporters.motions import lively_motion
from tests.pipelines.performers import use_toys
from tests.pipelines.test_animate import make_speech
from tests.vision.fake_mediapipe import make_mediapipe


@pytest.fixture(autouse=True)
def empty_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    use_toys(monkeypatch)
    monkeypatch.chdir(tmp_path)


def refused(result: Result, code: int, *parts: str) -> None:
    """One line on stderr that holds these words, nothing on stdout, and this exit code."""
    assert result.exit_code == code, result.output
    assert result.stdout == ""
    assert result.stderr.startswith("error: ") and result.stderr.count("\n") == 1, result.stderr
    for part in parts:
        assert part in result.stderr


def animate(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["animate", *arguments])


def test_a_missing_file() -> None:
    refused(animate("none.wav"), 1, "no such file: none.wav")


def test_a_text_file_named_wav() -> None:
    Path("text.wav").write_text("To be, or not to be, that is the question.\n" * 20)
    refused(animate("text.wav"), 1, "text.wav is not an audio or video file")


def test_an_empty_file() -> None:
    Path("empty.wav").touch()
    refused(animate("empty.wav"), 1, "empty.wav is empty")


def test_audio_of_a_twentieth_of_a_second() -> None:
    import torch

    write_wav(Path("short.wav"), torch.zeros(800))
    refused(animate("short.wav"), 1, "short.wav holds only 0.050 s", "0.1 s are needed")


def test_a_folder_instead_of_an_audio_file() -> None:
    Path("folder").mkdir()
    refused(animate("folder"), 2, "no audio files found in folder")


def test_unknown_names() -> None:
    make_speech(Path("a.wav"))
    refused(animate("a.wav", "--talker", "parrot"), 2, "unknown talker 'parrot'")
    refused(animate("a.wav", "--head", "potato"), 2, "unknown head 'potato'")
    refused(animate("a.wav", "--format", "mp4,fbx"), 2, "unknown format 'fbx'")
    refused(animate("a.wav", "--style", "none.mp4"), 1, "no such style reference: none.mp4")
    assert [path.name for path in Path().iterdir()] == ["a.wav"]


def faceless_video(path: Path) -> Path:
    noise = np.random.default_rng(0)
    with VideoWriter(path, (96, 64), 25.0) as writer:
        for _ in range(5):
            writer.write(noise.integers(0, 255, (64, 96, 3), dtype=np.uint8))
    return path


def test_a_mediapipe_without_a_model(monkeypatch: pytest.MonkeyPatch) -> None:
    mediapipe, _ = make_mediapipe([])
    monkeypatch.setitem(sys.modules, "mediapipe", mediapipe)
    monkeypatch.delenv(face_landmarker_model.MODEL_VARIABLE, raising=False)
    monkeypatch.setattr(face_landmarker_model, "packaged_model", lambda: None)
    faceless_video(Path("wall.mp4"))
    refused(CliRunner().invoke(app, ["fit", "wall.mp4"]), 3, face_landmarker_model.INSTALL_COMMAND)
    findings = {entry["name"]: entry for entry in json.loads(CliRunner().invoke(app, ["doctor", "--json"]).stdout)}
    assert findings["landmarks"]["state"] == "missing"
    assert face_landmarker_model.INSTALL_COMMAND in findings["landmarks"]["advice"]


@pytest.mark.usefixtures("landmark_networks")
def test_a_video_without_a_face() -> None:
    faceless_video(Path("wall.mp4"))
    make_speech(Path("a.wav"))
    refused(animate("a.wav", "--style", "wall.mp4"), 1, "wall.mp4", "no face was found")
    refused(CliRunner().invoke(app, ["fit", "wall.mp4"]), 1, "wall.mp4", "no face was found")
    assert sorted(path.name for path in Path().iterdir()) == ["a.wav", "wall.mp4"]


def test_several_audio_files_of_which_some_fail() -> None:
    make_speech(Path("a.wav"))
    Path("text.wav").write_text("no sound")
    result = animate("a.wav", "text.wav", "none.wav", "--format", "npz", "-o", "out")
    assert result.exit_code == 1
    assert result.stdout == "out/a/a.npz\n"
    assert "2 failed" in result.stderr and "none.wav" in result.stderr and "text.wav" in result.stderr
    assert sorted(path.name for path in Path("out").iterdir()) == ["a"]


def test_json_holds_what_was_done_and_what_failed() -> None:
    import json

    make_speech(Path("a.wav"))
    result = animate("a.wav", "none.wav", "--format", "npz,csv", "--json")
    assert result.exit_code == 1
    document = json.loads(result.stdout)
    (done,) = document["done"]
    assert done["files"] == {"npz": "a/a.npz", "csv": "a/a.csv"}
    assert done["seconds"] == pytest.approx(0.7)
    assert document["failed"] == {"none.wav": "no such file: none.wav"}
    assert animate("a.wav", "--format", "npz,csv", "--json", "--skip-existing").exit_code == 0


def test_existing_files_are_kept() -> None:
    make_speech(Path("a.wav"))
    assert animate("a.wav", "--format", "npz").exit_code == 0
    refused(animate("a.wav", "--format", "npz"), 1, "a/a.npz exists already", "--overwrite")
    assert animate("a.wav", "--format", "npz", "--overwrite").exit_code == 0


def test_files_that_are_no_motion() -> None:
    Path("text.npz").write_text("no motion")
    for command in (["render", "text.npz"], ["render", "none.npz"], ["evaluate", "text.npz", "text.npz"]):
        refused(CliRunner().invoke(app, command), 1, command[1])
    assert [path.name for path in Path().iterdir()] == ["text.npz"]


def test_a_motion_of_an_unknown_head() -> None:
    write_motion(Path("toy.npz"), lively_motion(make_toy_head()))
    refused(CliRunner().invoke(app, ["render", "toy.npz"]), 2, "unknown head 'toy'")


def test_a_folder_that_cannot_be_written_to() -> None:
    make_speech(Path("a.wav"))
    Path("file").touch()
    refused(animate("a.wav", "--format", "npz", "-o", "file/out"), 1, "file/out")
    refused(animate("a.wav", "--format", "npz", "-o", "/proc/nobody"), 1, "/proc/nobody")


def test_options_of_a_video_are_checked_before_its_motion_is_read() -> None:
    for options, found in (
        (("--camera", "tracked", "--size", "64"), "--camera tracked takes no --size"),
        (("--over", "a.mp4"), "--over needs --camera tracked"),
        (("--camera", "side"), "unknown camera 'side'"),
    ):
        refused(CliRunner().invoke(app, ["render", "none.npz", *options]), 2, found)


def test_a_file_where_a_folder_is_meant() -> None:
    make_speech(Path("a.wav"))
    write_motion(Path("m.npz"), lively_motion(make_toy_head()))
    Path("file").touch()
    for command in (["animate", "a.wav", "--format", "npz"], ["export", "m.npz", "--format", "csv"]):
        for out, found in (("file", "file is a file"), ("x.mp4", "x.mp4 is the name of a file"), ("y.GLB", "-o takes")):
            refused(CliRunner().invoke(app, [*command, "-o", out]), 2, found)
    Path("a").touch()
    refused(animate("a.wav", "--format", "npz"), 1, "a is a file; the outputs need a folder of this name")
    Path("v1.mp4").mkdir()
    assert animate("a.wav", "--format", "npz", "-o", "v1.mp4").exit_code == 0, "a folder of any name"


def test_a_motion_file_that_may_not_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbid(path: Path, **options: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("facetalk.pipelines.render_files.import_motion", forbid)
    refused(CliRunner().invoke(app, ["render", "secret.npz"]), 1, "secret.npz: Permission denied")


@pytest.mark.slow
def test_the_real_program_says_the_same_without_a_traceback() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "facetalk", "animate", "none.wav"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.endswith("error: no such file: none.wav\n")
    assert "Traceback" not in done.stderr
