"""Clips that are compared: motions, animated meshes and videos."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.core.errors import FacetalkError
from facetalk.core.motion import Motion
from facetalk.data.sources import VIDEO_SUFFIXES
from facetalk.head.channels import ARKIT_NAMES
from facetalk.head.model import HeadModel
from facetalk.importers.registry import import_motion
from facetalk.io.mesh_sequence import holds_vertices, read_mesh_sequence
from facetalk.io.npy import ArrayFileError, npy_shape
from facetalk.io.video import read_video_info

MOST_VIDEO_S = 3600.0
"""Length of the longest video that is evaluated."""

MAX_LENGTH_DIFFERENCE = 0.1
"""Clips whose lengths differ by more than this share are not of the same speech."""
FEW_FRAMES = 3
"""By which lengths may differ in any case."""


@dataclass(frozen=True, eq=False)
class MotionClip:
    """A motion for the head that is evaluated."""

    path: Path
    motion: Motion

    @property
    def fps(self) -> float | None:
        """Frames a second."""
        return self.motion.fps

    @property
    def num_frames(self) -> int | None:
        """Number of frames."""
        return self.motion.num_frames


@dataclass(frozen=True, eq=False)
class MeshClip:
    """An animated mesh."""

    path: Path
    vertices: Float[Tensor, "frames vertices 3"]
    fps: float | None
    """Frames a second; None where nobody knows."""

    @property
    def num_frames(self) -> int | None:
        """Number of frames."""
        return len(self.vertices)


@dataclass(frozen=True, eq=False)
class VideoClip:
    """A video of one face, which is decoded when it is needed."""

    path: Path
    fps: float | None
    still: bool = False
    """Whether its first frame stands for all of them."""
    repeated: bool = False
    """Whether it begins anew at its end."""

    @property
    def num_frames(self) -> int | None:
        """Unknown before all of it is decoded."""
        return None


Clip: TypeAlias = MotionClip | MeshClip | VideoClip


def read_clip(path: Path, head: HeadModel) -> Clip:
    """Read a motion or an animated mesh, or what a video says about itself.

    Args:
        path: see `facetalk.pipelines.evaluate`.
        head: on which motions are posed.

    Raises:
        FacetalkError: it cannot be read, or is for another head.
    """
    if path.suffix.lower() in VIDEO_SUFFIXES:
        info = read_video_info(path)
        if (info.duration_s or 0) > MOST_VIDEO_S:
            raise FacetalkError(
                f"{path} lasts {info.duration_s:.0f} s; videos of at most an hour are evaluated, cut it"
            )
        return VideoClip(path, info.fps)
    if path.is_dir() or (path.suffix == ".npy" and not _is_channels(path)) or _is_mesh_archive(path):
        vertices, fps = read_mesh_sequence(path)
        return MeshClip(path, torch.from_numpy(vertices), fps)
    motion = import_motion(path, head=head.name)
    if motion.head != head.name or motion.expression_names != head.shape.expression_names:
        raise FacetalkError(
            f"{path} is a motion for the head {motion.head!r}, not {head.name!r}: give its head instead"
        )
    if len(motion.betas) != head.num_betas:
        raise FacetalkError(f"{path} has {len(motion.betas)} betas, the head {head.name!r} {head.num_betas}")
    return MotionClip(path, motion)


def same_length(predicted: Path, num_predicted: int, reference: Path, num_reference: int) -> int:
    """Number of frames that both clips have, counted at the same rate.

    Raises:
        FacetalkError: one of them is much longer.
    """
    longer, shorter = max(num_predicted, num_reference), min(num_predicted, num_reference)
    if longer - shorter > max(FEW_FRAMES, MAX_LENGTH_DIFFERENCE * longer):
        raise FacetalkError(
            f"{predicted} has {num_predicted} frames and {reference} {num_reference}: not the same clip"
        )
    return shorter


def kind_of(clip: Clip) -> str:
    """What a clip is, for messages."""
    return {MotionClip: "a motion", MeshClip: "a mesh", VideoClip: "a video"}[type(clip)]


def _is_mesh_archive(path: Path) -> bool:
    return path.suffix.lower() == ".npz" and holds_vertices(path)


def _is_channels(path: Path) -> bool:
    """Whether an array holds weights of ARKit's channels, and not vertices."""
    try:
        shape = npy_shape(path)
    except ArrayFileError:
        return False
    return len(shape) == 2 and shape[1] == len(ARKIT_NAMES)


def held_still(clip: Clip) -> Clip:
    """The face of a clip that does not move: the mean of its frames; of a video the first one.

    No face at rest has smaller squared errors, so that this is the hardest baseline of its kind.
    """
    if isinstance(clip, VideoClip):
        return replace(clip, still=True)
    if isinstance(clip, MeshClip):
        return replace(clip, vertices=clip.vertices.mean(0, keepdim=True).expand_as(clip.vertices))
    motion = clip.motion.replace(events=(), laughter=None, fit_error=None, confidence=None)
    names = ("expression", "global_orient", "neck_pose", "jaw_pose", "leye_pose", "reye_pose", "transl")
    means = {name: getattr(motion, name).mean(0, keepdim=True).expand_as(getattr(motion, name)) for name in names}
    return replace(clip, motion=motion.replace(**means))


def fitted_in_length(clip: Clip, reference: Clip) -> Clip:
    """A clip of other speech, repeated or cut to the length of the reference."""
    if isinstance(clip, VideoClip):
        return replace(clip, repeated=True)
    fps = clip.fps or reference.fps
    if reference.num_frames is None or reference.fps is None or fps is None:
        wanted = clip.num_frames or 1
    else:
        wanted = max(1, round(reference.num_frames / reference.fps * fps))
    if isinstance(clip, MeshClip):
        return replace(clip, vertices=clip.vertices[torch.arange(wanted) % len(clip.vertices)])
    return replace(clip, motion=clip.motion.pick([frame % clip.motion.num_frames for frame in range(wanted)]))
