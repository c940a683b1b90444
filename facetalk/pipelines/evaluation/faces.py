"""Faces in videos and in renders of motions: where their points are, and crops for networks, a few at a time."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from facetalk.core.errors import NoFaceError
from facetalk.core.landmarks import NUM_MESH_POINTS
from facetalk.core.motion import Motion
from facetalk.core.timing import frame_times
from facetalk.data.crops import FACE_PIXELS, KEPT_SCALE, MOUTH_PIXELS, CropTrack, crop_track, cut_frames
from facetalk.data.faces import face_images, mouth_images
from facetalk.head.model import HeadModel
from facetalk.io.video import DETECTION_SIDE, VideoReader
from facetalk.metrics.seen_mouths import SeenFace
from facetalk.motion.frames import make_renderer, posed, rendered
from facetalk.motion.framing import framed
from facetalk.motion.head_surface import head_surface
from facetalk.networks.experts import MOUTH_SIDE, ExpressionReader
from facetalk.networks.lip_reader import PhonemeLipReader
from facetalk.rendering.camera import project
from facetalk.vision.crop import FACE_SCALE, cut, face_boxes, mouth_boxes, to_gray
from facetalk.vision.landmark_detector import MediaPipeDetector

Crops = Iterator[tuple[UInt8[np.ndarray, "128 128 3"], UInt8[np.ndarray, "96 96"]]]
"""Face and gray mouth of each frame."""

RENDER_SIDE = 256
"""Side of rendered frames, pixels: the face is then as large as in its crop."""
_BATCH = 32
_MARGIN = 2
"""Frames on each side that the first convolution of a lip reader sees."""


def see_face(path: Path) -> SeenFace:
    """The face in a video as MediaPipe sees it.

    Raises:
        NoFaceError: less than two frames show one.
    """
    times, rows = [], []
    missing = np.full((NUM_MESH_POINTS, 3), np.nan, np.float32)
    with VideoReader(path, max_side=DETECTION_SIDE) as frames, MediaPipeDetector() as detector:
        scale = frames.scale_to_shown
        for time_s, image in frames:
            points = detector.detect(image)
            times.append(time_s)
            rows.append(missing if points is None else points * scale)
    points = torch.from_numpy(np.stack(rows))
    if int(points.isfinite().all(2).all(1).sum()) < 2:
        raise NoFaceError(path, len(rows))
    return SeenFace(points, torch.tensor(times, dtype=torch.float64))


def video_crops(path: Path, face: SeenFace, image_size: tuple[int, int]) -> Crops:
    """Crops of the face in a video; where no face was found, from where it is taken to be."""
    return cut_frames(path, crop_track(face.points, face.times, image_size))


def rendered_crops(motion: Motion, head: HeadModel) -> Crops:
    """Crops of a rendered motion whose head does not move."""
    rest = torch.zeros_like(motion.transl)
    still = motion.replace(global_orient=rest, neck_pose=rest, transl=rest)
    shown, camera = framed(still, head, RENDER_SIDE)
    points = head.points.landmarks
    # Twice, because the boxes need all frames, and meshes of all frames would fill the memory.
    seen = torch.stack([project(points.on(torch.from_numpy(mesh)), camera) for mesh in posed(head, shown)])
    track = _track(seen, frame_times(motion.num_frames, motion.fps), camera.image_size)
    faces, mouths = track.face_boxes.numpy() * np.array([1, 1, KEPT_SCALE / FACE_SCALE], np.float32), track.mouth_boxes
    renderer = make_renderer("cpu", head_surface(head.assets), camera)
    for image, face, mouth in zip(rendered(renderer, posed(head, shown)), faces, mouths.numpy(), strict=True):
        yield cut(image, face, FACE_PIXELS), to_gray(cut(image, mouth, MOUTH_PIXELS))


def _track(landmarks: Float[Tensor, "frames 68 2"], times: Tensor, image_size: tuple[int, int]) -> CropTrack:
    faces = face_boxes(landmarks.numpy())
    boxes = torch.from_numpy(faces), torch.from_numpy(mouth_boxes(landmarks.numpy(), faces))
    return CropTrack(times, landmarks, torch.ones(len(landmarks), dtype=torch.bool), image_size, *boxes)


@torch.no_grad()
def expression_features(crops: Crops, net: ExpressionReader) -> Float[Tensor, "frames features"]:
    """Features of an expression network in each frame."""
    return torch.cat([net.features(face_images(np.stack([face for face, _ in part]))) for part in _batches(crops)])


@torch.no_grad()
def read_lips(crops: Crops, reader: PhonemeLipReader) -> Float[Tensor, "frames phonemes"]:
    """Logits of the phonemes that a lip reader sees in each frame."""
    rows, held = [], np.zeros((0, MOUTH_PIXELS, MOUTH_PIXELS), np.uint8)
    before = 0
    batches = _batches(crops)
    part = next(batches, None)
    while part is not None:
        following = next(batches, None)
        held = np.concatenate([held, np.stack([mouth for _, mouth in part])])
        features = reader.features(mouth_images(held, side=MOUTH_SIDE)[None])[0]
        # The last frames wait for those that follow.
        stop = len(held) if following is None else len(held) - _MARGIN
        rows.append(features[before:stop])
        kept = max(0, stop - _MARGIN)
        held, before = held[kept:], stop - kept
        part = following
    return reader.phonemes(torch.cat(rows)[None])[0]


def _batches(crops: Crops) -> Iterator[list[tuple[np.ndarray, np.ndarray]]]:
    while part := list(islice(crops, _BATCH)):
        yield part
