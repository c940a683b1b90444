"""Videos of faces as training examples: crops and the fitted motion, frame by frame at the rate of the video."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from facetalk.core.config import check_ranges
from facetalk.core.errors import FacetalkError
from facetalk.core.timing import frame_times, resample
from facetalk.data.crops import FACE_PIXELS, KEPT_SCALE, CropTrack, FaceCrops, read_crops
from facetalk.data.manifest import Clip
from facetalk.head.channels import ARKIT_NAMES
from facetalk.io.motion import read_motion
from facetalk.vision.crop import FACE_SCALE

CROPS = "crops"
"""Name of the folder with the crops inside a dataset."""

FACE_SIDE = 112
"""Side of the face images that networks see, pixels."""


@dataclass(frozen=True)
class FaceDataConfig:
    """Which clips are used, and how they are cropped."""

    dev_speakers: tuple[str, ...] = ()
    """Speakers (patterns with * and ?) that are kept for validation."""
    shares: Mapping[str, float] = field(default_factory=dict)
    """How often a frame of a speaker is sampled, relative to 1; the first pattern that matches the speaker counts."""
    audio_lags_ms: Mapping[str, float] = field(default_factory=dict)
    """How much later than the video the audio of a speaker (a pattern) comes, milliseconds."""
    fix_sync: bool = True
    """Whether the offset that the manifest states (`av_offset_ms`) is removed too."""
    max_frames: int = 400
    """Longer clips are cut to their first frames."""
    min_confidence: float = 0.5
    """Frames whose fit has a lower confidence are not trained on."""
    scales: tuple[float, float] = (1.4, 1.8)
    """Range of the side of the face box over the size of the landmarks in training."""
    clip_frames: int = 20
    """Consecutive frames of a training example."""
    batch_size: int = 1
    """Examples in a batch."""
    validation_clips_per_speaker: int = 0
    """Most clips of a speaker in validation; 0 for all."""
    max_clips: int = 0
    """Most clips that are used, evenly spread over the dataset; 0 for all."""

    def __post_init__(self) -> None:
        check_ranges(self, max_frames=(1, 1e6), clip_frames=(1, 1e5), batch_size=(1, 1e5), min_confidence=(0, 1))
        check_ranges(self, scales=(0.1, 10))


@dataclass(frozen=True, eq=False)
class FaceExample:
    """One clip: its crops, and the fitted motion at the times of the video frames."""

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
        """Number of video frames."""
        return len(self.expression)

    @property
    def track(self) -> CropTrack:
        """Where the face is in the video."""
        return self.crops.track


def read_face_example(clip: Clip, config: FaceDataConfig) -> FaceExample:
    """One clip of a dataset; its crops must exist."""
    crops = shortened(read_crops(clip.folder / CROPS, clip.name), config.max_frames)
    motion = read_motion(clip.motion_path)
    if motion.expression_names != ARKIT_NAMES or motion.camera is None:
        raise FacetalkError(f"{clip.motion_path} is not a fit of the ARKit channels with a camera; use facetalk fit")
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
    """The crops of the first frames of a clip."""
    track, part = crops.track, slice(max_frames)
    rows = {name: getattr(track, name)[part] for name in ("times", "landmarks", "found", "face_boxes", "mouth_boxes")}
    return FaceCrops(CropTrack(image_size=track.image_size, **rows), crops.faces[part], crops.mouths[part])


def spread_over(clips: list[Clip], count: int) -> list[Clip]:
    """At most `count` clips, evenly spread; all for 0."""
    if not count or len(clips) <= count:
        return clips
    return [clips[index * len(clips) // count] for index in range(count)]


def first_of_each(clips: list[Clip], count: int) -> list[Clip]:
    """At most `count` clips of each speaker; all for 0."""
    seen: Counter[str] = Counter()
    kept = []
    for clip in clips:
        seen[clip.speaker] += 1
        if not count or seen[clip.speaker] <= count:
            kept.append(clip)
    return kept


def face_images(
    faces: UInt8[np.ndarray, "frames kept kept 3"], scale: float = FACE_SCALE, size: int = FACE_SIDE
) -> Float[Tensor, "frames 3 size size"]:
    """The middle of stored face crops.

    Args:
        faces: stored crops.
        scale: side of the wanted part over the size of the landmarks.
        size: side of the result, pixels.

    Returns:
        RGB in [0, 1].
    """
    part = min(1.0, scale / KEPT_SCALE)
    images = torch.from_numpy(np.array(faces)).permute(0, 3, 1, 2).float() / 255
    if round(part * FACE_PIXELS) == size:
        edge = (FACE_PIXELS - size) // 2
        return images[:, :, edge : edge + size, edge : edge + size].contiguous()
    along = part * ((torch.arange(size) + 0.5) / size * 2 - 1)
    grid = torch.stack(torch.meshgrid(along, along, indexing="ij")[::-1], -1)
    return torch.nn.functional.grid_sample(images, grid.expand(len(images), -1, -1, -1), align_corners=False)


def mouth_images(
    mouths: UInt8[np.ndarray, "frames 96 96"], shift: tuple[int, int] = (0, 0), side: int = 88
) -> Float[Tensor, "frames side side"]:
    """The middle of stored mouth crops, or a part next to it.

    Args:
        mouths: stored crops.
        shift: offset of the part from the middle, rows and columns, at most 4.
        side: side of the part, pixels.

    Returns:
        Gray in [0, 1].
    """
    edge = (mouths.shape[1] - side) // 2
    row, column = edge + shift[0], edge + shift[1]
    part = np.array(mouths[:, row : row + side, column : column + side])
    return torch.from_numpy(part).float() / 255


def crops_dir(folder: Path) -> Path:
    """The folder of a dataset that holds its crops."""
    return folder / CROPS
