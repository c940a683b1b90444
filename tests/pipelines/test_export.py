"""`export` of one motion and of many motion files."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from facetalk.core.errors import FacetalkError, UsageError
from facetalk.core.motion import Motion, still_motion
from facetalk.exporters.base import ExportOptions
from facetalk.head.channels import ARKIT_NAMES
from facetalk.head.looks import Look
from facetalk.head.model import HeadModel
from facetalk.io.motion import read_motion, write_motion
from facetalk.motion.heads import load_head
from facetalk.pipelines import export as pipeline
from facetalk.pipelines.export import export, export_all, export_formats
from tests.conftest import make_toy_head
from tests.exporters.motions import lively_motion


@pytest.fixture(autouse=True)
def toy_heads(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(name: str, look: Look | None = None) -> HeadModel:
        if name != "toy":
            raise UsageError(f"unknown head {name!r}")
        return HeadModel(make_toy_head())

    monkeypatch.setattr(pipeline, "load_head", load)


@pytest.fixture
def motion(toy_head: HeadModel) -> Motion:
    return lively_motion(toy_head.assets, num_frames=3)


def test_the_head_can_be_given_by_name(tmp_path: Path, motion: Motion) -> None:
    assert export(motion, tmp_path / "a.glb").stat().st_size > 1000
    with pytest.raises(UsageError, match="unknown head 'potato'"):
        export(motion, tmp_path / "b.glb", head="potato")
    with pytest.raises(UsageError, match="a look goes with a head's name"):
        export(motion, tmp_path / "b.glb", head=HeadModel(make_toy_head()), look=Look("deep"))


def test_the_format_can_be_given_where_the_name_does_not_say_it(tmp_path: Path, motion: Motion) -> None:
    export(motion, tmp_path / "meshes", format="ply")
    assert len(list((tmp_path / "meshes").glob("*.ply"))) == 3


def test_a_format_and_a_suffix_that_disagree_are_refused(tmp_path: Path, motion: Motion) -> None:
    with pytest.raises(UsageError, match=r"b\.mp4 has the suffix of mp4, and the format is glb"):
        export(motion, tmp_path / "b.mp4", format="glb")
    export(motion, tmp_path / "b.glb", format="glb")


@pytest.mark.parametrize("format", ["glb", "usd", "csv", "npz"])
def test_a_motion_beyond_any_face_is_not_written(tmp_path: Path, motion: Motion, format: str) -> None:
    path = tmp_path / f"a.{format}"
    for changed, reason in (
        (motion.replace(expression=motion.expression * torch.nan), "not finite in expression"),
        (motion.replace(transl=motion.transl + 1e9), "transl of the motion reaches"),
        (motion.replace(betas=torch.zeros(300)), "300 betas; the head 'toy' has 3"),
        (motion.replace(fps=1e-9), "fps of the motion is 1e-09"),
        (motion.cut(0, 0), "no frames"),
    ):
        if format in ("csv", "npz") and "betas" in reason:
            continue
        with pytest.raises(FacetalkError, match=reason):
            export(changed, path, format=format)
        assert list(tmp_path.iterdir()) == []


def test_a_motion_of_another_head_is_retargeted_but_its_curves_are_kept(tmp_path: Path) -> None:
    expression = torch.rand(3, 52, generator=torch.Generator().manual_seed(0))
    motion = still_motion("facetalk", expression, ARKIT_NAMES, 30, load_head().num_betas)
    toy = HeadModel(make_toy_head())
    export_formats(motion, {"npz": tmp_path / "a.npz", "csv": tmp_path / "a.csv"}, head=toy)
    assert read_motion(tmp_path / "a.npz").head == "toy"
    export(motion, tmp_path / "b.csv", head=load_head())
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()


def test_several_formats_at_once_are_those_written_alone(tmp_path: Path, motion: Motion, toy_head: HeadModel) -> None:
    targets = {"mp4": tmp_path / "a.mp4", "glb": tmp_path / "a.glb", "csv": tmp_path / "a.csv"}
    ticks: list[tuple[str, int, int]] = []
    options = ExportOptions(size=48)
    export_formats(motion, targets, head=toy_head, options=options, progress=lambda *tick: ticks.append(tick))
    assert ticks == [("rendering", number, 3) for number in (1, 2, 3)]
    for name in ("glb", "csv"):
        alone = export(motion, tmp_path / f"b.{name}", head=toy_head)
        assert alone.read_bytes() == targets[name].read_bytes()


def test_a_missing_folder_is_made_but_not_for_an_export_that_fails(tmp_path: Path, motion: Motion) -> None:
    with pytest.raises(FacetalkError, match="no person at"):
        export(motion, tmp_path / "a/b/person.mp4", photo=tmp_path / "nobody")
    assert not list(tmp_path.iterdir())
    assert export(motion, tmp_path / "a/b/take.csv").is_file()


def test_many_files_go_to_a_folder_and_bad_ones_do_not_stop_them(tmp_path: Path, motion: Motion) -> None:
    paths = [tmp_path / f"{name}.npz" for name in ("a", "b")]
    for path in paths:
        write_motion(path, motion)
    bad = tmp_path / "bad.npz"
    bad.write_text("text")
    batch = export_all([paths[0], bad, paths[1]], tmp_path / "out", formats=("glb", "usda"))
    assert set(batch.done) == set(paths) and set(batch.failed) == {bad}
    files = sorted(path.name for path in (tmp_path / "out").glob("[!.]*"))
    assert files == ["a.glb", "a.usda", "a.usda_textures", "b.glb", "b.usda", "b.usda_textures"]
    again = export_all(paths, tmp_path / "out", formats=("glb",))
    assert set(again.failed) == set(paths) and "exists already" in str(again.failed[paths[0]])


def test_a_motion_file_is_never_replaced_by_its_export(tmp_path: Path, motion: Motion) -> None:
    path = tmp_path / "a.npz"
    write_motion(path, motion)
    before = path.read_bytes()
    batch = export_all([path], tmp_path, formats=("npz",), overwrite=True)
    assert "replaced by its own export" in str(batch.failed[path])
    assert path.read_bytes() == before


def test_motions_of_the_same_name_get_those_of_their_folders(tmp_path: Path, motion: Motion) -> None:
    paths = [tmp_path / folder / "a.npz" for folder in ("ann", "ben")]
    for path in paths:
        path.parent.mkdir()
        write_motion(path, motion)
    batch = export_all([*paths, tmp_path / "ann/../ben/a.npz"], tmp_path / "out", formats=("csv",))
    assert [files["csv"].name for files in batch.done.values()] == ["ann__a.csv", "ben__a.csv"]


def test_unclear_requests_are_refused(tmp_path: Path, motion: Motion) -> None:
    path, twin = tmp_path / "a.npz", tmp_path / "sub" / "a.npz"
    for each in (path, twin):
        each.parent.mkdir(exist_ok=True)
        write_motion(each, motion)
    with pytest.raises(UsageError, match="give one motion file and -o OUT"):
        export_all([path, twin], tmp_path / "out.glb")
    with pytest.raises(UsageError, match="give one motion file and -o OUT"):
        export_all([path])
    with pytest.raises(UsageError, match="glb files take no size"):
        export_all([path], tmp_path / "a.glb", options=ExportOptions(size=64))
    with pytest.raises(FacetalkError, match="no motion file"):
        raise next(iter(export_all([tmp_path / "none.npz"], tmp_path / "a.glb").failed.values()))
