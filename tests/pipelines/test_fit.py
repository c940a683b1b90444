import csv
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import torch

from facetalk.core.errors import FacetalkError, UsageError
from facetalk.fitters import detect
from facetalk.fitters.following import WholeFollower
from facetalk.fitters.landmarks import fit_video
from facetalk.head.model import HeadModel
from facetalk.io.motion import read_motion, write_motion
from facetalk.io.video_writer import VideoWriter
from facetalk.pipelines import fit as track
from facetalk.pipelines.fit import clip_names, detect_landmarks, find_videos, fit_to_file, fit_videos
from tests.tracking.synthetic import IMAGE_SIZE, make_point_head, see, swaying

NUM_FRAMES = 12


@pytest.fixture(scope="module")
def head() -> HeadModel:
    return make_point_head()


class FakeDetector:
    """Sees a swaying face, except in pictures that are black."""

    def __init__(self, head: HeadModel) -> None:
        turn, transl = swaying(200)
        self._points = see(head, torch.zeros(200, 52), turn, transl, torch.zeros(4)).numpy()
        self._count = 0

    def detect(self, image: np.ndarray) -> np.ndarray | None:
        if image.mean() < 20:
            return None
        self._count += 1
        scale = np.array([image.shape[1] / IMAGE_SIZE[0], image.shape[0] / IMAGE_SIZE[1], 1], np.float32)
        return self._points[self._count - 1] * scale

    def close(self) -> None:
        self._count = 0


def write_clip(path: Path, brightness: int, size: tuple[int, int] = (160, 120)) -> Path:
    sound = 0.1 * torch.sin(torch.arange(8000) * 0.2)
    with VideoWriter(path, size, 25.0, sound) as writer:
        for _ in range(NUM_FRAMES):
            writer.write(np.full((size[1], size[0], 3), brightness, np.uint8))
    return path


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch, head: HeadModel) -> None:
    """The toy head and a detector that needs no face, in this process."""
    monkeypatch.setattr(detect, "MediaPipeFollower", lambda: nullcontext(WholeFollower(FakeDetector(head))))
    monkeypatch.setattr(detect, "FOLLOWERS", 1)
    monkeypatch.setattr(track, "RenderedReader", lambda head: None)
    monkeypatch.setattr(track, "load_head", lambda name: head)


def test_a_video_becomes_a_motion_with_its_camera(tmp_path: Path, head: HeadModel) -> None:
    path = write_clip(tmp_path / "a.mp4", 200)
    motion = fit_video(path, head=head, detector=FakeDetector(head))
    assert motion.num_frames == round(NUM_FRAMES / 25 * 30) and motion.fps == 30
    assert motion.camera is not None and motion.camera.image_size == (160, 120)
    assert motion.source == str(path) and motion.source_fps == 25
    assert motion.fit_error is not None and float(motion.fit_error.mean()) < 0.02


def test_points_of_a_picture_made_smaller_are_in_the_videos_own_pixels(
    tmp_path: Path, head: HeadModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_clip(tmp_path / "a.mp4", 200)
    whole = detect_landmarks(path, detector=FakeDetector(head))
    monkeypatch.setattr(detect, "DETECTION_SIDE", 80)
    small = detect_landmarks(path, detector=FakeDetector(head))
    assert small.image_size == whole.image_size == (160, 120)
    assert torch.allclose(small.points[:][..., :2], whole.points[:][..., :2], atol=0.01)


def test_a_video_without_a_face_says_so(tmp_path: Path, head: HeadModel) -> None:
    path = write_clip(tmp_path / "dark.mp4", 0)
    with pytest.raises(FacetalkError, match=r"dark\.mp4: no face was found in any of its 12 pictures"):
        fit_video(path, head=head, detector=FakeDetector(head))


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
    assert manifest[1]["speaker"] == "" and manifest[1]["has_audio"] == "1"
    assert (out_dir / "ann__a.wav").is_file()
    rejected = {Path(row["source"]).name: row["reason"] for row in rows_of(out_dir / "rejected.csv")}
    assert "no face" in rejected["dark.mp4"] and "not a video" in rejected["broken.mp4"]
    assert set(summary.failed) == {str(tmp_path / "in" / "dark.mp4"), str(tmp_path / "in" / "broken.mp4")}


@pytest.mark.usefixtures("fake")
def test_a_batch_resumes_and_overwrites_only_when_told(tmp_path: Path) -> None:
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


def test_names_are_stems_and_take_folders_only_where_they_must() -> None:
    names = clip_names(
        [Path("/x/ann/a.mp4"), Path("/x/bob/a.mp4"), Path("/x/c.mp4"), Path("/y/d.mp4"), Path("/y/d.mkv")]
    )
    assert list(names.values())[:3] == ["ann__a", "bob__a", "c"]
    assert len(set(names.values())) == 5


def test_a_folder_without_videos_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no videos"):
        find_videos([tmp_path])


@pytest.mark.data
@pytest.mark.parametrize("case", ["short/short_0s4.mp4", "rotated/rotated_90.mp4", "vfr/vfr.mkv"])
def test_awkward_recordings_are_tracked(data_dir: Path, case: str) -> None:
    motion = fit_video(data_dir / "robust" / case)
    assert motion.camera is not None and motion.fit_error is not None and motion.confidence is not None
    assert float(motion.fit_error.mean()) < 0.03 and float((motion.confidence > 0.5).float().mean()) > 0.9
    width, height = motion.camera.image_size
    assert (height > width) == (case.startswith("rotated"))
