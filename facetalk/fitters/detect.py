"""Video -> landmarks of one face in every picture."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.audio.activity import loudness_db
from facetalk.core.errors import FacetalkError, UsageError
from facetalk.core.landmarks import NUM_MESH_POINTS
from facetalk.core.progress import Progress, silent
from facetalk.fitters.following import MediaPipeFollower, WholeFollower, follow, stretch_length
from facetalk.io.frame_table import FrameTable
from facetalk.io.streamed_audio import BLOCK, StreamedAudio
from facetalk.io.video import DETECTION_SIDE, VideoReader
from facetalk.tracking.observation import Rows
from facetalk.vision.face_tracks import FaceTracks
from facetalk.vision.landmark_detector import LandmarkDetector

FOLLOWERS = 2
"""Detectors that share a video."""
_FEWEST_SHARED = 24
"""Pictures for which a second detector pays."""


@dataclass(frozen=True, eq=False)
class Detections:
    """The detector's points of a whole video."""

    points: Rows
    """(rows, 478, 3) pixels; NaN rows where no face was found. A tensor, or a table that is not all in memory."""
    times: Float[Tensor, " rows"]
    """Moments of the pictures, seconds."""
    image_size: tuple[int, int]
    """Of the video as shown, which the points refer to."""
    fps: float
    visible: Float[Tensor, " rows"] | None = None
    """Share of the face that looks as usual, in [0, 1]; see `FaceTrack.visible`. Unknown where missing."""
    num_faces: int = 1
    """People that were seen for a good part of the video."""


def detect_landmarks(
    path: Path | str,
    *,
    detector: LandmarkDetector | None = None,
    face: int | None = None,
    progress: Progress = silent,
) -> Detections:
    """Landmarks of one face in every picture of a video.

    Memory does not grow with the length: points beyond the first minutes wait in a temporary file.

    Args:
        path: any video that ffmpeg reads.
        detector: MediaPipe if not given.
        face: which of several, counted from 1 at the left of the picture; the largest, most lasting and speaking one if
            not given.
        progress: told the number of pictures done and expected.
    """
    tracks, tables, times = FaceTracks(), [], []
    with VideoReader(path, max_side=DETECTION_SIDE) as video, ExitStack() as stack:
        expected, scale = video.expected_frames, video.scale_to_shown
        if detector is None:
            count = 1 if 0 < expected < _FEWEST_SHARED else FOLLOWERS
            followers = [stack.enter_context(MediaPipeFollower()) for _ in range(count)]
        else:
            followers = [WholeFollower(detector)]
        length = stretch_length(expected, video.size, len(followers))
        for picture, ((time_s, image), faces) in enumerate(follow(video, length, followers)):
            for number, points in zip(tracks.add(picture, time_s, image, faces), faces, strict=True):
                if number == len(tables):
                    tables.append(FrameTable(NUM_MESH_POINTS, 3))
                tables[number].append(picture, points * scale)
            times.append(time_s)
            progress(f"tracking {Path(path).name}", len(times), max(expected, len(times)))
        has_audio = video.has_audio
    if not tables:
        raise FacetalkError(f"{path}: no face was found in any of its {len(times)} pictures; give a video of a face")
    people = tracks.people(len(times))
    chosen = _choose(path, tracks, times, face, has_audio)
    table = tables[chosen]
    table.extend_to(len(times))
    visible = torch.zeros(len(times))
    visible[tracks.tracks[chosen].pictures] = torch.tensor(tracks.tracks[chosen].visible)
    moments = torch.tensor(times, dtype=torch.float64)
    return Detections(table, moments, video.info.size, video.fps, visible, len(people))


def _choose(path: Path | str, tracks: FaceTracks, times: list[float], face: int | None, has_audio: bool) -> int:
    """Number of the wanted person's track."""
    people = tracks.people(len(times))
    if face is not None:
        if not 1 <= face <= len(people):
            seen = "one face" if len(people) == 1 else f"{len(people)} faces"
            raise UsageError(
                f"--face {face}: {path} shows {seen}; give a number from 1 to {len(people)}, from the left"
            )
        return people[face - 1]
    if len(people) == 1:
        return people[0]
    return tracks.main(len(times), _loudness(path, times) if has_audio else None)


def _loudness(path: Path | str, times: list[float]) -> np.ndarray:
    """Loudness of the sound around each picture, decibels."""
    rate = 30.0
    with StreamedAudio(path) as sound:
        parts = [loudness_db(sound[start : start + BLOCK], rate) for start in range(0, len(sound), BLOCK)]
    level = torch.cat(parts).numpy()
    return level[np.minimum((np.asarray(times) * rate).astype(int), len(level) - 1)]
