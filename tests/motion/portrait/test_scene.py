"""The flow of a photo's pixels, against surface points that are followed one by one."""

from __future__ import annotations

import numpy as np
import torch

from facetalk.core.landmarks import MESH_LIP_GAPS
from facetalk.core.rotations import axis_angle_to_matrix
from facetalk.motion.portrait.crop import CROP_PX
from facetalk.motion.portrait.scene import PARTS, RigidPose, View
from facetalk.rendering.surface_values import ValueRasterizer
from tests.motion.portrait.scenes import K, person, scene, shared

TURN = axis_angle_to_matrix(torch.tensor([0.05, 0.2, 0.03]))


def view_of(turn: torch.Tensor, shift_px: float = 0.0, **channels: float) -> View:
    photo = scene(shift_px=shift_px)
    local = shared().local(person(1, **channels).expression, torch.zeros(1, 2, 3), person().betas)[0]
    rotation = turn @ photo.pose.rotation
    center = photo.pose.rotation @ shared().center + photo.pose.shift
    return photo.view(local, RigidPose(rotation, center - rotation @ shared().center))


def test_an_unmoved_head_has_no_flow_and_its_face_is_all_there() -> None:
    view = view_of(torch.eye(3))
    assert np.abs(view.flow).max() < 1e-3
    face = scene().face_mask()
    assert 5000 < face.sum() < 40_000 and view.covered[face].min() == 1
    assert view.valid[face].mean() > 0.95


def test_the_flow_of_a_turned_head_leads_back_to_where_each_surface_point_was() -> None:
    view, photo = view_of(TURN), scene()
    local = shared().local(person().expression, torch.zeros(1, 2, 3), person().betas)[0]
    center = photo.pose.rotation @ shared().center + photo.pose.shift
    rotation = TURN @ photo.pose.rotation
    turned = photo.placed(local, RigidPose(rotation, center - rotation @ shared().center))
    pixels = photo.crop.homogeneous(turned, K).numpy()
    nearest = 1 / np.maximum(ValueRasterizer(shared().faces, (CROP_PX, CROP_PX)).depth(pixels), 1e-6)
    apart = []
    # Slow reference: project single vertices of the skin, and read the flow where they appear.
    for vertex in torch.nonzero(shared().face)[::37, 0].tolist():
        before = photo.crop.homogeneous(photo.placed(local, photo.pose)[vertex], K)
        after = photo.crop.homogeneous(turned[vertex], K)
        at = after[:2] / after[2]
        column, row = (int(value) for value in at)
        if not view.valid[row, column] > 0.999 or float(after[2]) > nearest[row, column] + 0.001:
            continue  # hidden in the photo or now
        way = (before[:2] / before[2] - at).numpy()
        apart.append(np.abs(view.flow[row, column] - way).max())
    assert len(apart) > 20 and np.median(apart) < 0.2 and np.max(apart) < 1.5


def test_what_surrounds_the_head_moves_along_and_the_edge_of_the_crop_stays() -> None:
    view = view_of(TURN)
    ring = np.concatenate(
        [view.flow[:2].reshape(-1, 2), view.flow[:, :2].reshape(-1, 2), view.flow[-2:].reshape(-1, 2)]
    )
    assert np.abs(ring).max() < 0.3
    covered = view.covered > 0.5
    top = int(np.flatnonzero(covered[:, CROP_PX // 2])[0])
    hair = view.flow[top - 8, CROP_PX // 2]
    np.testing.assert_allclose(hair, view.flow[top + 2, CROP_PX // 2], atol=2.0)
    steps = np.abs(np.diff(view.flow, axis=0)).max(-1)
    assert steps[: top - 4].max() < 1.0  # nothing tears above the head


def test_an_opened_mouth_shows_teeth_and_mouth_that_the_photo_lacks() -> None:
    closed, wide = view_of(torch.eye(3)), view_of(torch.eye(3), jawOpen=0.6)
    teeth, inside = (np.array([view.guide[..., part].sum() for view in (closed, wide)]) for part in (0, 1))
    assert teeth[1] > teeth[0] and inside[1] > inside[0] + 50
    assert wide.valid[wide.guide[..., 1] > 0.9].max() < 0.5
    assert PARTS[1] == ("mouth_lining", "tongue")


def test_closed_lids_cover_the_eyeballs() -> None:
    wide, shut = view_of(torch.eye(3)), view_of(torch.eye(3), eyeBlinkLeft=1.0, eyeBlinkRight=1.0)
    assert wide.guide[..., 2].sum() > 100 and shut.guide[..., 2].sum() < 0.1 * wide.guide[..., 2].sum()


def test_the_points_of_the_photo_are_where_the_detector_finds_them() -> None:
    photo = scene(shift_px=4.0)
    own = scene()
    moved = photo.view(shared().local(person().expression, torch.zeros(1, 2, 3), person().betas)[0], photo.pose)
    still = own.view(shared().local(person().expression, torch.zeros(1, 2, 3), person().betas)[0], own.pose)
    shift = 4.0 * photo.crop.scale
    middle = [np.argwhere(view.guide[..., 2] > 0.5).mean(0)[1] for view in (moved, still)]
    assert abs(middle[0] - middle[1] - shift) < 0.5


def test_lips_that_meet_are_displaced_more_alike() -> None:
    head, anchors = shared().model, shared().anchors
    numbers = head.points.mediapipe_ids.tolist()
    detected = torch.zeros(478, 2)
    for upper, lower in MESH_LIP_GAPS:  # the photo's lips are farther apart than those of the fit
        detected[upper, 1], detected[lower, 1] = -4.0, 4.0
    opened, closing = anchors.spread(detected, torch.zeros(len(numbers), 2))
    points = head.points.mediapipe.on(head.template)
    upper, lower = (torch.cdist(points[numbers.index(n)][None], head.template).argmin() for n in (13, 14))
    apart, left = (float(offsets[lower, 1] - offsets[upper, 1]) for offsets in (opened, opened + closing))
    assert apart > 4 and abs(left) < 0.7 * apart


def test_a_mouth_and_eyes_close_one_by_one() -> None:
    anchors, eyes, betas = shared().anchors, torch.zeros(1, 2, 3), person().betas
    faces = [
        shared().local(person(1, **channels).expression, eyes, betas)[0]
        for channels in ({"jawOpen": 0.2}, {"jawOpen": 0.2, "eyeBlinkLeft": 1.0}, {"jawOpen": 0.5})
    ]
    usual = anchors.gaps(faces[0])
    assert (usual > 0.003).all()
    assert anchors.closure(faces[0], usual).abs().max() < 1e-5
    assert anchors.closure(faces[2], usual).abs().max() < 1e-5
    winking = anchors.closure(faces[1], usual)[:, 0]
    left = shared().model.template[:, 0] > 0
    assert winking[left].max() > 0.8 and winking[~left].max() < 0.2
