"""Motion -> mesh -> pixels -> video file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from jaxtyping import Float
from torch import Tensor

from facetalk.core.errors import UsageError
from facetalk.core.motion import Motion
from facetalk.core.progress import Progress, no_progress
from facetalk.exporters.base import DEFAULT_SIZE, ExportOptions
from facetalk.exporters.registry import format_of
from facetalk.head.looks import Look
from facetalk.head.model import HeadModel
from facetalk.importers.registry import import_motion
from facetalk.io.audio_clip import AudioClip
from facetalk.io.video import read_video_info
from facetalk.motion.regions import RegionalControl
from facetalk.pipelines.avatar import avatar_formats
from facetalk.pipelines.batch import Outcome, Report, check_batch_flags, no_report, run_batch
from facetalk.pipelines.export import check_neural, export
from facetalk.pipelines.records import fingerprint, fingerprints, recorded, wanted_targets, write_record
from facetalk.pipelines.speech_audio import speech_of


def render(
    motion: Motion,
    out_path: Path | str,
    *,
    head: HeadModel | str | None = None,
    look: Look | None = None,
    control: RegionalControl | None = None,
    backend: str = "cpu",
    camera: str = "front",
    size: int | None = None,
    fps: float | None = None,
    audio: Path | str | AudioClip | Float[Tensor, " samples"] | None = None,
    over: Path | str | None = None,
    avatar: Path | str | None = None,
    photo: Path | str | None = None,
    portrait: Path | str | None = None,
    overwrite: bool = False,
    progress: Progress = no_progress,
) -> Path:
    """Write a video of a motion and return its path.

    Args:
        motion: for any head; it is retargeted where `head` is another one.
        out_path: `.mp4` file.
        head: the head to pose, or its name; the one that the motion names, if not given.
        look: colors of skin, eyes and hair of a head that is given by name.
        control: how much mouth, upper face, eyes, head and single channels move.
        backend: `cpu`, or `pyrender` where OpenGL is installed.
        camera: `front` looks at the head's usual place from in front; `tracked` reproduces the camera, image size
            and frame rate of the video that the motion was fitted to.
        size: side of the front camera's square image, pixels; 512 if not given.
        fps: frames a second; the motion's own in front, the fitted video's for the tracked camera.
        audio: audio or video file whose audio goes with the frames, or a part of it, or mono samples at 16 kHz.
        over: video over which the face is drawn, instead of a plain wall; needs the tracked camera.
        avatar: your own character, a `.glb`, `.gltf` or `.vrm` file, instead of the head.
        photo: folder of a training by `facetalk train render2video`, whose person is shown instead of the head.
        portrait: photo of a person, an image file, who is shown instead of the head.
        overwrite: replace an existing file.
        progress: called after every frame.

    Raises:
        UsageError: the path is not an `.mp4` file, or the options contradict each other.
        FacetalkError: the path exists already.
        MissingAssetError: the backend `pyrender` is not installed.
    """
    out_path = Path(out_path)
    check_video_path(out_path)
    return export(
        motion,
        out_path,
        head=head,
        look=look,
        control=control,
        backend=backend,
        camera=camera,
        size=size,
        fps=fps,
        audio=audio,
        over=over,
        avatar=avatar,
        photo=photo,
        portrait=portrait,
        overwrite=overwrite,
        progress=progress,
    )


def render_file(
    motion_path: Path | str,
    out_path: Path | str,
    *,
    overwrite: bool = False,
    skip_existing: bool = False,
    progress: Progress = no_progress,
    report: Report = no_report,
    with_audio: bool = True,
    **options: Any,
) -> Outcome:
    """Write a video of a motion file, with its own audio where that is found.

    The audio of an animated motion is that of its speech, see `speech_audio`; with `over`, it is that of the video.

    Args:
        motion_path: motion file.
        out_path: `.mp4` file.
        overwrite: replace an existing file.
        skip_existing: keep an existing file that was made with the same options.
        progress: called after every frame.
        report: called with the outcome.
        with_audio: look for audio where `audio` is not given.
        options: see `render`.
    """
    check_batch_flags(skip_existing, overwrite)
    source, targets = Path(motion_path), {"mp4": Path(out_path)}
    check_video_path(targets["mp4"])
    avatar = options.get("avatar")
    shown = None if avatar is None else avatar_formats(avatar, ["mp4"])[1]
    others = ("head", "look", "control")
    written = ExportOptions(**{name: value for name, value in options.items() if name not in others})  # or it raises
    check_neural(written)

    def work(path: Path) -> Outcome:
        motion = import_motion(path, head=_name_of(options.get("head")))
        audio = options.get("audio") or (own_audio(motion, path, options.get("over")) if with_audio else None)
        used = {**options, "audio": audio}
        sized = used if written.neural else {**used, "size": options.get("size") or DEFAULT_SIZE}
        made = {"command": "render", "motion_fingerprint": fingerprint(path), **_recorded(sized)}
        wanted, redone = wanted_targets(targets, lambda _: made, overwrite, skip_existing)
        if not wanted:
            return Outcome(path, "skipped", targets)
        render(motion, targets["mp4"], overwrite=True, progress=progress, **used)
        write_record({targets["mp4"]: made})
        details: dict[str, Any] = {"frames": motion.num_frames, "seconds": motion.duration_s, "audio": audio}
        if shown is not None:
            details["avatar"] = shown.document()
        return Outcome(path, "done", targets, redone=redone, details=details)

    return run_batch(work, {source: source}, (), report, progress)[0]


def own_audio(motion: Motion, motion_path: Path, over: Path | str | None = None) -> Path | AudioClip | None:
    """The audio that goes with a motion file: of the video that it lies over, or of its speech."""
    if over is not None:
        return Path(over) if read_video_info(over).has_audio else None
    return speech_of(motion, motion_path)


def _name_of(head: HeadModel | str | None) -> str | None:
    return head.name if isinstance(head, HeadModel) else head


def check_video_path(path: Path) -> None:
    """Refuse to write a video under the name of another format."""
    if path.suffix.lower() != ".mp4":
        raise UsageError(f"render writes .mp4 files, not {path.name}; {_other_way(path)}")


def _other_way(path: Path) -> str:
    """What to do about a path that is no video's."""
    try:
        format_of(path)
    except UsageError:
        return f"give {path.stem}.mp4"
    return f"`facetalk export MOTION -o {path.name}` writes other formats"


def _recorded(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options as they are recorded: files with fingerprints."""
    control = options.get("control") or RegionalControl()
    values = {name: recorded(value) for name, value in options.items() if name != "control"}
    values |= {name: asdict(value) for name, value in options.items() if isinstance(value, Look)}
    return values | control.described() | fingerprints(options)
