"""The pipeline of `facetalk fit`: one motion file, a dataset, or a curated dataset, each with an optional report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from facetalk.core.engines import LOCAL
from facetalk.core.errors import UsageError
from facetalk.core.progress import Progress, no_progress
from facetalk.data.curation.settings import read_rules
from facetalk.data.sources import output_name
from facetalk.pipelines.batch import Outcome, Report, check_batch_flags, check_output_folder, no_report, run_batch
from facetalk.pipelines.curate import CurationSummary, curate_videos
from facetalk.pipelines.fit import FitOptions, FitSummary, figures, fit_to_file, fit_videos, made_with
from facetalk.pipelines.records import wanted_targets
from facetalk.pipelines.reports.fit_report import write_clip_report, write_report
from facetalk.vision.face_tracks import Person

DATASET = Path("fits")
"""Default output folder."""


@dataclass(frozen=True)
class FitRequest:
    """Inputs and options of `facetalk fit`."""

    videos: Sequence[Path]
    out: Path | None = None
    """A `.npz` file for one video, or the folder of a dataset of one or more."""
    head: str = "facetalk"
    method: str = "landmarks"
    refine: bool = False
    face: int | None = None
    preview: bool = False
    report: bool = False
    about: Path | None = None
    jobs: int | None = None
    engine: str = LOCAL
    curate: bool = False
    rules: Sequence[str] = ()
    """Changes of the rules of curation, such as `length.min_s=2`."""
    fix_sync: bool = False
    """Whether curation shifts audio that is early or late against the mouth."""
    laughs: Path | None = None
    overwrite: bool = False
    skip_existing: bool = False

    @property
    def is_single(self) -> bool:
        """Whether it makes a single motion file, not a dataset."""
        is_file = self.out is None or self.out.suffix == ".npz"
        return is_file and len(self.videos) == 1 and not self.videos[0].is_dir() and not self.curate

    @property
    def out_dir(self) -> Path:
        """Folder of the dataset."""
        return self.out or DATASET

    @property
    def motion_path(self) -> Path:
        """The single motion file."""
        return self.out or Path(f"{output_name(self.videos[0])}.npz")

    def __post_init__(self) -> None:
        if (self.rules or self.laughs or self.fix_sync) and not self.curate:
            raise UsageError("--set, --laughs and --fix-sync change what --curate writes: give --curate too")
        if self.curate and (self.method != "landmarks" or self.refine):
            raise UsageError("--curate fits by landmarks: omit --method and --refine")
        if self.curate and (self.preview or self.face is not None):
            raise UsageError("--curate processes every face: use --report instead of --preview and --face")
        check_batch_flags(self.skip_existing, self.overwrite)
        if self.is_single:
            if self.engine != LOCAL:
                raise UsageError("--engine is for many videos, which make a dataset: give a folder as -o")
            return
        if self.face is not None and (len(self.videos) != 1 or self.videos[0].is_dir()):
            raise UsageError("--face chooses among the people of one video: give one video")
        if self.out is not None and self.out.suffix == ".npz":
            one = f"{self.videos[0]} is a folder" if len(self.videos) == 1 else f"there are {len(self.videos)} inputs"
            inputs = "--curate makes a dataset" if self.curate else one
            raise UsageError(f"{self.out} is one file, but {inputs}: give a folder as -o")
        check_output_folder(self.out, "a folder" if self.curate else "a folder, or for one video a .npz file")


@dataclass(frozen=True, eq=False)
class FitOutcome:
    """Result of `facetalk fit`."""

    result: Outcome | FitSummary | CurationSummary
    report: Path | None


def chosen_among(outcome: Outcome) -> str | None:
    """Which person was fitted, where the video shows several, and how to choose."""
    person = person_among(outcome)
    return None if person is None else f"fitted {person}; --face chooses another"


def person_among(outcome: Outcome) -> Person | None:
    """Which person was fitted, where the video shows several."""
    person = outcome.details.get("person") or {}
    if person.get("of", 1) < 2:
        return None
    return Person(**{**person, "center": tuple(person["center"])})


def run_fit(request: FitRequest, progress: Progress = no_progress, report: Report = no_report) -> FitOutcome:
    """Fit one video, fit many, or curate.

    Args:
        request: what to do.
        progress: called with the number of frames, videos or clips done.
        report: called with what became of each video, as soon as it is known.
    """
    if request.is_single:
        outcome = _fit_single(request, progress, report)
        wants_page = request.report and outcome.error is None
        if not wants_page:
            return FitOutcome(outcome, None)
        return FitOutcome(outcome, write_clip_report(request.motion_path, videos=request.videos, head=request.head))
    result = _curate(request, progress, report) if request.curate else _fit_many(request, progress, report)
    if not request.report:
        return FitOutcome(result, None)
    page = write_report(request.out_dir, videos=request.videos, head=request.head, progress=progress)
    return FitOutcome(result, page)


def _fit_single(request: FitRequest, progress: Progress, report: Report) -> Outcome:
    options = FitOptions(request.method, request.head, request.refine, request.preview, request.face)
    path = request.motion_path

    def work(video: Path) -> Outcome:
        redone = ""
        if path.exists():
            wanted, redone = wanted_targets(
                {"npz": path}, lambda _: made_with(video, options), request.overwrite, request.skip_existing
            )
            if not wanted:
                return Outcome(video, "skipped", {"npz": path})
        motion = fit_to_file(video, path, options, overwrite=True, progress=progress)
        return Outcome(video, "done", {"npz": path}, redone=redone, details=figures(motion))

    (video,) = request.videos
    return run_batch(work, {video: video}, (), report, progress)[0]


def _fit_many(request: FitRequest, progress: Progress, report: Report) -> FitSummary:
    return fit_videos(
        request.videos,
        request.out_dir,
        method=request.method,
        head=request.head,
        refine=request.refine,
        preview=request.preview,
        face=request.face,
        about=request.about,
        jobs=request.jobs,
        engine=request.engine,
        skip_existing=request.skip_existing,
        overwrite=request.overwrite,
        progress=progress,
        report=report,
    )


def _curate(request: FitRequest, progress: Progress, report: Report) -> CurationSummary:
    return curate_videos(
        request.videos,
        request.out_dir,
        rules=read_rules([*request.rules, *(["speaker.fix_sync=true"] if request.fix_sync else [])]),
        head=request.head,
        about=request.about,
        laughs=request.laughs,
        jobs=request.jobs,
        engine=request.engine,
        skip_existing=request.skip_existing,
        overwrite=request.overwrite,
        progress=progress,
        report=report,
    )
