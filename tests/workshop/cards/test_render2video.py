"""The card of a person's renderer: where it looks for flicker of the mouth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from facetalk.io.video_writer import VideoWriter
from facetalk.recipes.evaluation.person_baselines import PersonBaselines
from facetalk.recipes.parts.person_frames import PersonDataConfig, make_frames
from facetalk.workshop.cards.render2video import mouth_boxes, mouth_flicker
from tests.neural_rendering.people import TINY, footage, head


def test_the_box_of_the_mouth_follows_it() -> None:
    frames = make_frames([footage(24)], head(), TINY, PersonDataConfig())
    motion, scene = frames.footages[0].motion, frames.scenes[0]
    boxes = mouth_boxes(motion, scene, PersonBaselines(frames))
    left, top, right, bottom = boxes.T
    assert boxes.shape == (24, 4) and bool((right - left > 3).all()) and bool((bottom - top > 2).all())
    aside = mouth_boxes(motion.replace(transl=motion.transl + motion.transl.new_tensor([0.03, 0, 0])), scene,
                        PersonBaselines(frames))  # fmt: skip
    assert bool((aside[:, 0] > left).any()) and bool((aside[:, 1] == top).all())


def test_only_flicker_within_the_box_counts(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "a.mp4", (64, 64), 25) as writer:
        for number in range(12):
            image = np.full((64, 64, 3), 90, np.uint8)
            image[:32, :32] += np.uint8(40 * (number % 2))
            writer.write(image)
    for box, expected in (((0, 0, 24, 24), 80), ((40, 40, 64, 64), 0)):
        assert mouth_flicker(tmp_path / "a.mp4", np.array([box] * 12)) == pytest.approx(expected, abs=4)
