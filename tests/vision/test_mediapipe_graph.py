"""MediaPipe's graphs find the same with and without its Solutions API."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facetalk.core.errors import UsageError
from facetalk.io.video import VideoReader
from facetalk.vision.mediapipe_import import import_mediapipe
from facetalk.vision.mediapipe_solutions import SolutionsFaceFinder, SolutionsFaceMesh, read_landmarks

EXAMPLE = Path(__file__).parents[2] / "examples/ref.mp4"


@pytest.fixture(scope="module")
def mediapipe() -> Any:
    pytest.importorskip("mediapipe")
    module = import_mediapipe()
    if not hasattr(module, "solutions"):
        pytest.skip("mediapipe 1.2 and later have no Solutions API")
    return module


@pytest.fixture(scope="module")
def images() -> list[np.ndarray]:
    with VideoReader(EXAMPLE) as video:
        return [image for _, image in islice(video, 4)]


def test_a_mesh_has_the_points_of_the_solutions_api(mediapipe: Any, images: list[np.ndarray]) -> None:
    mesh = SolutionsFaceMesh(mediapipe, follow=True, max_faces=1)
    expected: list[np.ndarray] = []
    with mediapipe.solutions.face_mesh.FaceMesh(refine_landmarks=True) as usual:
        for image in (np.zeros_like(images[0]), *images):
            found = usual.process(image).multi_face_landmarks or ()
            expected = [read_landmarks(face.SerializeToString()) for face in found]
            np.testing.assert_array_equal(mesh.faces(image), expected)
    assert len(expected) == 1
    mesh.close()


@pytest.mark.parametrize("small", [False, True])
def test_a_finder_has_the_scores_of_the_solutions_api(mediapipe: Any, images: list[np.ndarray], small: bool) -> None:
    finder = SolutionsFaceFinder(mediapipe, small=small)
    expected: list[float] = []
    with mediapipe.solutions.face_detection.FaceDetection(model_selection=int(small)) as usual:
        for image in images:
            expected = [face.score[0] for face in usual.process(image).detections or ()]
            assert [box.score for box in finder.boxes(image)] == expected
    assert len(expected) == 1
    finder.close()


def test_a_closed_mesh_says_so_and_closes_again(mediapipe: Any, images: list[np.ndarray]) -> None:
    mesh = SolutionsFaceMesh(mediapipe, follow=True, max_faces=1)
    mesh.close()
    with pytest.raises(UsageError, match="the detector is closed"):
        mesh.faces(images[0])
    mesh.close()


def test_threads_that_share_a_mesh_wait_for_one_another(mediapipe: Any, images: list[np.ndarray]) -> None:
    mesh = SolutionsFaceMesh(mediapipe, follow=False, max_faces=1)
    expected = mesh.faces(images[0])
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(mesh.faces, [images[0]] * 12):
            np.testing.assert_array_equal(found, expected)
    mesh.close()
