"""Dark lines where lips and lids meet, and shade behind the lips."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from facetalk.motion.portrait.crop import WINDOW_LEFT, WINDOW_PX, WINDOW_TOP
from facetalk.motion.portrait.slits import Slit, lashes, lip_line, mouth_light
from tests.motion.portrait.scenes import person, scene, shared

MIDDLE = WINDOW_PX // 2


def slit(height: float, tilt: float = 0.0) -> Slit:
    """A lens 40 pixels wide in the middle of the window."""
    x = np.linspace(-20, 20, 11, dtype=np.float32)
    y = height / 2 * (1 - (x / 20) ** 2)
    turn = np.array([[np.cos(tilt), np.sin(tilt)], [-np.sin(tilt), np.cos(tilt)]], np.float32)
    at = np.array([WINDOW_LEFT + MIDDLE, WINDOW_TOP + MIDDLE], np.float32)
    upper, lower = (np.stack([x, side * y], -1) @ turn + at for side in (-1, 1))
    return Slit(upper.astype(np.float32), lower.astype(np.float32))


def test_gaps_are_measured_across_and_lips_that_cross_have_none() -> None:
    for tilt in (0.0, 0.4):
        assert slit(8.0, tilt).gaps[5] == pytest.approx(8.0, abs=1e-4)
        assert slit(8.0, tilt).gaps[0] == pytest.approx(0.0, abs=1e-4)
    assert slit(-3.0).gaps.max() == 0


def test_lips_that_meet_have_a_dark_line_if_the_photo_has_them_apart() -> None:
    line = lip_line(slit(0.0), slit(8.0))
    assert line[MIDDLE - 1 : MIDDLE + 1, MIDDLE].min() > 0.5
    assert line[MIDDLE + 4, MIDDLE] < 0.01 and line[MIDDLE, MIDDLE + 30] < 0.01
    assert line[:, MIDDLE - 19].max() < 0.6 * line[:, MIDDLE].max()  # a photo shows the line at the corners
    assert lip_line(slit(0.0), slit(0.0)).max() == 0
    assert lip_line(slit(4.0), slit(8.0))[:, MIDDLE].max() == 0
    tilted = lip_line(slit(0.0, 0.5), slit(8.0, 0.5))
    assert tilted[MIDDLE + 5, MIDDLE + 9] > 0.3 > 0.05 > tilted[MIDDLE, MIDDLE + 9]


def test_lashes_come_with_the_lid_and_lie_below_its_edge() -> None:
    photo = slit(10.0)
    shut, half, wide = (lashes(slit(height), photo) for height in (0.0, 5.0, 10.0))
    assert shut[MIDDLE, MIDDLE] > 0.6 and wide.max() == 0
    assert 0.1 < half[:, MIDDLE].max() < shut[:, MIDDLE].max()
    assert int(half[:, MIDDLE].argmax()) < MIDDLE - 1  # at the upper lid
    assert shut[MIDDLE + 3, MIDDLE] > shut[MIDDLE - 4, MIDDLE] + 0.03
    assert lashes(slit(0.0), slit(0.0)).max() == 0


def test_a_wider_mouth_is_brighter_and_darkest_at_the_lips() -> None:
    wide, narrow = mouth_light(slit(14.0)), mouth_light(slit(3.0))
    assert wide[MIDDLE, MIDDLE] > narrow[MIDDLE, MIDDLE] + 0.2
    assert wide[MIDDLE - 6, MIDDLE] < 0.7 * wide[MIDDLE, MIDDLE]
    assert wide[MIDDLE + 6, MIDDLE] < 0.7 * wide[MIDDLE, MIDDLE]
    assert mouth_light(slit(0.0)).min() >= 0 and wide[5, 5] == 1


def test_a_slit_beyond_the_window_draws_nothing() -> None:
    far = [Slit(part.upper + 500, part.lower + 500) for part in (slit(0.0), slit(8.0))]
    assert lip_line(*far).max() == 0 and lashes(*far).max() == 0 and mouth_light(far[1]).min() == 1


def test_the_lips_of_an_open_photo_close_with_a_line_and_its_blink_has_lashes() -> None:
    photo = scene(person(jawOpen=0.4))
    faces = [person(1), person(1, jawOpen=0.4), person(1, jawOpen=0.4, eyeBlinkLeft=1.0, eyeBlinkRight=1.0)]
    views = [photo.view(shared().local(f.expression, torch.zeros(1, 2, 3), f.betas)[0], photo.pose) for f in faces]
    lines = np.array([view.lines.max((0, 1)) for view in views])
    assert lines[0, 0] > 0.3 and lines[0, 1] < 0.05
    assert lines[1].max() < 0.05 and lines[2, 0] < 0.05 < 0.5 < lines[2, 1]
    assert views[1].valid[photo.face_mask()].mean() > 0.95  # lips that do not move keep the photo's edge
