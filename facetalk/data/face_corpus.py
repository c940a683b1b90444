"""The clips of a dataset of videos, split into training and validation, with their crops."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from rich.console import Console
from rich.progress import track as progress

from facetalk.core.errors import FacetalkError, NoFaceError, UsageError
from facetalk.core.landmarks import NUM_MESH_POINTS
from facetalk.data.crops import CropTrack, crop_track, cut_video, write_crops
from facetalk.data.faces import FaceDataConfig, FaceExample, crops_dir, first_of_each, read_face_example, spread_over
from facetalk.data.manifest import Clip, read_manifest
from facetalk.data.split import split_clips
from facetalk.io.motion import read_motion
from facetalk.io.video import DETECTION_SIDE, VideoReader
from facetalk.vision.landmark_detector import LandmarkDetector, MediaPipeDetector


class FaceCorpus(NamedTuple):
    """The clips of a dataset."""

    train: list[FaceExample]
    validation: list[FaceExample]
    """Clips of speakers that are not in the training set."""


def read_corpus(data_dir: Path | None, config: FaceDataConfig, method: str) -> FaceCorpus:
    """The clips of a dataset; missing crops are made, which decodes each video once.

    Args:
        data_dir: the dataset folder; raises UsageError where None.
        config: which clips are used.
        method: the recipe, for the message of the error.
    """
    if data_dir is None:
        raise UsageError(f"{method} is trained on videos: give --data DIR, which facetalk fit VIDEO... -o DIR writes")
    train, validation = split_clips(read_manifest(data_dir), config.dev_speakers)
    validation = first_of_each(validation, config.validation_clips_per_speaker)
    train, validation = spread_over(train, config.max_clips), spread_over(validation, config.max_clips)
    make_crops([*train, *validation], config.max_frames)
    return FaceCorpus(*([read_face_example(clip, config) for clip in part] for part in (train, validation)))


def make_crops(clips: Iterable[Clip], max_frames: int) -> None:
    """Crop faces and mouths from the videos of the clips that have no crops yet."""
    missing = [clip for clip in clips if not (crops_dir(clip.folder) / f"{clip.name}.track.npz").is_file()]
    if not missing:
        return
    crops_dir(missing[0].folder).mkdir(exist_ok=True)
    for clip in progress(missing, "cropping faces", console=Console(stderr=True)):
        if not Path(clip.source).is_file():
            raise FacetalkError(f"{clip.name}: no video at {clip.source or '(none named)'}; fit it again")
        with MediaPipeDetector(small_faces=1) as detector:
            track = detect_track(
                Path(clip.source), detector, max_frames, turn=read_motion(clip.motion_path).source_turn
            )
        write_crops(crops_dir(clip.folder), clip.name, cut_video(Path(clip.source), track))


def detect_track(path: Path, detector: LandmarkDetector, max_frames: int | None = None, *, turn: int = 0) -> CropTrack:
    """Detect the face in the first `max_frames` frames of a video (all for None); `turn` as for `VideoReader`."""
    rows, times = [], []
    missing = np.full((NUM_MESH_POINTS, 3), np.nan, np.float32)
    with VideoReader(path, max_side=DETECTION_SIDE, turn=turn) as video:
        for time_s, image in video:
            if len(rows) == max_frames:
                break
            points = detector.detect(image)
            rows.append(missing if points is None else points)
            times.append(time_s)
    if all(np.isnan(row).any() for row in rows):
        raise NoFaceError(path, len(rows))
    points = torch.from_numpy(np.stack(rows) * video.scale_to_shown)
    return crop_track(points, torch.tensor(times, dtype=torch.float64), video.info.size, turn)
