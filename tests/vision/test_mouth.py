import numpy as np

from facetalk.vision.mouth import mouth_curves


def face(frames: int = 6) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(1, 478, 3)).repeat(frames, 0) * 50 + 200


def test_rotation_position_and_distance_of_the_head_change_nothing() -> None:
    points = face(1)
    angle = 0.6
    turn = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
    np.testing.assert_allclose(mouth_curves(points @ turn * 1.7 + 30), mouth_curves(points), rtol=1e-9)


def test_parting_the_lips_raises_only_the_opening() -> None:
    points = face(2)
    points[1, 14] += 2 * (points[1, 14] - points[1, 13])
    still, parted = mouth_curves(points)
    assert parted[0] == 3 * still[0] or np.isclose(parted[0], 3 * still[0])
    np.testing.assert_allclose(parted[1:], still[1:])


def test_frames_without_a_face_are_nan() -> None:
    points = face(3)
    points[1] = np.nan
    assert np.isnan(mouth_curves(points)).all(axis=1).tolist() == [False, True, False]
