"""Motion files -> videos: where each goes, which audio belongs to it, and which are there already."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from facetalk.core.engines import LOCAL, runs_elsewhere
from facetalk.core.errors import UsageError
from facetalk.core.progress import Progress, no_progress
from facetalk.data.sources import clip_names, find_media, output_name
from facetalk.exporters.base import DEFAULT_SIZE, ExportOptions
from facetalk.exporters.registry import FORMATS
from facetalk.head.looks import Look
from facetalk.head.model import HeadModel
from facetalk.importers.registry import import_motion
from facetalk.io.path_list import listed
from facetalk.motion.regions import RegionalControl
from facetalk.pipelines.avatar import avatar_formats
from facetalk.pipelines.batch import (
    OUTPUT_SUFFIXES,
    Outcome,
    OutputFolder,
    Report,
    check_batch_flags,
    check_output_folder,
    failed,
    jobs_of,
    no_report,
    run_batch,
)
from facetalk.pipelines.export import check_neural, head_of, labeled
from facetalk.pipelines.records import exists_already, fingerprint, fingerprints, recorded, wanted_targets, write_record
from facetalk.pipelines.render import check_video_path, own_audio, render


def render_file(motion_path: Path | str, out_path: Path | str, **options: Any) -> Outcome:
    """Write a video of one motion file.

    Args:
        motion_path: motion file.
        out_path: `.mp4` file.
        options: see `render_files` and `render`.
    """
    check_video_path(Path(out_path))
    path = Path(motion_path)
    return _rendered({path: RenderJob(path, Path(out_path))}, None, **options)[0]


def render_files(motions: Sequence[Path | str], out: Path | str | None = None, **options: Any) -> list[Outcome]:
    """Write a video of each motion file, with its own audio where it is found; one that fails does not stop the others.

    The audio of an animated motion is that of its speech, see `speech_audio`; with `over`, it is that of the video.

    Args:
        motions: motion files, files of other programs that `import_motion` reads, folders that are searched for
            motion files; patterns and lists of these, see `facetalk.io.path_list`.
        out: `.mp4` file for one motion, or a folder for videos named after the motions; the current one if not given.
        options: `overwrite`, replace existing files; `skip_existing`, keep those that were made with the same options;
            `progress`, called after every frame; `report`, called with each outcome; `with_audio`, look for audio where
            `audio` is not given; `jobs` and `engine`, see `animate_all`; and those of `render`.

    Raises:
        UsageError: an option makes no sense for several motions, two would share an output, or a folder holds none.
    """
    named = listed(motions)
    found = found_motions(named)
    if len(found) > 1:
        for option in ("audio", "over"):
            if options.get(option) is not None:
                raise UsageError(
                    f"--{option} belongs to one motion, but there are {len(found)}: render them one by one"
                )
    if len(named) == 1 and not named[0].is_dir() and (out is None or _names_file(Path(out))):
        return [render_file(named[0], out or f"{output_name(named[0])}.mp4", **options)]
    if out is not None and Path(out).suffix.lower() == ".mp4" and not Path(out).is_dir():
        inputs = f"{named[0]} is a folder" if len(named) == 1 else f"there are {len(named)} inputs"
        raise UsageError(f"{out} is one file, but {inputs}: give a folder as -o")
    check_output_folder(out, "a folder, or for one motion a .mp4 file")
    folder = Path(out or ".")
    jobs = {path: RenderJob(path, folder / f"{name}.mp4") for path, name in clip_names(found).items()}
    return _rendered(jobs, OutputFolder(folder), **options)


def found_motions(paths: Sequence[Path]) -> list[Path]:
    """Motion files, and those in folders and their subfolders, without other forms of a motion such as its vertices."""
    given = {path for path in paths if not path.is_dir()}
    others = tuple(entry.suffix for name, entry in FORMATS.items() if name != "npz" and entry.suffix.endswith(".npz"))
    found = find_media(paths, (".npz",), "motion")
    kept = [path for path in found if path in given or not path.name.lower().endswith(others)]
    if not kept:
        raise UsageError(f"no motions among the {len(found)} .npz files in {paths[0]}")
    return kept


def _names_file(out: Path) -> bool:
    return not out.is_dir() and (out.suffix.lower() in OUTPUT_SUFFIXES or out.is_file())


@dataclass(frozen=True)
class RenderJob:
    """A motion file and its video."""

    motion_path: Path
    out_path: Path


def _rendered(
    planned: Mapping[Path, RenderJob],
    folder: OutputFolder | None,
    *,
    overwrite: bool = False,
    skip_existing: bool = False,
    progress: Progress = no_progress,
    report: Report = no_report,
    with_audio: bool = True,
    jobs: int | None = None,
    engine: str = LOCAL,
    **options: Any,
) -> list[Outcome]:
    """Videos of some motions; `folder` is that of the run if they go to a common one."""
    check_batch_flags(skip_existing, overwrite)
    jobs = jobs_of(jobs, engine)
    avatar = options.get("avatar")
    shown = None if avatar is None else avatar_formats(avatar, ["mp4"])[1]
    check_neural(_written(options))
    details = {} if shown is None else {"avatar": shown.document()}
    waiting, settled = dict(planned), []
    if not (overwrite or skip_existing):
        for path, job in planned.items():
            if path.exists() and job.out_path.exists():
                settled.append(failed(path, exists_already(job.out_path)))
                del waiting[path]
    work = RenderWork(options, with_audio, skip_existing, folder, details, progress)
    with nullcontext() if folder is None else folder.made(bool(waiting) and runs_elsewhere(engine, jobs)):
        return run_batch(work, waiting, settled, report, progress, jobs, engine)


def _written(options: Mapping[str, Any]) -> ExportOptions:
    """How the video is written.

    Raises:
        UsageError: the options contradict each other.
    """
    others = ("head", "look", "control")
    written = ExportOptions(**{name: value for name, value in options.items() if name not in others})
    written.refuse_look(options.get("look"))
    return written


class RenderWork:
    """Renders one motion after the other, with heads that are loaded once; a copy elsewhere loads them there."""

    def __init__(
        self,
        options: Mapping[str, Any],
        with_audio: bool,
        skip_existing: bool,
        folder: OutputFolder | None,
        details: Mapping[str, Any],
        progress: Progress,
    ) -> None:
        """Remember what is wanted.

        Args:
            options: see `render`.
            with_audio: see `render_files`.
            skip_existing: keep a video that was made with the same options; else it is replaced.
            folder: of the run; None where a single video is named.
            details: reported with every video.
            progress: called after every frame; names the file if there is a folder.
        """
        self.options, self.with_audio, self.folder, self.details = dict(options), with_audio, folder, details
        self.skip_existing, self.progress = skip_existing, progress
        self._heads: dict[str, HeadModel] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_heads": {}, "progress": no_progress}

    def __call__(self, job: RenderJob) -> Outcome:
        """Render one motion, unless its video is up to date."""
        path, targets, options = job.motion_path, {"mp4": job.out_path}, self.options
        motion = import_motion(path, head=_name_of(options.get("head")))
        audio = options.get("audio") or (own_audio(motion, path, options.get("over")) if self.with_audio else None)
        used = {**options, "audio": audio}
        neural = _written(options).neural is not None
        sized = used if neural else {**used, "size": options.get("size") or DEFAULT_SIZE}
        made = {"command": "render", "motion_fingerprint": fingerprint(path), **_recorded(sized)}
        wanted, redone = wanted_targets(targets, lambda _: made, not self.skip_existing, self.skip_existing)
        if not wanted:
            return Outcome(path, "skipped", targets)
        head = options.get("head")
        if not isinstance(head, HeadModel):
            name = head or motion.head
            self._heads[name] = self._heads.get(name) or head_of(motion, head, options.get("look"))
            used |= {"head": self._heads[name], "look": None}
        progress = self.progress if self.folder is None else labeled(self.progress, path)
        with nullcontext() if self.folder is None else self.folder.holding(self.folder.root):
            render(motion, job.out_path, overwrite=True, progress=progress, **used)
            write_record({job.out_path: made})
        details = {"frames": motion.num_frames, "seconds": motion.duration_s, "audio": audio, **self.details}
        return Outcome(path, "done", targets, redone=redone, details=details)


def _name_of(head: HeadModel | str | None) -> str | None:
    return head.name if isinstance(head, HeadModel) else head


def _recorded(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options as they are recorded: files with fingerprints."""
    control = options.get("control") or RegionalControl()
    values = {name: recorded(value) for name, value in options.items() if name != "control"}
    values |= {name: asdict(value) for name, value in options.items() if isinstance(value, Look)}
    return values | control.described() | fingerprints(options)
