"""Motion -> file of any format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from jaxtyping import Float
from torch import Tensor

from facetalk.core.errors import FacetalkError, UsageError
from facetalk.core.motion import Motion
from facetalk.core.progress import Progress, no_progress
from facetalk.exporters.base import ExportOptions, at_frame_rate
from facetalk.exporters.registry import FORMATS, check_options, format_named, format_of, formats_named, load_exporter
from facetalk.head.looks import Look
from facetalk.head.model import HeadModel
from facetalk.io.files import free_path
from facetalk.io.motion import read_motion
from facetalk.motion.frames import matching_head
from facetalk.motion.heads import load_head


def export(
    motion: Motion,
    path: Path | str,
    *,
    format: str | None = None,
    head: HeadModel | str | None = None,
    look: Look | None = None,
    fps: float | None = None,
    size: int = 512,
    audio: Path | str | Float[Tensor, " samples"] | None = None,
    backend: str = "cpu",
    camera: str = "front",
    over: Path | str | None = None,
    overwrite: bool = False,
    progress: Progress = no_progress,
) -> Path:
    """Write a motion to a file in the format that its suffix names, and return the path.

    Args:
        motion: for any head; it is retargeted where `head` is another one.
        path: file; for sequences of meshes a folder whose name ends in `_obj` or `_ply`.
        format: name of the format, where the path's suffix does not say it.
        head: the head to pose, or its name; the one that the motion names, if not given.
        look: colors of skin, eyes and hair of a head that is given by name.
        fps: frames a second; the motion's own if not given, with the tracked camera the fitted video's. 23.976, 29.97
            and 59.94 stand for 24000/1001, 30000/1001 and 60000/1001.
        size: side of the front camera's square image, pixels. This and all options up to `over` are for video only.
        audio: audio or video file whose audio goes with the frames, or mono samples at 16 kHz.
        backend: `cpu`, or `pyrender` where OpenGL is installed.
        camera: `front` looks at the head's usual place from in front; `tracked` reproduces the camera, image size
            and frame rate of the video that the motion was fitted to.
        over: video that is shown behind the head instead of a plain wall; needs the tracked camera.
        overwrite: replace an existing file.
        progress: called after every frame.

    Example:
        >>> export(read_motion("hello.npz"), "hello.glb")

    Raises:
        UsageError: the suffix or format is unknown, or an option does not apply to the format.
        FacetalkError: the path exists already.
    """
    name = format_of(path) if format is None else format_named(format)
    options = ExportOptions(fps=fps, size=size, audio=audio, backend=backend, camera=camera, over=over)
    check_options(name, options.given())
    path = free_path(path, overwrite)
    for source in (over, audio):
        _refuse_input(path, source)
    export_formats(motion, {name: path}, head=_head_of(motion, head, look), options=options, progress=progress)
    return path


def _refuse_input(path: Path, source: object) -> None:
    """Refuse to replace a file that goes into the result."""
    if isinstance(source, str | Path) and path.exists() and Path(source).exists() and path.samefile(source):
        raise FacetalkError(f"{path} would be replaced by what is made from it; choose another output")


def export_formats(
    motion: Motion,
    targets: Mapping[str, Path],
    *,
    head: HeadModel,
    options: ExportOptions | None = None,
    progress: Progress = no_progress,
) -> None:
    """Write a motion in several formats; files are written while the video is rendered.

    Args:
        motion: for any head; it is retargeted once where `head` is another one.
        targets: path of each format, by its name in the registry; existing files are replaced.
        head: the head to pose.
        options: each format gets those that it takes.
        progress: called after every frame of the video, or of a single format.
    """
    options = options or ExportOptions()
    if options.camera == "front":  # the tracked camera has its own frame rate
        motion = at_frame_rate(motion, options)
    matched = motion if all(FORMATS[name].needs_arkit for name in targets) else matching_head(motion, head)[0]

    def write(name: str, callback: Progress) -> None:
        entry = FORMATS[name]
        source = motion if entry.needs_arkit else matched
        load_exporter(name).write(targets[name], source, head, options.only(entry.options), callback)

    if len(targets) == 1:
        write(next(iter(targets)), progress)
        return
    # The video takes longest and reports its progress; what the other exporters need is imported before the thread.
    aside = [name for name in targets if name != "mp4"]
    for name in aside:
        load_exporter(name)
    with ThreadPoolExecutor(1) as pool:
        jobs = [pool.submit(write, name, no_progress) for name in aside]
        if "mp4" in targets:
            write("mp4", progress)
        for job in jobs:
            job.result()


@dataclass(frozen=True)
class ExportBatch:
    """What became of many motion files."""

    done: Mapping[Path, Mapping[str, Path]]
    """Path of each format, by motion file."""
    failed: Mapping[Path, FacetalkError]


def export_all(
    motion_paths: Sequence[Path],
    out: Path | str | None = None,
    *,
    formats: Sequence[str] = (),
    head: str | None = None,
    look: Look | None = None,
    options: ExportOptions | None = None,
    overwrite: bool = False,
    progress: Progress = no_progress,
) -> ExportBatch:
    """Write motion files in one or more formats; one that fails does not stop the others.

    Args:
        motion_paths: motion files.
        out: with `formats` a folder (the current one if not given) for files named after the motion files; else the
            file that the one motion becomes, whose suffix names the format.
        formats: names of formats.
        head: name of the head; the one that each motion names, if not given.
        look: colors of skin, eyes and hair.
        options: see `ExportOptions`.
        overwrite: replace existing files.
        progress: called with the motion file's name.
    """
    options = options or ExportOptions()
    jobs = plan(motion_paths, out, formats)
    for name in next(iter(jobs.values())):
        check_options(name, options.given())
    done: dict[Path, Mapping[str, Path]] = {}
    failed: dict[Path, FacetalkError] = {}
    heads: dict[str, HeadModel] = {}
    for motion_path, targets in jobs.items():
        try:
            for path in targets.values():
                if path.exists() and path.samefile(motion_path):
                    raise FacetalkError(f"{motion_path} would be replaced by its own export; choose another -o")
                free_path(path, overwrite)
            motion = read_motion(motion_path)
            wanted = head or motion.head
            heads[wanted] = heads.get(wanted) or load_head(wanted, look)
            labeled = _labeled(progress, motion_path)
            export_formats(motion, targets, head=heads[wanted], options=options, progress=labeled)
            done[motion_path] = targets
        except FacetalkError as error:
            failed[motion_path] = error
    return ExportBatch(done, failed)


def plan(motion_paths: Sequence[Path], out: Path | str | None, formats: Sequence[str]) -> dict[Path, dict[str, Path]]:
    """Where each format of each motion file goes; motion files that would share an output are refused."""
    if not formats:
        if out is None or len(motion_paths) != 1:
            raise UsageError("give one motion file and -o OUT with a suffix, or --format and a folder as -o")
        return {motion_paths[0]: {format_of(out): Path(out)}}
    names = formats_named(formats)
    jobs: dict[Path, dict[str, Path]] = {}
    owners: dict[str, Path] = {}
    for path in motion_paths:
        other = owners.setdefault(path.stem, path)
        if other != path:
            raise UsageError(f"{other} and {path} would both become {path.stem}; export them to different folders")
        jobs[path] = {name: Path(out or ".") / f"{path.stem}{FORMATS[name].suffix}" for name in names}
    return jobs


def _head_of(motion: Motion, head: HeadModel | str | None, look: Look | None) -> HeadModel:
    if isinstance(head, HeadModel):
        if look is not None:
            raise UsageError("a look goes with a head's name; load the head with it: load_head(name, look)")
        return head
    return load_head(head or motion.head, look)


def _labeled(progress: Progress, path: Path) -> Progress:
    return lambda what, done, total: progress(f"{what} {path.name}", done, total)
