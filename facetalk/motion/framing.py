"""A camera in front of the head that keeps the head in the image.

A head that stays inside the image of a fixed camera is seen by a fixed camera: a speaker who sways, or walks a step,
does so in the video too. A head that leaves it, as those do that were fitted to a moving video, is followed: the camera
glides along the smoothed path of the head, and where the head is faster, it is held within the image.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from facetalk.core.camera import Camera
from facetalk.core.motion import Motion
from facetalk.core.rotations import axis_angle_to_matrix
from facetalk.head.model import HeadModel
from facetalk.rendering.camera import front_camera

_SAMPLE = 32
"""Frames that the head's usual place is the median of."""

_GLIDE_S = (0.6, 0.3, 0.15, 0.08, 0.04)
"""Standard deviation of the smoothing of the camera's path, seconds: the largest with which the head nearly always
keeps its place. The faster a head moves, the closer the camera has to follow."""
_NEARLY_ALWAYS = 0.95
"""Share of the frames."""

_CUT_M_PER_S = 4.0
"""A head that is faster has jumped at a cut of the video: the camera jumps with it."""

_SIZES = (0.6, 1.35)
"""Size in the image, relative to the usual one, of a head that need not be followed."""

_STRAY = (0.06, 0.06, 0.10)
"""How far the head may stray from the middle of a camera that follows: to the side and up or down as a share of the
view at the head, and in depth as a share of the distance."""


_BLOCK = 4096
"""Frames whose rotations are held as matrices at a time."""


class Framing(NamedTuple):
    """What a camera in front of the head shows."""

    motion: Motion
    """The motion relative to the camera: its `transl` differs where the camera follows the head."""
    camera: Camera


def framed(motion: Motion, head: HeadModel, size: int) -> Framing:
    """Return a camera in front of the head's usual place that keeps the head in its square image.

    Args:
        motion: in the head's own coefficients.
        head: the head to look at.
        size: side of the image, pixels.
    """
    members = _face(head)
    usual = _usual_place(motion, head)[members]
    camera = front_camera(usual, (size, size))
    reach = (usual.amax(0) - usual.amin(0)) / 2
    path = head_path(motion, head, members)
    if _stays_in_view(path, usual, reach, camera):
        return Framing(motion, camera)
    distance = float((-camera.world_to_camera[2, 3] - usual[:, 2].mean()).abs())
    allowed = path.new_tensor(_STRAY) * distance * path.new_tensor([size / camera.K[0, 0], size / camera.K[1, 1], 1.0])
    followed = motion.replace(transl=motion.transl - _camera_path(path, motion.fps, allowed))
    return Framing(followed, front_camera(_usual_place(followed, head)[members], (size, size)))


def head_path(motion: Motion, head: HeadModel, members: Int[Tensor, " members"]) -> Float[Tensor, "frames 3"]:
    """Center of the head in each frame, meters; the expression does not count.

    Args:
        motion: in the head's own coefficients.
        head: the head that moves.
        members: vertices whose center is meant.
    """
    template, joints = head.shaped(motion.betas)
    center = (template[members].amin(0) + template[members].amax(0)) / 2
    path = torch.empty_like(motion.transl)
    for start in range(0, motion.num_frames, _BLOCK):
        part = slice(start, start + _BLOCK)
        turn, nod = (axis_angle_to_matrix(pose[part]) for pose in (motion.global_orient, motion.neck_pose))
        inner = nod @ (center - joints[1]) + joints[1] - joints[0]
        path[part] = (turn @ inner[..., None]).squeeze(-1) + joints[0] + motion.transl[part]
    return path


def _face(head: HeadModel) -> Int[Tensor, " members"]:
    """Vertices of the head without its neck."""
    regions = head.points.regions
    chosen = torch.zeros(len(head.template), dtype=torch.bool)
    chosen[regions["skin"]] = True
    chosen[regions["neck"]] = False
    return chosen.nonzero()[:, 0] if chosen.any() else torch.arange(len(chosen))


def _usual_place(motion: Motion, head: HeadModel) -> Float[Tensor, "vertices 3"]:
    """Median position of each vertex, without expression, in frames spread over the motion."""
    some = torch.linspace(0, motion.num_frames - 1, min(_SAMPLE, motion.num_frames)).round().long()
    with torch.inference_mode():
        still = motion.expression.new_zeros(len(some), motion.expression.shape[1])
        return head(still, motion.poses[some], motion.transl[some], motion.betas).median(0).values


def _stays_in_view(
    path: Float[Tensor, "frames 3"],
    usual: Float[Tensor, "vertices 3"],
    reach: Float[Tensor, "3"],
    camera: Camera,
) -> bool:
    """Whether a box around the head stays in the image, at about its usual size."""
    middle = (usual.amax(0) + usual.amin(0)) / 2
    eye = -camera.world_to_camera[:3, 3]
    place = path - path.median(0).values + middle - eye
    depth = -place[:, 2]
    low, high = _SIZES
    if not bool(((depth > 0) & (-(middle - eye)[2] / depth > low) & (-(middle - eye)[2] / depth < high)).all()):
        return False
    width, height = camera.image_size
    K = camera.K
    across = K[0, 0] * (place[:, 0].abs() + reach[0]) / depth
    above, below = (K[1, 1] * (sign * place[:, 1] + reach[1]) / depth for sign in (1, -1))
    return bool((across <= width / 2).all() and (above <= K[1, 2]).all() and (below <= height - K[1, 2]).all())


def _camera_path(path: Float[Tensor, "frames 3"], fps: float, allowed: Float[Tensor, "3"]) -> Float[Tensor, "frames 3"]:
    """Path of a camera that follows the head: smooth, and so close that the head strays no further than allowed."""
    speed = path.diff(dim=0).norm(dim=1) * fps
    cuts = [0, *((speed > _CUT_M_PER_S).nonzero()[:, 0] + 1).tolist(), len(path)]
    strayed = path
    for glide in _GLIDE_S:
        parts = [_smoothed(path[start:stop], glide * fps) for start, stop in pairwise(cuts)]
        strayed = path - torch.cat(parts)
        if (strayed.abs() <= allowed).all(1).double().mean() >= _NEARLY_ALWAYS:
            break
    # A soft limit: near the middle the head moves as it does, further out less and less.
    return path - allowed * torch.tanh(strayed / allowed)


def _smoothed(path: Float[Tensor, "frames 3"], spread: float) -> Float[Tensor, "frames 3"]:
    """Gaussian average over time; at the ends, of the frames that there are."""
    half = min(math.ceil(3 * spread), len(path) - 1)
    if half < 1:
        return path
    kernel = torch.exp(-((torch.arange(-half, half + 1, dtype=torch.float64) / spread) ** 2) / 2)[None, None]

    def summed(rows: Tensor) -> Tensor:
        return torch.nn.functional.conv1d(rows[:, None], kernel, padding=half)[:, 0]

    total, weight = summed(path.double().T), summed(torch.ones(1, len(path), dtype=torch.float64))
    return (total / weight).T.to(path)
