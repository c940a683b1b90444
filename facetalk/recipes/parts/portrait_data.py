"""Frames of tracked clips as examples of a portrait: the photo from one frame, the target from another.

The frames of each clip are cropped once and stored in the folder `portrait` of the dataset.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64, UInt8
from rich.console import Console
from rich.progress import track as progress
from torch import Tensor

from facetalk.core.config import check_ranges
from facetalk.core.errors import FacetalkError
from facetalk.core.motion import Motion
from facetalk.data.manifest import Clip
from facetalk.head.channels import ARKIT_NAMES
from facetalk.io.files import replacing
from facetalk.io.motion import read_motion
from facetalk.io.npy import ArrayFileError, read_npz, write_npz
from facetalk.io.video import video_frames
from facetalk.motion.portrait.crop import CROP_PX, PortraitCrop
from facetalk.motion.portrait.scene import PortraitHead, rigid_pose
from facetalk.vision.landmark_detector import MediaPipeDetector

FOLDER = "portrait"
"""Name of the folder with the frames inside a dataset."""
_CHANGED = 4
"""Frames that are kept besides the evenly spread ones for each of: most open mouth, most closed lids."""
_APART = 3
"""Frames between two that are kept for the same reason."""


@dataclass(frozen=True)
class PortraitDataConfig:
    """Which frames are used."""

    dev_speakers: tuple[str, ...] = ()
    """Speakers (patterns with * and ?) that are kept for validation."""
    exclude: tuple[str, ...] = ()
    """Videos (patterns for the end of their path) that are not used."""
    frames_per_clip: int = 20
    """Evenly spread frames of a clip; those with the most open mouth and the most closed lids are added."""
    max_frames: int = 900
    """Longer clips are cut to their first frames."""
    min_confidence: float = 0.5
    """Frames whose fit has a lower confidence are not used."""
    most_enlarged: float = 2.2
    """Clips whose frames would have to be enlarged more than this are not used."""
    batch_size: int = 8

    def __post_init__(self) -> None:
        check_ranges(self, frames_per_clip=(2, 1000), max_frames=(2, 1e6), batch_size=(1, 1e4), min_confidence=(0, 1))


@dataclass(frozen=True, eq=False)
class PortraitClip:
    """The stored frames of one clip."""

    clip: Clip
    motion: Motion
    frames: Int64[Tensor, " kept"]
    """Which frames of the motion were kept."""
    points: Float[Tensor, "kept 478 2"]
    """MediaPipe's points in pixels of the crop."""
    images: UInt8[np.ndarray, "kept crop crop 3"]
    crop: PortraitCrop
    inside: Bool[np.ndarray, "crop crop"]
    """Whether the video shows a pixel of the crop."""


def stored_clip(clip: Clip, config: PortraitDataConfig) -> PortraitClip | None:
    """The frames of a clip that were stored; None if fewer than two show a face."""
    path = clip.folder / FOLDER / f"{clip.name}.npz"
    try:
        values = {key: torch.from_numpy(array) for key, array in read_npz(path).items()}
        crop = PortraitCrop(values["to_crop"])
        if len(values["frames"]) < 2 or crop.scale > config.most_enlarged:
            return None
        images = np.load(path.with_suffix(".npy"), mmap_mode="r")
        motion = read_motion(clip.motion_path)
        return PortraitClip(clip, motion, values["frames"], values["points"], images, crop, _inside(crop, motion))
    except (ArrayFileError, LookupError, TypeError, ValueError, EOFError) as error:
        raise FacetalkError(
            f"the frames of the clip {clip.name} in {path.parent} are damaged ({error}); remove them"
        ) from None


def store_frames(clips: Sequence[Clip], shared: PortraitHead, config: PortraitDataConfig) -> None:
    """Crop and store the frames of the clips that have none yet; decodes each video once."""
    missing = [clip for clip in clips if not (clip.folder / FOLDER / f"{clip.name}.npz").is_file()]
    for clip in progress(missing, "cropping frames", console=Console(stderr=True)) if missing else ():
        if not Path(clip.source).is_file():
            raise FacetalkError(f"{clip.name}: no video at {clip.source or '(none named)'}; fit it again")
        motion = read_motion(clip.motion_path)
        if motion.expression_names != ARKIT_NAMES or motion.camera is None:
            raise FacetalkError(
                f"{clip.motion_path} is not a fit of the ARKit channels with a camera; use facetalk fit"
            )
        _store(clip, motion.cut(0, config.max_frames), shared, config)


def _store(clip: Clip, motion: Motion, shared: PortraitHead, config: PortraitDataConfig) -> None:
    assert motion.camera is not None
    wanted = chosen_frames(motion, config)
    crop = clip_crop(motion, shared, wanted) if wanted else None
    frames, points, images = [], [], []
    size = motion.camera.image_size
    if crop is not None:
        with MediaPipeDetector(follow=False) as detector:
            video = video_frames(Path(clip.source), wanted[-1] + 1, motion.fps, size, turn=motion.source_turn)
            for index, image in enumerate(video):
                if index not in wanted:
                    continue
                part = np.clip(np.rint(crop.cut(image)), 0, 255).astype(np.uint8)
                found = detector.detect(part)
                if found is not None:
                    frames.append(index)
                    points.append(found[:, :2])
                    images.append(part)
    folder = clip.folder / FOLDER
    folder.mkdir(exist_ok=True)
    with replacing(folder / f"{clip.name}.npy") as temporary, temporary.open("wb") as file:
        np.save(file, np.stack(images) if images else np.zeros((0, CROP_PX, CROP_PX, 3), np.uint8))
    arrays = {
        "frames": np.array(frames, np.int64),
        "points": np.array(points, np.float32).reshape(-1, 478, 2),
        "to_crop": np.zeros((2, 3), np.float32) if crop is None else crop.to_crop.numpy(),
    }
    with replacing(folder / f"{clip.name}.npz") as temporary:  # written last: where it exists, the frames are complete
        write_npz(temporary, arrays)


def chosen_frames(motion: Motion, config: PortraitDataConfig) -> list[int]:
    """Frames that are kept: evenly spread ones, and those in which mouth and lids do most."""
    count = motion.num_frames
    spread = np.linspace(0, count - 1, min(config.frames_per_clip, count)).round().astype(int)
    chosen = set(spread.tolist())
    for name in ("jawOpen", "eyeBlinkLeft"):
        order = motion.channel(name).argsort(descending=True).tolist()
        added: list[int] = []
        for frame in order:
            if len(added) < _CHANGED and all(abs(frame - other) > _APART for other in added):
                added.append(frame)
        chosen |= set(added)
    sure = torch.ones(count) if motion.confidence is None else motion.confidence
    return sorted(frame for frame in chosen if float(sure[frame]) >= config.min_confidence)


def clip_crop(motion: Motion, shared: PortraitHead, frames: list[int]) -> PortraitCrop:
    """A crop that stands still around the usual place of the head in a clip."""
    assert motion.camera is not None
    poses = rigid_pose(shared.model, motion)
    centers = (poses.rotation[frames] @ shared.center + poses.shift[frames]).median(0).values
    return PortraitCrop.around(centers, torch.tensor([0.0, 1.0, 0.0]), motion.camera.K)


def _inside(crop: PortraitCrop, motion: Motion) -> Bool[np.ndarray, "crop crop"]:
    assert motion.camera is not None
    places = crop.image_places()
    return ((places >= 0) & (places <= np.array(motion.camera.image_size))).all(-1)
