"""Every exporter of the table keeps the contract: found by suffix, complete or absent, readable by others."""

from __future__ import annotations

import csv
import errno
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import trimesh

from facetalk.core.errors import FacetalkError, UsageError
from facetalk.core.motion import Motion
from facetalk.exporters.base import Exporter, ExportOptions
from facetalk.exporters.head_mesh import refuse_other_files
from facetalk.exporters.registry import FORMATS, format_named, format_of, formats_named, load_exporter
from facetalk.head.model import HeadModel
from facetalk.io.motion import read_motion
from facetalk.io.video import VideoReader
from facetalk.pipelines.export import export
from tests.exporters.glb_reader import read_glb
from tests.exporters.motions import eventful, lively_motion
from tests.exporters.page_reader import read_page

NUM_FRAMES = 5


@pytest.fixture
def motion(toy_head: HeadModel) -> Motion:
    return eventful(lively_motion(toy_head.assets, num_frames=NUM_FRAMES))


@pytest.fixture(params=FORMATS)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def head(name: str, toy_head: HeadModel) -> HeadModel:
    """The toy head, which passes for FLAME where that is needed."""
    return HeadModel(replace(toy_head.assets, meta={"model": "FLAME"})) if name == "flame" else toy_head


def out_path(folder: Path, name: str) -> Path:
    return folder / f"clip{FORMATS[name].suffix}"


def options_of(name: str) -> dict[str, Any]:
    return {"size": 48} if "size" in FORMATS[name].options else {}


def frames_in_usd(path: Path) -> int:
    pxr = pytest.importorskip("pxr.Usd", reason="usd-core is not installed")
    return int(pxr.Stage.Open(str(path)).GetEndTimeCode()) + 1


def frames_in_glb(path: Path) -> int:
    scene: Any = trimesh.load(path)
    assert scene.geometry
    import pygltflib

    file: Any = pygltflib.GLTF2().load(str(path))
    last_s = max(file.accessors[sampler.input].max[0] for sampler in file.animations[0].samplers)
    return round(last_s * file.scenes[0].extras["fps"]) + 1


def frames_in_meshes(path: Path) -> int:
    meshes = [trimesh.load(file, process=False) for file in sorted(path.glob("frame_*.*"))]
    assert all(len(mesh.faces) for mesh in meshes)  # type: ignore[attr-defined]
    return len(meshes)


def frames_in_csv(path: Path) -> int:
    with path.open(newline="") as file:
        return len(list(csv.DictReader(file)))


def frames_in_video(path: Path) -> int:
    with VideoReader(path) as video:
        assert video.size == (48, 48)
        return len(list(video))


def frames_in_json(key: str) -> Callable[[Path], int]:
    return lambda path: len(json.loads(path.read_text())[key])


def frames_in_array(key: str) -> Callable[[Path], int]:
    def count(path: Path) -> int:
        with np.load(path) as file:
            return len(file[key])

    return count


def frames_in_bvh(path: Path) -> int:
    motion = path.read_text().split("MOTION\n")[1].splitlines()
    assert int(motion[0].removeprefix("Frames: ")) == len(motion) - 2
    return len(motion) - 2


def frames_until(pattern: str) -> Callable[[Path], int]:
    """The last time in a text, as frames of the motion."""
    return lambda path: round(float(re.findall(pattern, path.read_text().replace(",", "."))[-1]) * 30)


COUNT_FRAMES: dict[str, Callable[[Path], int]] = {
    "mp4": frames_in_video,
    "npz": lambda path: read_motion(path).num_frames,
    "glb": frames_in_glb,
    "csv": frames_in_csv,
    "obj": frames_in_meshes,
    "ply": frames_in_meshes,
    "usd": frames_in_usd,
    "usdz": frames_in_usd,
    "html": lambda path: read_page(path)["clips"][0]["frames"],
    "bvh": frames_in_bvh,
    "vrma": lambda path: int(read_glb(path)["scenes"][0]["extras"]["frames"]),
    "a2f": frames_in_json("weightMat"),
    "visemes": frames_in_csv,
    "visemes-json": frames_in_json("weights"),
    "rhubarb-tsv": frames_until(r"(?m)^[\d.]+"),
    "rhubarb-json": frames_until(r'"end": (\d+\.\d+)'),
    "rhubarb-xml": frames_until(r'end="([\d.]+)"'),
    "textgrid": frames_until(r"xmax = ([\d.]+)"),
    "srt": frames_until(r"--> 00:00:([\d.]+)"),
    "vtt": frames_until(r"--> 00:00:([\d.]+)"),
    "events": frames_until(r"phrase.[\d.]+.(\d+\.\d+)"),
    "flame": frames_in_array("jaw_pose"),
    "vertices": frames_in_array("vertices"),
}
BESIDE = {"usd": {"clip.usda_textures"}}
"""What a format writes beside its file."""


def test_the_file_holds_every_frame_and_nothing_else_is_left(
    tmp_path: Path, head: HeadModel, motion: Motion, name: str
) -> None:
    path = out_path(tmp_path, name)
    assert isinstance(load_exporter(name), Exporter)
    assert export(motion, path, head=head, **options_of(name)) == path
    assert {item.name for item in tmp_path.iterdir()} == {path.name} | BESIDE.get(name, set())
    assert COUNT_FRAMES[name](path) == NUM_FRAMES


def test_existing_files_are_kept_unless_overwritten(tmp_path: Path, head: HeadModel, motion: Motion, name: str) -> None:
    path, mine = out_path(tmp_path, name), f"frame_99999.{name}"
    if FORMATS[name].is_sequence:
        path.mkdir()
        (path / mine).write_text("mine")
    else:
        path.write_text("mine")
    with pytest.raises(FacetalkError, match="exists already"):
        export(motion, path, head=head, **options_of(name))
    assert (path / mine if path.is_dir() else path).read_text() == "mine"
    export(motion, path, head=head, overwrite=True, **options_of(name))
    assert COUNT_FRAMES[name](path) == NUM_FRAMES
    assert not (path / mine).exists()


def test_a_failure_leaves_nothing_behind(
    tmp_path: Path, head: HeadModel, motion: Motion, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "no space left")

    written = tmp_path / "done"
    written.mkdir()
    # The rename at the end is the last step of every exporter: by then everything is on disk under another name.
    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="no space left"):
        export(motion, out_path(written, name), head=head, **options_of(name))
    assert not list(written.iterdir())


def test_the_frame_rate_can_be_chosen(tmp_path: Path, head: HeadModel, motion: Motion, name: str) -> None:
    if "fps" not in FORMATS[name].options:
        pytest.skip("has no frames")
    path = export(motion, out_path(tmp_path, name), head=head, fps=motion.fps * 2, **options_of(name))
    assert COUNT_FRAMES[name](path) == 2 * NUM_FRAMES


def test_options_without_effect_are_refused_by_name(tmp_path: Path, head: HeadModel, motion: Motion, name: str) -> None:
    values: dict[str, Any] = {
        "size": 64,
        "audio": torch.zeros(1600),
        "backend": "pyrender",
        "camera": "tracked",
        "cues": "word",
    }
    values |= {"fps": 24.0, "expressions": "preset"}
    for option, value in values.items():
        if option not in FORMATS[name].options:
            with pytest.raises(UsageError, match=f"{name} files take no {option}"):
                export(motion, out_path(tmp_path, name), head=head, **{option: value})
    assert not list(tmp_path.iterdir())


def test_the_suffix_names_the_format(name: str) -> None:
    assert format_of(Path("a.b") / f"clip{FORMATS[name].suffix}") == name
    assert format_named(name.upper()) == name


def test_the_longest_suffix_counts() -> None:
    assert (format_of("a.visemes.csv"), format_of("a.csv"), format_of("visemes.csv")) == ("visemes", "csv", "csv")
    assert (format_of("A.TEXTGRID"), format_of("a.vertices.npz"), format_of("a.npz")) == ("textgrid", "vertices", "npz")
    endings = [ending.lower() for entry in FORMATS.values() for ending in entry.endings]
    assert len(set(endings)) == len(endings)
    with pytest.raises(UsageError, match=r"no format has the suffix '\.json'"):
        format_of("a.json")


def test_aliases_and_lists_of_formats() -> None:
    assert (format_named("usda"), format_of("clip.usd"), format_of("CLIP.USDA")) == ("usd", "usd", "usd")
    assert formats_named(["npz", " usda", "usd", "mp4"]) == ["npz", "usd", "mp4"]
    with pytest.raises(UsageError, match="no format given; known formats: mp4, npz"):
        formats_named([])
    with pytest.raises(UsageError, match="unknown format 'fbx'; known formats: mp4, npz"):
        formats_named(["npz", "fbx"])


def test_an_unknown_suffix_is_answered_with_the_known_ones() -> None:
    with pytest.raises(
        UsageError, match=r"'\.fbx'; known suffixes: \.mp4, \.npz, \.glb, \.csv, _obj, _ply, \.usda, \.usdz"
    ):
        format_of("clip.fbx")
    with pytest.raises(UsageError, match=r"name a folder, such as clip_obj, not clip\.obj"):
        format_of("clip.obj")


def test_options_know_what_was_given() -> None:
    options = ExportOptions(fps=30, audio=torch.zeros(3), camera="tracked")
    assert options.given() == ["fps", "audio", "camera"]
    assert options.only(frozenset({"fps", "size"})).given() == ["fps"]
    with pytest.raises(UsageError, match="fps is 0"):
        ExportOptions(fps=0.0)


@pytest.mark.parametrize("name", ["obj", "ply"])
def test_a_folder_with_other_files_is_never_replaced(name: str, tmp_path: Path) -> None:
    folder = tmp_path / f"thesis_{name}"
    folder.mkdir()
    (folder / "thesis.txt").write_text("ten years of work")
    with pytest.raises(FacetalkError, match=r"thesis\.txt"):
        refuse_other_files(folder, (f".{name}",))
    assert (folder / "thesis.txt").is_file()


@pytest.mark.parametrize("options", [{"size": 0}, {"size": -2}, {"size": 10**5}, {"fps": float("inf")}, {"fps": 1e-9}])
def test_sizes_and_rates_that_make_no_sense_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="it must be"):
        ExportOptions(**options)
