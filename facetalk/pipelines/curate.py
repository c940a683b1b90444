"""Videos -> a dataset folder of clips that are worth training on, with a reason for everything else.

The order of the stages is that of LaughTalk (Sung-Bin et al. 2024): scenes, faces, movement, active speaker, laughter,
length, fit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from facetalk.core.engines import LOCAL, each_with
from facetalk.core.errors import USER_ERRORS, FacetalkError, user_error
from facetalk.core.progress import Progress, no_progress
from facetalk.core.text import table_name
from facetalk.data.curation.settings import CurationRules
from facetalk.data.manifest import CURATED_COLUMNS, MANIFEST, REJECTED, REJECTED_COLUMNS, write_rows
from facetalk.data.notes import checked_match, match_notes, read_laugh_times, read_notes
from facetalk.data.sources import clip_names, find_videos
from facetalk.io.files import make_folder
from facetalk.io.path_list import as_path, listed
from facetalk.pipelines.batch import Outcome, Report, check_batch_flags, failed, no_report, run_batch
from facetalk.pipelines.curate_video import WORK_DIR, CurationJob, curate_video
from facetalk.pipelines.records import differences


@dataclass(frozen=True)
class CurationSummary:
    """Outcome for each of several videos."""

    clips: list[dict[str, Any]] = field(default_factory=list)
    """Rows of the manifest."""
    rejected: list[dict[str, Any]] = field(default_factory=list)
    """Rows of the table of rejections, which includes failed videos."""
    durations_s: dict[str, float] = field(default_factory=dict)
    """Length of each curated video."""
    skipped: list[str] = field(default_factory=list)
    """Videos that were curated before."""
    failed: dict[str, str] = field(default_factory=dict)
    """Reason by video."""
    num_described: int | None = None
    """Videos that the table of speakers and labels describes; None without a table."""

    @property
    def kept_s(self) -> float:
        """Seconds in clips."""
        return sum(row["end_s"] - row["start_s"] for row in self.clips)

    def seconds_by_reason(self) -> dict[str, float]:
        """Rejected seconds of faces, the most frequent reason first."""
        seconds: Counter[str] = Counter()
        for row in self.rejected:
            if row["start_s"] != "":
                seconds[row["reason"]] += row["end_s"] - row["start_s"]
        return {reason: round(total, 3) for reason, total in seconds.most_common()}


def curate_videos(
    videos: Sequence[Path | str],
    out_dir: Path | str,
    *,
    rules: CurationRules | None = None,
    head: str = "facetalk",
    about: Path | str | None = None,
    laughs: Path | str | None = None,
    jobs: int | None = None,
    engine: str = LOCAL,
    skip_existing: bool = False,
    overwrite: bool = False,
    progress: Progress = no_progress,
    report: Report = no_report,
) -> CurationSummary:
    """Cut videos into clips that are worth training on, and fit them.

    The folder gets `manifest.csv`, a motion and an audio file per clip, and `rejected.csv`. A video that fails does not
    stop the others; an interrupted run continues with `skip_existing`.

    Args:
        videos: see `fit_videos`.
        out_dir: the dataset; created if needed.
        rules: thresholds.
        head: name of the head.
        about: see `fit_videos`.
        laughs: CSV file with the columns `path`, `start_s` and `end_s`: in the videos that it names, these laughs
            replace those of the detector.
        jobs: number of videos at the same time; all usable cores if None.
        engine: see `fit_videos`.
        skip_existing: skip videos that are complete and were curated with the same rules and head.
        overwrite: curate them again; without either, such a video fails.
        progress: called with the number of videos done.
        report: called with what became of each video, as soon as it is known.
    """
    check_batch_flags(skip_existing, overwrite)
    each_with(engine)
    rules, out_dir = rules or CurationRules(), as_path(out_dir, "out_dir")
    names = {video: table_name(name) for video, name in clip_names(find_videos(listed(videos))).items()}
    notes = None if about is None else checked_match(list(names), read_notes(about), about).notes
    laughed = match_notes(list(names), read_laugh_times(laughs)).notes if laughs is not None else {}
    every = [
        CurationJob(video, name, out_dir, head, rules, (notes or {}).get(video, {}), laughed.get(video))
        for video, name in names.items()
    ]
    make_folder(out_dir / WORK_DIR)
    summary = CurationSummary(num_described=None if notes is None else len(notes))
    waiting: dict[Path, CurationJob] = {}
    settled: list[Outcome] = []
    for job in every:
        try:
            known, redone = _known(job, skip_existing, overwrite)
        except USER_ERRORS as error:
            known, redone = failed(job.video, user_error(error)), ""
        if known is None:
            waiting[job.video] = replace(job, redone=redone)
        else:
            settled.append(known)

    def noted(outcome: Outcome) -> None:
        if outcome.error is not None:
            summary.failed[str(outcome.source)] = str(outcome.error)
        elif outcome.state == "skipped":
            summary.skipped.append(str(outcome.source))
        report(outcome)

    try:
        run_batch(curate_clips, waiting, settled, noted, progress, jobs, engine)
    finally:
        _gather(every, summary)
        write_rows(out_dir / MANIFEST, CURATED_COLUMNS, summary.clips)
        write_rows(out_dir / REJECTED, REJECTED_COLUMNS, summary.rejected)
    return summary


def curate_clips(job: CurationJob) -> Outcome:
    """Curate one video."""
    record = curate_video(job)
    files = {clip["name"]: job.out_dir / f"{clip['name']}.npz" for clip in record["clips"]}
    kept_s = sum(clip["end_s"] - clip["start_s"] for clip in record["clips"])
    details = {"seconds": record["duration_s"], "kept_s": round(kept_s, 3)}
    return Outcome(job.video, "done", files, redone=job.redone, details=details)


def _known(job: CurationJob, skip_existing: bool, overwrite: bool) -> tuple[Outcome | None, str]:
    """The outcome of a video that is not to be curated; else None, and why it is curated again."""
    if overwrite or not job.record_path.is_file():
        return None, ""
    if not skip_existing:
        raise FacetalkError(f"is already curated in {job.out_dir}; use --skip-existing or --overwrite")
    redone = differences(job.read_record(), job.made_with())
    return (None, redone) if redone else (Outcome(job.video, "skipped"), "")


def _gather(jobs: Sequence[CurationJob], summary: CurationSummary) -> None:
    """Fill the summary from the records of the complete videos."""
    for job in jobs:
        source = str(job.video)
        if source in summary.failed:
            row = dict.fromkeys(REJECTED_COLUMNS, "") | {"source": source, "reason": summary.failed[source]}
            summary.rejected.append(row)
        elif job.record_path.is_file():
            record = job.read_record()
            summary.clips.extend(record["clips"])
            summary.rejected.extend(record["rejected"])
            summary.durations_s[source] = record["duration_s"]
