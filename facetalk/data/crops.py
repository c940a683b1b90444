"""Face and mouth crops of a dataset's videos, stored on disk so that training decodes each video once.

A folder next to the motions holds `NAME.face.npy` and `NAME.mouth.npy` (pixels, memory-mapped) and `NAME.track.npz`
(times, landmarks and boxes) for each clip. Frames are those of the video.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from facetalk.core.errors import FacetalkError
from facetalk.io.files import replacing
from facetalk.io.npy import ArrayFileError, read_npz, write_npz
from facetalk.io.video import DETECTION_SIDE, VideoReader
from facetalk.vision.crop import FACE_SCALE, cut, face_boxes, fill_gaps, landmarks_68, mouth_boxes, to_gray

FACE_PIXELS = 128
"""Side of a stored face crop. Training cuts a part out of it, larger or smaller, and scales it to 112 pixels."""

KEPT_SCALE = FACE_SCALE * FACE_PIXELS / 112
"""Side of the box of a stored face over the size of its landmarks: its middle 112 pixels show `FACE_SCALE`."""

MOUTH_PIXELS = 96
"""Side of a stored mouth crop."""


@dataclass(frozen=True, eq=False)
class CropTrack:
    """Where one face is in each frame of a video, and the boxes of its crops."""

    times: Float[Tensor, " frames"]
    """Seconds."""
    landmarks: Float[Tensor, "frames 68 2"]
    """Pixels of the frame as displayed; gaps are interpolated."""
    found: Tensor
    """False in frames whose landmarks are interpolated."""
    image_size: tuple[int, int]
    face_boxes: Float[Tensor, "frames 3"]
    """Center x and y and side, pixels, at `FACE_SCALE`."""
    mouth_boxes: Float[Tensor, "frames 3"]
    turn: int = 0
    """See `VideoReader`; the other values belong to the turned frames."""


@dataclass(frozen=True, eq=False)
class FaceCrops:
    """The crops of one clip."""

    track: CropTrack
    faces: UInt8[np.ndarray, "frames 128 128 3"]
    """Boxes of `KEPT_SCALE`."""
    mouths: UInt8[np.ndarray, "frames 96 96"]


def crop_track(
    points: Float[Tensor, "frames 478 3"], times: Float[Tensor, " frames"], image_size: tuple[int, int], turn: int = 0
) -> CropTrack:
    """Crop boxes from the detected points of a clip; rows of NaN are frames without a face."""
    found = torch.isfinite(points).all(-1).all(-1)
    landmarks = fill_gaps(landmarks_68(points.numpy().astype(np.float32)))
    faces = face_boxes(landmarks)
    mouths = mouth_boxes(landmarks, faces)
    boxes = (torch.from_numpy(faces), torch.from_numpy(mouths))
    return CropTrack(times.to(torch.float64), torch.from_numpy(landmarks), found, image_size, *boxes, turn=turn)


def cut_frames(path: Path, track: CropTrack) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Face (128, 128, 3) and gray mouth (96, 96) of each frame of a track, while the video is decoded."""
    with VideoReader(path, max_side=DETECTION_SIDE, turn=track.turn) as video:
        scale = video.size[0] / video.info.size[0]
        kept = track.face_boxes.numpy() * scale * np.array([1, 1, KEPT_SCALE / FACE_SCALE], np.float32)
        small = track.mouth_boxes.numpy() * scale
        count = 0
        for (_, image), face, mouth in zip(video, kept, small, strict=False):  # a track may end before the video
            count += 1
            yield cut(image, face, FACE_PIXELS), to_gray(cut(image, mouth, MOUTH_PIXELS))
    if count < len(kept):
        raise FacetalkError(f"{path} has {count} frames now, {len(kept)} were tracked; fit it again")


def cut_video(path: Path, track: CropTrack) -> FaceCrops:
    """Face and mouth crops of a whole track."""
    faces, mouths = zip(*cut_frames(path, track), strict=True)
    return FaceCrops(track, np.stack(faces), np.stack(mouths))


def write_crops(folder: Path, name: str, crops: FaceCrops) -> None:
    """Store the crops of a clip. The track is written last: where it exists, the crops are complete."""
    for kind, pixels in (("face", crops.faces), ("mouth", crops.mouths)):
        with replacing(folder / f"{name}.{kind}.npy") as temporary, temporary.open("wb") as file:
            np.save(file, pixels)
    track = crops.track
    arrays = {
        "times": track.times.numpy(),
        "landmarks": track.landmarks.numpy(),
        "found": track.found.numpy(),
        "image_size": np.array(track.image_size),
        "face_boxes": track.face_boxes.numpy(),
        "mouth_boxes": track.mouth_boxes.numpy(),
    }
    with replacing(folder / f"{name}.track.npz") as temporary:
        write_npz(temporary, arrays)


def read_crops(folder: Path, name: str) -> FaceCrops:
    """The stored crops of a clip; pixels are read from disk when they are used."""
    path = folder / f"{name}.track.npz"
    if not path.is_file():
        raise FacetalkError(f"no crops of the clip {name} in {folder}; training makes them from the dataset's videos")
    try:
        values = {key: torch.from_numpy(array) for key, array in read_npz(path).items()}
        width, height = values.pop("image_size").tolist()
        turn = int(values.pop("turn", 0))
        track = CropTrack(image_size=(width, height), turn=turn, **values)
        faces, mouths = (np.load(folder / f"{name}.{kind}.npy", mmap_mode="r") for kind in ("face", "mouth"))
    except (ArrayFileError, LookupError, TypeError, ValueError, EOFError) as error:
        raise FacetalkError(f"the crops of the clip {name} in {folder} are damaged ({error}); remove them") from None
    return FaceCrops(track, faces, mouths)
