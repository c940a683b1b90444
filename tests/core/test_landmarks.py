"""Landmark indices by name."""

from __future__ import annotations

from facetalk.core import landmarks


def test_the_groups_of_the_68_points_share_them_out() -> None:
    groups = (landmarks.IBUG_JAWLINE, landmarks.IBUG_BROWS, landmarks.IBUG_NOSE, landmarks.IBUG_EYES)
    whole = [*sum(groups, ()), *landmarks.IBUG_MOUTH]
    assert whole == list(range(landmarks.NUM_IBUG))
    assert whole[landmarks.IBUG_MOUTH_SLICE] == list(landmarks.IBUG_MOUTH)
    assert whole[landmarks.IBUG_INNER_FACE_SLICE] == whole[len(landmarks.IBUG_JAWLINE) :]


def test_mirroring_twice_changes_nothing_and_swaps_the_eye_corners() -> None:
    mirrored = landmarks.IBUG_MIRRORED
    assert [mirrored[index] for index in mirrored] == list(range(landmarks.NUM_IBUG))
    right, left = landmarks.IBUG_OUTER_EYE_CORNERS
    assert mirrored[right] == left


def test_both_layouts_name_the_same_corners() -> None:
    mesh = landmarks.IBUG_FROM_MEDIAPIPE
    assert tuple(mesh[index] for index in landmarks.IBUG_OUTER_EYE_CORNERS) == landmarks.MESH_OUTER_EYE_CORNERS
    assert tuple(mesh[index] for index in landmarks.IBUG_MOUTH_CORNERS) == landmarks.MESH_MOUTH_CORNERS
    assert max(mesh) < landmarks.NUM_MESH_SKIN_POINTS


def test_no_mesh_group_names_a_point_twice_or_an_iris() -> None:
    groups = [value for name, value in vars(landmarks).items() if name.startswith("MESH_") and isinstance(value, tuple)]
    for group in groups:
        if all(isinstance(index, int) for index in group) and group != (468, 473):
            assert len(set(group)) == len(group) and max(group) < landmarks.NUM_MESH_SKIN_POINTS
