"""Which of its pipelines `facetalk fit` runs, and what it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from facetalk.core.errors import UsageError
from facetalk.core.motion import Motion, still_motion
from facetalk.io.motion import write_motion
from facetalk.pipelines import fit_command
from facetalk.pipelines.batch import Outcome
from facetalk.pipelines.curate import CurationSummary
from facetalk.pipelines.fit import FitOptions, FitSummary, made_with
from facetalk.pipelines.fit_command import FitRequest, chosen_among, run_fit

VIDEO = Path("a.mp4")


def test_one_video_becomes_a_motion_file_named_after_it() -> None:
    assert FitRequest([VIDEO]).motion_path == Path("a.npz")
    assert FitRequest([VIDEO], Path("b.npz")).motion_path == Path("b.npz")


def test_a_folder_many_videos_and_curation_become_a_dataset(tmp_path: Path) -> None:
    assert FitRequest([VIDEO]).is_single
    assert not FitRequest([VIDEO], Path("out")).is_single, "one video and several make the same folder"
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
        ({"out": Path("a.txt")}, "a.txt is the name of a file; -o takes a folder, or for one video a .npz file"),
        ({"curate": True, "out": Path("a.MP4")}, "-o takes a folder"),
        ({"videos": [Path(__file__).parent], "out": Path("a.npz")}, "pipelines is a folder: give a folder as -o"),
        ({"out": Path(__file__)}, "is a file; -o takes a folder"),
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
    single = run_fit(FitRequest([VIDEO], tmp_path / "a.npz")).result
    assert isinstance(single, Outcome) and single.details["frames"] == 3
    assert isinstance(run_fit(FitRequest([tmp_path], tmp_path)).result, FitSummary)
    curated = run_fit(FitRequest([VIDEO], tmp_path, curate=True, report=True))
    assert isinstance(curated.result, CurationSummary) and curated.report == tmp_path / "report.html"


def test_an_existing_motion_file_is_skipped_unless_other_options_made_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    video, path = tmp_path / "a.mp4", tmp_path / "a.npz"
    video.write_bytes(b"frames")
    motion = still_motion("toy", torch.zeros(3, 1), ("jawOpen",), 30.0, 2)

    def fit_to_file(video: Path, path: Path, options: FitOptions, **_: object) -> Motion:
        write_motion(path, motion.replace(meta=made_with(video, options)))
        return motion

    monkeypatch.setattr(fit_command, "fit_to_file", fit_to_file)

    def state(**options: Any) -> tuple[str, str]:
        outcome = run_fit(FitRequest([video], path, skip_existing=True, **options)).result
        assert isinstance(outcome, Outcome)
        return outcome.state, outcome.redone

    assert state() == ("done", "")
    assert state() == ("skipped", "")
    assert state(method="spectre") == ("done", "method was landmarks, now spectre")
    assert state(method="spectre") == ("skipped", "")
    video.write_bytes(b"other frames")
    assert state(method="spectre") == ("done", "the file of video has changed")
    with pytest.raises(UsageError, match="exclude each other"):
        state(overwrite=True)
    refused = run_fit(FitRequest([video], path)).result
    assert isinstance(refused, Outcome) and "exists already" in str(refused.error)


def test_the_person_is_named_only_where_there_are_several() -> None:
    person = {"number": 1, "of": 2, "center": [0.25, 0.4], "time_share": 0.5}

    def told(details: dict[str, object]) -> str | None:
        return chosen_among(Outcome(VIDEO, "done", details=details))

    assert told({"person": person}) == (
        "fitted person 1 of 2, counted from the left (25% from the left edge, in 50% of the frames); "
        "--face chooses another"
    )
    assert told({"person": {**person, "of": 1}}) is None
    assert told({"person": None}) is None
    assert told({}) is None
