from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facetalk.core.errors import InvalidValueError
from facetalk.io.video import VideoReader
from facetalk.vision.landmark_detector import MediaPipeDetector, MediaPipeFinder, checked_image, describe_detector
from facetalk.vision.mediapipe_solutions import read_landmarks

pytestmark = pytest.mark.usefixtures("landmark_networks")


def test_a_picture_without_a_face_has_no_points_and_nothing_is_written(capfd: pytest.CaptureFixture[str]) -> None:
    with MediaPipeDetector() as detector:
        assert detector.detect(np.full((120, 160, 3), 90, np.uint8)) is None
    assert capfd.readouterr().err == ""


@pytest.mark.data
def test_a_face_is_found_in_pixels_quietly(data_dir: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with VideoReader(data_dir / "robust" / "short" / "short_0s4.mp4") as video, MediaPipeDetector() as detector:
        rows = [detector.detect(image) for _, image in video]
        width, height = video.size
    assert len(rows) > 5 and all(row is not None for row in rows)
    points = np.stack([row for row in rows if row is not None])
    assert points.shape[1:] == (478, 3)
    assert (points[..., 0] > 0).all() and (points[..., 0] < width).all() and (points[..., 1] < height).all()
    # The right eye is on the left of the image, brows are above the chin.
    assert (points[:, 33, 0] < points[:, 263, 0]).all() and (points[:, 105, 1] < points[:, 152, 1]).all()
    assert capfd.readouterr().err == ""


def test_landmarks_are_read_from_their_bytes() -> None:
    landmark_pb2 = pytest.importorskip(
        "mediapipe.framework.formats.landmark_pb2", reason="mediapipe 1.2 and later have no Solutions API"
    )
    values = np.random.default_rng(0).normal(size=(478, 3)).astype(np.float32)
    values[3] = 0
    face = landmark_pb2.NormalizedLandmarkList()
    for x, y, z in values.tolist():
        face.landmark.add(x=x, y=y, z=z)
    read = read_landmarks(face.SerializeToString())
    np.testing.assert_array_equal(read, [(point.x, point.y, point.z) for point in face.landmark])
    face.landmark[0].visibility = 1.0
    with pytest.raises(ValueError, match="are not 478 landmarks"):
        read_landmarks(face.SerializeToString())


@pytest.mark.parametrize("small", [False, True])
def test_no_face_is_located_where_there_is_none(small: bool) -> None:
    finder = MediaPipeFinder(small=small)
    assert finder.boxes(np.full((120, 160, 3), 90, np.uint8)) == []
    finder.close()


@pytest.mark.data
def test_people_are_located(data_dir: Path) -> None:
    finder = MediaPipeFinder()
    with VideoReader(data_dir / "robust" / "short" / "short_0s4.mp4") as video:
        _, image = next(iter(video))
    assert len(finder.boxes(image)) == 1
    boxes = sorted(finder.boxes(np.concatenate([image, image], 1)))
    assert len(boxes) == 2
    assert boxes[1].x - boxes[0].x == pytest.approx(image.shape[1], abs=10)
    assert all(abs(box.roll_deg) < 15 for box in boxes)
    finder.close()


@pytest.mark.data
@pytest.mark.parametrize("size", [110, 70])
def test_small_faces_are_found_at_the_right_place(data_dir: Path, size: int) -> None:
    with VideoReader(data_dir / "robust" / "delay" / "audio_late_200ms.mp4") as video:
        images = [image for (_, image), _ in zip(video, range(12), strict=False)]
    with MediaPipeDetector() as detector:
        rows = np.stack([points for image in images if (points := detector.detect(image)) is not None])
    assert len(rows) == len(images)
    factor = size / float(np.median(np.ptp(rows[..., 1], axis=1)))
    frames = [np.full((720, 1280, 3), 110, np.uint8) for _ in images]
    for frame, image in zip(frames, images, strict=True):
        side = round(factor * len(image))
        frame[100 : 100 + side, 900 : 900 + side] = Image.fromarray(image).resize((side, side), Image.Resampling.BOX)
    with MediaPipeDetector() as plain:
        assert all(plain.detect(frame) is None for frame in frames)
    with MediaPipeDetector(small_faces=1) as detector:
        found = [points for frame in frames if (points := detector.detect(frame)) is not None]
    assert len(found) == len(frames)
    points = (np.stack(found) - (900, 100, 0)) / factor
    eyes = np.linalg.norm(rows[:, 33] - rows[:, 263], axis=-1)
    error = np.linalg.norm((points - rows)[..., :2], axis=-1).mean(1) / eyes
    assert error.mean() < 0.03


def test_the_description_names_the_api_that_is_installed() -> None:
    mediapipe = pytest.importorskip("mediapipe")
    described = describe_detector()
    assert mediapipe.__version__ in described
    assert ("Solutions API" in described) == hasattr(mediapipe, "solutions")


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((64, 64), np.uint8),
        np.zeros((64, 64, 4), np.uint8),
        np.zeros((64, 64, 3), np.float32),
        np.zeros((0, 64, 3), np.uint8),
        None,
    ],
)
def test_only_rgb_images_are_taken(image: object) -> None:
    with pytest.raises(InvalidValueError, match=r"an image is a uint8 array of the shape \(height, width, 3\)"):
        checked_image(image)
