"""The inner loop of the energy: errors of points and pairs of one frame, and their derivatives in the head's frame.

Compiled, because a frame has hundreds of 3x3 products, each too small for a matrix library.
"""

from __future__ import annotations

import math
from typing import no_type_check

import numpy as np

from facetalk.core.kernels import compiled


@compiled(nogil=True, error_model="numpy")
@no_type_check
def project_rows(
    body: np.ndarray,
    turn: np.ndarray,
    position: np.ndarray,
    image_points: np.ndarray,
    depth: np.ndarray,
    focal: float,
    offsets: np.ndarray,
    errors: np.ndarray,
    slopes: np.ndarray,
) -> None:
    """Points of one frame in camera coordinates, their errors, and the three distinct elements of the derivative.

    The errors (right, up, toward the viewer) are meters at the face's distance: pixels times distance over focal
    length, with the distance fixed during the step. The slope by a point is `[[n, 0, a], [0, n, b], [0, 0, 1]]`.

    Args:
        body: (points, 3) relative to the pivot, before rotation.
        turn: (3, 3) head to camera.
        position: (3,) of the pivot.
        image_points: (points, 2) pixels, y up.
        depth: (points,) pixels.
        focal: pixels.
        offsets: (points, 3) out: rotated points.
        errors: (points, 3) out; the depth error includes the unknown origin.
        slopes: (points, 3) out: n, a, b.
    """
    distance = -position[2]
    scale = distance / focal
    for p in range(len(body)):
        for i in range(3):
            offsets[p, i] = turn[i, 0] * body[p, 0] + turn[i, 1] * body[p, 1] + turn[i, 2] * body[p, 2]
        x, y, z = offsets[p, 0] + position[0], offsets[p, 1] + position[1], offsets[p, 2] + position[2]
        near = distance / -z
        errors[p, 0] = x * near - image_points[p, 0] * scale
        errors[p, 1] = y * near - image_points[p, 1] * scale
        errors[p, 2] = z - depth[p] * scale
        slopes[p, 0] = near
        slopes[p, 1] = -x * near / z
        slopes[p, 2] = -y * near / z


@compiled(nogil=True, error_model="numpy")
@no_type_check
def _spin(offset: np.ndarray, jacobian: np.ndarray, spin: np.ndarray) -> None:
    """Rows of `-[offset]x J`: derivative of a point by the rotation parameters."""
    for j in range(3):
        spin[0, j] = offset[2] * jacobian[1, j] - offset[1] * jacobian[2, j]
        spin[1, j] = offset[0] * jacobian[2, j] - offset[2] * jacobian[0, j]
        spin[2, j] = offset[1] * jacobian[0, j] - offset[0] * jacobian[1, j]


@compiled(nogil=True, error_model="numpy")
@no_type_check
def _add_curvature(
    offset: np.ndarray,
    slope: np.ndarray,
    weight: float,
    depth_weight: float,
    turn: np.ndarray,
    jacobian: np.ndarray,
    pose_hessian: np.ndarray,
    inner: np.ndarray,
    mixed: np.ndarray,
    spin: np.ndarray,
    weighted: np.ndarray,
) -> None:
    """Add the second derivatives of one point to those of its frame; the last two arguments are scratch space."""
    n, a, b = slope[0], slope[1], slope[2]
    # N = A' W A, symmetric; N01 is zero.
    n00, n02, n12 = weight * n * n, weight * n * a, weight * n * b
    n22 = weight * (a * a + b * b) + depth_weight
    _spin(offset, jacobian, spin)
    for j in range(3):
        weighted[0, j] = n00 * spin[0, j] + n02 * spin[2, j]
        weighted[1, j] = n00 * spin[1, j] + n12 * spin[2, j]
        weighted[2, j] = n02 * spin[0, j] + n12 * spin[1, j] + n22 * spin[2, j]
    weighted[0, 3], weighted[0, 4], weighted[0, 5] = n00, 0.0, n02
    weighted[1, 3], weighted[1, 4], weighted[1, 5] = 0.0, n00, n12
    weighted[2, 3], weighted[2, 4], weighted[2, 5] = n02, n12, n22
    for j in range(6):
        for i in range(3):
            pose_hessian[i, j] += (
                spin[0, i] * weighted[0, j] + spin[1, i] * weighted[1, j] + spin[2, i] * weighted[2, j]
            )
            pose_hessian[3 + i, j] += weighted[i, j]
            mixed[i, j] = turn[0, i] * weighted[0, j] + turn[1, i] * weighted[1, j] + turn[2, i] * weighted[2, j]
    for index in range(6):
        i, j = (index, index) if index < 3 else ((0, index - 2) if index < 5 else (1, 2))
        inner[index] = (
            n00 * (turn[0, i] * turn[0, j] + turn[1, i] * turn[1, j])
            + n02 * (turn[0, i] * turn[2, j] + turn[2, i] * turn[0, j])
            + n12 * (turn[1, i] * turn[2, j] + turn[2, i] * turn[1, j])
            + n22 * turn[2, i] * turn[2, j]
        )


@compiled(nogil=True, error_model="numpy")
@no_type_check
def _subtract_coupling(
    offsets: tuple[np.ndarray, np.ndarray],
    slopes: tuple[np.ndarray, np.ndarray],
    weight: float,
    turn: np.ndarray,
    jacobian: np.ndarray,
    pose_hessian: np.ndarray,
    between: np.ndarray,
    mixed: tuple[np.ndarray, np.ndarray],
    spin: np.ndarray,
    weighted: np.ndarray,
) -> None:
    """Subtract the mixed second derivatives of a pair's two points from those of its frame.

    The square of a difference is the two squares, which `_add_curvature` adds, minus twice the product. `between` gets
    `N = A' W B` of the two projections, row by row, in the head's frame.
    """
    for first in range(2):
        (m, a, b), (n, c, d) = slopes[first], slopes[1 - first]
        # N00 = N11, N01 = N10 = 0.
        n00, n02, n12, n20, n21 = weight * m * n, weight * m * c, weight * m * d, weight * a * n, weight * b * n
        n22 = weight * (a * c + b * d)
        _spin(offsets[1 - first], jacobian, spin)
        for j in range(3):
            weighted[0, j] = n00 * spin[0, j] + n02 * spin[2, j]
            weighted[1, j] = n00 * spin[1, j] + n12 * spin[2, j]
            weighted[2, j] = n20 * spin[0, j] + n21 * spin[1, j] + n22 * spin[2, j]
        weighted[0, 3], weighted[0, 4], weighted[0, 5] = n00, 0.0, n02
        weighted[1, 3], weighted[1, 4], weighted[1, 5] = 0.0, n00, n12
        weighted[2, 3], weighted[2, 4], weighted[2, 5] = n20, n21, n22
        _spin(offsets[first], jacobian, spin)
        for j in range(6):
            for i in range(3):
                pose_hessian[i, j] -= (
                    spin[0, i] * weighted[0, j] + spin[1, i] * weighted[1, j] + spin[2, i] * weighted[2, j]
                )
                pose_hessian[3 + i, j] -= weighted[i, j]
                mixed[first][i, j] -= (
                    turn[0, i] * weighted[0, j] + turn[1, i] * weighted[1, j] + turn[2, i] * weighted[2, j]
                )
        if first == 0:
            for i in range(3):
                for j in range(3):
                    between[3 * i + j] = (
                        n00 * (turn[0, i] * turn[0, j] + turn[1, i] * turn[1, j])
                        + n02 * turn[0, i] * turn[2, j]
                        + n12 * turn[1, i] * turn[2, j]
                        + n20 * turn[2, i] * turn[0, j]
                        + n21 * turn[2, i] * turn[1, j]
                        + n22 * turn[2, i] * turn[2, j]
                    )


@compiled(nogil=True, error_model="numpy")
@no_type_check
def _push(force: np.ndarray, slope: np.ndarray, weight: float, right: float, up: float) -> None:
    """Add `A' W e` of an error in the image to the force on its point."""
    force[0] += weight * slope[0] * right
    force[1] += weight * slope[0] * up
    force[2] += weight * (slope[1] * right + slope[2] * up)


@compiled(nogil=True, error_model="numpy")
@no_type_check
def _gather_forces(
    forces: np.ndarray,
    offsets: np.ndarray,
    turn: np.ndarray,
    jacobian: np.ndarray,
    pose_gradient: np.ndarray,
    pull: np.ndarray,
) -> None:
    """First derivatives of one frame from the forces on its points."""
    torque = np.zeros(3)
    for p in range(len(forces)):
        f, o = forces[p], offsets[p]
        torque[0] += o[1] * f[2] - o[2] * f[1]
        torque[1] += o[2] * f[0] - o[0] * f[2]
        torque[2] += o[0] * f[1] - o[1] * f[0]
        for i in range(3):
            pose_gradient[3 + i] += f[i]
            pull[p, i] = turn[0, i] * f[0] + turn[1, i] * f[1] + turn[2, i] * f[2]
    for i in range(3):
        pose_gradient[i] += jacobian[0, i] * torque[0] + jacobian[1, i] * torque[1] + jacobian[2, i] * torque[2]


@compiled(nogil=True, error_model="numpy")
@no_type_check
def _add_first_order(
    errors: np.ndarray,
    slopes: np.ndarray,
    trust: np.ndarray,
    point_precision: np.ndarray,
    depth_precision: np.ndarray,
    pairs: np.ndarray,
    pair_precision: np.ndarray,
    limit: float,
    forces: np.ndarray,
    stiffness: np.ndarray,
    depth_stiffness: np.ndarray,
    cost: np.ndarray,
) -> None:
    """Cost of one frame (added to), forces on its points, and the weights of their squares, from the errors."""
    num_points = len(errors)
    forces[:] = 0.0
    share, middle = 1e-12, 0.0
    for p in range(num_points):
        depth_stiffness[p] = trust[p] * depth_precision[p]
        share += depth_stiffness[p]
        middle += depth_stiffness[p] * errors[p, 2]
    for p in range(num_points):
        weight = trust[p] * point_precision[p]
        right, up, toward = errors[p, 0], errors[p, 1], errors[p, 2] - middle / share
        square = right * right + up * up
        stiffness[p] = weight / (1 + square / limit)
        cost[0] += 0.5 * (weight * limit * math.log1p(square / limit) + depth_stiffness[p] * toward * toward)
        _push(forces[p], slopes[p], stiffness[p], right, up)
        forces[p, 2] += depth_stiffness[p] * toward
    for q in range(len(pairs)):
        a, b = pairs[q]
        weight = trust[a] * trust[b] * pair_precision[q]
        right, up = errors[a, 0] - errors[b, 0], errors[a, 1] - errors[b, 1]
        cost[0] += 0.5 * weight * (right * right + up * up)
        _push(forces[a], slopes[a], weight, right, up)
        _push(forces[b], slopes[b], -weight, right, up)
        stiffness[a] += weight
        stiffness[b] += weight


@compiled(nogil=True, error_model="numpy")
@no_type_check
def _add_second_order(
    offsets: np.ndarray,
    slopes: np.ndarray,
    stiffness: np.ndarray,
    depth_stiffness: np.ndarray,
    trust: np.ndarray,
    pairs: np.ndarray,
    pair_precision: np.ndarray,
    turn: np.ndarray,
    jacobian: np.ndarray,
    pose_hessian: np.ndarray,
    inner: np.ndarray,
    between: np.ndarray,
    own: np.ndarray,
    spin: np.ndarray,
    weighted: np.ndarray,
) -> None:
    """Second derivatives of one frame; `own` gets those by position and pose, the last two are scratch space."""
    for p in range(len(offsets)):
        _add_curvature(
            offsets[p], slopes[p], stiffness[p], depth_stiffness[p], turn, jacobian, pose_hessian, inner[p], own[p],
            spin, weighted,
        )  # fmt: skip
    for q in range(len(pairs)):
        a, b = pairs[q]
        weight = trust[a] * trust[b] * pair_precision[q]
        _subtract_coupling(
            (offsets[a], offsets[b]), (slopes[a], slopes[b]), weight, turn, jacobian, pose_hessian, between[q],
            (own[a], own[b]), spin, weighted,
        )  # fmt: skip


@compiled(nogil=True, error_model="numpy")
@no_type_check
def add_points(
    body: np.ndarray,
    turn: np.ndarray,
    jacobian: np.ndarray,
    position: np.ndarray,
    image_points: np.ndarray,
    depth: np.ndarray,
    trust: np.ndarray,
    focal: float,
    pairs: np.ndarray,
    point_precision: np.ndarray,
    depth_precision: np.ndarray,
    pair_precision: np.ndarray,
    robust: float,
    curved: bool,
    pose_hessian: np.ndarray,
    pose_gradient: np.ndarray,
    inner: np.ndarray,
    between: np.ndarray,
    mixed: np.ndarray,
    pull: np.ndarray,
    cost: np.ndarray,
) -> None:
    """Equations of all points and pairs.

    Args:
        body: (frames, points, 3) posed points relative to the pivot, before rotation.
        turn: (frames, 3, 3) rotation from head to camera.
        jacobian: (frames, 3, 3) left Jacobian of the rotation parameters.
        position: (frames, 3) of the pivot in the camera's frame.
        image_points: (frames, points, 2) detected, pixels from the principal point, y up.
        depth: (frames, points) detected.
        trust: (frames, points) in [0, 1].
        focal: pixels.
        pairs: (pairs, 2) rows of points.
        point_precision: (points,) weight of squared errors, 1/m^2.
        depth_precision: (points,) likewise of depth errors.
        pair_precision: (pairs,) likewise of distance vectors.
        robust: meters; larger point errors lose weight. The Cauchy cost `c^2/2 log(1 + e^2/c^2)` is majorized by a
            square, so that every step lowers the true cost.
        curved: whether to compute the second derivatives, most of the work. Without, they are not written and may be
            empty.
        pose_hessian: (frames, 6, 6) out, added to.
        pose_gradient: (frames, 6) out, added to.
        inner: (frames, points, 6) out: second derivative by each point's position in the head's frame, as 00 11 22 01
            02 12.
        between: (frames, pairs, 9) out: negative second derivative by the positions of a pair's two points, row by row.
        mixed: (points, 3, frames, 6) out: derivative by position and by pose.
        pull: (frames, points, 3) out: first derivative by each point's position.
        cost: (frames,) out, added to.
    """
    num_frames, num_points = body.shape[:2]
    offsets, errors = np.empty((num_points, 3)), np.empty((num_points, 3))
    slopes, forces = np.empty((num_points, 3)), np.empty((num_points, 3))
    own, spin, weighted = np.empty((num_points, 3, 6)), np.empty((3, 3)), np.empty((3, 6))
    stiffness, depth_stiffness = np.empty(num_points), np.empty(num_points)
    limit = robust * robust
    for t in range(num_frames):
        project_rows(body[t], turn[t], position[t], image_points[t], depth[t], focal, offsets, errors, slopes)
        _add_first_order(
            errors, slopes, trust[t], point_precision, depth_precision, pairs, pair_precision, limit, forces, stiffness,
            depth_stiffness, cost[t : t + 1],
        )  # fmt: skip
        _gather_forces(forces, offsets, turn[t], jacobian[t], pose_gradient[t], pull[t])
        if curved:
            _add_second_order(
                offsets, slopes, stiffness, depth_stiffness, trust[t], pairs, pair_precision, turn[t], jacobian[t],
                pose_hessian[t], inner[t], between[t], own, spin, weighted,
            )  # fmt: skip
            mixed[:, :, t] = own
