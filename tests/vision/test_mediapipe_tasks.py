"""MediaPipe's Tasks API behind the detector's interface: on a stand-in, and on the real one where it is installed."""

import hashlib
import sys
import zipfile
from importlib import metadata
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from facetalk.core.errors import MissingAssetError
from facetalk.io.video import VideoReader
from facetalk.vision.face_landmarker_model import MODEL_FILE, MODEL_VARIABLE, packaged_model
from facetalk.vision.landmark_detector import MediaPipeDetector, MediaPipeFinder, describe_detector, detector_name
from tests.vision.fake_mediapipe import Calls, RunningMode, make_mediapipe

FACES = [np.random.default_rng(seed).uniform(0.2, 0.8, (478, 3)) for seed in range(2)]
IMAGE = np.full((60, 80, 3), 90, np.uint8)
EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "ref.mp4"


@pytest.fixture
def model_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A bundle of the networks' names, which the environment names."""
    path = tmp_path / MODEL_FILE
    with zipfile.ZipFile(path, "w") as bundle:
        bundle.writestr("face_detector.tflite", b"finds faces")
    monkeypatch.setenv(MODEL_VARIABLE, str(path))
    return path


@pytest.fixture
def calls(model_path: Path, monkeypatch: pytest.MonkeyPatch) -> Calls:
    """What the stand-in is asked."""
    module, calls = make_mediapipe(FACES)
    monkeypatch.setitem(sys.modules, "mediapipe", module)
    return calls


def test_points_are_in_pixels_with_depth_on_the_scale_of_x(calls: Calls) -> None:
    with MediaPipeDetector(max_faces=2) as detector:
        found = detector.detect_all(IMAGE)
        first = detector.detect(IMAGE)
    np.testing.assert_allclose(found, np.stack(FACES) * [80, 60, 80], rtol=1e-6)
    assert first is not None
    np.testing.assert_array_equal(first, found[0])
    assert calls.options[0].num_faces == 2
    assert calls.closed == 1


def test_frames_of_a_video_come_so_far_apart_in_time_that_nothing_is_smoothed(calls: Calls) -> None:
    with MediaPipeDetector() as detector:
        for _ in range(3):
            detector.detect(IMAGE)
    assert calls.options[0].running_mode is RunningMode.VIDEO
    assert (np.diff(calls.timestamps_ms) > 1000 * 3600).all()


def test_single_images_have_no_time(calls: Calls) -> None:
    with MediaPipeDetector(follow=False) as detector:
        assert detector.detect(IMAGE) is not None
    assert calls.options[0].running_mode is RunningMode.IMAGE
    assert calls.timestamps_ms == []


def test_an_image_without_a_face_has_no_points(calls: Calls) -> None:
    with MediaPipeDetector() as detector:
        assert detector.detect(np.zeros_like(IMAGE)) is None
        assert detector.detect_all(np.zeros_like(IMAGE)) == []


def test_images_reach_the_network_contiguous(calls: Calls) -> None:
    with MediaPipeDetector() as detector:
        detector.detect(IMAGE[:, ::-1])
    assert all(image.flags.c_contiguous for image in calls.images)


def test_the_model_is_the_one_that_was_given(calls: Calls, model_path: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.task"
    other.touch()
    MediaPipeDetector(model_path=other).close()
    MediaPipeDetector().close()
    assert [options.base_options.model_asset_path for options in calls.options] == [str(other), str(model_path)]


def test_faces_are_located_by_the_first_network_of_the_model(calls: Calls) -> None:
    finder = MediaPipeFinder()
    assert [len(finder.boxes(image)) for image in (IMAGE, np.zeros_like(IMAGE))] == [2, 0]
    box = finder.boxes(IMAGE)[0]
    assert (box.x, box.y, box.side, box.score) == (25, 40, 40, 0.9)
    assert box.roll_deg == pytest.approx(0, abs=1e-6)
    finder.close()
    assert calls.options[0].base_options.model_asset_buffer == b"finds faces"
    assert calls.closed == 1


@pytest.mark.parametrize("kind", [MediaPipeDetector, MediaPipeFinder])
def test_a_file_that_is_no_model_is_named(
    kind: type, model_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module, _ = make_mediapipe([], error=RuntimeError("Unable to open zip archive.\nmore"))
    monkeypatch.setitem(sys.modules, "mediapipe", module)
    with pytest.raises(MissingAssetError, match=r"task is no face landmarker that mediapipe reads \(Unable to open"):
        kind()


def test_a_bundle_without_a_face_detector_counts_nothing(calls: Calls, tmp_path: Path) -> None:
    empty = tmp_path / "empty.task"
    zipfile.ZipFile(empty, "w").close()
    with pytest.raises(MissingAssetError, match=r"empty\.task is no face landmarker"):
        MediaPipeFinder(model_path=empty)


def test_the_description_names_the_api_the_version_and_the_model(calls: Calls, model_path: Path) -> None:
    described = describe_detector()
    assert "Tasks API" in described and "1.2.0" in described
    assert MODEL_VARIABLE in described and str(model_path) in described


def test_the_name_in_metadata_has_the_version_and_the_hash_of_a_requested_model(
    model_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metadata, "version", lambda package: {"mediapipe": "1.2.0"}[package])
    model_path.write_bytes(b"a model")
    requested = detector_name()
    monkeypatch.delenv(MODEL_VARIABLE)
    assert detector_name() == "MediaPipe face mesh 1.2.0 (Apache-2.0)"
    assert requested == f"{detector_name()}, {MODEL_FILE} {hashlib.sha256(b'a model').hexdigest()[:8]}"


def test_a_requested_model_is_used_by_a_release_that_has_its_own(
    model_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module, calls = make_mediapipe(FACES)
    module.solutions = None  # would fail when used
    monkeypatch.setitem(sys.modules, "mediapipe", module)
    MediaPipeDetector().close()
    assert len(calls.options) == 1


@pytest.fixture
def real_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The installed mediapipe, if it is a release that this API serves by default and its model is there."""
    monkeypatch.delenv(MODEL_VARIABLE, raising=False)
    version = metadata.version("mediapipe")
    if tuple(int(part) for part in version.split(".")[:2]) < (1, 2):
        pytest.skip(f"mediapipe {version} brings its own models; the Tasks API serves 1.2 and later")
    if packaged_model() is None:
        pytest.skip("no installed package contains a face_landmarker.task")


def tracked(images: list[np.ndarray], follow: bool) -> np.ndarray:
    """Points (frames, 478, 2) of a face that every image shows."""
    with MediaPipeDetector(follow=follow) as detector:
        return np.stack([face[:, :2] for face in map(detector.detect, images) if face is not None])


def mean_acceleration(points: np.ndarray) -> float:
    return float(np.linalg.norm(np.diff(points, 2, axis=0), axis=2).mean())


@pytest.mark.usefixtures("real_tasks")
def test_a_real_model_tracks_a_face_without_smoothing_it(capfd: pytest.CaptureFixture[str]) -> None:
    with VideoReader(EXAMPLE) as video:
        images = [image for _, image in islice(video, 60)]
    followed, single = tracked(images, follow=True), tracked(images, follow=False)
    assert followed.shape == single.shape == (60, 478, 2)
    unit = np.linalg.norm(single[:, 33] - single[:, 263], axis=1).mean()
    assert np.linalg.norm(followed - single, axis=2).mean() < 0.015 * unit
    # With the filter that the Tasks API applies at the usual 33 ms a frame, this ratio is 0.69.
    assert mean_acceleration(followed) > 0.9 * mean_acceleration(single)
    assert capfd.readouterr().err == ""
