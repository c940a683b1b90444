"""Animations in glTF are sampled by the standard's formulas, whatever program wrote them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.interpolate import CubicHermiteSpline
from scipy.spatial.transform import Rotation, Slerp

from facetalk.core.errors import FacetalkError
from facetalk.exporters.glb_file import GlbFile
from facetalk.importers.gltf_curves import Curve
from facetalk.importers.registry import import_motion
from facetalk.motion.visemes import viseme_expression
from facetalk.pipelines.export import export
from tests.avatars import little_avatar, read_document, write_document
from tests.importers.test_registry import talking


def animated(
    path: Path,
    names: list[str],
    times: list[float],
    values: np.ndarray,
    interpolation: str = "LINEAR",
    bones: tuple[Any, ...] = (),
) -> Path:
    """A little character with one animation of its shapes."""
    document, binary = read_document(little_avatar(path, names, bones))
    file = GlbFile([binary], document["bufferViews"], document["accessors"])
    keys, flat = np.array(times, np.float32), np.array(values, np.float32).ravel()
    sampler = {"input": file.accessor(keys), "output": file.accessor(flat), "interpolation": interpolation}
    face = len(document["nodes"]) - 1
    channel = {"sampler": 0, "target": {"node": face, "path": "weights"}}
    document["animations"] = [{"samplers": [sampler], "channels": [channel]}]
    file.save(path, document)
    return path


def test_linear_and_stepped_curves(tmp_path: Path) -> None:
    values = np.array([[0.0, 1.0], [0.6, 0.4], [0.2, 0.0]])
    path = animated(tmp_path / "a.glb", ["jawOpen", "tongueOut"], [0, 0.1, 0.3], values)
    motion = import_motion(path, fps=20)
    assert motion.fps == 20 and motion.num_frames == 7
    expected = torch.tensor([0, 0.3, 0.6, 0.5, 0.4, 0.3, 0.2])
    torch.testing.assert_close(motion.channel("jawOpen"), expected, atol=1e-6, rtol=0)
    path = animated(tmp_path / "b.glb", ["jawOpen", "tongueOut"], [0, 0.1, 0.3], values, "STEP")
    torch.testing.assert_close(
        import_motion(path, fps=20).channel("jawOpen"), torch.tensor([0, 0, 0.6, 0.6, 0.6, 0.6, 0.2]), atol=1e-6, rtol=0
    )


def test_cubic_curves_are_hermite_splines(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    times, values = [0.0, 0.2, 0.5, 0.6], rng.random((4, 3, 1))
    path = animated(tmp_path / "a.glb", ["jawOpen"], times, values, "CUBICSPLINE")
    motion = import_motion(path, fps=50)
    expected = np.empty(31)
    for frame, time in enumerate(np.arange(31) / 50):
        piece = min(int(np.searchsorted(times, time + 1e-7, side="right")) - 1, 2)
        ends = [piece, piece + 1]
        slopes = [values[piece, 2, 0], values[piece + 1, 0, 0]]
        expected[frame] = CubicHermiteSpline([times[end] for end in ends], values[ends, 1, 0], slopes)(time)
    np.testing.assert_allclose(motion.channel("jawOpen").numpy(), expected, atol=1e-5)


def test_rotations_take_the_shortest_arc() -> None:
    first, second = Rotation.from_rotvec([0.2, 0, 0]), Rotation.from_rotvec([0.1, 2.0, 0.4])
    keys = np.stack([first.as_quat(), -second.as_quat()])[:, None]
    curve = Curve(np.array([0.0, 1.0]), keys, "LINEAR", True)
    times = np.linspace(0, 1, 9)
    found = Rotation.from_quat(curve.at(times))
    expected = Slerp([0, 1], Rotation.concatenate([first, second]))(times)
    assert ((found * expected.inv()).magnitude() < 1e-6).all()


def test_visemes_become_channels_that_look_like_them(tmp_path: Path) -> None:
    names = ["viseme_PP", "viseme_FF", "viseme_aa", "viseme_O", "viseme_E"]
    path = animated(tmp_path / "a.glb", names, [0, 1], np.eye(5)[[2, 3]])
    motion = import_motion(path)
    expected = viseme_expression(torch.eye(2), ("aa", "oh"))
    torch.testing.assert_close(motion.expression[[0, -1]], expected, atol=1e-6, rtol=0)


def test_a_vrm_animation_comes_back(tmp_path: Path) -> None:
    motion = talking()
    export(motion, tmp_path / "a.vrma")
    found = import_motion(tmp_path / "a.vrma")
    torch.testing.assert_close(found.expression, motion.expression, atol=0.0045, rtol=0)
    torch.testing.assert_close(found.neck_pose, motion.neck_pose, atol=2e-3, rtol=0)
    gaze = (motion.leye_pose + motion.reye_pose) / 2
    torch.testing.assert_close(found.leye_pose, gaze, atol=2e-3, rtol=0)


def test_a_whole_head_comes_back_with_its_place(tmp_path: Path) -> None:
    motion = talking()
    motion = motion.replace(global_orient=motion.neck_pose / 2, transl=motion.neck_pose / 10)
    export(motion, tmp_path / "a.glb")
    found = import_motion(tmp_path / "a.glb")
    for name, most in (("expression", 0.0045), ("global_orient", 1e-3), ("neck_pose", 1e-3), ("transl", 1e-4)):
        torch.testing.assert_close(getattr(found, name), getattr(motion, name), atol=most, rtol=0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.pop("animations"), "it has no animations"),
        (lambda d: d["meshes"][0]["extras"].update(targetNames=["smirk", "wink"]), "none of its 1 animations"),
        (lambda d: d["animations"][0]["samplers"][0].update(interpolation="MAGIC"), "unknown interpolation"),
        (lambda d: d["animations"][0]["samplers"][0].update(input=0), "1"),
        (lambda d: d["animations"][0]["channels"][0].update(sampler=5), "names number 5"),
        (lambda d: d["animations"][0]["channels"][0]["target"].update(node=99), "names number 99"),
        (lambda d: d["accessors"][d["animations"][0]["samplers"][0]["output"]].update(count=3), "3 values for 2 times"),
    ],
)
def test_broken_animations_are_refused(change: Any, message: str, tmp_path: Path) -> None:
    path = animated(tmp_path / "a.glb", ["jawOpen", "tongueOut"], [0, 1], np.zeros((2, 2)))
    document, binary = read_document(path)
    change(document)
    with pytest.raises(FacetalkError, match=message):
        import_motion(write_document(path, document, binary))


@pytest.mark.parametrize(
    ("times", "message"), [([1.0, 0.0], "do not increase"), ([0.0, 1e7], "at most 500000"), ([-1.0, 0.0], "do not")]
)
def test_times_that_make_no_clip_are_refused(times: list[float], message: str, tmp_path: Path) -> None:
    path = animated(tmp_path / "a.glb", ["jawOpen"], times, np.zeros((2, 1)))
    with pytest.raises(FacetalkError, match=message):
        import_motion(path)
