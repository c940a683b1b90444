"""Motion -> mesh -> pixels -> video file."""

from __future__ import annotations

from pathlib import Path

from jaxtyping import Float
from torch import Tensor

from facetalk.core.errors import UsageError
from facetalk.core.motion import Motion
from facetalk.core.progress import Progress, no_progress
from facetalk.exporters.registry import format_of
from facetalk.head.looks import Look
from facetalk.head.model import HeadModel
from facetalk.io.audio_clip import AudioClip
from facetalk.io.path_list import as_path
from facetalk.io.video import read_video_info
from facetalk.motion.regions import RegionalControl
from facetalk.pipelines.export import export
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
    out_path = as_path(out_path, "out_path")
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


def own_audio(motion: Motion, motion_path: Path, over: Path | str | None = None) -> Path | AudioClip | None:
    """The audio that goes with a motion file: of the video that it lies over, or of its speech."""
    if over is not None:
        return Path(over) if read_video_info(over).has_audio else None
    return speech_of(motion, motion_path)


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
