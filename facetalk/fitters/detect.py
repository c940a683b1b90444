"""Landmarks of one face in every frame of a video."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor

from facetalk.audio.activity import loudness_db
from facetalk.core.errors import NoFaceError, UsageError
from facetalk.core.landmarks import NUM_MESH_POINTS
from facetalk.core.progress import Progress, no_progress
from facetalk.core.timing import FPS
from facetalk.fitters.closer import closer_region, same_face, search_region
from facetalk.fitters.following import Follower, MediaPipeFollower, WholeFollower, follow, segment_length
from facetalk.io.frame_table import FrameTable
from facetalk.io.streamed_audio import StreamedAudio
from facetalk.io.video import DETECTION_SIDE, Region, VideoReader
from facetalk.tracking.observation import Rows
from facetalk.vision.face_tracks import FaceTracks, Person
from facetalk.vision.landmark_detector import LandmarkDetector
from facetalk.vision.orientation import OrientationTest, mediapipe_orientation, turned_message

_log = logging.getLogger(__name__)

FOLLOWERS = 2
"""Detectors that share a video."""
_MIN_SHARED_FRAMES = 24
"""Length of a video from which a second detector saves time."""


@dataclass(frozen=True, eq=False)
class Detections:
    """Detected points of one face in a whole video."""

    points: Rows
    """(rows, 478, 3) pixels of the displayed frame; rows of NaN where the face was not found. A tensor, or a table that
    is partly on disk."""
    times: Float[Tensor, " rows"]
    """Seconds."""
    image_size: tuple[int, int]
    """Width and height of the displayed frame."""
    fps: float
    visible: Float[Tensor, " rows"] | None = None
    """Share of the face that is not covered, in [0, 1]; see `FaceTrack.visible`. None where unknown."""
    person: Person | None = None
    """Which of the people in the video this is; None where unknown."""
    turn: int = 0
    """Counterclockwise quarter turns that bring the video upright; points and sizes belong to the turned frames."""


def detect_landmarks(
    path: Path | str,
    *,
    detector: LandmarkDetector | None = None,
    face: int | None = None,
    orientation: OrientationTest | None = None,
    progress: Progress = no_progress,
) -> Detections:
    """Detect one face in every frame of a video.

    Memory does not grow with the length: points beyond the first minutes are kept in a temporary file. A video that
    shows its faces upside down or lying is turned, with a warning. MediaPipe looks again at a face that is small in a
    large video, at more pixels of the part of the frames where it moves.

    Args:
        path: any video that ffmpeg reads.
        detector: MediaPipe if None.
        face: which of several people, counted from 1 at the left; if None, the main one.
        orientation: finds out whether the video is upright; MediaPipe's if None and `detector` is None too.
        progress: called with the number of frames done and expected.

    Raises:
        FacetalkError: no frame shows a face.
        UsageError: `face` exceeds the number of people.
    """
    with ExitStack() as stack:
        if orientation is None and detector is None:
            orientation = stack.enter_context(mediapipe_orientation())
        seen = _look(path, detector, progress, orientation=orientation)
        turn = 0 if orientation is None else orientation.close_poll()
        if turn:
            _log.warning("%s", turned_message(path, turn))
            seen = _look(path, detector, progress, turn=turn)
    if not seen.tables and detector is None and (region := search_region(path, turn)) is not None:
        seen = _look(path, detector, progress, turn=turn, region=region)
    if not seen.tables:
        raise NoFaceError(path, len(seen.times))
    chosen = _choose(path, seen.tracks, seen.times, face, seen.video.has_audio)
    person = seen.tracks.person(chosen, len(seen.times))
    region = closer_region(seen.tracks.tracks[chosen], seen.video) if detector is None else None
    if region is not None:
        closer = _look(path, detector, progress, turn=turn, region=region)
        same = same_face(seen.tables[chosen], closer.tables, len(seen.times))
        if same is not None:
            seen, chosen = closer, same
    return _detections(seen, chosen, person)


@dataclass(frozen=True, eq=False)
class _Seen:
    """All faces of a video, or of a part of its frames."""

    video: VideoReader
    tracks: FaceTracks
    tables: list[FrameTable]
    """Points of each track in pixels of the video as shown."""
    times: list[float]


def _look(
    path: Path | str,
    detector: LandmarkDetector | None,
    progress: Progress,
    *,
    turn: int = 0,
    region: Region | None = None,
    orientation: OrientationTest | None = None,
) -> _Seen:
    """Follow the faces of a video; ends early once the orientation is clear and the video must be turned."""
    with VideoReader(path, max_side=DETECTION_SIDE, turn=turn, region=region) as video, ExitStack() as stack:
        seen = _Seen(video, FaceTracks(), [], [])
        followers = _followers(detector, video.expected_frames, stack)
        length = segment_length(video.expected_frames, video.size, len(followers))
        for number, ((time_s, image), faces) in enumerate(follow(video, length, followers)):
            if orientation is not None and orientation.add(number, image, faces):
                break
            for track, points in zip(seen.tracks.add(number, time_s, image, faces), faces, strict=True):
                if track == len(seen.tables):
                    seen.tables.append(FrameTable(NUM_MESH_POINTS, 3))
                seen.tables[track].append(number, video.to_shown(points))
            seen.times.append(time_s)
            total = max(video.expected_frames, len(seen.times))
            progress(f"tracking {Path(path).name}", len(seen.times), total)
    return seen


def _detections(seen: _Seen, chosen: int, person: Person) -> Detections:
    table, track = seen.tables[chosen], seen.tracks.tracks[chosen]
    table.extend_to(len(seen.times))
    visible = torch.zeros(len(seen.times))
    visible[track.frames] = torch.tensor(track.visible)
    return Detections(
        points=table,
        times=torch.tensor(seen.times, dtype=torch.float64),
        image_size=seen.video.info.size,
        fps=seen.video.fps,
        visible=visible,
        person=person,
        turn=seen.video.turn,
    )


def source_notes(found: Detections) -> dict[str, Any]:
    """What a motion's `meta` says about the person that was fitted, and about a video that was turned."""
    person = {} if found.person is None else {"person": asdict(found.person)}
    return person | ({"source_turn": found.turn} if found.turn else {})


def _followers(detector: LandmarkDetector | None, expected_frames: int, stack: ExitStack) -> Sequence[Follower]:
    """The given detector, or as many of MediaPipe's as the length of the video is worth."""
    if detector is not None:
        return [WholeFollower(detector)]
    count = 1 if 0 < expected_frames < _MIN_SHARED_FRAMES else FOLLOWERS
    return [stack.enter_context(MediaPipeFollower()) for _ in range(count)]


def _choose(path: Path | str, tracks: FaceTracks, times: Sequence[float], face: int | None, has_audio: bool) -> int:
    """Index of the requested person's track, or of the main one."""
    people = tracks.people(len(times))
    if face is not None:
        if not 1 <= face <= len(people):
            if len(people) == 1:
                raise UsageError(f"--face {face}: {path} shows one face; omit --face")
            raise UsageError(
                f"--face {face}: {path} shows {len(people)} faces; give a number from 1 to {len(people)}, from the left"
            )
        return people[face - 1]
    if len(people) == 1:
        return people[0]
    return tracks.main(len(times), _loudness(path, times) if has_audio else None)


def _loudness(path: Path | str, times: Sequence[float]) -> Float32[np.ndarray, " frames"]:
    """Loudness of the audio around each frame, decibels."""
    with StreamedAudio(path) as audio:
        level = loudness_db(audio).numpy()
    return level[np.minimum((np.asarray(times) * FPS).astype(int), len(level) - 1)]
