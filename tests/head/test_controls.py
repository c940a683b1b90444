from dataclasses import replace

import pytest
import torch

from facetalk.core.motion import still_motion
from facetalk.head.assets import HeadAssets
from facetalk.head.controls import Controls, control_dirs
from facetalk.head.model import HeadModel

NAMES = tuple(f"exp{index}" for index in range(52))
"""Of a head whose jaw is a joint."""


def test_arkit_channels_are_the_controls_of_the_bundled_head(toy_assets: HeadAssets) -> None:
    controls = Controls(toy_assets.shape.expression_names)
    assert controls.count == 52
    motion = controls.motion(torch.full((2, 52), 1.5), "toy", 30.0, 3)
    assert motion.expression.max() == 1
    assert torch.equal(controls.rows(motion), motion.expression)
    assert torch.equal(control_dirs(toy_assets.shape), toy_assets.shape.expression_dirs)


def test_laughter_that_reaches_a_limit_is_stored_as_it_was_added(toy_assets: HeadAssets) -> None:
    controls = Controls(toy_assets.shape.expression_names)
    motion = still_motion("toy", torch.full((2, 52), 0.9), controls.names, 30.0, 3)
    laughing = controls.with_laughter(motion, torch.full((2, 52), 0.4))
    assert laughing.laughter is not None
    torch.testing.assert_close(laughing.laughter[:, :52], torch.full((2, 52), 0.1))
    torch.testing.assert_close(laughing.without_laughter().expression, motion.expression)


def test_the_jaw_of_other_heads_is_a_control(toy_assets: HeadAssets) -> None:
    head = HeadModel(replace(toy_assets, shape=replace(toy_assets.shape, expression_names=NAMES)))
    controls = Controls(NAMES)
    assert controls.count == 55
    rows = torch.zeros(1, 55)
    rows[0, 52:] = torch.tensor([0.02, 0.01, -0.01])
    motion = controls.motion(rows, "toy", 30.0, 3)
    assert torch.equal(motion.jaw_pose, rows[:, 52:])
    moved = head(motion.expression, motion.poses, motion.transl, motion.betas)[0] - head.template
    expected = torch.einsum("c,cvx->vx", rows[0], control_dirs(head.shape))
    torch.testing.assert_close(expected, moved, atol=1e-4, rtol=0.05)
    laughing = controls.with_laughter(motion, torch.full((1, 55), 2.0))
    torch.testing.assert_close(laughing.without_laughter().jaw_pose, motion.jaw_pose)
    assert laughing.expression.min() == 2


def test_motions_with_other_channels_are_refused() -> None:
    with pytest.raises(ValueError, match="other channels"):
        Controls(NAMES).rows(still_motion("toy", torch.zeros(1, 2), ("a", "b"), 30.0, 0))
