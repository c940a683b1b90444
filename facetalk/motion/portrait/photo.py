"""The head in a photo: found, and fitted with its camera."""

from __future__ import annotations

import logging
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from facetalk.core.errors import FacetalkError
from facetalk.core.landmarks import MESH_OUTER_EYE_CORNERS
from facetalk.core.motion import Motion
from facetalk.core.rotations import axis_angle_to_matrix, yaw_pitch_roll
from facetalk.core.threads import one_torch_thread
from facetalk.head.model import HeadModel
from facetalk.io.photo import read_photo
from facetalk.tracking.fit import fit_landmarks
from facetalk.vision.landmark_detector import MediaPipeDetector
from facetalk.vision.orientation import mediapipe_orientation

MOST_FACES = 8
"""Faces that are looked for."""
LEAST_EYES_PX = 12.0
"""Distance of the outer eye corners below which a face is refused: the whole face is some 20 pixels wide."""
FEW_EYES_PX = 40.0
"""The same distance below which a blurred result is announced."""
MOST_TURNED_DEG = 50.0
"""Yaw or pitch from which a face is refused: one eye is hidden then."""
MUCH_TURNED_DEG = 30.0
"""The same from which a poor result is announced."""
WORST_FIT = 0.06
"""Mean distance of the points, in units of the outer eye corners', from which the face is not like a person's."""

DRAWN = 0.35
"""Share of the face's pixels that are exactly like their neighbors from which it is taken for a drawing: cameras are
noisy, and skin is not flat."""

_log = logging.getLogger(__name__)


class PhotoFit(NamedTuple):
    """A photo and the head in it."""

    image: UInt8[np.ndarray, "height width 3"]
    """sRGB, upright."""
    points: Float[Tensor, "478 2"]
    """MediaPipe's points, pixels."""
    fit: Motion
    """One frame, with its camera."""


def fit_photo(path: Path | str, head: HeadModel) -> PhotoFit:
    """Read a photo and fit a head to the largest face in it.

    Args:
        path: see `read_photo`.
        head: a head with ARKit's channels.

    Raises:
        FacetalkError: there is no face, or it is too small or turned too far.
    """
    image = read_photo(path)
    image, faces = _upright(path, image)
    if not faces:
        raise FacetalkError(
            f"{path}: no face was found; give a photo of a person who looks towards the camera (drawings and animals "
            f"are often not recognized)"
        )
    if len(faces) > 1:
        _log.warning("%s shows %d faces; the largest one moves: cut out another one to choose it", path, len(faces))
    points = faces[0]
    eyes_px = eye_distance(points)
    if eyes_px < LEAST_EYES_PX:
        raise FacetalkError(
            f"{path}: the face is only about {1.7 * eyes_px:.0f} pixels wide; give a photo in which it has 60 or more"
        )
    if eyes_px < FEW_EYES_PX:
        _log.warning("%s: the face is only about %.0f pixels wide; the video will be blurred", path, 1.7 * eyes_px)
    if flatness(image, points) > DRAWN:
        _log.warning("%s looks like a drawing; a face that is not shaped like a person's may not move well", path)
    height, width = image.shape[:2]
    with one_torch_thread():
        rows = torch.from_numpy(points)[None].float()
        fit = fit_landmarks(rows, torch.zeros(1, dtype=torch.float64), (width, height), head, source=str(path))
    _check_fit(path, fit)
    return PhotoFit(image, torch.from_numpy(points[:, :2].copy()), fit)


def eye_distance(points: Float[np.ndarray, "478 3"]) -> float:
    """Distance of the outer eye corners, in three dimensions: the same for a turned head."""
    right, left = MESH_OUTER_EYE_CORNERS
    return float(np.linalg.norm(points[right] - points[left]))


def flatness(image: UInt8[np.ndarray, "height width 3"], points: Float[np.ndarray, "478 3"]) -> float:
    """Share of the pixels around a face that have the color of their right and lower neighbors."""
    height, width = image.shape[:2]
    low = np.clip(points[:, :2].min(0), 0, (width - 2, height - 2)).astype(int)
    high = np.maximum(np.clip(points[:, :2].max(0), 0, (width, height)).astype(int), low + 2)
    part = image[low[1] : high[1], low[0] : high[0]]
    same = (part[:-1, :-1] == part[1:, :-1]) & (part[:-1, :-1] == part[:-1, 1:])
    return float(same.all(-1).mean())


def _upright(path: Path | str, image: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
    """The photo, turned if its faces lie or stand on their heads, and the points of its faces, the largest first."""
    faces = _faces(image)
    with mediapipe_orientation() as test:
        test.add(0, image, faces)
        turn = test.close_poll()
    if turn:
        _log.warning("%s lies on its side or is upside down; it was turned", path)
        image = np.ascontiguousarray(np.rot90(image, turn))
        faces = _faces(image)
    return image, faces


def _faces(image: np.ndarray) -> list[np.ndarray]:
    with closing(MediaPipeDetector(follow=False, max_faces=MOST_FACES, small_faces=MOST_FACES)) as detector:
        return sorted(detector.detect_all(image), key=eye_distance, reverse=True)


def _check_fit(path: Path | str, fit: Motion) -> None:
    assert fit.fit_error is not None
    yaw, pitch, _ = torch.rad2deg(yaw_pitch_roll(axis_angle_to_matrix(fit.global_orient[0]))).tolist()
    turned = max(abs(yaw), abs(pitch))
    if turned > MOST_TURNED_DEG:
        raise FacetalkError(
            f"{path}: the face is turned by {turned:.0f} degrees; give a photo that shows both eyes and the whole mouth"
        )
    if turned > MUCH_TURNED_DEG:
        _log.warning("%s: the face is turned by %.0f degrees; what it hides has to be guessed", path, turned)
    if float(fit.fit_error[0]) > WORST_FIT:
        _log.warning("%s: the face is not shaped like a person's; mouth and eyes may not follow", path)
