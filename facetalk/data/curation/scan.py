"""The scenes and faces of a video from one pass over its frames; points are kept in a file to limit memory."""

from __future__ import annotations

import logging
from contextlib import ExitStack, closing, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from facetalk.core.errors import FacetalkError, NoFaceError
from facetalk.core.landmarks import NUM_MESH_POINTS
from facetalk.core.progress import Progress, no_progress
from facetalk.core.spans import Span
from facetalk.core.timing import FPS, frames_for
from facetalk.data.curation.settings import FaceRules, SceneRules
from facetalk.data.curation.spans import scene_spans
from facetalk.data.curation.tracks import MEASURES, FaceLinker, MeasuredFace, measured_face, split_rows
from facetalk.io.files import replacing
from facetalk.io.npy import ArrayFileError, read_npz, write_npz
from facetalk.io.video import DETECTION_SIDE, VideoReader
from facetalk.vision.face_measures import bounding_boxes, face_angles, face_centers
from facetalk.vision.landmark_detector import ManyFacesDetector, MediaPipeDetector
from facetalk.vision.mouth import mouth_curves
from facetalk.vision.orientation import OrientationTest, mediapipe_orientation, turned_message
from facetalk.vision.scenes import CutFinder

_log = logging.getLogger(__name__)

_TABLE, _POINTS = "scan.npz", "points.f32"


@dataclass(frozen=True, eq=False)
class VideoScan:
    """Cuts and detected faces of a video; one row for each face in each frame."""

    folder: Path
    times: Float[np.ndarray, " frames"]
    """Of the video's own frames, seconds."""
    cuts: Int64[np.ndarray, " cuts"]
    """Frames that begin a new scene."""
    frame: Int64[np.ndarray, " rows"]
    track: Int64[np.ndarray, " rows"]
    measures: Float[np.ndarray, "rows measures"]
    """Columns `MEASURES`."""
    image_size: tuple[int, int]
    fps: float
    turn: int = 0
    """Counterclockwise quarter turns that bring the video upright; points and size belong to the turned frames."""

    @property
    def num_frames(self) -> int:
        """Length of the video in frames at 30 fps."""
        step = float(np.median(np.diff(self.times))) if len(self.times) > 1 else 1 / self.fps
        return frames_for(float(self.times[-1]) + step)

    @property
    def scenes(self) -> list[Span]:
        """Frames of each scene, at 30 fps."""
        return scene_spans([round(float(self.times[cut]) * FPS) for cut in self.cuts], self.num_frames)

    def faces(self) -> list[MeasuredFace]:
        """Every face that was tracked, at 30 fps."""
        scenes = self.scenes
        return [
            measured_face(
                number,
                torch.from_numpy(self.times[self.frame[rows]]),
                torch.from_numpy(self.measures[rows]),
                scenes[int(np.searchsorted(self.cuts, self.frame[rows[0]], side="right"))],
                self.num_frames,
            )
            for number, rows in split_rows(self.track).items()
        ]

    def points(
        self, track: int, start_s: float, stop_s: float
    ) -> tuple[Float[Tensor, "rows 478 3"], Float[Tensor, " rows"]]:
        """Points in pixels of one face from `start_s` to `stop_s`, and their times relative to `start_s`.

        One row for each frame of the video; NaN where the face was not found.
        """
        frames = np.flatnonzero((self.times >= start_s - 1e-6) & (self.times < stop_s - 1e-6))
        rows = np.full((len(frames), NUM_MESH_POINTS, 3), np.nan, np.float32)
        stored = np.memmap(self.folder / _POINTS, np.float32, "r").reshape(-1, NUM_MESH_POINTS, 3)
        mine = np.flatnonzero((self.track == track) & np.isin(self.frame, frames))
        rows[self.frame[mine] - frames[0]] = stored[mine]
        return torch.from_numpy(rows), torch.from_numpy(self.times[frames] - start_s)


def scan_video(
    path: Path,
    folder: Path,
    scenes: SceneRules,
    face: FaceRules,
    *,
    detector: ManyFacesDetector | None = None,
    orientation: OrientationTest | None = None,
    progress: Progress = no_progress,
) -> VideoScan:
    """Detect the cuts and faces of a video in one pass.

    Args:
        path: any video that ffmpeg reads.
        folder: where the result is kept; a complete one is read instead.
        scenes: what counts as a cut.
        face: number of faces that are followed.
        detector: MediaPipe if None.
        orientation: finds out whether the video is upright; MediaPipe's if None and `detector` is None too.
        progress: called with the number of frames done and expected.
    """
    if (folder / _TABLE).is_file():
        return read_scan(folder)
    folder.mkdir(exist_ok=True)
    with ExitStack() as stack:
        if orientation is None and detector is None:
            orientation = stack.enter_context(mediapipe_orientation())
        found = _look(path, folder, scenes, face, detector, progress, orientation=orientation)
        turn = 0 if orientation is None else orientation.close_poll()
        if turn:
            _log.warning("%s", turned_message(path, turn))
            found = _look(path, folder, scenes, face, detector, progress, turn=turn)
    if not found.rows:
        raise NoFaceError(path, len(found.times))
    _write_table(folder / _TABLE, found)
    return read_scan(folder)


@dataclass(frozen=True, eq=False)
class _Found:
    """Findings of one pass over a video."""

    video: VideoReader
    times: list[float]
    rows: list[tuple[int, int]]
    """Frame and track of each detected face."""
    measures: list[np.ndarray]
    cuts: CutFinder


def _look(
    path: Path,
    folder: Path,
    scenes: SceneRules,
    face: FaceRules,
    detector: ManyFacesDetector | None,
    progress: Progress,
    *,
    turn: int = 0,
    orientation: OrientationTest | None = None,
) -> _Found:
    """Detect cuts and faces; ends early once the orientation is clear and the video must be turned."""
    cuts = CutFinder(scenes.cut_ratio, scenes.cut_change)
    own = (
        closing(MediaPipeDetector(max_faces=face.max_faces, small_faces=face.max_faces))
        if detector is None
        else nullcontext(detector)
    )
    video = VideoReader(path, max_side=DETECTION_SIDE, turn=turn)
    with own as used, video, (folder / _POINTS).open("wb") as file:
        return _detect_frames(video, used, cuts, file, orientation, progress)


def _detect_frames(
    video: VideoReader,
    detector: ManyFacesDetector,
    cuts: CutFinder,
    points_file: BinaryIO,
    orientation: OrientationTest | None,
    progress: Progress,
) -> _Found:
    found, linker = _Found(video, [], [], [], cuts), FaceLinker()
    for time_s, image in video:
        cuts.add(image)
        faces = np.array(detector.detect_all(image), np.float32).reshape(-1, NUM_MESH_POINTS, 3)
        if orientation is not None and orientation.add(len(found.times), image, list(faces)):
            break
        points = video.to_shown(faces)
        measures = measure_faces(points)
        found.rows.extend((len(found.times), track) for track in linker.link(measures[:, :4], time_s))
        found.measures.extend(measures)
        points_file.write(np.ascontiguousarray(points, np.float32).tobytes())
        found.times.append(time_s)
        progress(f"scanning {video.path.name}", len(found.times), max(video.expected_frames, len(found.times)))
    return found


def _write_table(path: Path, found: _Found) -> None:
    cuts = np.array(found.cuts.cuts, np.int64)
    frame, linked = np.array(found.rows, np.int64).T
    # Cuts are known several frames late, when faces have been followed across them already.
    scene = np.searchsorted(cuts, frame, side="right")
    _, track = np.unique(np.stack([scene, linked], 1), axis=0, return_inverse=True)
    with replacing(path) as temporary:
        arrays = {
            "times": np.array(found.times),
            "cuts": cuts,
            "frame": frame,
            "track": track.reshape(-1),
            "measures": np.stack(found.measures).astype(np.float32),
            "image_size": np.array(found.video.info.size),
            "fps": np.array(found.video.fps),
            "turn": np.array(found.video.turn),
        }
        write_npz(temporary, arrays)


def read_scan(folder: Path) -> VideoScan:
    """A scan that `scan_video` completed."""
    try:
        values = read_npz(folder / _TABLE)
        width, height = values.pop("image_size")
        fps, turn = float(values.pop("fps")), int(values.pop("turn", 0))
        return VideoScan(folder, image_size=(int(width), int(height)), fps=fps, turn=turn, **values)
    except (ArrayFileError, LookupError, TypeError, ValueError) as error:
        raise FacetalkError(f"{folder / _TABLE} is damaged ({error}); remove {folder}") from None


def measure_faces(points: Float[np.ndarray, "faces 478 3"]) -> Float[np.ndarray, "faces measures"]:
    """The columns `MEASURES` of every face in a frame."""
    if not len(points):
        return np.zeros((0, len(MEASURES)), np.float32)
    opening = mouth_curves(points)[:, :1]
    columns = [bounding_boxes(points), face_centers(points), face_angles(points), opening]
    return np.concatenate(columns, 1).astype(np.float32)
