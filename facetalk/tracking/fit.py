"""Landmarks of a clip -> motion of a head: camera, identity, then poses, gaze and channels window by window."""

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
from facetalk.core.timing import FPS, resample, windows
from facetalk.head.gaze import gaze_to_channels
from facetalk.head.model import HeadModel
from facetalk.tracking.energy import FaceEnergy, Observation, State
from facetalk.tracking.eyes import EyeModel, calibrate, estimate_gaze, eye_model
from facetalk.tracking.face_basis import FaceBasis, reduce_head
from facetalk.tracking.identity import fit_identity, personal_offsets, pick_frames
from facetalk.tracking.observation import EvenFrames, Rows, estimate_camera, interocular_px, observe, with_focal_length
from facetalk.tracking.read_back import FEWEST_PICTURES, ReadBack, learn_reading
from facetalk.tracking.refine import refine
from facetalk.tracking.settings import HALF_CONFIDENCE_ERROR, FitSettings

_SAMPLE = 1000
"""Frames, evenly over the whole clip, that say what does not change."""


@dataclass(frozen=True, eq=False)
class ClipModel:
    """What does not change during a clip."""

    basis: FaceBasis
    energy: FaceEnergy
    camera: Camera
    betas: Float[Tensor, " n_betas"]
    offsets: Float[Tensor, "points 3"]
    """How the person's points differ from the head's, all the time; see `identity.personal_offsets`."""
    eyes: EyeModel
    reference: Float[Tensor, "3 3"]
    """Usual rotation of the head; rotations are solved relative to it."""


@dataclass(frozen=True, eq=False)
class FrameFits:
    """What changes from frame to frame."""

    rotation: Float[Tensor, "frames 3"]
    place: Float[Tensor, "frames 3"]
    channels: Float[Tensor, "frames free"]
    leye_pose: Float[Tensor, "frames 3"]
    reye_pose: Float[Tensor, "frames 3"]
    error: Float[Tensor, " frames"]
    """Mean distance of the points, inter-ocular units."""


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
    """The motion of a head that shows the same points, at facetalk's frame rate.

    Args:
        points: MediaPipe's face mesh (rows, 478, 3) in pixels, y down, depth on the scale of x; NaN rows where no face
            was found. A tensor, or a table on disk: only a window of it is read at a time.
        times: moment of each row in seconds, increasing; they need not be even.
        image_size: width and height of the pictures.
        head: the head to move; its embedding says where the points lie on it.
        settings: weights of the energy.
        read_back: renders the head and shows it to the detector; without, the head's own bias has to do.
        visible: share of the face that can be seen in each row, which goes into the confidence; all if not given.
        source: where the points come from, kept in the motion.
        source_fps: frame rate of the source, kept in the motion.
        meta: further notes for the motion file.
    """
    settings = settings or FitSettings()
    even = EvenFrames(points, times)
    confidence = even.confidence if visible is None else even.confidence * _trust(resample(visible, times, even.times))
    every = max(1, len(even) // _SAMPLE)
    clip = fit_clip(even[::every], confidence[::every], image_size, head, settings, read_back)
    parts = [
        _cut(fit_window(clip, even[window.read], settings), window.keep)
        for window in windows(len(even), settings.window, settings.margin)
    ]
    fits = FrameFits(*(torch.cat([getattr(part, name) for part in parts]) for name in FrameFits.__annotations__))
    confidence = confidence / (1 + (fits.error / HALF_CONFIDENCE_ERROR) ** 4)
    return _to_motion(clip, fits, head, confidence, source, source_fps, meta)


def _trust(visible: Float[Tensor, " frames"]) -> Float[Tensor, " frames"]:
    """Share of the confidence that is left where part of the face does not look as usual.

    Never nothing: a change of light looks much like a hand.
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
    """Camera, identity and eyes of a clip, from frames all over it."""
    basis = reduce_head(head)
    camera = estimate_camera(points, image_size, settings)
    _, guess = observe(points, camera, basis)
    picks = points[pick_frames(confidence, guess.rotation, settings.identity_frames)]
    usual_focal_px = float(camera.K[0, 0])
    clip = _fit_person(basis, picks, camera, head, settings, usual_focal_px)
    count = min(settings.read_back_frames, max(FEWEST_PICTURES, round(settings.read_back_share * len(points))))
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
    """Identity, lens, constant offsets and eyes of the person in some frames; `known` is an identity close to it."""
    seen, state = observe(points, camera, basis)
    strict = FaceEnergy(basis, settings, learns_identity=True)
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
    """The points where the detector sees them on pictures of these fitted frames."""
    fits = fit_window(clip, points, settings, consecutive=False)
    read = read_back(_to_motion(clip, fits, head, torch.ones(len(points))))
    seen, _ = observe(torch.where(torch.isfinite(read), read, points), clip.camera, clip.basis, clip.reference)
    lost = ~torch.isfinite(read[:, 0, 0])
    seen = replace(seen, image_points=seen.image_points.masked_fill(lost[:, None, None], torch.nan))
    rest = clip.basis.rest(clip.betas, gaze_to_channels(fits.leye_pose, fits.reye_pose))
    return learn_reading(clip.basis, rest, State(fits.rotation, fits.place, fits.channels), seen)


def fit_window(
    clip: ClipModel, points: Float[Tensor, "frames 478 3"], settings: FitSettings, *, consecutive: bool = True
) -> FrameFits:
    """Poses and channels of frames, then gaze, then channels again with the lids following the eyes.

    Args:
        clip: what does not change.
        points: the detector's, without holes.
        settings: weights of the energy.
        consecutive: frames follow one another; else each stands alone.
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
    return FrameFits(state.rotation, state.place, state.channels, leye_pose, reye_pose, error)


def _point_error(clip: ClipModel, rest: Tensor, seen: Observation, state: State) -> Tensor:
    """Mean distance of the points in the picture, pixels."""
    turn = axis_angle_to_matrix(state.rotation) @ seen.reference
    points = clip.energy.posed(rest, state) @ turn.transpose(1, 2) + state.place[:, None]
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
    # The head model turns about its root joint, the fit about the pivot.
    transl = fits.place + (turn @ (root - clip.basis.pivot)) - root
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
