from __future__ import annotations

import csv
from pathlib import Path

import pytest

import facetalk
from facetalk.core.errors import FacetalkError, UsageError
from facetalk.head.model import HeadModel
from facetalk.io.motion import read_motion, write_motion
from facetalk.pipelines import fit as pipeline
from facetalk.pipelines.fit import fit_to_file, fit_videos
from tests.fitters.toy import head as head  # a fixture
from tests.fitters.toy import use_fake_detector, write_clip


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch, head: HeadModel) -> None:
    """The toy head and a detector that needs no face, in this process."""
    use_fake_detector(monkeypatch, head)
    monkeypatch.setattr(pipeline, "load_head", lambda name: head)


@pytest.mark.usefixtures("fake")
def test_the_public_function_fits_a_head_by_name(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", 200)
    motion = facetalk.fit(str(path))
    assert motion.num_frames == 14 and motion.source == str(path)
    with pytest.raises(UsageError, match="unknown method"):
        facetalk.fit(path, method="flow")


def test_patterns_stand_for_videos_where_many_are_taken(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="give it to fit_videos"):
        facetalk.fit(tmp_path / "*.mp4")
    with pytest.raises(UsageError, match="no file matches"):
        fit_videos([tmp_path / "*.mp4"], tmp_path / "dataset")
    assert not (tmp_path / "dataset").exists()


@pytest.mark.usefixtures("fake")
def test_an_existing_motion_file_is_kept(tmp_path: Path) -> None:
    path, out_path = write_clip(tmp_path / "a.mp4", 200), tmp_path / "a.npz"
    fit_to_file(path, out_path)
    before = out_path.read_bytes()
    with pytest.raises(FacetalkError, match="exists already"):
        fit_to_file(path, out_path)
    assert out_path.read_bytes() == before
    fit_to_file(path, out_path, overwrite=True)
    assert read_motion(out_path).num_frames == 14


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.usefixtures("fake")
def test_many_videos_become_a_dataset_and_one_bad_clip_stops_nothing(tmp_path: Path) -> None:
    write_clip(tmp_path / "in" / "ann" / "a.mp4", 200)
    write_clip(tmp_path / "in" / "bob" / "a.mp4", 200)
    write_clip(tmp_path / "in" / "dark.mp4", 0)
    (tmp_path / "in" / "broken.mp4").write_text("no video")
    about = tmp_path / "about.csv"
    about.write_text("path,speaker,label,av_corr\nann/a.mp4,Ann,happy,0.5\n", encoding="utf-8")
    out_dir = tmp_path / "data"
    summary = fit_videos([tmp_path / "in"], out_dir, jobs=1, about=about)
    assert [path.name for path in summary.written] == ["ann__a.npz", "bob__a.npz"]
    manifest = rows_of(out_dir / "manifest.csv")
    assert [row["name"] for row in manifest] == ["ann__a", "bob__a"]
    assert manifest[0]["speaker"] == "Ann" and manifest[0]["label"] == "happy" and manifest[0]["av_corr"] == "0.5"
    assert summary.num_described == 1
    assert manifest[1]["speaker"] == "" and manifest[1]["has_audio"] == "1"
    assert (out_dir / "ann__a.wav").is_file()
    rejected = {Path(row["source"]).name: row["reason"] for row in rows_of(out_dir / "rejected.csv")}
    assert "no face" in rejected["dark.mp4"] and "not an audio or video file" in rejected["broken.mp4"]
    assert set(summary.failed) == {str(tmp_path / "in" / "dark.mp4"), str(tmp_path / "in" / "broken.mp4")}


@pytest.mark.usefixtures("fake")
def test_a_batch_continues_and_overwrites_only_on_request(tmp_path: Path) -> None:
    paths = [write_clip(tmp_path / f"{name}.mp4", 200) for name in "ab"]
    out_dir = tmp_path / "data"
    fit_videos(paths[:1], out_dir, jobs=1)
    plain = fit_videos(paths, out_dir, jobs=1)
    assert "exists already" in plain.failed[str(paths[0])] and len(plain.written) == 1
    resumed = fit_videos(paths, out_dir, jobs=1, skip_existing=True)
    assert not resumed.written and len(resumed.skipped) == 2
    assert [row["name"] for row in rows_of(out_dir / "manifest.csv")] == ["a", "b"]
    motion = read_motion(out_dir / "a.npz")
    write_motion(out_dir / "a.npz", motion.replace(source="touched"))
    fit_videos(paths[:1], out_dir, jobs=1, overwrite=True)
    assert read_motion(out_dir / "a.npz").source == str(paths[0])
    with pytest.raises(UsageError, match="exclude each other"):
        fit_videos(paths, out_dir, overwrite=True, skip_existing=True)
