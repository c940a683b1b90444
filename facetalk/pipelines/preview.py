"""Preview of a fitted motion: the original, the head over it, and moving curves of mouth, eyes and brows."""

from __future__ import annotations

from itertools import tee
from pathlib import Path

import numpy as np

from facetalk.core.camera import Camera
from facetalk.core.motion import Motion
from facetalk.core.progress import Progress, no_progress
from facetalk.head.model import HeadModel
from facetalk.io.files import free_path
from facetalk.io.video import VideoReader, video_frames
from facetalk.io.video_writer import VideoWriter
from facetalk.motion.frame_rate import at_frame_rate
from facetalk.motion.frames import fitted_camera, matching_head, posed, rendered
from facetalk.motion.overlay import overlay_renderer
from facetalk.motion.retarget import to_arkit
from facetalk.rendering.camera import resized_camera
from facetalk.vision.curve_panel import CurvePanel, Graph

PREVIEW_SIDE = 720
"""Longest side of each of the two images, pixels."""
MIN_SIDE = 240
"""Smaller images are scaled up, so that the curves stay readable."""

GRAPHS: tuple[Graph, ...] = (
    ("mouth", (0.0, 1.0), ("open", "closed over jaw")),
    ("lips", (-1.0, 1.0), ("wide - round",)),
    ("eyes", (0.0, 1.0), ("left closed", "right closed")),
    ("brows", (-1.0, 1.0), ("up - down",)),
)

_CURVES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "open": (("jawOpen",), ()),
    "closed over jaw": (("mouthClose",), ()),
    "wide - round": (("mouthSmileLeft", "mouthSmileRight"), ("mouthPucker", "mouthFunnel")),
    "left closed": (("eyeBlinkLeft",), ()),
    "right closed": (("eyeBlinkRight",), ()),
    "up - down": (("browInnerUp", "browOuterUpLeft", "browOuterUpRight"), ("browDownLeft", "browDownRight")),
}
"""Channels of each curve: the mean of the second group is subtracted from that of the first."""


def render_preview(
    motion: Motion,
    video_path: Path | str,
    out_path: Path | str,
    *,
    head: HeadModel | None = None,
    backend: str = "cpu",
    overwrite: bool = False,
    progress: Progress = no_progress,
) -> Path:
    """Write a video with the original, the fitted head over it, and moving curves.

    The three are side by side; for a wide video the curves are below.

    Args:
        motion: fitted to the video.
        video_path: the original; its audio is used.
        out_path: `.mp4` file.
        head: see `render`.
        backend: see `render`.
        overwrite: replace an existing file.
        progress: called after every frame.
    """
    out_path = free_path(out_path, overwrite)
    motion, head = matching_head(motion, head)
    view, fps = _shown_camera(fitted_camera(motion)), motion.source_fps or motion.fps
    motion = at_frame_rate(motion, fps)
    renderer = overlay_renderer(backend, head, motion, view, video_path)
    with VideoReader(video_path) as video:
        audio = Path(video_path) if video.has_audio else None
    originals, backdrops = tee(
        video_frames(video_path, motion.num_frames, fps, view.image_size, turn=motion.source_turn)
    )
    below = view.image_size[0] > 1.2 * view.image_size[1]
    panel = CurvePanel(GRAPHS, preview_curves(motion, head), fps, _panel_size(view.image_size, below))
    with VideoWriter(out_path, _whole_size(view.image_size, below), fps, audio) as writer:
        images = zip(originals, rendered(renderer, posed(head, motion), backdrops), strict=True)
        for index, (original, overlay) in enumerate(images):
            row = np.concatenate([original, overlay], 1)
            writer.write(np.concatenate([row, panel.draw(index)], 0 if below else 1))
            progress("preview", writer.frame_count, motion.num_frames)
    return out_path


def preview_curves(motion: Motion, head: HeadModel) -> dict[str, np.ndarray]:
    """Curves of `GRAPHS` by name, one value per frame."""
    motion = to_arkit(motion, head)
    names = motion.expression_names

    def mean(members: tuple[str, ...]) -> np.ndarray:
        present = [names.index(name) for name in members if name in names]
        return motion.expression[:, present].mean(1).numpy() if present else np.zeros(motion.num_frames)

    return {name: mean(up) - mean(down) for name, (up, down) in _CURVES.items()}


def _shown_camera(camera: Camera) -> Camera:
    """The fitted camera at the size of an image in the preview."""
    longest = max(camera.image_size)
    scale = min(max(1.0, MIN_SIDE / longest), PREVIEW_SIDE / longest)
    width, height = (max(2, 2 * round(side * scale / 2)) for side in camera.image_size)
    return resized_camera(camera, (width, height))


def _panel_size(size: tuple[int, int], below: bool) -> tuple[int, int]:
    width, height = size
    return (2 * width, max(2, 2 * round(0.3 * width))) if below else (max(MIN_SIDE, width), height)


def _whole_size(size: tuple[int, int], below: bool) -> tuple[int, int]:
    width, height = size
    panel = _panel_size(size, below)
    return (2 * width, height + panel[1]) if below else (2 * width + panel[0], height)
