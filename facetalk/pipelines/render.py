"""Motion -> mesh -> pixels -> video file."""

from __future__ import annotations

from pathlib import Path

from jaxtyping import Float
from torch import Tensor

from facetalk.core.errors import UsageError
from facetalk.core.motion import Motion
from facetalk.core.progress import Progress, no_progress
from facetalk.head.looks import Look
from facetalk.head.model import HeadModel
from facetalk.pipelines.export import export


def render(
    motion: Motion,
    out_path: Path | str,
    *,
    head: HeadModel | str | None = None,
    look: Look | None = None,
    backend: str = "cpu",
    camera: str = "front",
    size: int = 512,
    fps: float | None = None,
    audio: Path | str | Float[Tensor, " samples"] | None = None,
    over: Path | str | None = None,
    overwrite: bool = False,
    progress: Progress = no_progress,
) -> Path:
    """Write a video of a motion and return its path.

    Args:
        motion: for any head; it is retargeted where `head` is another one.
        out_path: `.mp4` file.
        head: the head to pose, or its name; the one that the motion names, if not given.
        look: colors of skin, eyes and hair of a head that is given by name.
        backend: `cpu`, or `pyrender` where OpenGL is installed.
        camera: `front` looks at the head's usual place from in front; `tracked` reproduces the camera, image size
            and frame rate of the video that the motion was fitted to.
        size: side of the front camera's square image, pixels.
        fps: frames a second; the motion's own in front, the fitted video's for the tracked camera.
        audio: audio or video file whose audio goes with the frames, or mono samples at 16 kHz.
        over: video that is shown behind the head instead of a plain wall; needs the tracked camera.
        overwrite: replace an existing file.
        progress: called after every frame.

    Raises:
        UsageError: the path is not an `.mp4` file, or the options contradict each other.
        FacetalkError: the path exists already.
        MissingAssetError: the backend `pyrender` is not installed.
    """
    out_path = Path(out_path)
    if out_path.suffix.lower() != ".mp4":
        raise UsageError(
            f"render writes .mp4 files, not {out_path.name}; `facetalk export MOTION -o {out_path.name}` "
            "writes other formats"
        )
    return export(
        motion,
        out_path,
        head=head,
        look=look,
        backend=backend,
        camera=camera,
        size=size,
        fps=fps,
        audio=audio,
        over=over,
        overwrite=overwrite,
        progress=progress,
    )
