"""Filmed faces beside what the tracker made of them, frame by frame at the video's own rate."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from facetalk.core.errors import FacetalkError
from facetalk.core.timing import frame_times, resample
from facetalk.data.crops import FACE_PIXELS, KEPT_SCALE, FaceCrops, FaceTrack, read_crops
from facetalk.data.manifest import Clip
from facetalk.head.channels import ARKIT_NAMES
from facetalk.io.motion import read_motion
from facetalk.vision.crop import FACE_SCALE

CROPS = "crops"
"""Folder of a dataset that holds the crops."""

FACE_SIDE = 112
"""Side of the face pictures that networks see, pixels."""


@dataclass(frozen=True)
class FaceDataConfig:
    """Which clips are used, and how they are looked at."""

    dev_speakers: tuple[str, ...] = ()
    """Speakers (patterns with * and ?) that are kept for judging."""
    shares: Mapping[str, float] = field(default_factory=dict)
    """How often a frame of a speaker's clips (a pattern) is drawn, against 1 for all others; the first fit counts."""
    sound_lags_ms: Mapping[str, float] = field(default_factory=dict)
    """How long a speaker's sound (a pattern) comes after the picture, milliseconds."""
    max_frames: int = 400
    """Of a longer clip only the beginning is used."""
    min_confidence: float = 0.5
    """Frames whose fit is trusted less are not learnt from."""
    scales: tuple[float, float] = (1.4, 1.8)
    """Range of the face box's side over the size of the landmarks in training (METHODS 4.2)."""
    clip_frames: int = 20
    """Consecutive frames of a training example."""
    batch_size: int = 1
    """Examples in a batch."""
    judged_per_speaker: int = 0
    """Judge at most so many clips of a speaker; 0 for all."""
    max_clips: int = 0
    """Use at most so many clips, evenly spread over the dataset; 0 for all."""


@dataclass(frozen=True, eq=False)
class FaceExample:
    """One clip: its pictures, and the tracker's motion at the moments of the pictures."""

    clip: Clip
    crops: FaceCrops
    betas: Float[Tensor, " n_betas"]
    expression: Float[Tensor, "frames 52"]
    turns: Float[Tensor, "frames 3"]
    """Rotation of the head, axis-angle."""
    transl: Float[Tensor, "frames 3"]
    gaze: Float[Tensor, "frames 4"]
    """Pitch and yaw of the left and of the right eye, radians."""
    K: Float[Tensor, "3 3"]
    trusted: Float[Tensor, " frames"]
    """1 where the face was found and the fit is trusted, else 0."""

    @property
    def num_frames(self) -> int:
        """Number of pictures."""
        return len(self.expression)

    @property
    def track(self) -> FaceTrack:
        """Where the face is in the video."""
        return self.crops.track


def read_face_example(clip: Clip, config: FaceDataConfig) -> FaceExample:
    """One clip of a dataset whose crops were made."""
    crops = shortened(read_crops(clip.folder / CROPS, clip.name), config.max_frames)
    motion = read_motion(clip.motion_path)
    if motion.expression_names != ARKIT_NAMES or motion.camera is None:
        raise FacetalkError(f"{clip.motion_path} is no fit of ARKit's channels with a camera; use facetalk fit")
    own = frame_times(motion.num_frames, motion.fps)
    times = crops.track.times
    gaze = torch.cat([motion.leye_pose[:, :2], motion.reye_pose[:, :2]], 1)
    rows = {"expression": motion.expression, "turns": motion.global_orient, "transl": motion.transl, "gaze": gaze}
    confidence = torch.ones(motion.num_frames) if motion.confidence is None else motion.confidence
    trusted = (resample(confidence, own, times) >= config.min_confidence) & crops.track.found
    return FaceExample(
        clip=clip,
        crops=crops,
        betas=motion.betas,
        K=motion.camera.K,
        trusted=trusted.float(),
        **{name: resample(values, own, times) for name, values in rows.items()},
    )


def shortened(crops: FaceCrops, max_frames: int) -> FaceCrops:
    """The first frames of a clip."""
    track, part = crops.track, slice(max_frames)
    rows = {name: getattr(track, name)[part] for name in ("times", "landmarks", "found", "face_boxes", "mouth_boxes")}
    return FaceCrops(FaceTrack(image_size=track.image_size, **rows), crops.faces[part], crops.mouths[part])


def share_of(speaker: str, shares: Mapping[str, float], default: float) -> float:
    """The value of the first pattern that a speaker matches."""
    return next((value for pattern, value in shares.items() if fnmatchcase(speaker, pattern)), default)


def spread_over(clips: list[Clip], count: int) -> list[Clip]:
    """At most so many clips, evenly spread; all for 0."""
    if not count or len(clips) <= count:
        return clips
    return [clips[index * len(clips) // count] for index in range(count)]


def first_of_each(clips: list[Clip], count: int) -> list[Clip]:
    """At most so many clips of a speaker; all for 0."""
    seen: Counter[str] = Counter()
    kept = []
    for clip in clips:
        seen[clip.speaker] += 1
        if not count or seen[clip.speaker] <= count:
            kept.append(clip)
    return kept


def face_pictures(
    faces: UInt8[np.ndarray, "frames kept kept 3"], scale: float = FACE_SCALE, size: int = FACE_SIDE
) -> Float[Tensor, "frames 3 size size"]:
    """The middle of kept crops in [0, 1], as large a part as `scale` wants."""
    part = min(1.0, scale / KEPT_SCALE)
    pictures = torch.from_numpy(np.array(faces)).permute(0, 3, 1, 2).float() / 255
    if round(part * FACE_PIXELS) == size:
        edge = (FACE_PIXELS - size) // 2
        return pictures[:, :, edge : edge + size, edge : edge + size].contiguous()
    along = part * ((torch.arange(size) + 0.5) / size * 2 - 1)
    grid = torch.stack(torch.meshgrid(along, along, indexing="ij")[::-1], -1)
    return torch.nn.functional.grid_sample(pictures, grid.expand(len(pictures), -1, -1, -1), align_corners=False)


def mouth_pictures(
    mouths: UInt8[np.ndarray, "frames 96 96"], shift: tuple[int, int] = (0, 0), side: int = 88
) -> Float[Tensor, "frames side side"]:
    """Grey in [0, 1]: the middle of kept mouths, or a part beside it (METHODS 4.3).

    Args:
        mouths: as kept.
        shift: rows and columns by which the part lies off the middle, at most 4.
        side: of the part.
    """
    edge = (mouths.shape[1] - side) // 2
    row, column = edge + shift[0], edge + shift[1]
    part = np.array(mouths[:, row : row + side, column : column + side])
    return torch.from_numpy(part).float() / 255


def crops_dir(folder: Path) -> Path:
    """Where a dataset keeps its crops."""
    return folder / CROPS
