"""`avatar`, `convert` and `--avatar` from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from facetalk.cli.app import run
from facetalk.head.channels import ARKIT_NAMES, indices
from facetalk.importers.emotalk import ORDER
from facetalk.importers.registry import import_motion
from facetalk.io.motion import read_motion, write_motion
from facetalk.pipelines.evaluate import evaluate
from tests.avatars import little_avatar, read_document
from tests.importers.test_registry import talking, write_emotalk


def test_avatar_reports_what_moves(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = little_avatar(tmp_path / "a.glb", [name for name in ARKIT_NAMES if not name.startswith("brow")])
    assert run(["avatar", str(path)]) == 0
    text = capsys.readouterr().out
    assert "browInnerUp" in text and "missing" in text and "mixamorig:Head" in text
    assert run(["avatar", str(path), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["mouth"], len(report["channels"]), report["bones"]["head"]) == ("ARKit", 47, ["mixamorig:Head"])
    assert "brows" in report["lost"]
    assert run(["avatar", str(little_avatar(tmp_path / "b.glb", ["smirk"]))]) == 1
    assert "'smirk'" in capsys.readouterr().err


def test_convert_makes_motion_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    motion = talking()
    write_emotalk(tmp_path / "a.npy", motion)
    out = tmp_path / "out"
    assert run(["convert", str(tmp_path / "a.npy"), "-o", str(out), "--source-fps", "60", "--fps", "30", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["command"] == "convert" and document["done"][0]["files"] == {"npz": str(out / "a.npz")}
    found = read_motion(out / "a.npz")
    assert (found.num_frames, found.fps) == (20, 30)
    torch.testing.assert_close(found.expression[0], motion.expression[0])
    assert run(["convert", str(tmp_path / "a.npy"), "-o", str(tmp_path / "b.csv")]) == 0
    torch.testing.assert_close(import_motion(tmp_path / "b.csv").expression, motion.expression, atol=2e-6, rtol=0)


def test_export_shows_an_avatar_and_remembers_which(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_motion(tmp_path / "a.npz", talking())
    avatar = little_avatar(tmp_path / "character.glb")
    command = ["export", str(tmp_path / "a.npz"), "--format", "glb,csv", "-o", str(tmp_path / "out"), "--json"]
    assert run([*command, "--avatar", str(avatar)]) == 0
    done = json.loads(capsys.readouterr().out)["done"][0]
    assert done["avatar"]["mouth"] == "ARKit"
    assert read_document(tmp_path / "out/a.glb")[0]["nodes"][2]["name"] == "mixamorig:Head"
    assert run([*command, "--avatar", str(avatar), "--skip-existing"]) == 0
    assert json.loads(capsys.readouterr().out)["skipped"]
    little_avatar(avatar, ARKIT_NAMES[::-1])
    assert run([*command, "--avatar", str(avatar), "--skip-existing"]) == 0
    again = json.loads(capsys.readouterr().out)["done"][0]
    assert "avatar" in again["redone"]


def test_formats_that_show_the_head_are_refused_with_an_avatar(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_motion(tmp_path / "a.npz", talking())
    avatar = str(little_avatar(tmp_path / "character.glb"))
    assert run(["export", str(tmp_path / "a.npz"), "--format", "glb,usd", "--avatar", avatar]) == 2
    assert "usd files cannot hold an avatar" in capsys.readouterr().err
    assert run(["animate", "x.wav", "--avatar", str(tmp_path / "absent.glb")]) == 1
    assert "no such file" in capsys.readouterr().err


def test_evaluate_and_styles_read_other_programs(tmp_path: Path) -> None:
    motion = talking()
    write_motion(tmp_path / "a.npz", motion)
    write_emotalk(tmp_path / "b.npy", motion.replace(expression=motion.expression.flip(0)))
    assert evaluate(tmp_path / "b.npy", tmp_path / "a.npz", metrics=["lve"]).mean["lve_mm"] > 0.5
    write_emotalk(tmp_path / "c.npy", motion)
    assert evaluate(tmp_path / "c.npy", tmp_path / "a.npz", metrics=["lve"]).mean["lve_mm"] < 1e-3
    from facetalk.pipelines.styles import read_style

    np.testing.assert_array_equal(read_style(tmp_path / "c.npy").expression, motion.expression)
    assert sorted(indices(ORDER)) == list(range(52))


@pytest.mark.slow
def test_animate_shows_an_avatar_in_file_and_video(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    speech = Path(__file__).resolve().parents[2] / "examples/speech.wav"
    avatar = little_avatar(tmp_path / "character.glb")
    options = ["--avatar", str(avatar), "--size", "64", "-o", str(tmp_path / "out"), "--json"]
    assert run(["animate", str(speech), *options]) == 0
    done = json.loads(capsys.readouterr().out)["done"][0]
    assert set(done["files"]) == {"mp4", "npz", "glb"} and done["avatar"]["avatar"] == "character.glb"
    found, motion = import_motion(done["files"]["glb"]), read_motion(done["files"]["npz"])
    torch.testing.assert_close(found.expression, motion.expression, atol=0.0045, rtol=0)


def test_a_compressed_character_gets_a_file_and_no_video(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def compressed(document: dict[str, object]) -> None:
        document["extensionsRequired"] = ["EXT_meshopt_compression"]

    write_motion(tmp_path / "a.npz", talking())
    avatar = str(little_avatar(tmp_path / "character.glb", change=compressed))
    command = ["export", str(tmp_path / "a.npz"), "-o", str(tmp_path / "out"), "--avatar", avatar, "--json"]
    assert run([*command, "--format", "glb,mp4"]) == 0
    captured = capsys.readouterr()
    assert set(json.loads(captured.out)["done"][0]["files"]) == {"glb"} and "is compressed" in captured.err
    assert run([*command, "--format", "mp4"]) == 1
    assert "export a .glb" in capsys.readouterr().err
