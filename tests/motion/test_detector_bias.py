from __future__ import annotations

import numpy as np
import torch

from facetalk.core.rotations import axis_angle_to_matrix
from facetalk.head.channels import ARKIT_NAMES
from facetalk.motion.detector_bias import Reading, explained, random_expressions, solve_bias


def test_random_faces_are_ones_that_people_could_make() -> None:
    faces = random_expressions(400, torch.Generator().manual_seed(0))
    jaw, close, tongue = (ARKIT_NAMES.index(name) for name in ("jawOpen", "mouthClose", "tongueOut"))
    assert bool(((faces >= 0) & (faces <= 1)).all())
    assert bool((faces[:, close] <= faces[:, jaw]).all()) and not bool(faces[:, tongue].any())
    left, right = (faces[:, ARKIT_NAMES.index(f"eyeBlink{side}")] for side in ("Left", "Right"))
    assert float((left - right).abs().mean()) < 0.1 < float(left.mean())


def make_pictures(bias: np.ndarray, count: int, noise: float = 0.0) -> list[Reading]:
    generator = np.random.default_rng(0)
    turns = axis_angle_to_matrix(torch.from_numpy(generator.normal(size=(count, 3)) * 0.3)).numpy()
    images = []
    for turn in turns:
        channels = generator.random(len(bias) - 1) * (generator.random(len(bias) - 1) < 0.4)
        shift = bias[0] + np.einsum("k,kpc->pc", channels, bias[1:])
        images.append(Reading(channels, shift @ turn[:2].T + noise * generator.normal(size=(len(shift), 2)), turn[:2]))
    return images


def test_a_bias_is_found_from_pictures_of_many_faces() -> None:
    truth = np.random.default_rng(1).normal(size=(6, 7, 3)) * 0.001
    images = make_pictures(truth, 600, noise=0.0003)
    found = solve_bias(images)
    assert np.abs(found - truth).mean() < 0.0001
    left = np.concatenate([explained(found, image) - image.residual for image in images])
    np.testing.assert_allclose(left.std(), 0.0003, rtol=0.05)


def test_a_picture_that_was_misread_altogether_does_not_count() -> None:
    truth = np.random.default_rng(1).normal(size=(4, 5, 3)) * 0.001
    images = make_pictures(truth, 200)
    wrong = Reading(images[0].channels, images[0].residual + 0.05, images[0].axes)
    np.testing.assert_array_equal(solve_bias([*images, wrong]), solve_bias(images))
