"""Every command once, on real files: the example reference, the bundled head."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner, Result

from facetalk.cli.app import app
from facetalk.core.motion import still_motion
from facetalk.core.timing import FPS
from facetalk.exporters.registry import FORMATS
from facetalk.io.motion import read_motion, write_motion
from facetalk.io.video import VideoReader
from facetalk.io.video_writer import VideoWriter
from facetalk.motion.heads import load_head
from tests.pipelines.performers import use_toys
from tests.pipelines.test_animate import make_speech
from tests.recipes.toy import write_dataset

REFERENCE = Path(__file__).resolve().parents[2] / "examples/ref.mp4"


def run(*arguments: object) -> Result:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return result


@pytest.fixture
def short_video(tmp_path: Path, landmark_networks: None) -> Path:
    """The first half second of the example reference."""
    with VideoReader(REFERENCE) as video:
        size, fps = video.size, video.fps
        frames = [image for _, image in video][:15]
    with VideoWriter(tmp_path / "short.mp4", size, fps) as writer:
        for image in frames:
            writer.write(image)
    return tmp_path / "short.mp4"


@pytest.mark.slow
def test_fit_then_render_over_the_video(short_video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    document = json.loads(run("fit", short_video, "--preview", "--json").stdout)
    (done,) = document["done"]
    assert done["files"]["npz"] == "short.npz" and done["frames"] == 15
    assert done["face_frames_ratio"] == 1 and done["focal_px"] > 0
    assert done["fit_error"] < 0.05
    assert done["person"]["number"] == done["person"]["of"] == 1
    motion = read_motion(tmp_path / "short.npz")
    assert motion.channel("mouthSmileLeft").mean() > 0.2, "the reference smiles"
    with VideoReader(tmp_path / "short_preview.mp4") as preview:
        assert preview.size == (960, 320)
    run("render", "short.npz", "--camera", "tracked", "--over", short_video, "-o", "over.mp4")
    with VideoReader(tmp_path / "over.mp4") as over:
        assert over.size == (320, 320)
        assert len(list(over)) == 15
    assert "exists already" in run("fit", short_video, "--skip-existing").stderr


@pytest.mark.slow
def test_many_videos_become_a_dataset(short_video: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.mp4"
    bad.write_text("no video")
    result = CliRunner().invoke(app, ["fit", str(short_video), str(bad), "-o", str(tmp_path / "set"), "--jobs", "1"])
    assert result.exit_code == 1
    assert result.stdout.split() == [str(tmp_path / "set/short.npz")]
    assert "bad.mp4" in result.stderr
    with (tmp_path / "set/manifest.csv").open(newline="") as file:
        assert [row["name"] for row in csv.DictReader(file)] == ["short"]
    with (tmp_path / "set/rejected.csv").open(newline="") as file:
        assert [Path(row["source"]).name for row in csv.DictReader(file)] == ["bad.mp4"]


def test_several_videos_do_not_fit_into_one_file(short_video: Path) -> None:
    result = CliRunner().invoke(app, ["fit", str(short_video), f"{short_video}.other", "-o", "one.npz"])
    assert result.exit_code == 2
    assert "give a folder" in result.stderr


def test_render_from_the_front_with_sound(tmp_path: Path) -> None:
    head = load_head()
    expression = torch.zeros(9, 52)
    motion = still_motion(head.name, expression, head.shape.expression_names, FPS, head.num_betas)
    write_motion(tmp_path / "still.npz", motion)
    speech = make_speech(tmp_path / "a.wav")
    out = tmp_path / "still.mp4"
    document = json.loads(
        run("render", tmp_path / "still.npz", "-o", out, "--size", 48, "--audio", speech, "--json").stdout
    )
    (done,) = document["done"]
    assert done["files"] == {"mp4": str(out)} and done["frames"] == 9 and done["seconds"] == pytest.approx(0.3)
    with VideoReader(out) as video:
        assert video.size == (48, 48)
        assert video.has_audio
    again = CliRunner().invoke(app, ["render", str(tmp_path / "still.npz"), "-o", str(out)])
    assert again.exit_code == 1 and "exists already" in again.stderr


def test_animate_prints_what_it_wrote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_toys(monkeypatch)
    monkeypatch.chdir(tmp_path)
    make_speech(tmp_path / "a.wav", seconds=0.3)
    names = [name for name in FORMATS if name != "flame"]  # the toy head has no FLAME parameters
    printed = run("animate", "a.wav", "--format", ",".join(names), "--size", 32).stdout.split()
    assert printed == [f"a/a{FORMATS[name].suffix}" for name in names]
    assert all(Path(name).exists() for name in printed)


def test_frame_rate_and_seed_are_options_and_the_seed_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_toys(monkeypatch)
    monkeypatch.chdir(tmp_path)
    make_speech(tmp_path / "hello.wav")
    arguments = ("animate", "hello.wav", "--format", "npz", "--fps", "29.97", "--json", "-o")
    derived = json.loads(run(*arguments, "derived").stdout)["done"][0]
    motion = read_motion(derived["files"]["npz"])
    assert motion.fps == 30_000 / 1001 and motion.meta["seed"] == derived["seed"]
    assert json.loads(run(*arguments, "given", "--seed", "7").stdout)["done"][0]["seed"] == 7
    assert f"seed {derived['seed']}" in run("animate", "hello.wav", "--format", "npz", "-v", "-o", "said").output


def test_export_takes_the_format_from_the_suffix_or_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    head = load_head()
    names = head.shape.expression_names
    for name in ("a", "b"):
        motion = still_motion("facetalk", torch.zeros(2, len(names)), names, FPS, head.num_betas)
        write_motion(Path(f"{name}.npz"), motion)
    assert run("export", "a.npz", "-o", "a.glb").stdout == "a.glb\n"
    assert run("export", "a.npz", "-o", "a.visemes.csv").stdout == "a.visemes.csv\n"
    document = json.loads(run("export", "a.npz", "b.npz", "-o", "out", "--format", "csv,usda", "--json").stdout)
    assert document["failed"] == {}
    assert document["done"][1]["input"] == "b.npz"
    assert document["done"][1]["files"] == {"csv": "out/b.csv", "usd": "out/b.usda"}
    again = CliRunner().invoke(app, ["export", "a.npz", "-o", "a.glb"])
    assert again.exit_code == 1 and "exists already" in again.stderr
    unknown = CliRunner().invoke(app, ["export", "a.npz", "-o", "a.fbx"])
    assert unknown.exit_code == 2 and "known suffixes: .mp4, .npz, .glb" in unknown.stderr
    silent = CliRunner().invoke(app, ["export", "a.npz", "-o", "a.srt", "--cues", "word"])
    assert silent.exit_code == 1 and "the motion has no words; facetalk animate finds" in silent.stderr
    for arguments, error in (
        (("a.srt", "--cues", "page"), "unknown cues 'page'; there are: line, word, phoneme"),
        (("a.csv", "--expressions", "arkit"), "csv files take no expressions; they take fps"),
    ):
        wrong = CliRunner().invoke(app, ["export", "a.npz", "-o", *arguments])
        assert wrong.exit_code == 2 and error in wrong.stderr
    refused = CliRunner().invoke(app, ["render", "a.npz", "-o", "x.glb"])
    assert refused.exit_code == 2 and "`facetalk export MOTION -o x.glb`" in refused.stderr


@pytest.mark.slow
def test_train_makes_a_talker_that_animate_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_dataset(tmp_path / "data")
    settings = ("loop.num_steps=2", "loop.validate_every=2", "loop.save_every=2", "data.dev_speakers=[s2]")
    short = [word for setting in settings for word in ("--set", setting)]
    document = json.loads(run("train", "styletalk-tiny", "--data", "data", "-o", "runs/tiny", *short, "--json").stdout)
    assert document["run"] == "runs/tiny"
    assert document["figures"]
    make_speech(tmp_path / "a.wav", seconds=0.5)
    run("animate", "a.wav", "--talker", "runs/tiny", "--style", "data/clip0.npz", "--format", "npz,glb")
    assert read_motion(tmp_path / "a/a.npz").head == "facetalk"
    again = CliRunner().invoke(app, ["train", "styletalk-tiny", "--data", "data", "-o", "runs/tiny", *short])
    assert again.exit_code == 1 and "is not empty" in again.stderr


def test_a_head_is_rendered_in_the_colours_that_are_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    head = load_head()
    names = head.shape.expression_names
    write_motion(tmp_path / "m.npz", still_motion("facetalk", torch.zeros(2, len(names)), names, FPS, head.num_betas))
    brightness = {}
    for skin in ("porcelain", "deep"):
        run("render", "m.npz", "--skin", skin, "--eyes", "green", "--hair", "black", "--size", 96, "-o", f"{skin}.mp4")
        with VideoReader(tmp_path / f"{skin}.mp4") as video:
            brightness[skin] = next(iter(video))[1][40:70, 36:60].mean()
    assert brightness["porcelain"] > 1.6 * brightness["deep"]
    for command in (["render", "m.npz"], ["animate", str(REFERENCE)]):
        refused = CliRunner().invoke(app, [*command, "--skin", "plaid"])
        assert refused.exit_code != 0
        assert "known: porcelain, light, olive, tan, brown, dark, deep" in str(refused.exception) + refused.output
