"""Video -> its cuts and all its faces, decoded and detected once; the points go to a file: memory stays flat."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from facetalk.core.errors import FacetalkError
from facetalk.core.landmarks import NUM_MESH_POINTS
from facetalk.core.progress import Progress, silent
from facetalk.core.timing import FPS, frames_for
from facetalk.data.curation.settings import FaceRules, SceneRules
from facetalk.data.curation.spans import Span, scene_spans
from facetalk.data.curation.tracks import MEASURES, FaceLinker, FaceTrack, build_track, split_rows
from facetalk.io.files import replacing
from facetalk.io.video import DETECTION_SIDE, VideoReader
from facetalk.vision.face_measures import face_angles, face_boxes, face_centres
from facetalk.vision.landmark_detector import ManyFacesDetector, MediaPipeDetector
from facetalk.vision.mouth import mouth_curves
from facetalk.vision.scenes import CutFinder

_TABLE, _POINTS = "scan.npz", "points.f32"


@dataclass(frozen=True, eq=False)
class VideoScan:
    """What was seen in a video; one row per detected face and picture."""

    folder: Path
    times: Float[np.ndarray, " pictures"]
    """Moments of the pictures, seconds."""
    cuts: Int64[np.ndarray, " cuts"]
    """Pictures that begin a new scene."""
    picture: Int64[np.ndarray, " rows"]
    track: Int64[np.ndarray, " rows"]
    measures: Float[np.ndarray, "rows measures"]
    image_size: tuple[int, int]
    fps: float

    @property
    def num_frames(self) -> int:
        """Frames of the video at 30 a second."""
        step = float(np.median(np.diff(self.times))) if len(self.times) > 1 else 1 / self.fps
        return frames_for(float(self.times[-1]) + step)

    @property
    def scenes(self) -> list[Span]:
        """Frames of each scene."""
        return scene_spans([round(float(self.times[cut]) * FPS) for cut in self.cuts], self.num_frames)

    def tracks(self) -> list[FaceTrack]:
        """Every face on the video's frames."""
        scenes = self.scenes
        return [
            build_track(
                number,
                torch.from_numpy(self.times[self.picture[rows]]),
                torch.from_numpy(self.measures[rows]),
                scenes[int(np.searchsorted(self.cuts, self.picture[rows[0]], side="right"))],
                self.num_frames,
            )
            for number, rows in split_rows(self.track).items()
        ]

    def points(
        self, track: int, start_s: float, stop_s: float
    ) -> tuple[Float[Tensor, "rows 478 3"], Float[Tensor, " rows"]]:
        """A face's points in pixels from `start_s` up to `stop_s`, and the moments of the pictures counted from there.

        Pictures in which the face was not found are NaN rows.
        """
        pictures = np.flatnonzero((self.times >= start_s - 1e-6) & (self.times < stop_s - 1e-6))
        rows = np.full((len(pictures), NUM_MESH_POINTS, 3), np.nan, np.float32)
        stored = np.memmap(self.folder / _POINTS, np.float32, "r").reshape(-1, NUM_MESH_POINTS, 3)
        mine = np.flatnonzero((self.track == track) & np.isin(self.picture, pictures))
        rows[self.picture[mine] - pictures[0]] = stored[mine]
        return torch.from_numpy(rows), torch.from_numpy(self.times[pictures] - start_s)


def scan_video(
    path: Path,
    folder: Path,
    scenes: SceneRules,
    face: FaceRules,
    *,
    detector: ManyFacesDetector | None = None,
    progress: Progress = silent,
) -> VideoScan:
    """Look through a video once.

    Args:
        path: any video that ffmpeg reads.
        folder: gets the result; one that is complete there is read instead.
        scenes: when a scene ends.
        face: how many faces are followed.
        detector: MediaPipe if not given.
        progress: told the number of pictures done and expected.
    """
    if (folder / _TABLE).is_file():
        return read_scan(folder)
    own = MediaPipeDetector(max_faces=face.max_faces) if detector is None else detector
    folder.mkdir(parents=True, exist_ok=True)
    cuts, linker = CutFinder(scenes.cut_ratio, scenes.cut_change), FaceLinker()
    times: list[float] = []
    rows: list[tuple[int, int]] = []
    measures: list[np.ndarray] = []
    try:
        with VideoReader(path, max_side=DETECTION_SIDE) as video, (folder / _POINTS).open("wb") as file:
            expected, scale = video.expected_frames, video.scale_to_shown
            for time_s, image in video:
                cuts.add(image)
                points = np.array(own.detect_all(image), np.float32).reshape(-1, NUM_MESH_POINTS, 3) * scale
                measured = measure(points)
                rows += [(len(times), track) for track in linker.link(measured[:, :4], time_s)]
                measures += list(measured)
                file.write(np.ascontiguousarray(points, np.float32).tobytes())
                times.append(time_s)
                progress(f"looking through {path.name}", len(times), max(expected, len(times)))
    finally:
        if detector is None:
            own.close()
    if not rows:
        raise FacetalkError(f"{path}: no face was found in any of its {len(times)} pictures; give a video of a face")
    picture, linked = np.array(rows, np.int64).T
    # Cuts are known some pictures late, when faces have been followed across them already.
    scene = np.searchsorted(np.array(cuts.cuts, np.int64), picture, side="right")
    _, track = np.unique(np.stack([scene, linked], 1), axis=0, return_inverse=True)
    shown = video.info.size
    with replacing(folder / _TABLE) as temporary:
        np.savez(
            temporary, times=np.array(times), cuts=np.array(cuts.cuts, np.int64), picture=picture,
            track=track.reshape(-1), measures=np.stack(measures).astype(np.float32), image_size=np.array(shown),
            fps=np.array(video.fps),
        )  # fmt: skip
    return read_scan(folder)


def read_scan(folder: Path) -> VideoScan:
    """A scan that `scan_video` completed."""
    with np.load(folder / _TABLE, allow_pickle=False) as table:
        values = dict(table)
    width, height = values.pop("image_size")
    return VideoScan(folder, image_size=(int(width), int(height)), fps=float(values.pop("fps")), **values)


def measure(points: Float[np.ndarray, "faces 478 3"]) -> Float[np.ndarray, "faces measures"]:
    """The columns `MEASURES` of every face of a picture."""
    if not len(points):
        return np.zeros((0, len(MEASURES)), np.float32)
    opening = mouth_curves(points)[:, :1]
    return np.concatenate([face_boxes(points), face_centres(points), face_angles(points), opening], 1).astype(
        np.float32
    )
