"""Blender imports an animated character and moves it as we meant it."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from facetalk.core.motion import Motion
from facetalk.motion.avatar import AvatarPlay, head_turn, read_avatar
from facetalk.pipelines.export import export
from tests.avatars import SPELLINGS, renamed
from tests.engines.characters import head_avatar, rigged_avatar, speaking, view_of

pytestmark = pytest.mark.slow
SCRIPT = Path(__file__).with_name("blender_script.py")
FRAMES = tuple(range(0, 60, 7))


def in_blender(avatar: Path, motion: Motion, folder: Path, **more: Any) -> dict[str, Any]:
    """What Blender makes of a character's first animation."""
    if importlib.util.find_spec("bpy") is None:
        pytest.skip("Blender's Python package bpy is not installed")
    request = {"fps": motion.fps, "frames": list(FRAMES), **more}
    (folder / "request.json").write_text(json.dumps(request))
    paths = [str(path) for path in (avatar, folder / "request.json", folder / "result.json")]
    # By itself: bpy brings its own libraries.
    done = subprocess.run([sys.executable, str(SCRIPT), *paths], capture_output=True, text=True, timeout=400)
    assert (folder / "result.json").is_file(), done.stderr[-2000:] + done.stdout[-2000:]
    return json.loads((folder / "result.json").read_text())


@pytest.mark.parametrize("scheme", ["ARKit", "sides"])
def test_shape_keys_have_our_weights(scheme: str, tmp_path: Path) -> None:
    motion = speaking()
    path = renamed(tmp_path / "named.glb", head_avatar(tmp_path), SPELLINGS[scheme])
    export(motion, tmp_path / "out.glb", avatar=path)
    seen = in_blender(tmp_path / "out.glb", motion, tmp_path)
    play = AvatarPlay(read_avatar(path), motion)
    weights = dict(play.weights())
    for mesh in play.avatar.shapes.meshes:
        for frame, found in zip(FRAMES, seen["frames"], strict=True):
            keys = next(keys for keys in found["weights"].values() if keys.keys() == set(mesh.target_names))
            values = [keys[name] for name in mesh.target_names]
            np.testing.assert_allclose(values, weights[mesh.node][frame], atol=0.0045)


def test_a_mixamo_rig_turns_its_head_in_the_world(tmp_path: Path) -> None:
    motion = speaking()
    path = rigged_avatar(tmp_path, "mixamo")
    export(motion, tmp_path / "out.glb", avatar=path)
    image = {"image": str(tmp_path / "frame.png"), "shown": 39, "view": view_of(path), "size": 200}
    seen = in_blender(tmp_path / "out.glb", motion, tmp_path, **image)
    turn = head_turn(motion).numpy()
    for frame, found in zip(FRAMES, seen["frames"], strict=True):
        w, x, y, z = found["bones"]["mixamorig:Head"]
        # Blender's z is glTF's y.
        off = Rotation.from_quat([x, z, -y, w]) * Rotation.from_rotvec(turn[frame]).inv()
        assert np.degrees(off.magnitude()) < 0.2
    assert (tmp_path / "frame.png").stat().st_size > 5000
