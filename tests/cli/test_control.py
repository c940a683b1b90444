"""Regional control and parts of recordings on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import soundfile
import torch
from typer.testing import CliRunner, Result

from facetalk.cli.app import app
from facetalk.io.motion import read_motion, write_motion
from facetalk.io.video import VideoReader
from facetalk.motion.regions import region_of
from facetalk.pipelines import export as export_pipeline
from tests.conftest import make_toy_head
from tests.exporters.motions import lively_motion
from tests.pipelines.performers import use_toys


@pytest.fixture(autouse=True)
def toys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    use_toys(monkeypatch)
    head = export_pipeline.HeadModel(make_toy_head())
    monkeypatch.setattr(export_pipeline, "load_head", lambda name, look=None: head)
    monkeypatch.chdir(tmp_path)
    samples = 0.3 * torch.randn(16_000, 2, generator=torch.Generator().manual_seed(0))
    soundfile.write("a.wav", samples.numpy(), 16_000)
    write_motion("m.npz", lively_motion(make_toy_head(), 6))


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, list(map(str, arguments)))


def document(*arguments: object) -> dict[str, object]:
    return json.loads(run(*arguments, "--json").stdout)


def test_animate_takes_a_part_of_the_recording_and_its_video_has_it_too() -> None:
    result = run(
        "animate", "a.wav", "--format", "npz,mp4", "--size", 32, "--channel", "right", "--from", 0.2, "--to", "0.6"
    )
    assert result.exit_code == 0, result.stderr
    motion = read_motion("a/a.npz")
    assert (motion.num_frames, motion.meta["channel"], motion.meta["from"], motion.meta["to"]) == (12, 2, 0.2, 0.6)
    with VideoReader("a/a.mp4") as video:
        assert video.has_audio
        assert len(list(video)) == 12
    again = document("animate", "a.wav", "--format", "npz", "--from", "0.3", "--to", 0.6, "--skip-existing")
    (done,) = again["done"]  # type: ignore[misc]
    assert done["redone"] == "channel was 2, now the default; from was 0.2, now 0.3"


def test_what_moves_is_what_is_asked_for() -> None:
    run("animate", "a.wav", "--format", "npz", "--seed", 1)
    plain = read_motion("a/a.npz")
    run("animate", "a.wav", "--format", "npz", "--seed", 1, "--only", "eyes,head", "--gain", "head=0.5",
        "--offset", "cheekPuff=0.25", "--overwrite")  # fmt: skip
    motion = read_motion("a/a.npz")
    torch.testing.assert_close(motion.neck_pose, 0.5 * plain.neck_pose)
    assert torch.equal(motion.leye_pose, plain.leye_pose)
    for column, name in enumerate(motion.expression_names):
        expected = plain.expression[:, column] if region_of(name) == "eyes" else torch.zeros(30)
        assert torch.equal(motion.expression[:, column], expected + (0.25 if name == "cheekPuff" else 0)), name
    assert (motion.meta["only"], motion.meta["gain"], motion.meta["offset"]) == (
        "eyes,head",
        "head=0.5",
        "cheekPuff=0.25",
    )


@pytest.mark.parametrize("command", ["export", "render"])
def test_written_motions_are_controlled_and_made_again_for_another_control(command: str) -> None:
    out = {"export": "m.csv", "render": "m.mp4"}[command]
    size = ["--size", 32] if command == "render" else []

    def redone(*control: str) -> list[str]:
        result = document(command, "m.npz", "-o", out, *size, *control, "--skip-existing")
        return [done.get("redone", "") for done in result["done"]]  # type: ignore[attr-defined]

    assert redone() == [""]
    assert redone() == []
    before = Path(out).read_bytes()
    assert redone("--gain", "mouth=0.5") == ["gain was the default, now mouth=0.5"]
    assert Path(out).read_bytes() != before
    assert run(command, "m.npz", "-o", f"b{out}", *size, "--gain", "muoth=1").exit_code == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--gain", "jawopen=1"], "unknown channel 'jawopen'; did you mean jawOpen?"),
        (["--channel", "middle"], "unknown channel 'middle'"),
        (["--from", "2", "--to", "1"], "the audio from 2 s to 1 s is empty"),
        (["--voice", "heart"], "--voice and --voice-speed are those of --text"),
        (["--still", "--head-motion", "2"], "give --still without --head-motion and --gaze"),
        (["--idle", "3", "--gestures", "facial"], "a loop has the gestures 'idle', not 'facial'"),
    ],
)
def test_what_makes_no_sense_is_wrong_usage(options: list[str], message: str) -> None:
    result = run("animate", "a.wav", *options)
    assert result.exit_code == 2
    assert message in result.stderr
