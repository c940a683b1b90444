"""Motion -> file of any format."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from jaxtyping import Float
from torch import Tensor

from facetalk.core.errors import FacetalkError, InvalidValueError, UsageError
from facetalk.core.interruption import was_interrupted
from facetalk.core.motion import Motion, check_values
from facetalk.core.progress import Progress, no_progress
from facetalk.core.text import one_line
from facetalk.data.sources import clip_names, once
from facetalk.exporters.base import DEFAULT_SIZE, ExportOptions, at_frame_rate
from facetalk.exporters.registry import (
    FORMATS,
    check_avatar_formats,
    check_head,
    check_options,
    format_named,
    format_of,
    formats_named,
    load_exporter,
)
from facetalk.head.looks import Look
from facetalk.head.model import HeadModel
from facetalk.importers.registry import import_motion
from facetalk.io.audio_clip import AudioClip
from facetalk.io.files import folder_of_results, free_path
from facetalk.io.path_list import as_path, listed
from facetalk.motion.frames import matching_head
from facetalk.motion.heads import load_head
from facetalk.motion.regions import RegionalControl, controlled
from facetalk.neural_rendering.registry import load_neural_renderer
from facetalk.pipelines.avatar import avatar_formats
from facetalk.pipelines.batch import (
    Outcome,
    OutputFolder,
    Report,
    check_batch_flags,
    check_output_folder,
    no_report,
    run_batch,
)
from facetalk.pipelines.records import fingerprint, fingerprints, recorded, wanted_targets, write_record
from facetalk.pipelines.speech_audio import speech_of

_log = logging.getLogger(__name__)


def export(
    motion: Motion,
    path: Path | str,
    *,
    format: str | None = None,
    head: HeadModel | str | None = None,
    look: Look | None = None,
    control: RegionalControl | None = None,
    fps: float | None = None,
    size: int | None = None,
    audio: Path | str | AudioClip | Float[Tensor, " samples"] | None = None,
    backend: str = "cpu",
    camera: str = "front",
    over: Path | str | None = None,
    cues: str = "line",
    expressions: str = "all",
    avatar: Path | str | None = None,
    photo: Path | str | None = None,
    portrait: Path | str | None = None,
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
        control: how much mouth, upper face, eyes, head and single channels move.
        fps: frames a second; the motion's own if not given, with the tracked camera the fitted video's. 23.976, 29.97
            and 59.94 stand for 24000/1001, 30000/1001 and 60000/1001.
        size: side of the front camera's square image, pixels; 512 if not given. This and all options up
            to `over` are for video only.
        audio: audio or video file whose audio goes with the frames, or a part of it, or mono samples at 16 kHz.
        backend: `cpu`, or `pyrender` where OpenGL is installed.
        camera: `front` looks at the head's usual place from in front; `tracked` reproduces the camera, image size
            and frame rate of the video that the motion was fitted to.
        over: video over which the face is drawn, instead of a plain wall; needs the tracked camera.
        cues: what a cue of subtitles is: a `line`, a `word` or a `phoneme`.
        expressions: of a VRM animation: `preset`, `arkit` or `all`.
        avatar: your own character, a `.glb`, `.gltf` or `.vrm` file, instead of the head in `.glb` and video.
        photo: folder of a training by `facetalk train render2video`, whose person the video shows instead of the head.
        portrait: photo of a person, an image file, who is shown instead of the head.
        overwrite: replace an existing file.
        progress: called after every frame.

    Example:
        >>> export(read_motion("hello.npz"), "hello.glb")

    Raises:
        UsageError: the suffix or format is unknown, or an option does not apply to the format.
        FacetalkError: the path exists already.
    """
    if not isinstance(motion, Motion):
        raise InvalidValueError(f"export takes a Motion, not {type(motion).__name__}; read_motion reads a file")
    path = as_path(path, "path")
    motion = controlled(motion, control)
    name = format_of(path) if format is None else _format_for(path, format)
    options = ExportOptions(
        fps=fps,
        size=size,
        audio=audio,
        backend=backend,
        camera=camera,
        over=over,
        cues=cues,
        expressions=expressions,
        avatar=avatar,
        photo=photo,
        portrait=portrait,
    )
    check_options(name, options.given())
    options.refuse_look(look)
    path = free_path(path, overwrite)
    for source in (over, audio, avatar):
        _refuse_input(path, source)
    if over is not None:
        _warn_of_other_video(motion, Path(over))
    with folder_of_results(path.parent):
        export_formats(motion, {name: path}, head=head_of(motion, head, look), options=options, progress=progress)
    return path


def _format_for(path: Path, format: str) -> str:
    """The format, unless the path's suffix is that of another one."""
    name = format_named(format)
    others = [other for other, entry in FORMATS.items() if path.name.lower().endswith(entry.suffix)]
    if others and name not in others:
        raise UsageError(f"{path.name} has the suffix of {others[0]}, and the format is {name}; change one of them")
    return name


def _refuse_input(path: Path, source: object) -> None:
    """Refuse to replace a file that goes into the result."""
    source = source.path if isinstance(source, AudioClip) else source
    if isinstance(source, str | Path) and path.exists() and Path(source).exists() and path.samefile(source):
        raise FacetalkError(f"{path} would be replaced by what is made from it; choose another output")


def _warn_of_other_video(motion: Motion, over: Path) -> None:
    """Say so where the video below the head is not the one that the head was fitted to."""
    if motion.meta.get("frames_moved"):
        _log.warning("the motion was cut or retimed after the fit: its frames do not lie over those of %s", over)
    fitted = motion.meta.get("video_fingerprint")
    if isinstance(fitted, str) and over.is_file() and fingerprint(over) != fitted:
        name = one_line(str(motion.meta.get("video", "")))
        _log.warning("the motion was fitted to another video than %s%s", over, f": {name:.200}" if name else "")


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
    check_heads(targets, head)
    check_values(motion)
    if options.camera == "front":  # the tracked camera has its own frame rate
        motion = at_frame_rate(motion, options)
    with_avatar, with_person = options.avatar is not None, options.neural is not None
    if with_avatar:
        check_avatar_formats(targets)
    as_it_is = {name for name in targets if _takes_any_head(name, with_avatar, with_person)}
    matched = motion if as_it_is >= targets.keys() else matching_head(motion, head)[0]

    def write(name: str, callback: Progress) -> None:
        source = motion if name in as_it_is else matched
        exporter = load_exporter(name, avatar=with_avatar, neural=with_person)
        exporter.write(targets[name], source, head, options.only(FORMATS[name].options), callback)

    if len(targets) == 1:
        write(next(iter(targets)), progress)
        return
    # The video takes longest and reports its progress; what the other exporters need is imported before the thread.
    aside = [name for name in targets if name != "mp4"]
    for name in aside:
        load_exporter(name, avatar=with_avatar)
    pool = ThreadPoolExecutor(1)
    try:
        jobs = [pool.submit(write, name, no_progress) for name in aside]
        if "mp4" in targets:
            write("mp4", progress)
        for job in jobs:
            job.result()
    finally:
        # After an interruption nobody waits for the other formats; `leave` removes what they have begun.
        pool.shutdown(wait=not was_interrupted(), cancel_futures=True)


def _takes_any_head(name: str, with_avatar: bool, with_person: bool) -> bool:
    """Whether a format is written from the motion of any head, as it is."""
    entry = FORMATS[name]
    return (
        entry.takes_any_head or bool(with_avatar and entry.avatar_module) or bool(with_person and entry.neural_module)
    )


def check_neural(options: ExportOptions) -> None:
    """Load the person of a video, so that one who cannot be shown is an error before any work."""
    if options.neural is not None:
        load_neural_renderer(options.neural, getattr(options, options.neural))


def check_heads(formats: Iterable[str], head: HeadModel) -> None:
    """Refuse formats that a head cannot be written in, before any work."""
    for name in formats:
        check_head(name, head.name, head.assets.meta.get("model"))


@dataclass(frozen=True)
class ExportBatch:
    """What became of many motion files."""

    done: Mapping[Path, Mapping[str, Path]]
    """Path of each format, by motion file."""
    failed: Mapping[Path, FacetalkError]
    skipped: Sequence[Path] = ()
    """Motion files whose outputs existed already."""


def export_all(
    motion_paths: Sequence[Path],
    out: Path | str | None = None,
    *,
    formats: Sequence[str] = (),
    head: str | None = None,
    look: Look | None = None,
    control: RegionalControl | None = None,
    options: ExportOptions | None = None,
    source_fps: float | None = None,
    overwrite: bool = False,
    skip_existing: bool = False,
    progress: Progress = no_progress,
    report: Report = no_report,
) -> ExportBatch:
    """Write motion files in one or more formats; one that fails does not stop the others.

    Args:
        motion_paths: motion files, or files of other programs that `import_motion` reads; patterns and lists of them,
            see `facetalk.io.path_list`.
        out: with `formats` a folder (the current one if not given) for files named after the motion files; else the
            file that the one motion becomes, whose suffix names the format.
        formats: names of formats.
        head: name of the head; the one that each motion names, if not given.
        look: colors of skin, eyes and hair.
        control: see `export`.
        options: see `ExportOptions`.
        source_fps: frame rate of files that do not state one.
        overwrite: replace existing files.
        skip_existing: keep files that exist and were made with the same options, and write the others.
        progress: called with the motion file's name.
        report: called with what became of each motion file, as soon as it is known.
    """
    options = options or ExportOptions()
    check_batch_flags(skip_existing, overwrite)
    shown = None
    if options.avatar is not None:
        wanted = formats_named(formats) if formats else [format_of(out)] if out is not None else []
        names, shown = avatar_formats(options.avatar, wanted)
        formats = names if formats else ()
    plans = plan(listed(motion_paths), out, formats)
    for name in next(iter(plans.values())):  # curves beside an avatar are the same as without
        check_options(name, [option for option in options.given() if option != "avatar" or len(formats) < 2])
    heads: dict[str, HeadModel] = {}
    folder = OutputFolder(next(iter(next(iter(plans.values())).values())).parent)

    def work(motion_path: Path) -> Outcome:
        targets = plans[motion_path]
        motion = import_motion(motion_path, fps=source_fps, head=head)
        if any(path.exists() and path.samefile(motion_path) for path in targets.values()):
            raise FacetalkError(f"{motion_path} would be replaced by its own export; choose another -o")
        wanted_head = head or motion.head
        own = options
        if options.audio is None and any("audio" in FORMATS[name].options for name in targets):
            own = replace(options, audio=speech_of(motion, motion_path))
        made = {**_made_with(motion_path, wanted_head, look, own), **(control or RegionalControl()).described()}
        wanted, redone = wanted_targets(targets, lambda name: _file_options(name, made), overwrite, skip_existing)
        if not wanted:
            return Outcome(motion_path, "skipped", targets)
        heads[wanted_head] = heads.get(wanted_head) or load_head(wanted_head, look)
        with folder.holding(folder.root):
            shown_for = labeled(progress, motion_path)
            export_formats(
                controlled(motion, control), wanted, head=heads[wanted_head], options=own, progress=shown_for
            )
            write_record({path: _file_options(name, made) for name, path in wanted.items()})
        details: dict[str, Any] = {"frames": motion.num_frames, "seconds": motion.duration_s}
        if shown is not None:
            details["avatar"] = shown.document()
        return Outcome(motion_path, "done", wanted, redone=redone, details=details)

    outcomes = run_batch(work, {path: path for path in plans}, (), report, progress)
    done = {outcome.source: outcome.files for outcome in outcomes if outcome.state == "done"}
    skipped = [outcome.source for outcome in outcomes if outcome.state == "skipped"]
    return ExportBatch(done, {o.source: o.error for o in outcomes if o.error is not None}, skipped)


def plan(motion_paths: Sequence[Path], out: Path | str | None, formats: Sequence[str]) -> dict[Path, dict[str, Path]]:
    """Where each format of each motion file goes, under a unique name."""
    if not formats:
        if out is None or len(motion_paths) != 1:
            raise UsageError("give one motion file and -o OUT with a suffix, or --format and a folder as -o")
        return {motion_paths[0]: {format_of(out): Path(out)}}
    check_output_folder(out, "a folder where --format is given")
    names = formats_named(formats)
    return {
        path: {entry: Path(out or ".") / f"{name}{FORMATS[entry].suffix}" for entry in names}
        for path, name in clip_names(once(motion_paths)).items()
    }


def _made_with(motion_path: Path, head: str, look: Look | None, options: ExportOptions) -> dict[str, object]:
    """All options that decide an export."""
    values = {name: getattr(options, name) for name in options.given()}
    plain = {"size": DEFAULT_SIZE, **{name: recorded(value) for name, value in values.items()}}
    return {
        "command": "export",
        "motion_fingerprint": fingerprint(motion_path),
        "head": head,
        "look": asdict(look or Look()),
        "export": {item.name: plain.get(item.name) for item in fields(ExportOptions)} | fingerprints(values),
    }


def _file_options(name: str, made: Mapping[str, Any]) -> dict[str, object]:
    """The options that decide a file of one format."""
    taken = {
        option: value
        for option, value in made["export"].items()
        if option.removesuffix("_fingerprint") in FORMATS[name].options
    }
    return {**made, "export": taken}


def head_of(motion: Motion, head: HeadModel | str | None, look: Look | None) -> HeadModel:
    """The head to pose: the given one, or the one that the motion names, with the colors of a look."""
    if isinstance(head, HeadModel):
        if look is not None:
            raise UsageError("a look goes with a head's name; load the head with it: load_head(name, look)")
        return head
    return load_head(head or motion.head, look)


def labeled(progress: Progress, path: Path) -> Progress:
    """Progress whose steps name the file."""
    return lambda what, done, total: progress(f"{what} {path.name}", done, total)
