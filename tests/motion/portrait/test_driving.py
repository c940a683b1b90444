"""How a photo follows a motion."""

from __future__ import annotations

import torch

from facetalk.core.motion import Motion
from facetalk.core.rotations import matrix_to_axis_angle
from facetalk.head.channels import ARKIT_NAMES
from facetalk.motion.portrait.driving import (
    MOST_MOVED_M,
    MOST_TURNED_DEG,
    MOTION_WIDTH,
    SETTLING_S,
    PhotoDriver,
    centers,
    limited,
    motion_rows,
    windows,
)
from tests.motion.portrait.scenes import person, shared


def turning(photo: Motion, degrees: float, num_frames: int = 5) -> Motion:
    """A motion that begins elsewhere than the photo, then turns and approaches."""
    motion = person(num_frames).replace(camera=None)
    turn = torch.zeros(num_frames, 3)
    turn[:, 1] = 0.1 + torch.linspace(0, degrees, num_frames).deg2rad()
    return motion.replace(global_orient=turn, transl=motion.transl + torch.linspace(0, 0.2, num_frames)[:, None])


def test_the_head_begins_as_in_the_photo_and_turns_as_in_the_motion_but_not_too_far() -> None:
    photo = person().replace(global_orient=torch.tensor([[0.0, -0.3, 0.05]]))
    motion = turning(photo, 60)
    driven = PhotoDriver(shared(), photo, motion.cut(0, 1)).drive(motion)
    pose = driven.pose
    start = PhotoDriver(shared(), photo, motion.cut(0, 1))._photo
    torch.testing.assert_close(pose.rotation[0], start.rotation, atol=1e-5, rtol=0)
    turned = matrix_to_axis_angle(start.rotation.T @ pose.rotation).norm(dim=1).rad2deg()
    assert bool((turned.diff() > 0).all()) and MOST_TURNED_DEG * 0.8 < float(turned[-1]) <= MOST_TURNED_DEG
    moved = (centers(shared(), pose) - start.center).norm(dim=1)
    assert float(moved[0]) < 1e-5 and 0.8 * MOST_MOVED_M < float(moved[-1]) <= MOST_MOVED_M


def test_small_movements_are_kept_as_they_are() -> None:
    small = torch.tensor([[0.001, 0.0, 0.0], [0.0, 0.0, 0.0], [5.0, 0.0, 0.0]])
    torch.testing.assert_close(limited(small, 0.3)[:2], small[:2], atol=1e-7, rtol=1e-4)
    torch.testing.assert_close(limited(small, 0.3)[2, 0], torch.tensor(0.3))


def test_lips_close_and_lids_shut_whatever_the_photo_shows_and_its_smile_stays() -> None:
    photo = person(jawOpen=0.4, mouthSmileLeft=0.6, eyeBlinkLeft=0.2, eyeBlinkRight=0.2)
    motion = person(10, eyeBlinkLeft=0.1, eyeBlinkRight=0.1)
    motion.expression[8, ARKIT_NAMES.index("eyeBlinkLeft")] = 1.0
    motion.expression[9, ARKIT_NAMES.index("mouthSmileLeft")] = 0.7
    driven = PhotoDriver(shared(), photo, motion.cut(0, 1)).drive(motion)
    values = {name: driven.expression[7:, ARKIT_NAMES.index(name)] for name in ("jawOpen", "mouthSmileLeft")}
    torch.testing.assert_close(values["jawOpen"], torch.zeros(3))
    torch.testing.assert_close(values["mouthSmileLeft"], torch.tensor([0.6, 0.6, 1.0]))
    lids = driven.expression[7:, ARKIT_NAMES.index("eyeBlinkLeft")]
    torch.testing.assert_close(lids, torch.tensor([0.2, 1.0, 0.2]))


def test_the_first_frame_has_the_face_of_the_photo_and_the_mouth_soon_follows_the_motion() -> None:
    photo = person(jawOpen=0.4, mouthPucker=0.2, browInnerUp=0.3, eyeBlinkLeft=0.2)
    motion = person(12, jawOpen=0.1)
    driver = PhotoDriver(shared(), photo, motion.cut(0, 1))
    whole = driver.drive(motion).expression
    torch.testing.assert_close(whole[0], photo.expression[0])
    jaw = whole[:, ARKIT_NAMES.index("jawOpen")]
    assert bool((jaw.diff() <= 1e-6).all())
    torch.testing.assert_close(jaw[round(SETTLING_S * motion.fps) :], torch.full((6,), 0.1))
    torch.testing.assert_close(driver.drive(motion.cut(4, 12), 4).expression, whole[4:])


def test_the_eyes_look_on_where_those_of_the_photo_look_and_move_as_in_the_motion() -> None:
    photo = person().replace(leye_pose=torch.tensor([[0.0, 0.2, 0.0]]), reye_pose=torch.tensor([[0.0, 0.2, 0.0]]))
    look = torch.tensor([[0.1, 0.0, 0.0], [0.1, -0.1, 0.0]])
    motion = person(2).replace(leye_pose=look, reye_pose=look)
    driven = PhotoDriver(shared(), photo, motion.cut(0, 1)).drive(motion)
    torch.testing.assert_close(driven.eyes[:, 0, 1], torch.tensor([0.2, 0.1]))
    assert float(driven.expression[0, ARKIT_NAMES.index("eyeLookOutLeft")]) > 0.1


def test_the_network_sees_what_moves_relative_to_the_photo() -> None:
    photo, motion = person(jawOpen=0.3), person(4)
    driven = PhotoDriver(shared(), photo, motion.cut(0, 1)).drive(motion)
    rows = motion_rows(shared(), driven, photo.expression[0], driven.pose._replace(
        rotation=driven.pose.rotation[0], shift=driven.pose.shift[0]))  # fmt: skip
    assert rows.shape == (4, MOTION_WIDTH)
    assert float(rows[:, 52:58].abs().max()) < 1e-4 and float(rows[0, 58:].max()) == torch.tensor(0.3)
    parts = list(windows(torch.arange(5.0)[:, None], 5))
    assert [part[:, 0].tolist() for part in parts[:2]] == [[0, 0, 0, 1, 2], [0, 0, 1, 2, 3]]
