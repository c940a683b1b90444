"""Video -> face crops -> SPECTRE's encoders -> motion of a head."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from facetalk import __version__
from facetalk.core.progress import Progress, silent
from facetalk.core.rotations import continuous_axis_angle
from facetalk.core.threads import one_torch_thread
from facetalk.core.timing import FPS, resample
from facetalk.core.types import Camera, Motion
from facetalk.data.crops import FaceTrack, cut_video, face_track
from facetalk.data.faces import face_pictures, mouth_pictures
from facetalk.head.channels import ARKIT_NAMES, GAZE_NAMES, indices
from facetalk.head.gaze import gaze_to_channels
from facetalk.head.model import HeadModel
from facetalk.io.heads import read_head
from facetalk.metrics.stability import motion_stability_index
from facetalk.models.face_encoder import FaceCode
from facetalk.models.face_scene import FaceScene, Shots, in_crop
from facetalk.models.landmark_detector import LandmarkDetector
from facetalk.models.registry import load_face_encoder, load_lip_reader
from facetalk.pipelines.retarget import retarget
from facetalk.pipelines.track import detect_landmarks
from facetalk.tracking.observation import estimate_camera, even_frames, interpolate
from facetalk.tracking.settings import FitSettings
from facetalk.training.exemplar import RefineSettings, refine_encoder
from facetalk.training.spectre import SeenClip
from facetalk.vision.crop import landmarks_68

HEAD = "facetalk"
"""The head that the encoders speak of; other heads get the motion carried over."""

STEADY_REACH = 1
"""Frames on both sides over which rotation and distance are averaged: single pictures are judged one by one."""


@dataclass(frozen=True, eq=False)
class SeenFace:
    """What is known of a video before the encoders look at it."""

    track: FaceTrack
    camera: Camera
    confidence: Float[Tensor, " frames"]
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
    progress: Progress = silent,
) -> Motion:
    """The motion of a head that does what the face in a video does, as SPECTRE's networks see it.

    Args:
        path: any video that ffmpeg reads.
        head: a head, or the name of one.
        refine: teach the networks this clip before they speak (METHODS 2.6); takes minutes.
        network: bundled encoders, or a folder that `facetalk train spectre` wrote.
        settings: of the refinement.
        detector: see `track.detect_landmarks`.
        progress: told what is done and how far it is.
    """
    face = look_for_face(path, detector, progress)
    encoder, scene = load_face_encoder(network), FaceScene(HeadModel(read_head(HEAD)))
    with one_torch_thread():
        clip = clip_of(Path(path), face)
        before = steady(encoder.encode(clip.faces))
        notes: dict[str, Any] = {}
        code = before
        if refine:
            settings = settings or RefineSettings()
            taught = refine_encoder(encoder, scene, load_lip_reader(), clip, settings, progress)
            code = steady(taught.encoder.encode(clip.faces))
            notes = {
                "refined": {
                    "passes": settings.passes,
                    "before": clip_figures(before, scene, clip, face.fps),
                    "after": clip_figures(code, scene, clip, face.fps),
                }
            }
        motion = to_motion(code, scene, clip, face, str(path), notes)
    model = HeadModel(read_head(head)) if isinstance(head, str) else head
    return motion if model.name == HEAD else retarget(motion, model, scene.head)


def look_for_face(path: Path | str, detector: LandmarkDetector | None, progress: Progress) -> SeenFace:
    """Landmarks of a video and a camera that could have filmed it."""
    found = detect_landmarks(path, detector=detector, progress=progress)
    even, confidence = even_frames(found.points.float(), found.times)
    camera = estimate_camera(even, found.image_size, FitSettings())
    return SeenFace(face_track(found.points, found.times, found.image_size), camera, confidence, found.fps)


def clip_of(path: Path, face: SeenFace) -> SeenClip:
    """The pictures that the networks see; decodes the video once more."""
    crops = cut_video(path, face.track)
    boxes = face.track.face_boxes
    points = torch.from_numpy(landmarks_68(face.track.points.numpy()))
    return SeenClip(
        faces=face_pictures(crops.faces),
        mouths=mouth_pictures(crops.mouths),
        landmarks=in_crop(points, boxes),
        shots=Shots(face.camera.K, boxes),
        trusted=face.track.found.float(),
    )


def steady(code: FaceCode) -> FaceCode:
    """The code with the noise of single pictures taken out of the head's rotation, and one identity for the clip."""
    size = 2 * STEADY_REACH + 1
    ends = [rows.expand(STEADY_REACH, 3) for rows in (code.rotation[:1], code.rotation[-1:])]
    rotation = torch.cat([ends[0], code.rotation, ends[1]]).unfold(0, size, 1).mean(-1)
    betas = code.betas.median(0).values.expand_as(code.betas)
    return replace(code, rotation=rotation, betas=betas, expression=code.expression.clamp(0, 1))


def clip_figures(code: FaceCode, scene: FaceScene, clip: SeenClip, fps: float) -> dict[str, float]:
    """Landmark error in units of the outer eye corners' distance, and how steadily the landmarks move."""
    code = scene.anchored(code, code.betas[0], clip.shots, clip.landmarks)
    points = scene.points(code, code.betas[0], clip.shots)
    return {
        "landmark_error": float(landmark_distance(scene.seen(points, clip.shots), clip.landmarks).mean()),
        "stability": motion_stability_index(points, fps),
    }


def landmark_distance(
    mine: Float[Tensor, "frames 68 2"], seen: Float[Tensor, "frames 68 2"]
) -> Float[Tensor, " frames"]:
    """Mean distance of the landmarks of each frame in units of the distance of the outer eye corners."""
    unit = (seen[:, 36] - seen[:, 45]).norm(dim=-1).clamp_min(1e-6)
    return (mine - seen).norm(dim=-1).mean(1) / unit


def to_motion(
    code: FaceCode, scene: FaceScene, clip: SeenClip, face: SeenFace, source: str, notes: Mapping[str, Any]
) -> Motion:
    """The code as a motion at facetalk's frame rate, seen by the video's camera."""
    betas = code.betas[0]
    code = scene.anchored(code, betas, clip.shots, clip.landmarks)
    error = landmark_distance(scene.seen(scene.points(code, betas, clip.shots), clip.shots), clip.landmarks)
    poses, transl = scene.poses(code, betas, clip.shots)
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
            "detector": "MediaPipe face mesh 0.10.21 (Apache-2.0)",
            **notes,
        },
    )
