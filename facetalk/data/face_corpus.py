"""A dataset's clips made ready for networks that see: crops from the videos, and renders of the tracker's motion."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, UInt8
from rich.console import Console
from rich.progress import track as progress
from torch import Tensor

from facetalk.core.errors import FacetalkError, NoFaceError, UsageError
from facetalk.core.landmarks import NUM_MESH_POINTS
from facetalk.core.rotations import axis_angle_to_matrix
from facetalk.data.crops import (
    FACE_PIXELS,
    KEPT_SCALE,
    MOUTH_PIXELS,
    FaceTrack,
    cut_video,
    face_track,
    write_crops,
)
from facetalk.data.faces import (
    FACE_SIDE,
    FaceDataConfig,
    FaceExample,
    crops_dir,
    first_of_each,
    read_face_example,
    spread_over,
)
from facetalk.data.manifest import Clip, read_manifest, split_by_speaker
from facetalk.head.albedo import vertex_albedo
from facetalk.head.model import HeadModel
from facetalk.io.video import DETECTION_SIDE, VideoReader
from facetalk.rendering.differentiable import gray, perspective, rasterize, render_shaded, smooth_normals
from facetalk.rendering.harmonics import solve_light
from facetalk.vision.crop import FACE_SCALE
from facetalk.vision.crop_view import crop_intrinsics
from facetalk.vision.landmark_detector import LandmarkDetector, MediaPipeDetector

LIGHT_FRAMES = 1
"""Frames of a clip from which its light is estimated; the lamps stay where they are."""


class FaceCorpus(NamedTuple):
    """The clips of a dataset."""

    learn: list[FaceExample]
    judge: list[FaceExample]


def read_corpus(data_dir: Path | None, config: FaceDataConfig, method: str) -> FaceCorpus:
    """The dataset's clips, with crops made where they are missing: that decodes each video once."""
    if data_dir is None:
        raise UsageError(f"{method} learns from filmed clips: give --data DIR, a folder made by facetalk fit -o DIR")
    learn, judge = split_by_speaker(read_manifest(data_dir), config.dev_speakers)
    judge = first_of_each(judge, config.judged_per_speaker)
    learn, judge = spread_over(learn, config.max_clips), spread_over(judge, config.max_clips)
    make_crops([*learn, *judge], config.max_frames)
    return FaceCorpus(*([read_face_example(clip, config) for clip in part] for part in (learn, judge)))


def make_crops(clips: Iterable[Clip], max_frames: int) -> None:
    """Cut faces and mouths out of the videos of clips that have no crops yet."""
    missing = [clip for clip in clips if not (crops_dir(clip.folder) / f"{clip.name}.track.npz").is_file()]
    if not missing:
        return
    crops_dir(missing[0].folder).mkdir(exist_ok=True)
    for clip in progress(missing, "cutting faces", console=Console(stderr=True)):
        if not Path(clip.source).is_file():
            raise FacetalkError(f"{clip.name}: its video {clip.source or '(none named)'} is not there; fit it again")
        with MediaPipeDetector() as detector:
            track = detect_track(Path(clip.source), detector, max_frames)
        write_crops(crops_dir(clip.folder), clip.name, cut_video(Path(clip.source), track))


def detect_track(path: Path, detector: LandmarkDetector, max_frames: int | None = None) -> FaceTrack:
    """The face in the pictures of a video."""
    rows, times = [], []
    missing = np.full((NUM_MESH_POINTS, 3), np.nan, np.float32)
    with VideoReader(path, max_side=DETECTION_SIDE) as video:
        for time_s, image in video:
            if len(rows) == max_frames:
                break
            points = detector.detect(image)
            rows.append(missing if points is None else points)
            times.append(time_s)
    if all(np.isnan(row).any() for row in rows):
        raise NoFaceError(path, len(rows))
    points = torch.from_numpy(np.stack(rows) * video.scale_to_shown)
    return face_track(points, torch.tensor(times, dtype=torch.float64), video.info.size)


class TrackedRenderer:
    """Renders what the tracker fitted to a clip, in the clip's own crops."""

    def __init__(self, head: HeadModel) -> None:
        self.head = head
        self.albedo = vertex_albedo(head.assets)
        self.faces = head.shape.faces

    def vertices(self, example: FaceExample, frames: Tensor) -> Float[Tensor, "frames vertices 3"]:
        """The fitted head before the video's camera."""
        poses = example.turns.new_zeros(len(frames), 5, 3)
        poses[:, 0] = example.turns[frames]
        poses[:, 3, :2], poses[:, 4, :2] = example.gaze[frames].split(2, 1)
        return self.head(example.expression[frames], poses, example.transl[frames], example.betas)

    @torch.no_grad()
    def light(self, example: FaceExample) -> Float[Tensor, "9 3"]:
        """Light under which the fitted head has about the colours of the filmed face."""
        sure = torch.nonzero(example.trusted)[:, 0]
        sure = sure if len(sure) else torch.arange(example.num_frames)
        frames = sure[torch.linspace(0, len(sure) - 1, min(LIGHT_FRAMES, len(sure))).round().long()]
        vertices = self.vertices(example, frames)
        boxes = example.track.face_boxes[frames] * torch.tensor([1, 1, KEPT_SCALE / FACE_SCALE])
        lens = crop_intrinsics(example.K, boxes, FACE_PIXELS)
        seen = rasterize(perspective(vertices, lens), self.faces, (FACE_PIXELS, FACE_PIXELS))
        look = torch.cat([smooth_normals(vertices, self.faces), self.albedo.expand(len(frames), -1, -1)], -1)
        normals, albedo = seen.interpolate(look).split(3, -1)
        filmed = torch.from_numpy(np.stack([example.crops.faces[int(frame)] for frame in frames])).flatten(1, 2)
        colors = filmed[seen.frame, seen.place].float() / 255
        # Hair, neck and clothes lie outside the middle of the crop.
        column, row = seen.place % FACE_PIXELS, seen.place // FACE_PIXELS
        middle = torch.hypot((column - FACE_PIXELS / 2).float(), (row - 0.54 * FACE_PIXELS)) < 0.27 * FACE_PIXELS
        normals = torch.nn.functional.normalize(normals, dim=-1)
        return solve_light(normals[middle], albedo[middle], colors[middle])

    @torch.no_grad()
    def portraits(
        self, example: FaceExample, frames: Tensor, light: Float[Tensor, "9 3"]
    ) -> Float[Tensor, "frames 3 112 112"]:
        """The render on black in the boxes of the film's face pictures."""
        vertices = self.vertices(example, frames)
        projected = perspective(vertices, crop_intrinsics(example.K, example.track.face_boxes[frames], FACE_SIDE))
        lamps = light.expand(len(frames), 9, 3)
        size = (FACE_SIDE, FACE_SIDE)
        return render_shaded(vertices, projected, self.faces, self.albedo, lamps, size)[:, :3].clamp(0, 1)

    @torch.no_grad()
    def mouths(self, example: FaceExample, light: Float[Tensor, "9 3"]) -> UInt8[np.ndarray, "frames 96 96"]:
        """Grey mouth crops of the render, cut like those of the video."""
        parts = []
        for frames in torch.arange(example.num_frames).split(32):
            vertices = self.vertices(example, frames)
            lens = crop_intrinsics(example.K, example.track.mouth_boxes[frames], MOUTH_PIXELS)
            lamps = light.expand(len(frames), 9, 3)
            size = (MOUTH_PIXELS, MOUTH_PIXELS)
            image = render_shaded(vertices, perspective(vertices, lens), self.faces, self.albedo, lamps, size)
            parts.append((255 * gray(image[:, :3]).clamp(0, 1)).round().to(torch.uint8))
        return torch.cat(parts).numpy()


def rendered_mouths(example: FaceExample, renderer: TrackedRenderer) -> UInt8[np.ndarray, "frames 96 96"]:
    """Mouth crops of the tracker's fit, rendered once and kept beside the video's crops."""
    path = crops_dir(example.clip.folder) / f"{example.clip.name}.render.npy"
    if not path.is_file():
        np.save(path, renderer.mouths(example, film_light(example, renderer)))
    return np.load(path, mmap_mode="r")


def film_light(example: FaceExample, renderer: TrackedRenderer) -> Float[Tensor, "9 3"]:
    """Light of a clip, estimated once and kept beside its crops."""
    path = crops_dir(example.clip.folder) / f"{example.clip.name}.light.npy"
    if not path.is_file():
        np.save(path, renderer.light(example).numpy())
    return torch.from_numpy(np.load(path))


def head_places(
    example: FaceExample, head: HeadModel, frames: Tensor, pivot: Float[Tensor, "3"]
) -> tuple[Float[Tensor, "frames 3 3"], Float[Tensor, "frames 3"]]:
    """Rotation of the fitted head, and where a point of it at rest is, before the video's camera."""
    turns = axis_angle_to_matrix(example.turns[frames])
    _, joints = head.shaped(example.betas)
    return turns, turns @ (pivot - joints[0]) + joints[0] + example.transl[frames]
