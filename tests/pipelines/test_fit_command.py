"""Which of its pipelines `facetalk fit` runs, and what it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from facetalk.core.errors import UsageError
from facetalk.core.motion import still_motion
from facetalk.pipelines import fit_command
from facetalk.pipelines.curate import CurationSummary
from facetalk.pipelines.fit import FitSummary
from facetalk.pipelines.fit_command import ClipFit, FitRequest, run_fit

VIDEO = Path("a.mp4")


def test_one_video_becomes_a_motion_file_named_after_it() -> None:
    assert FitRequest([VIDEO]).motion_path == Path("a.npz")
    assert FitRequest([VIDEO], Path("out")).motion_path == Path("out/a.npz")
    assert FitRequest([VIDEO], Path("b.npz")).motion_path == Path("b.npz")


def test_a_folder_many_videos_and_curation_become_a_dataset(tmp_path: Path) -> None:
    assert FitRequest([VIDEO]).is_single
    for request in (FitRequest([tmp_path]), FitRequest([VIDEO, VIDEO]), FitRequest([VIDEO], curate=True)):
        assert not request.is_single and request.out_dir == Path("fits")


@pytest.mark.parametrize(
    "options, message",
    [
        ({"rules": ("length.min_s=1",)}, "give --curate too"),
        ({"curate": True, "method": "spectre"}, "omit --method and --refine"),
        ({"curate": True, "face": 1}, "use --report instead of --preview and --face"),
        ({"curate": True, "out": Path("a.npz")}, "--curate makes a dataset: give a folder"),
        ({"videos": [VIDEO, VIDEO], "out": Path("a.npz")}, "there are 2 inputs: give a folder"),
        ({"videos": [VIDEO, VIDEO], "face": 1}, "give one video"),
    ],
)
def test_requests_that_contradict_themselves_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        FitRequest(**{"videos": [VIDEO], **options})


def test_each_request_runs_its_pipeline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    motion = still_motion("toy", torch.zeros(3, 1), ("jawOpen",), 30.0, 2)
    monkeypatch.setattr(fit_command, "fit_to_file", lambda *_, **__: motion)
    monkeypatch.setattr(fit_command, "fit_videos", lambda *_, **__: FitSummary())
    monkeypatch.setattr(fit_command, "curate_videos", lambda *_, **__: CurationSummary())
    monkeypatch.setattr(fit_command, "write_report", lambda out_dir, **_: out_dir / "report.html")
    single = run_fit(FitRequest([VIDEO], tmp_path)).result
    assert isinstance(single, ClipFit) and single.document()["frames"] == 3
    assert isinstance(run_fit(FitRequest([tmp_path], tmp_path)).result, FitSummary)
    curated = run_fit(FitRequest([VIDEO], tmp_path, curate=True, report=True))
    assert isinstance(curated.result, CurationSummary) and curated.report == tmp_path / "report.html"


def test_an_existing_motion_file_is_skipped_on_request(tmp_path: Path) -> None:
    (tmp_path / "a.npz").touch()
    result = run_fit(FitRequest([VIDEO], tmp_path, skip_existing=True)).result
    assert isinstance(result, ClipFit)
    assert result.document() == {"motion": tmp_path / "a.npz", "skipped": True}


def test_the_person_is_named_only_where_there_are_several() -> None:
    motion = still_motion("toy", torch.zeros(3, 1), ("jawOpen",), 30.0, 0)
    person = {"number": 1, "of": 2, "center": [0.25, 0.4], "time_share": 0.5}
    clip = ClipFit(Path("a.npz"), motion.replace(meta={"person": person}))
    assert clip.chosen_among() == (
        "fitted person 1 of 2, counted from the left (25% from the left edge, in 50% of the frames); "
        "--face chooses another"
    )
    assert clip.document()["person"] == person
    assert ClipFit(Path("a.npz"), motion.replace(meta={"person": {**person, "of": 1}})).chosen_among() is None
    assert ClipFit(Path("a.npz"), motion).chosen_among() is None
    assert ClipFit(Path("a.npz"), None).chosen_among() is None
