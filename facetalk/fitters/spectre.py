"""The SPECTRE fitter: face crops and landmarks of a video -> SPECTRE's encoders -> motion of a head.

After Filntisis et al. 2023, "Visual speech-aware perceptual 3D facial expression reconstruction from videos".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.core.camera import Camera
from facetalk.core.motion import Motion
from facetalk.core.progress import Progress, no_progress
from facetalk.core.rotations import continuous_axis_angle
from facetalk.core.threads import one_torch_thread
from facetalk.core.timing import FPS, resample
from facetalk.core.version import __version__
from facetalk.data.crops import CropTrack, crop_track, cut_frames
from facetalk.data.faces import face_images, mouth_images
from facetalk.fitters.base import LengthListener, no_listener
from facetalk.fitters.detect import Detections, detect_landmarks, source_notes
from facetalk.fitters.refine import RefineSettings, refine_encoder, with_lids
from facetalk.head.channels import ARKIT_NAMES, GAZE_NAMES, indices
from facetalk.head.gaze import gaze_to_channels
from facetalk.head.model import HeadModel
from facetalk.metrics.landmarks import landmark_error
from facetalk.metrics.stability import motion_stability_index
from facetalk.motion.face_scene import CropViews, FaceScene, ObservedClip, in_crop
from facetalk.motion.heads import load_head
from facetalk.motion.retarget import retarget
from facetalk.networks.face_encoder import FaceCode, FaceEncoder
from facetalk.networks.registry import load_face_encoder, load_lip_reader
from facetalk.tracking.observation import estimate_camera, even_frames, even_times, interpolate
from facetalk.tracking.settings import HALF_CONFIDENCE_ERROR, FitSettings
from facetalk.vision.landmark_detector import LandmarkDetector, detector_name

HEAD = "facetalk"
"""The head that the encoders were trained on; the motion is retargeted to other heads."""

REFINE_FRAMES = 1500
"""Frames that a refinement is trained on, the first of a longer video: all are held in memory, 180 kB each."""

_SMOOTHING_REACH = 1
"""Frames on each side over which the rotation is averaged: the encoder sees each frame on its own."""


class SpectreFitter:
    """Fits the bundled head by SPECTRE's networks, optionally refined on each video first."""

    def __init__(
        self,
        refine: bool = False,
        *,
        network: str = "spectre",
        settings: RefineSettings | None = None,
        detector: LandmarkDetector | None = None,
    ) -> None:
        """Choose the networks.

        Args:
            refine: train a copy of the networks on each video first; takes minutes.
            network: bundled encoders, or a folder that `facetalk train spectre` wrote.
            settings: of the refinement.
            detector: MediaPipe if None.
        """
        self._refine, self._network, self._detector = refine, network, detector
        self._settings = settings or RefineSettings()

    def fit(
        self,
        video: Path,
        head: HeadModel,
        *,
        face: int | None = None,
        progress: Progress = no_progress,
        on_length: LengthListener = no_listener,
    ) -> Motion:
        """See `Fitter.fit`."""
        detected = detect_landmarks(video, detector=self._detector, face=face, progress=progress)
        on_length(len(even_times(detected.times)))
        found = cropped_face(detected)
        encoder, scene = load_face_encoder(self._network), FaceScene(load_head(HEAD))
        notes = source_notes(detected)
        with one_torch_thread():
            code = encode_video(encoder, video, found)
            if self._refine:
                before = code
                encoder = self._refined(encoder, scene, video, found, progress)
                code = encode_video(encoder, video, found)
                code = replace(code, expression=with_lids(code.expression, before.expression))
                quality = {
                    "before": refinement_quality(before, scene, found),
                    "after": refinement_quality(code, scene, found),
                }
                notes |= {"refined": {"passes": self._settings.passes, **quality}}
            motion = to_motion(code, scene, found, str(video), notes)
        return motion if head.name == HEAD else retarget(motion, head, scene.head)

    def _refined(
        self, encoder: FaceEncoder, scene: FaceScene, video: Path, found: CroppedFace, progress: Progress
    ) -> FaceEncoder:
        clip = refinement_clip(video, found)
        return refine_encoder(encoder, scene, load_lip_reader(), clip, self._settings, progress)


@dataclass(frozen=True, eq=False)
class CroppedFace:
    """The detected face of a video with crop boxes and camera: the input of the encoders."""

    track: CropTrack
    views: CropViews
    landmarks: Float[Tensor, "frames 68 2"]
    """The detector's, in units of the face crop."""
    camera: Camera
    confidence: Float[Tensor, " even"]
    """At facetalk's frame rate."""
    fps: float


def cropped_face(found: Detections) -> CroppedFace:
    """Crop boxes around the detected face, and an estimate of the camera."""
    points = found.points[:]
    even, confidence = even_frames(points.float(), found.times)
    camera = estimate_camera(even, found.image_size, FitSettings())
    track = crop_track(points, found.times, found.image_size, found.turn)
    landmarks = in_crop(track.landmarks, track.face_boxes)
    return CroppedFace(track, CropViews(camera.K, track.face_boxes), landmarks, camera, confidence, found.fps)


def encode_video(encoder: FaceEncoder, video: Path, face: CroppedFace) -> FaceCode:
    """The encoders' output for each frame, with one identity for all; decodes the video.

    The rotation is smoothed over neighboring frames.
    """
    images = (face_images(image[None])[0] for image, _ in cut_frames(video, face.track))
    code = encoder.encode(images, face.landmarks)
    size = 2 * _SMOOTHING_REACH + 1
    ends = [rows.expand(_SMOOTHING_REACH, 3) for rows in (code.rotation[:1], code.rotation[-1:])]
    rotation = torch.cat([ends[0], code.rotation, ends[1]]).unfold(0, size, 1).mean(-1)
    betas = code.betas.median(0).values.expand_as(code.betas)
    return replace(code, rotation=rotation, betas=betas, expression=code.expression.clamp(0, 1))


def refinement_clip(video: Path, face: CroppedFace) -> ObservedClip:
    """The first `REFINE_FRAMES` frames of a video as training data of a refinement."""
    faces, mouths = zip(*islice(cut_frames(video, face.track), REFINE_FRAMES), strict=True)
    part = slice(len(faces))
    return ObservedClip(
        faces=face_images(np.stack(faces)),
        mouths=mouth_images(np.stack(mouths)),
        landmarks=face.landmarks[part],
        views=replace(face.views, boxes=face.views.boxes[part]),
        trusted=face.track.found[part].float(),
    )


def refinement_quality(code: FaceCode, scene: FaceScene, face: CroppedFace) -> dict[str, float]:
    """Mean landmark error in interocular units, and the motion stability index of the landmarks (s2/m)."""
    placed = _place(code, scene, face)
    return {
        "landmark_error": float(placed.error.mean()),
        "stability": motion_stability_index(placed.landmarks, face.fps),
    }


class _Placed(NamedTuple):
    """The encoders' output with its camera adjusted to the detected landmarks."""

    code: FaceCode
    landmarks: Float[Tensor, "frames 68 3"]
    """Of the head in front of the camera, meters."""
    error: Float[Tensor, " frames"]
    """Interocular units."""


def _place(code: FaceCode, scene: FaceScene, face: CroppedFace) -> _Placed:
    code = scene.anchored(code, code.betas[0], face.views, face.landmarks)
    points = scene.points(code, code.betas[0], face.views)
    return _Placed(code, points, landmark_error(scene.seen(points, face.views), face.landmarks))


def to_motion(code: FaceCode, scene: FaceScene, face: CroppedFace, source: str, notes: Mapping[str, Any]) -> Motion:
    """The encoders' output as a motion at facetalk's frame rate, in front of the video's camera."""
    code, _, error = _place(code, scene, face)
    betas = code.betas[0]
    poses, transl = scene.poses(code, betas, face.views)
    times = face.track.times
    target = torch.arange(len(face.confidence), dtype=torch.float64) / FPS

    def even(rows: Tensor) -> Tensor:
        return interpolate(rows, times, target)

    turns, eyes = even(continuous_axis_angle(poses[:, 0])), even(code.gaze)
    still = torch.zeros_like(turns)
    leye, reye = (torch.cat([gaze, still[:, :1]], 1) for gaze in eyes.split(2, 1))
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
        confidence=face.confidence / (1 + (even_error / HALF_CONFIDENCE_ERROR) ** 4),
        source=source,
        source_fps=face.fps,
        meta={
            "facetalk": __version__,
            "command": "fit --method spectre",
            "detector": detector_name(),
            **notes,
        },
    )
