"""Reports of fits show frames of the videos that the user named, and of no others."""

from __future__ import annotations

from pathlib import Path

import pytest

from facetalk.core.errors import FacetalkError
from facetalk.data.manifest import MANIFEST
from facetalk.head.model import HeadModel
from facetalk.io.motion import write_motion
from facetalk.pipelines.reports.fit_report import write_clip_report, write_report
from tests.pipelines.test_render import fitted, toy_motion, write_clip


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    video = write_clip(tmp_path / "videos" / "private.mp4", 10)
    (tmp_path / "data").mkdir()
    write_motion(tmp_path / "data" / "a.npz", fitted(toy_motion()).replace(source=str(video)))
    (tmp_path / "data" / MANIFEST).write_text(f"name,source\na,{video}\n")
    return tmp_path


def test_a_video_that_a_motion_names_is_not_opened(dataset: Path, toy_head: HeadModel) -> None:
    reports = [
        write_report(dataset / "data", head=toy_head),
        write_report(dataset / "data", head=toy_head, videos=[dataset / "other.mp4", dataset / "videos" / "priv"]),
        write_clip_report(dataset / "data" / "a.npz", head=toy_head),
    ]
    for report in reports:
        html = report.read_text()
        assert "original at" not in html and "render at" in html
        assert "was not named in the command, so only renders are shown" in html


def test_a_video_that_the_user_named_is_shown(dataset: Path, toy_head: HeadModel) -> None:
    for named in (dataset / "videos" / "private.mp4", dataset / "videos"):
        html = write_report(dataset / "data", head=toy_head, videos=[named]).read_text()
        assert "original at" in html and "only renders" not in html


def test_names_cannot_add_to_the_page(dataset: Path, toy_head: HeadModel) -> None:
    name = "<img src=x>'&\udce9"
    (dataset / "data" / "a.npz").rename(dataset / "data" / f"{name}.npz")
    with (dataset / "data" / MANIFEST).open("w", encoding="utf-8", errors="surrogateescape") as file:
        file.write('name,source,label\n"<img src=x>\'&b",x,<script>alert(1)</script>\n')
    (dataset / "data" / f"{name}.npz").rename(dataset / "data" / "<img src=x>'&b.npz")
    html = write_report(dataset / "data", head=toy_head).read_text()
    assert "<img src=x>" not in html and "<script>alert" not in html


def test_a_number_in_the_manifest_that_is_none_is_reported(dataset: Path, toy_head: HeadModel) -> None:
    (dataset / "data" / MANIFEST).write_text("name,source,start_s,end_s\na,x,1e999,2\n")
    with pytest.raises(FacetalkError, match="start_s of a is '1e999', not a finite number"):
        write_report(dataset / "data", head=toy_head)
