"""BVH files turn the head as the head model does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from facetalk.core.rotations import axis_angle_to_matrix
from facetalk.exporters.bvh import JOINTS, write, zxy_degrees
from facetalk.head.model import HeadModel
from facetalk.head.skinning import JOINT_PARENTS, joint_transforms
from tests.exporters.motions import lively_motion


def about(axis: str, degrees: float) -> np.ndarray:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array({
        "X": [[1, 0, 0], [0, c, -s], [0, s, c]],
        "Y": [[c, 0, s], [0, 1, 0], [-s, 0, c]],
        "Z": [[c, -s, 0], [s, c, 0], [0, 0, 1]],
    }[axis])  # fmt: skip


def test_another_reader_poses_the_joints_where_the_head_has_them(tmp_path: Path, toy_head: HeadModel) -> None:
    bvh = pytest.importorskip("bvh", reason="bvh is not installed")
    motion = lively_motion(toy_head.assets, 6)
    write(tmp_path / "a.bvh", motion, toy_head)
    tree = bvh.Bvh((tmp_path / "a.bvh").read_text())
    assert (tree.nframes, tree.get_joints_names()) == (6, list(JOINTS))
    assert tree.frame_time == pytest.approx(1 / 30)
    rotations, shifts = joint_transforms(toy_head.shaped(motion.betas)[1], motion.poses)
    rest = toy_head.shaped(motion.betas)[1]
    wanted = (rotations @ rest[..., None]).squeeze(-1) + shifts + motion.transl[:, None]
    for frame in range(6):
        turns: dict[str, np.ndarray] = {}
        places: dict[str, np.ndarray] = {}
        for number, (name, parent) in enumerate(zip(JOINTS, JOINT_PARENTS, strict=True)):
            turn = np.eye(3)
            for channel in [c for c in tree.joint_channels(name) if c.endswith("rotation")]:
                turn = turn @ about(channel[0], tree.frame_joint_channel(frame, name, channel))
            if parent < 0:
                place = [tree.frame_joint_channel(frame, name, f"{axis}position") for axis in "XYZ"]
                turns[name], places[name] = turn, np.array(place)
            else:
                above = JOINTS[parent]
                turns[name] = turns[above] @ turn
                places[name] = places[above] + turns[above] @ np.array(tree.joint_offset(name))
            np.testing.assert_allclose(turns[name], rotations[frame, number].numpy(), atol=1e-5)
            np.testing.assert_allclose(places[name] / 100, wanted[frame, number].numpy(), atol=1e-5)


def test_angles_are_those_of_their_rotation() -> None:
    turn = axis_angle_to_matrix(torch.tensor([[0.3, -0.8, 0.5], [0.0, 0.0, 0.0]]))
    for rotation, (z, x, y) in zip(turn, zxy_degrees(turn).tolist(), strict=True):
        np.testing.assert_allclose(about("Z", z) @ about("X", x) @ about("Y", y), rotation.numpy(), atol=1e-6)


def test_television_rates_keep_their_fraction(tmp_path: Path, toy_head: HeadModel) -> None:
    write(tmp_path / "a.bvh", replace(lively_motion(toy_head.assets, 3), fps=30000 / 1001), toy_head)
    assert "Frame Time: 0.033366667\n" in (tmp_path / "a.bvh").read_text()
