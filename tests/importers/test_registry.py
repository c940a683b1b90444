"""Every file that can be read as a motion goes through one function, and comes back as what was written."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from facetalk.core.errors import FacetalkError, UsageError
from facetalk.core.motion import Motion, still_motion
from facetalk.head.channels import ARKIT_NAMES, indices
from facetalk.head.gaze import channels_to_gaze
from facetalk.importers.base import Importer
from facetalk.importers.emotalk import ORDER
from facetalk.importers.registry import SOURCES, SUFFIXES, import_motion, kind_of, load_importer
from facetalk.pipelines.export import export
from tests.avatars import little_avatar


def talking(num_frames: int = 40, fps: float = 30.0) -> Motion:
    """A smooth performance whose eyes follow its channels."""
    generator = torch.Generator().manual_seed(4)
    corners = torch.rand(6, 52, generator=generator)
    turns = 0.2 * torch.randn(6, 3, generator=generator)
    rows = torch.linspace(0, 4.999, num_frames)
    left, share = rows.long(), (rows % 1)[:, None]
    expression = torch.lerp(corners[left], corners[left + 1], share)
    motion = still_motion("facetalk", expression, ARKIT_NAMES, fps, 33)
    leye_pose, reye_pose = channels_to_gaze(expression)
    neck_pose = torch.lerp(turns[left], turns[left + 1], share)
    return motion.replace(neck_pose=neck_pose, leye_pose=leye_pose, reye_pose=reye_pose)


def write_export(path: Path, motion: Motion) -> None:
    export(motion, path)


def write_emotalk(path: Path, motion: Motion) -> None:
    np.save(path, motion.expression[:, indices(ORDER)].numpy())


def write_audio2face(path: Path, motion: Motion) -> None:
    names = [name[0].upper() + name[1:] for name in ARKIT_NAMES]
    document = {"exportFps": motion.fps, "facsNames": names, "weightMat": motion.expression.tolist()}
    path.write_text(json.dumps(document))


def write_avatar(path: Path, motion: Motion) -> None:
    export(motion, path.with_suffix(".glb"), avatar=little_avatar(path.with_suffix(".in.glb")))
    path.with_suffix(".glb").rename(path)


WAYS: dict[str, tuple[str, Callable[[Path, Motion], object], float, float]] = {
    "facetalk": ("a.npz", write_export, 1e-6, 1e-6),
    "live-link-face": ("a.csv", write_export, 2e-6, 2e-6),
    "audio2face": ("a.json", write_audio2face, 1e-6, 9.0),
    "emotalk": ("a.npy", write_emotalk, 1e-6, 9.0),
    "gltf": ("a.vrm", write_avatar, 0.004, 2e-3),
}
"""A file of each kind, who writes it, and the largest errors of channels and of the head's rotation."""


@pytest.mark.parametrize("kind", WAYS)
def test_what_was_written_is_read(kind: str, tmp_path: Path) -> None:
    name, write, most, most_turn = WAYS[kind]
    motion = talking()
    write(tmp_path / name, motion)
    assert kind_of(tmp_path / name) == kind
    found = import_motion(tmp_path / name)
    assert (found.num_frames, found.fps, found.expression_names) == (40, 30.0, ARKIT_NAMES)
    torch.testing.assert_close(found.expression, motion.expression, atol=most, rtol=0)
    torch.testing.assert_close(found.neck_pose, motion.neck_pose, atol=most_turn, rtol=0)
    if kind != "gltf":
        torch.testing.assert_close(found.leye_pose, motion.leye_pose, atol=1e-5, rtol=0)
    assert found.source == name or kind == "facetalk"


@pytest.mark.parametrize("kind", SOURCES)
def test_every_member_is_an_importer(kind: str) -> None:
    assert isinstance(load_importer(kind), Importer)


def test_an_unknown_member_is_refused() -> None:
    with pytest.raises(UsageError, match="unknown kind"):
        load_importer("fbx")


@pytest.mark.parametrize("suffix", [*SUFFIXES, ".xyz", ""])
@pytest.mark.parametrize("content", [b"", b"\x00\xff" * 50, b"[[[[", b"PK\x05\x06" + bytes(18), b"a,b\n1,2\n"])
def test_nonsense_is_refused_in_one_line(suffix: str, content: bytes, tmp_path: Path) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(content)
    with pytest.raises(FacetalkError) as caught:
        import_motion(path)
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)
    with pytest.raises(FacetalkError):
        import_motion(tmp_path / f"absent{suffix}")


@pytest.mark.parametrize(
    "array", [np.zeros((0, 52)), np.zeros((4, 51)), np.zeros(52), np.full((2, 52), np.inf), np.zeros((2, 52), bool)]
)
def test_other_arrays_are_no_channels(array: np.ndarray, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(FacetalkError, match=r"a\.npy"):
        import_motion(tmp_path / "a.npy")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weightMat": None}, "shape"),
        ({"weightMat": [[1.0], [2.0, 3.0]]}, "not rows of"),
        ({"weightMat": [["a"] * 52]}, "not rows of"),
        ({"weightMat": []}, "shape"),
        ({"facsNames": ["jawOpen"]}, "has 1 names"),
        ({"facsNames": 3}, "list of names"),
        ({"facsNames": ["x"] * 52}, "no channel of ARKit"),
        ({"exportFps": 0}, "frame rate"),
        ({"exportFps": "30"}, "frame rate"),
        ({"weightMat": [[1e300] * 52]}, "not finite"),
    ],
)
def test_broken_weights_of_audio2face_are_refused(change: dict[str, object], message: str, tmp_path: Path) -> None:
    document = {"exportFps": 30, "facsNames": list(ARKIT_NAMES), "weightMat": [[0.5] * 52], **change}
    (tmp_path / "a.json").write_text(json.dumps(document))
    with pytest.raises(FacetalkError, match=message):
        import_motion(tmp_path / "a.json")


def test_a_rate_is_taken_where_the_file_has_none(tmp_path: Path) -> None:
    write_emotalk(tmp_path / "a.npy", talking())
    assert import_motion(tmp_path / "a.npy", fps=60).fps == 60
    with pytest.raises(UsageError, match="fps"):
        import_motion(tmp_path / "a.npy", fps=-1)
