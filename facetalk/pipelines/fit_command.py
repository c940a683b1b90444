"""The pipeline of `facetalk fit`: one motion file, a dataset, or a curated dataset, each with an optional report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from facetalk.core.errors import UsageError
from facetalk.core.motion import Motion
from facetalk.core.progress import Progress, no_progress
from facetalk.data.curation.settings import read_rules
from facetalk.metrics.fit_quality import face_frames_ratio, mean_fit_error
from facetalk.pipelines.curate import CurationSummary, curate_videos
from facetalk.pipelines.fit import FitOptions, FitSummary, fit_to_file, fit_videos
from facetalk.pipelines.reports.fit_report import write_clip_report, write_report
from facetalk.vision.face_tracks import Person

DATASET = Path("fits")
"""Default output folder."""


@dataclass(frozen=True)
class FitRequest:
    """Inputs and options of `facetalk fit`."""

    videos: Sequence[Path]
    out: Path | None = None
    """For one video a `.npz` file; else a folder."""
    head: str = "facetalk"
    method: str = "landmarks"
    refine: bool = False
    face: int | None = None
    preview: bool = False
    report: bool = False
    about: Path | None = None
    jobs: int | None = None
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
        """Whether it makes a single motion file."""
        return len(self.videos) == 1 and not self.videos[0].is_dir() and not self.curate

    @property
    def out_dir(self) -> Path:
        """Folder of the dataset."""
        return self.out or DATASET

    @property
    def motion_path(self) -> Path:
        """The single motion file."""
        name = Path(f"{self.videos[0].stem}.npz")
        if self.out is None:
            return name
        return self.out if self.out.suffix == ".npz" else self.out / name

    def __post_init__(self) -> None:
        if (self.rules or self.laughs or self.fix_sync) and not self.curate:
            raise UsageError("--set, --laughs and --fix-sync change what --curate writes: give --curate too")
        if self.curate and (self.method != "landmarks" or self.refine):
            raise UsageError("--curate fits by landmarks: omit --method and --refine")
        if self.curate and (self.preview or self.face is not None):
            raise UsageError("--curate processes every face: use --report instead of --preview and --face")
        if self.is_single:
            return
        if self.face is not None:
            raise UsageError("--face chooses among the people of one video: give one video")
        if self.out is not None and self.out.suffix == ".npz":
            inputs = "--curate makes a dataset" if self.curate else f"there are {len(self.videos)} inputs"
            raise UsageError(f"{self.out} is one file, but {inputs}: give a folder")


@dataclass(frozen=True, eq=False)
class ClipFit:
    """A single motion file."""

    motion_path: Path
    motion: Motion | None
    """None if the file existed and was skipped."""

    def chosen_among(self) -> str | None:
        """Which person was fitted, where the video shows several."""
        person = {} if self.motion is None else self.motion.meta.get("person", {})
        if person.get("of", 1) < 2:
            return None
        chosen = Person(**{**person, "center": tuple(person["center"])})
        return f"fitted {chosen}; --face chooses another"

    def document(self) -> dict[str, object]:
        """The document that `--json` prints."""
        motion = self.motion
        if motion is None:
            return {"motion": self.motion_path, "skipped": True}
        return {
            "motion": self.motion_path,
            "frames": motion.num_frames,
            "seconds": motion.duration_s,
            "fit_error": mean_fit_error(motion),
            "face_frames_ratio": face_frames_ratio(motion),
            "person": motion.meta.get("person"),
            "av_offset": motion.meta.get("av_offset"),
            "focal_px": None if motion.camera is None else float(motion.camera.K[0, 0]),
            "skipped": False,
        }


@dataclass(frozen=True, eq=False)
class FitOutcome:
    """Result of `facetalk fit`."""

    result: ClipFit | FitSummary | CurationSummary
    report: Path | None


def run_fit(request: FitRequest, progress: Progress = no_progress) -> FitOutcome:
    """Fit one video, fit many, or curate.

    Args:
        request: what to do.
        progress: called with the number of frames, videos or clips done.
    """
    if request.is_single:
        clip = _fit_single(request, progress)
        return FitOutcome(clip, write_clip_report(clip.motion_path, head=request.head) if request.report else None)
    result = _curate(request, progress) if request.curate else _fit_many(request, progress)
    report = write_report(request.out_dir, head=request.head, progress=progress) if request.report else None
    return FitOutcome(result, report)


def _fit_single(request: FitRequest, progress: Progress) -> ClipFit:
    path = request.motion_path
    if request.skip_existing and path.exists():
        return ClipFit(path, None)
    options = FitOptions(request.method, request.head, request.refine, request.preview)
    video = request.videos[0]
    motion = fit_to_file(video, path, options, face=request.face, overwrite=request.overwrite, progress=progress)
    return ClipFit(path, motion)


def _fit_many(request: FitRequest, progress: Progress) -> FitSummary:
    return fit_videos(
        request.videos,
        request.out_dir,
        method=request.method,
        head=request.head,
        refine=request.refine,
        preview=request.preview,
        about=request.about,
        jobs=request.jobs,
        skip_existing=request.skip_existing,
        overwrite=request.overwrite,
        progress=progress,
    )


def _curate(request: FitRequest, progress: Progress) -> CurationSummary:
    return curate_videos(
        request.videos,
        request.out_dir,
        rules=read_rules([*request.rules, *(["speaker.fix_sync=true"] if request.fix_sync else [])]),
        head=request.head,
        about=request.about,
        laughs=request.laughs,
        jobs=request.jobs,
        skip_existing=request.skip_existing,
        overwrite=request.overwrite,
        progress=progress,
    )
