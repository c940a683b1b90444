"""FLAME parameters under the names of common programs, for the FLAME that is installed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from facetalk.core.errors import FacetalkError, MissingAssetError
from facetalk.importers import flame_parameters
from facetalk.importers.registry import import_motion, kind_of
from facetalk.io.motion import write_motion
from tests.conftest import make_toy_head
from tests.importers.test_registry import talking

RNG = np.random.default_rng(5)
EXPRESSION = RNG.normal(size=(7, 50)).astype(np.float32)
POSE = 0.1 * RNG.normal(size=(7, 15)).astype(np.float32)


@pytest.fixture
def flame(monkeypatch: pytest.MonkeyPatch) -> None:
    """A head with a hundred coefficients stands for FLAME."""
    toy = make_toy_head()
    names = tuple(f"exp{number:03d}" for number in range(100))
    dirs = torch.zeros(100, 40, 3)
    assets = replace(toy, name="flame:x", shape=replace(toy.shape, expression_dirs=dirs, expression_names=names))
    monkeypatch.setattr(flame_parameters, "load_head_assets", lambda name: assets)
    monkeypatch.setattr(flame_parameters, "_flame_head", lambda given: given or "flame:x")


LAYOUTS: dict[str, dict[str, Any]] = {
    "each joint": {"expression": EXPRESSION, "global_orient": POSE[:, :3], "neck_pose": POSE[:, 3:6],
                   "jaw_pose": POSE[:, 6:9], "leye_pose": POSE[:, 9:12], "reye_pose": POSE[:, 12:], "fps": 25.0},
    "VHAP": {"expr": EXPRESSION, "rotation": POSE[:, :3], "neck_pose": POSE[:, 3:6], "jaw_pose": POSE[:, 6:9],
             "eyes_pose": POSE[:, 9:], "translation": np.zeros((7, 3)), "shape": np.zeros(2)},
    "all joints": {"exp": EXPRESSION, "pose": POSE, "shape": np.zeros((7, 2))},
}  # fmt: skip


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_is_the_same_motion(layout: str, tmp_path: Path, flame: None) -> None:
    np.savez(tmp_path / "a.npz", **LAYOUTS[layout])
    assert kind_of(tmp_path / "a.npz") == "flame"
    motion = import_motion(tmp_path / "a.npz", fps=24)
    assert motion.fps == (25 if layout == "each joint" else 24)
    np.testing.assert_array_equal(motion.expression[:, :50], EXPRESSION)
    assert not motion.expression[:, 50:].any() and motion.expression.shape == (7, 100)
    np.testing.assert_array_equal(motion.poses.flatten(1), POSE)


def test_deca_has_root_and_jaw(tmp_path: Path, flame: None) -> None:
    np.savez(tmp_path / "a.npz", exp=EXPRESSION, pose=POSE[:, :6])
    motion = import_motion(tmp_path / "a.npz")
    np.testing.assert_array_equal(motion.global_orient, POSE[:, :3])
    np.testing.assert_array_equal(motion.jaw_pose, POSE[:, 3:6])
    assert not motion.neck_pose.any()


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"jaw_pose": POSE[:, :3]}, "no expression"),
        ({"exp": EXPRESSION, "pose": POSE[:, :7]}, "7 numbers a frame"),
        ({"exp": EXPRESSION, "jaw_pose": POSE[:4, :3]}, "must be"),
        ({"exp": np.zeros((3, 200))}, "200 coefficients"),
        ({"exp": EXPRESSION, "fps": np.float64(0)}, "frame rate"),
        ({"exp": np.full((2, 50), np.nan)}, "not finite"),
        ({"exp": np.array(["a"])}, "numbers of shape"),
        ({"exp": np.zeros((0, 50))}, "shape"),
    ],
)
def test_broken_parameters_are_refused(arrays: dict[str, Any], message: str, tmp_path: Path, flame: None) -> None:
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(FacetalkError, match=message):
        import_motion(tmp_path / "a.npz")


def test_without_flame_the_error_says_how_to_get_it(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", exp=EXPRESSION)
    with pytest.raises(MissingAssetError, match="--head flame:PATH"):
        import_motion(tmp_path / "a.npz")


def test_our_own_archives_stay_ours(tmp_path: Path) -> None:
    write_motion(tmp_path / "a.npz", talking())
    assert kind_of(tmp_path / "a.npz") == "facetalk"
