"""Landmarks of a clip -> motion of a head: camera and identity, then pose, gaze and channels window by window."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.core.camera import Camera
from facetalk.core.motion import Motion
from facetalk.core.rotations import axis_angle_to_matrix, continuous_axis_angle, matrix_to_axis_angle
from facetalk.core.threads import in_threads
from facetalk.core.timing import FPS, Window, resample, windows
from facetalk.head.gaze import gaze_to_channels
from facetalk.head.model import HeadModel
from facetalk.tracking.energy import FaceEnergy, Observation, State
from facetalk.tracking.eyes import EyeModel, calibrate, estimate_gaze, eye_model
from facetalk.tracking.face_basis import FaceBasis, reduce_head
from facetalk.tracking.identity import fit_identity, personal_offsets, pick_frames
from facetalk.tracking.observation import (
    INTEROCULAR_M,
    EvenFrames,
    Rows,
    estimate_camera,
    interocular_px,
    observe,
    with_focal_length,
)
from facetalk.tracking.read_back import MIN_IMAGES, ReadBack, apply_reading
from facetalk.tracking.refine import refine
from facetalk.tracking.settings import HALF_CONFIDENCE_ERROR, FitSettings, at_resolution

_SAMPLE = 1000
"""Number of evenly spread frames from which camera and identity are estimated."""


@dataclass(frozen=True, eq=False)
class ClipModel:
    """The constants of a clip."""

    basis: FaceBasis
    energy: FaceEnergy
    camera: Camera
    betas: Float[Tensor, " n_betas"]
    offsets: Float[Tensor, "points 3"]
    """Constant difference of the person's points from the head's; see `identity.personal_offsets`."""
    eyes: EyeModel
    reference: Float[Tensor, "3 3"]
    """Mean rotation of the head; rotations are solved relative to it."""


@dataclass(frozen=True, eq=False)
class FrameFits:
    """Fitted values of each frame."""

    rotation: Float[Tensor, "frames 3"]
    position: Float[Tensor, "frames 3"]
    channels: Float[Tensor, "frames free"]
    leye_pose: Float[Tensor, "frames 3"]
    reye_pose: Float[Tensor, "frames 3"]
    error: Float[Tensor, " frames"]
    """Mean distance of the points, interocular units."""


def fit_landmarks(
    points: Rows,
    times: Float[Tensor, " rows"],
    image_size: tuple[int, int],
    head: HeadModel,
    *,
    settings: FitSettings | None = None,
    read_back: ReadBack | None = None,
    visible: Float[Tensor, " rows"] | None = None,
    source: str = "",
    source_fps: float = 0.0,
    meta: Mapping[str, Any] | None = None,
) -> Motion:
    """Fit a head to the points of a clip, at facetalk's frame rate.

    Args:
        points: MediaPipe's face mesh (rows, 478, 3) in pixels, y down, depth on the scale of x; rows of NaN
            where no face was found. A tensor, or a table on disk, of which one window is read at a time.
        times: time of each row in seconds, increasing, possibly uneven.
        image_size: width and height of a frame.
        head: the head to move, with an embedding of the points.
        settings: weights of the energy.
        read_back: renders the head and detects its points; if None, only the bias stored in the head is corrected.
        visible: share of the face that is visible in each row, part of the confidence; 1 if None.
        source: path of the video, stored in the motion.
        source_fps: frame rate of the video, stored in the motion.
        meta: metadata of the motion.
    """
    settings = settings or FitSettings()
    even = EvenFrames(points, times)
    confidence = even.confidence if visible is None else even.confidence * _trust(resample(visible, times, even.times))
    every = max(1, len(even) // _SAMPLE)
    clip = fit_clip(even[::every], confidence[::every], image_size, head, settings, read_back)

    def fitted(window: Window) -> FrameFits:
        return _cut(fit_window(clip, even[window.read], settings), window.keep)

    parts = in_threads(fitted, list(windows(len(even), settings.window, settings.margin)))
    fits = FrameFits(*(torch.cat([getattr(part, name) for part in parts]) for name in FrameFits.__annotations__))
    confidence = confidence / (1 + (fits.error / HALF_CONFIDENCE_ERROR) ** 4)
    return _to_motion(clip, fits, head, confidence, source, source_fps, meta)


def _trust(visible: Float[Tensor, " frames"]) -> Float[Tensor, " frames"]:
    """Factor of the confidence where part of the face is covered.

    Never zero: a change of light is hard to tell from a hand.
    """
    return 0.25 + 0.75 * ((visible - 0.4) / 0.4).clamp(0, 1)


def fit_clip(
    points: Float[Tensor, "frames 478 3"],
    confidence: Float[Tensor, " frames"],
    image_size: tuple[int, int],
    head: HeadModel,
    settings: FitSettings,
    read_back: ReadBack | None = None,
) -> ClipModel:
    """Camera, identity and eyes of a clip from evenly spread frames."""
    basis = reduce_head(head)
    settings = at_resolution(settings, INTEROCULAR_M / float(interocular_px(points).median()))
    camera = estimate_camera(points, image_size, settings)
    _, guess = observe(points, camera, basis)
    picks = points[pick_frames(confidence, guess.rotation, settings.identity_frames)]
    usual_focal_px = float(camera.K[0, 0])
    clip = _fit_person(basis, picks, camera, head, settings, usual_focal_px)
    count = min(settings.read_back_frames, max(MIN_IMAGES, round(settings.read_back_share * len(points))))
    if read_back is None or settings.read_back_frames == 0:
        return clip
    shown = points[pick_frames(confidence, guess.rotation, count)]
    basis = _basis_as_read(clip, shown, head, settings, read_back)
    return _fit_person(basis, picks, clip.camera, head, settings, usual_focal_px, clip.betas)


def _fit_person(
    basis: FaceBasis,
    points: Float[Tensor, "picks 478 3"],
    camera: Camera,
    head: HeadModel,
    settings: FitSettings,
    usual_focal_px: float,
    known: Float[Tensor, " n_betas"] | None = None,
) -> ClipModel:
    """Identity, focal length, offsets and eyes of the person in several frames; `known` is a similar identity."""
    seen, state = observe(points, camera, basis)
    strict = FaceEnergy(basis, settings, solves_identity=True)
    rounds = settings.identity_rounds if known is None else settings.read_back_rounds
    person = fit_identity(strict, seen, state, rounds, usual_focal_px, known)
    betas, seen, state = person.betas, person.seen, person.state
    offsets = settings.personal_share * personal_offsets(strict, betas, seen, state)
    rest = basis.rest(betas, state.channels.new_zeros(len(state.channels), 8))
    eyes = calibrate(eye_model(head, basis, betas), seen, state, basis, rest)
    camera = with_focal_length(camera, seen.focal_px)
    return ClipModel(basis, FaceEnergy(basis, settings), camera, betas, offsets, eyes, seen.reference)


def _basis_as_read(
    clip: ClipModel, points: Float[Tensor, "picks 478 3"], head: HeadModel, settings: FitSettings, read_back: ReadBack
) -> FaceBasis:
    """The basis with its points where the detector finds them on renders of these fitted frames."""
    fits = fit_window(clip, points, settings, consecutive=False)
    read = read_back(_to_motion(clip, fits, head, torch.ones(len(points))))
    seen, _ = observe(torch.where(torch.isfinite(read), read, points), clip.camera, clip.basis, clip.reference)
    lost = ~torch.isfinite(read[:, 0, 0])
    seen = replace(seen, image_points=seen.image_points.masked_fill(lost[:, None, None], torch.nan))
    rest = clip.basis.rest(clip.betas, gaze_to_channels(fits.leye_pose, fits.reye_pose))
    return apply_reading(clip.basis, rest, State(fits.rotation, fits.position, fits.channels), seen)


def fit_window(
    clip: ClipModel, points: Float[Tensor, "frames 478 3"], settings: FitSettings, *, consecutive: bool = True
) -> FrameFits:
    """Fit pose and channels, then gaze, then both again with lids that follow the gaze.

    Args:
        clip: what is constant.
        points: detected, without gaps.
        settings: weights of the energy.
        consecutive: whether frames follow one another in time.
    """
    basis = clip.basis
    seen, state = observe(points, clip.camera, basis, clip.reference)
    rest = basis.rest(clip.betas, points.new_zeros(len(points), 8))
    early = settings.iterations // 2
    state, hessian = refine(clip.energy, rest + clip.offsets, seen, state, iterations=early, smooth=consecutive)
    leye_pose, reye_pose = estimate_gaze(clip.eyes, seen, state, basis, rest, consecutive=consecutive)
    rest = basis.rest(clip.betas, gaze_to_channels(leye_pose, reye_pose))
    late = settings.iterations - early
    state, _ = refine(
        clip.energy, rest + clip.offsets, seen, state, iterations=late, smooth=consecutive, hessian=hessian
    )
    error = _point_error(clip, rest, seen, state) / interocular_px(points)
    return FrameFits(state.rotation, state.position, state.channels, leye_pose, reye_pose, error)


def _point_error(clip: ClipModel, rest: Tensor, seen: Observation, state: State) -> Tensor:
    """Mean distance of the points in the image, pixels."""
    turn = axis_angle_to_matrix(state.rotation) @ seen.reference
    points = clip.energy.posed(rest, state) @ turn.transpose(1, 2) + state.position[:, None]
    projected = points[..., :2] / -points[..., 2:] * seen.focal_px
    return (projected - seen.image_points).norm(dim=-1).mean(1)


def _cut(fits: FrameFits, keep: slice) -> FrameFits:
    return FrameFits(*(getattr(fits, name)[keep] for name in FrameFits.__annotations__))


def _to_motion(
    clip: ClipModel,
    fits: FrameFits,
    head: HeadModel,
    confidence: Tensor,
    source: str = "",
    source_fps: float = 0.0,
    meta: Mapping[str, Any] | None = None,
) -> Motion:
    turn = axis_angle_to_matrix(fits.rotation) @ clip.reference
    _, joints = head.shaped(clip.betas)
    root = joints[0]
    # The head model rotates about its root joint, the fit about the pivot.
    transl = fits.position + (turn @ (root - clip.basis.pivot)) - root
    names = head.shape.expression_names
    expression = fits.channels.new_zeros(len(turn), len(names))
    expression[:, list(clip.basis.free)] = fits.channels
    expression[:, list(clip.basis.gaze)] = gaze_to_channels(fits.leye_pose, fits.reye_pose)
    still = torch.zeros_like(transl)
    return Motion(
        head=head.name,
        fps=FPS,
        expression=expression,
        expression_names=names,
        global_orient=continuous_axis_angle(matrix_to_axis_angle(turn)),
        neck_pose=still,
        jaw_pose=still.clone(),
        leye_pose=fits.leye_pose,
        reye_pose=fits.reye_pose,
        transl=transl,
        betas=clip.betas,
        camera=clip.camera,
        fit_error=fits.error,
        confidence=confidence,
        source=source,
        source_fps=source_fps,
        meta=meta or {},
    )
