from __future__ import annotations

from pathlib import Path

import pytest

from facetalk.core.errors import UsageError
from facetalk.head.model import HeadModel
from facetalk.io.motion import write_motion
from facetalk.pipelines import export
from facetalk.pipelines.batch import Outcome
from facetalk.pipelines.render_files import render_files
from tests.exporters.motions import lively_motion


@pytest.fixture(autouse=True)
def motions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, toy_head: HeadModel) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(export, "load_head", lambda *_: toy_head)
    for index, path in enumerate((Path("in/a.npz"), Path("in/ann/b.npz"), Path("in/ben/b.npz"))):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_motion(path, lively_motion(toy_head.assets, num_frames=2, seed=index))
    Path("in/a.vertices.npz").touch()
    Path("list.txt").write_text("in/a.npz\n")


def written(outcomes: list[Outcome]) -> list[str]:
    assert not [outcome.error for outcome in outcomes if outcome.error is not None]
    return sorted(str(outcome.files["mp4"]) for outcome in outcomes)


def test_folders_patterns_and_lists_are_named_like_other_batches() -> None:
    def rendered(*given: str, out: str | None = None) -> list[str]:
        return written(render_files(given, out, size=16))

    assert rendered("in", out="out") == ["out/a.mp4", "out/ann__b.mp4", "out/ben__b.mp4"]
    assert rendered("in/*/b.npz", "in/a.npz", out="three") == ["three/a.mp4", "three/ann__b.mp4", "three/ben__b.mp4"]
    assert rendered("@list.txt") == ["a.mp4"]
    assert rendered("in/a.np?", out="one.mp4") == ["one.mp4"]
    assert rendered("in/a.npz", out="folder") == ["folder/a.mp4"]
    kept = render_files(["in"], "out", size=16, skip_existing=True)
    assert {outcome.state for outcome in kept} == {"skipped"}


@pytest.mark.parametrize(
    ("given", "out", "options", "message"),
    [
        (["in"], "all.mp4", {}, "all.mp4 is one file, but in is a folder"),
        (["in/a.npz", "in/ann/b.npz"], "all.mp4", {}, "there are 2 inputs: give a folder"),
        (["in"], None, {"audio": "a.wav"}, "--audio belongs to one motion, but there are 3"),
        (["in"], "out", {"over": "a.mp4", "camera": "tracked"}, "--over belongs to one motion"),
        (["in/*.mp3"], None, {}, "no file matches"),
        (["in/a.npz"], "a.glb", {}, "`facetalk export MOTION -o a.glb` writes other formats"),
    ],
)
def test_what_makes_no_sense_is_refused(given: list[str], out: str | None, options: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        render_files(given, out, **options)
    assert not list(Path().rglob("*.mp4"))
