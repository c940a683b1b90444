"""Video -> face crops -> SPECTRE's encoders -> motion of a head."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.core.landmarks import IBUG_OUTER_EYE_CORNERS
from facetalk.core.progress import Progress, silent
from facetalk.core.rotations import continuous_axis_angle
from facetalk.core.threads import one_torch_thread
from facetalk.core.timing import FPS, resample
from facetalk.core.types import Camera, Motion
from facetalk.core.version import __version__
from facetalk.data.crops import FaceTrack, cut_frames, face_track
from facetalk.data.faces import face_pictures, mouth_pictures
from facetalk.fitters.detect import detect_landmarks
from facetalk.fitters.refine import RefineSettings, refine_encoder, with_lids
from facetalk.head.channels import ARKIT_NAMES, GAZE_NAMES, indices
from facetalk.head.gaze import gaze_to_channels
from facetalk.head.model import HeadModel
from facetalk.metrics.stability import motion_stability_index
from facetalk.motion.face_scene import FaceScene, SeenClip, Shots, in_crop
from facetalk.motion.heads import load_head
from facetalk.motion.retarget import retarget
from facetalk.networks.face_encoder import FaceCode, FaceEncoder
from facetalk.networks.registry import load_face_encoder, load_lip_reader
from facetalk.tracking.observation import estimate_camera, even_frames, interpolate
from facetalk.tracking.settings import FitSettings
from facetalk.vision.landmark_detector import LandmarkDetector, detector_name

HEAD = "facetalk"
"""The head that the encoders speak of; other heads get the motion carried over."""

REFINE_FRAMES = 1500
"""Of a longer video only the beginning teaches: pictures of all frames are held in memory, 180 kB each."""

STEADY_REACH = 1
"""Frames on both sides over which rotation and distance are averaged: single pictures are judged one by one."""


@dataclass(frozen=True, eq=False)
class SeenFace:
    """What is known of a video before the encoders look at it."""

    track: FaceTrack
    shots: Shots
    landmarks: Float[Tensor, "frames 68 2"]
    """The detector's, in units of the face's crop."""
    camera: Camera
    confidence: Float[Tensor, " even"]
    """At facetalk's frame rate."""
    fps: float


def fit_video_spectre(
    path: Path | str,
    *,
    head: HeadModel | str = HEAD,
    refine: bool = False,
    network: str = "spectre",
    settings: RefineSettings | None = None,
    detector: LandmarkDetector | None = None,
    face: int | None = None,
    progress: Progress = silent,
) -> Motion:
    """The motion of a head that does what the face in a video does, as SPECTRE's networks see it.

    Args:
        path: any video that ffmpeg reads.
        head: a head, or the name of one.
        refine: teach the networks this clip before they speak (METHODS 2.6); takes minutes.
        network: bundled encoders, or a folder that `facetalk train spectre` wrote.
        settings: of the refinement.
        detector: see `detect.detect_landmarks`.
        face: see there.
        progress: told what is done and how far it is.
    """
    path = Path(path)
    seen = look_for_face(path, detector, face, progress)
    encoder, scene = load_face_encoder(network), FaceScene(load_head(HEAD))
    notes: dict[str, Any] = {}
    with one_torch_thread():
        before = read_face(encoder, path, seen)
        code = before
        if refine:
            settings = settings or RefineSettings()
            clip = clip_of(path, seen)
            code = read_face(refine_encoder(encoder, scene, load_lip_reader(), clip, settings, progress), path, seen)
            code = replace(code, expression=with_lids(code.expression, before.expression))
            figures = {"before": code_figures(before, scene, seen), "after": code_figures(code, scene, seen)}
            notes = {"refined": {"passes": settings.passes, **figures}}
        motion = to_motion(code, scene, seen, str(path), notes)
    model = load_head(head) if isinstance(head, str) else head
    return motion if model.name == HEAD else retarget(motion, model, scene.head)


def look_for_face(
    path: Path | str, detector: LandmarkDetector | None, face: int | None, progress: Progress
) -> SeenFace:
    """Landmarks of a video and a camera that could have filmed it."""
    found = detect_landmarks(path, detector=detector, face=face, progress=progress)
    points = found.points[:]
    even, confidence = even_frames(points.float(), found.times)
    camera = estimate_camera(even, found.image_size, FitSettings())
    track = face_track(points, found.times, found.image_size)
    seen = in_crop(track.landmarks, track.face_boxes)
    return SeenFace(track, Shots(camera.K, track.face_boxes), seen, camera, confidence, found.fps)


def read_face(encoder: FaceEncoder, path: Path, face: SeenFace) -> FaceCode:
    """What the encoders say of the video's frames, one identity for all; decodes the video once more.

    The noise of judging single pictures is taken out of the head's rotation.
    """
    pictures = (face_pictures(picture[None])[0] for picture, _ in cut_frames(path, face.track))
    code = encoder.encode(pictures, face.landmarks)
    size = 2 * STEADY_REACH + 1
    ends = [rows.expand(STEADY_REACH, 3) for rows in (code.rotation[:1], code.rotation[-1:])]
    rotation = torch.cat([ends[0], code.rotation, ends[1]]).unfold(0, size, 1).mean(-1)
    betas = code.betas.median(0).values.expand_as(code.betas)
    return replace(code, rotation=rotation, betas=betas, expression=code.expression.clamp(0, 1))


def clip_of(path: Path, face: SeenFace) -> SeenClip:
    """The pictures that teach a refinement: the first `REFINE_FRAMES` of the video."""
    faces, mouths = zip(*islice(cut_frames(path, face.track), REFINE_FRAMES), strict=True)
    part = slice(len(faces))
    return SeenClip(
        faces=face_pictures(np.stack(faces)),
        mouths=mouth_pictures(np.stack(mouths)),
        landmarks=face.landmarks[part],
        shots=replace(face.shots, boxes=face.shots.boxes[part]),
        trusted=face.track.found[part].float(),
    )


def code_figures(code: FaceCode, scene: FaceScene, face: SeenFace) -> dict[str, float]:
    """Landmark error in units of the outer eye corners' distance, and how steadily the landmarks move (s2/m)."""
    code = scene.anchored(code, code.betas[0], face.shots, face.landmarks)
    points = scene.points(code, code.betas[0], face.shots)
    return {
        "landmark_error": float(landmark_distance(scene.seen(points, face.shots), face.landmarks).mean()),
        "stability": motion_stability_index(points, face.fps),
    }


def landmark_distance(
    mine: Float[Tensor, "frames 68 2"], seen: Float[Tensor, "frames 68 2"]
) -> Float[Tensor, " frames"]:
    """Mean distance of the landmarks of each frame in units of the distance of the outer eye corners."""
    right, left = IBUG_OUTER_EYE_CORNERS
    unit = (seen[:, right] - seen[:, left]).norm(dim=-1).clamp_min(1e-6)
    return (mine - seen).norm(dim=-1).mean(1) / unit


def to_motion(code: FaceCode, scene: FaceScene, face: SeenFace, source: str, notes: Mapping[str, Any]) -> Motion:
    """The code as a motion at facetalk's frame rate, seen by the video's camera."""
    betas = code.betas[0]
    code = scene.anchored(code, betas, face.shots, face.landmarks)
    error = landmark_distance(scene.seen(scene.points(code, betas, face.shots), face.shots), face.landmarks)
    poses, transl = scene.poses(code, betas, face.shots)
    times = face.track.times
    target = torch.arange(len(face.confidence), dtype=torch.float64) / FPS

    def even(rows: Tensor) -> Tensor:
        return interpolate(rows, times, target)

    turns, eyes = even(continuous_axis_angle(poses[:, 0])), even(code.gaze)
    still = torch.zeros_like(turns)
    leye, reye = (torch.cat([look, still[:, :1]], 1) for look in eyes.split(2, 1))
    expression = even(code.expression).clamp(0, 1)
    expression[:, indices(GAZE_NAMES)] = gaze_to_channels(leye, reye)
    even_error = resample(error, times, target)
    return Motion(
        head=HEAD,
        fps=FPS,
        expression=expression,
        expression_names=ARKIT_NAMES,
        global_orient=turns,
        neck_pose=still,
        jaw_pose=still.clone(),
        leye_pose=leye,
        reye_pose=reye,
        transl=even(transl),
        betas=betas,
        camera=face.camera,
        fit_error=even_error,
        confidence=face.confidence / (1 + (even_error / 0.06) ** 4),
        source=source,
        source_fps=face.fps,
        meta={
            "facetalk": __version__,
            "command": "fit --method spectre",
            "detector": detector_name(),
            **notes,
        },
    )
