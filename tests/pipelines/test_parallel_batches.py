"""Batches give the same results with one process, several, and on a local Ray cluster."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from facetalk.cli.app import app
from facetalk.core.events import Event
from facetalk.io.motion import read_motion, write_motion
from facetalk.motion.heads import load_head
from tests.cli.test_commands import short_video as short_video  # a fixture
from tests.exporters.motions import lively_motion

ENGINES = (("--jobs", "2"), ("--engine", "ray", "--jobs", "2"))


def run(*words: str) -> dict[str, Any]:
    result = CliRunner().invoke(app, [*words, "--json", "--progress", "none"])
    document = json.loads(result.stdout)
    for done in document["done"]:
        done.pop("timings_s", None)
    assert document["exit_code"] == result.exit_code
    return document


def check_engine(engine: tuple[str, ...]) -> None:
    if "ray" in engine:
        pytest.importorskip("ray")


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_animations_do_not_depend_on_where_they_are_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: tuple[str, ...]
) -> None:
    check_engine(engine)
    documents, motions = [], []
    for folder, words in (("one", ()), ("several", engine)):
        (tmp_path / folder).mkdir()
        monkeypatch.chdir(tmp_path / folder)
        for seed, name in enumerate(("a.wav", "b.wav")):
            noise = 0.1 * np.random.default_rng(seed).standard_normal(9600)
            soundfile.write(name, noise, 16000)
        Path("broken.wav").write_text("no audio")
        given = ("animate", "broken.wav", "b.wav", "a.wav", "--style", "happy", "--format", "npz", "-o", "out")
        documents.append([run(*given, *words), run(*given, *words, "--skip-existing")])
        motions.append([read_motion(f"out/{name}/{name}.npz") for name in "ab"])
    assert documents[0] == documents[1]
    first, again = documents[0]
    assert [done["input"] for done in first["done"]] == ["b.wav", "a.wav"] and first["exit_code"] == 1
    assert again["skipped"] == ["b.wav", "a.wav"]
    for one, other in zip(*motions, strict=True):
        assert one.expression.equal(other.expression) and one.global_orient.equal(other.global_orient)
        assert one.meta == other.meta and isinstance(one.events[0], Event) and one.events == other.events


@pytest.mark.slow
def test_videos_and_figures_do_not_either_and_a_new_folder_that_stays_empty_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("in").mkdir()
    for seed, name in enumerate("ab"):
        write_motion(f"in/{name}.npz", lively_motion(load_head("facetalk").assets, num_frames=2, seed=seed))
    one = run("render", "in", "--size", "32", "-o", "one")
    several = run("render", "in", "--size", "32", "-o", "several", "--jobs", "2")
    assert json.dumps(one).replace("one/", "") == json.dumps(several).replace("several/", "")
    assert [Path(f"one/{n}.mp4").read_bytes() == Path(f"several/{n}.mp4").read_bytes() for n in "ab"] == [True, True]
    compared = ("evaluate", "in", "in", "--baseline", "still,shuffled", "--metric", "all")
    alone, together = (
        CliRunner().invoke(app, [*compared, "--json"]),
        CliRunner().invoke(app, [*compared, "--json", "--jobs", "2"]),
    )
    assert alone.exit_code == together.exit_code == 0 and json.loads(alone.stdout) == json.loads(together.stdout)
    for name in "ab":
        Path(f"in/{name}.npz").write_text("no motion")
    assert len(run("render", "in", "-o", "empty", "--jobs", "2")["failed"]) == 2 and not Path("empty").exists()


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_datasets_are_the_same_wherever_their_videos_are_fitted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, short_video: Path, engine: tuple[str, ...]
) -> None:
    check_engine(engine)
    monkeypatch.chdir(tmp_path)
    Path("in").mkdir()
    for name in "ab":
        shutil.copy(short_video, f"in/{name}.mp4")
    Path("in/broken.mp4").write_text("no video")
    Path("list.txt").write_text("in/*.mp4\n")
    curated = ("--curate", "--set", "length.min_s=0.3", "--set", "speaker.check=false")
    for words in ((), curated):
        trees = []
        for out, where in (("one", ("--jobs", "1")), ("several", engine)):
            document = run("fit", "@list.txt", "-o", out, *words, *where)
            assert len(document["done"]) == 2 and list(document["failed"]) == ["in/broken.mp4"]
            files = [path for path in sorted(Path(out).rglob("*")) if path.is_file()]
            trees.append({path.relative_to(out): path.read_bytes() for path in files})
            shutil.rmtree(out)
        assert trees[0].keys() == trees[1].keys()
        assert [str(name) for name in trees[0] if trees[0][name] != trees[1][name]] == []
