"""three.js in a headless browser plays an animated character as we meant it."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.spatial.transform import Rotation

from facetalk.motion.avatar import AvatarPlay, read_avatar
from facetalk.pipelines.export import export
from tests.avatars import SPELLINGS, renamed
from tests.chromium import chromium
from tests.engines.browser import played, three_folder
from tests.engines.characters import head_avatar, openfacefx_avatar, rigged_avatar, speaking, view_of

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("character", ["our head", "A07_Jaw_Open", "FaceCap", "MakeHuman", "MakeHuman on Mixamo"])
def test_weights_and_rotations_are_ours(character: str, tmp_path: Path) -> None:
    three_folder()
    chromium()
    path = {
        "our head": lambda: head_avatar(tmp_path),
        "A07_Jaw_Open": lambda: renamed(tmp_path / "named.glb", head_avatar(tmp_path), SPELLINGS["numbered"]),
        "FaceCap": openfacefx_avatar,
        "MakeHuman": lambda: rigged_avatar(tmp_path, "default"),
        "MakeHuman on Mixamo": lambda: rigged_avatar(tmp_path, "mixamo"),
    }[character]()
    motion = speaking()
    export(motion, tmp_path / "out.glb", avatar=path)
    frames = range(0, motion.num_frames, 7)
    seen = played(tmp_path / "out.glb", [frame / motion.fps for frame in frames], 1.3, view_of(path))
    play = AvatarPlay(read_avatar(path), motion)
    weights, turns = dict(play.weights()), dict(play.turns())
    assert len(play.avatar.report.channels) == 52 and weights and turns
    for frame, found in zip(frames, seen["frames"], strict=True):
        for node, rows in weights.items():
            np.testing.assert_allclose(found["weights"][str(node)], rows[frame], atol=0.0045)
        for node, rows in turns.items():
            off = Rotation.from_quat(found["rotations"][str(node)]) * Rotation.from_quat(rows[frame]).inv()
            assert np.degrees(off.magnitude()) < 0.1
    image = np.asarray(Image.open(io.BytesIO(base64.b64decode(seen["image"].partition(",")[2]))).convert("RGB"))
    assert image.std() > 10, "the picture is empty"
