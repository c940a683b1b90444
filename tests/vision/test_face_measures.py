import numpy as np
import pytest
import torch

from facetalk.core.rotations import axis_angle_to_matrix
from facetalk.vision.face_measures import bounding_boxes, face_angles, face_centers, overlap


def face(turn: tuple[float, float, float] = (0, 0, 0)) -> np.ndarray:
    """A mesh of which the measured points lie as in a face that looks into the camera; turned."""
    points = np.random.default_rng(0).normal(size=(478, 3))
    points[33], points[263] = (-50, 0, 0), (50, 0, 0)
    points[10] = (0, -60, 0)
    points[2] = (0, 50, -50 * np.tan(np.radians(7)) - 60 * np.tan(np.radians(7)))
    matrix = axis_angle_to_matrix(torch.tensor([turn], dtype=torch.float64) * torch.pi / 180)[0].numpy()
    return (points @ matrix.T)[None]


def test_a_face_toward_the_camera_has_zero_angles() -> None:
    assert np.abs(face_angles(face())).max() < 0.5


@pytest.mark.parametrize("degrees", [-40.0, 15.0])
def test_rotation_about_an_axis_changes_one_angle(degrees: float) -> None:
    # Image coordinates: x right, y down, z away. The face's own left is in the direction of x.
    assert face_angles(face((0, -degrees, 0)))[0, 0] == pytest.approx(degrees, abs=0.5)
    assert face_angles(face((degrees, 0, 0)))[0, 1] == pytest.approx(degrees, abs=0.5)
    assert face_angles(face((0, 0, degrees)))[0, 2] == pytest.approx(degrees, abs=0.5)


def test_boxes_and_centers() -> None:
    points = face()
    left, top, right, bottom = bounding_boxes(points)[0]
    assert left == points[0, :, 0].min() and bottom == points[0, :, 1].max() and top < 0 < right
    assert face_centers(points)[0] == pytest.approx([0, 50 / 3])


def test_overlap_is_intersection_over_union() -> None:
    assert overlap(np.array([0, 0, 2, 2.0]), np.array([1, 0, 3, 2.0])) == pytest.approx(1 / 3)
    assert overlap(np.array([0, 0, 1, 1.0]), np.array([2, 2, 3, 3.0])) == 0
