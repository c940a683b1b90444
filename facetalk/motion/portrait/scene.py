"""One photo and the head in it: where each pixel of a new view comes from, and what it shows.

The head is posed as in the photo and as in the new frame, and the way of every visible surface point is rasterized
(the flow). It is continued smoothly to hair and neck, and fades towards shoulders and the edge of the crop.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float
from scipy.ndimage import correlate1d, distance_transform_edt
from torch import Tensor

from facetalk.core.landmarks import MESH_LEFT_LOWER_LID, MESH_LEFT_UPPER_LID, MESH_RIGHT_LOWER_LID, MESH_RIGHT_UPPER_LID
from facetalk.core.motion import Motion
from facetalk.head.albedo import vertex_albedo
from facetalk.head.model import HeadModel
from facetalk.head.skinning import JOINT_NAMES, joint_transforms
from facetalk.motion.landmark_head import face_center
from facetalk.motion.portrait.anchors import Anchors
from facetalk.motion.portrait.crop import CROP_PX, WINDOW, PortraitCrop
from facetalk.motion.portrait.flow_kernel import blend, discount_stretched, pool
from facetalk.motion.portrait.openings import outside_openings
from facetalk.motion.portrait.slits import Slit, Slits, lashes, lip_line, mouth_light
from facetalk.rendering.filling import filled
from facetalk.rendering.normals import vertex_normals
from facetalk.rendering.surface_values import ValueRasterizer

PARTS = (("upper_teeth", "lower_teeth"), ("mouth_lining", "tongue"), ("left_eyeball", "right_eyeball"), ("irises",))
"""Regions of the head that the guide shows, one channel each."""
GUIDE = len(PARTS)
MOUTH = slice(0, 2)
"""The channels of the guide that lie behind the lips."""
COARSE = 4
"""Pixels of the crop per pixel of the map in which the flow is continued."""
_LID_RIMS = tuple(
    number
    for upper, lower in ((MESH_RIGHT_UPPER_LID, MESH_RIGHT_LOWER_LID), (MESH_LEFT_UPPER_LID, MESH_LEFT_LOWER_LID))
    for number in (*upper, *lower)
)
_RIM_STEP = 2
"""Every second vertex of the lips' rims, with both corners, is near enough to the next."""
_HEAD = JOINT_NAMES.index("neck")
_BEHIND_M = 0.004
"""How far a vertex may lie behind the visible surface and still counts as visible."""
_FACING = (0.05, 0.25)
"""Cosine between surface and line of sight over which a vertex becomes visible."""
_STRETCHED = (np.float32(0.08), np.float32(0.3))
"""Area in the photo per area in the frame over which a stretched surface becomes valid."""
_CLOSING = 0.4
"""How far a slit is closed when its rims have no color from the photo's opening."""
_REDDER = np.array([0.8, 1.3, 1.4], np.float32)
"""Exponents of the light in the mouth: what reaches its dark parts has been reflected by red skin."""
_SOFT = np.array([0.25, 0.5, 0.25], np.float32)
"""Filter along rows and columns for the edges of what lies behind lips and lids."""
_FADE_PX = (30.0, 110.0)
"""Distance from the head over which the flow fades, pixels of the crop."""
_EDGE_PX = 24.0
"""Distance from the edge of the crop over which the flow fades."""


class RigidPose(NamedTuple):
    """A rotation and a translation in the camera's frame, per frame."""

    rotation: Float[Tensor, "*frames 3 3"]
    shift: Float[Tensor, "*frames 3"]
    """Meters."""


@dataclass(frozen=True, eq=False)
class View:
    """A new frame of a photo, in pixels of its crop."""

    flow: Float[np.ndarray, "crop crop 2"]
    """From each pixel to where its content lies in the photo."""
    valid: Float[np.ndarray, "crop crop"]
    """How far the photo shows what this pixel shall show; 0 outside the head."""
    covered: Float[np.ndarray, "crop crop"]
    """1 on the head."""
    guide: Float[np.ndarray, "crop crop parts"]
    """Share of each of `PARTS`."""
    colors: Float[np.ndarray, "crop crop 3"]
    """Of the head itself, sRGB in [0, 1] without light, but with the shade of the lips."""
    lines: Float[np.ndarray, "side side lines"]
    """In the window, opacity of the dark line between lips that meet, and of the lashes of closing lids."""


def rigid_pose(head: HeadModel, motion: Motion) -> RigidPose:
    """How the head is turned and moved in each frame, without what its expression does."""
    joints = head.shaped(motion.betas)[1]
    rotation, shift = joint_transforms(joints, motion.poses)
    return RigidPose(rotation[:, _HEAD], shift[:, _HEAD] + motion.transl)


class PortraitHead:
    """What all photos share: the head model and its tables."""

    def __init__(self, head: HeadModel) -> None:
        self.model = head
        self.faces = head.shape.faces.numpy().astype(np.int32)
        self.follows = 1 - head.skin_weights[:, 0]
        """Share of the head's pose in each vertex; 0 on the bust."""
        self.parts = torch.zeros(len(head.template), GUIDE)
        for channel, names in enumerate(PARTS):
            for name in names:
                self.parts[head.points.regions[name], channel] = 1
        self.colors = vertex_albedo(head.assets).float()
        self.anchors = Anchors(head)
        self.face = self.anchors.nearness
        """1 near MediaPipe's points, 0 on the rest of the head."""
        self.center = face_center(head)

    def local(
        self, expression: Float[Tensor, "frames channels"], eyes: Float[Tensor, "frames 2 3"], betas: Tensor
    ) -> Float[Tensor, "frames vertices 3"]:
        """Vertices before the head is turned and moved; `eyes` are the rotations of the left and the right one."""
        poses = torch.cat([eyes.new_zeros(len(eyes), 3, 3), eyes], 1)
        return self.model(expression, poses, eyes.new_zeros(len(eyes), 3), betas)


class PortraitScene:
    """The head of one photo."""

    def __init__(
        self,
        shared: PortraitHead,
        fit: Motion,
        detected: Float[Tensor, "478 2"],
        crop: PortraitCrop | None = None,
    ) -> None:
        """Place the head in the photo.

        Args:
            shared: head model.
            fit: one frame with its camera: the head as fitted to the photo.
            detected: MediaPipe's points in pixels of the photo.
            crop: around the head if None.
        """
        if fit.camera is None or fit.num_frames != 1:
            raise ValueError("a portrait needs the fit of one frame, with its camera")
        self.shared, self.fit = shared, fit
        self.K = fit.camera.K
        poses = rigid_pose(shared.model, fit)
        self.pose = RigidPose(poses.rotation[0], poses.shift[0])
        if crop is None:
            center = self.pose.rotation @ shared.center + self.pose.shift
            crop = PortraitCrop.around(center, self.pose.rotation[:, 1], self.K)
        self.crop = crop
        self._raster = ValueRasterizer(shared.faces, (CROP_PX, CROP_PX))
        eyes = torch.stack([fit.leye_pose, fit.reye_pose], 1)
        local = shared.local(fit.expression, eyes, fit.betas)[0]
        placed = self.placed(local, self.pose)
        expected = shared.anchors.expected(local, fit.expression[0]) @ self.pose.rotation.T + self.pose.shift
        self._offsets, self._closing = shared.anchors.spread(
            self.crop.pixels(detected), _on_screen(crop.homogeneous(expected, self.K))
        )
        self._usual_gaps = shared.anchors.gaps(local)
        self._homogeneous_photo = self._homogeneous(placed, self._offsets)
        self.slits = self._slits(self._homogeneous_photo)
        self._source = _on_screen(self._homogeneous_photo)
        seen = self._visible(placed.numpy(), self._homogeneous_photo.numpy())
        self._seen = seen
        skin = 1 - shared.parts.amax(1)
        self._in_openings = skin * (1 - outside_openings(self._source, crop.pixels(detected)))

    def placed(self, local: Float[Tensor, "vertices 3"], pose: RigidPose) -> Float[Tensor, "vertices 3"]:
        """Vertices in the camera's frame: the head in a pose, the bust as in the photo."""
        moved = local @ pose.rotation.T + pose.shift
        return torch.lerp(local @ self.pose.rotation.T + self.pose.shift, moved, self.shared.follows[:, None])

    def view(self, local: Float[Tensor, "vertices 3"], pose: RigidPose) -> View:
        """The photo with the head in another pose and expression.

        Args:
            local: see `PortraitHead.local`.
            pose: in the frame of the photo's camera.
        """
        homogeneous, closure = self._posed(local, pose)
        way = self._source - _on_screen(homogeneous)
        # A closing lip or lid has no color from the opening; one that opens keeps the photo's own edge.
        seen = self._seen * (1 - (closure[:, 0] / _CLOSING).clamp(0, 1) * self._in_openings)
        values = torch.cat([way, seen[:, None], self.shared.parts, self.shared.colors], 1)
        image = self._raster.values(homogeneous.numpy(), values.numpy())
        discount_stretched(image, *_STRETCHED)
        guide, colors = (np.ascontiguousarray(part) for part in np.split(image[..., 3:-1], [GUIDE], -1))
        valid = image[..., 2].copy()
        _soften_mouth(guide[WINDOW], colors[WINDOW], valid[WINDOW])
        slits = self._slits(homogeneous)
        inside = guide[WINDOW][..., MOUTH].sum(-1, keepdims=True).clip(0, 1)
        colors[WINDOW] *= 1 - inside * (1 - mouth_light(slits.mouth)[..., None] ** _REDDER)
        lines = np.stack([lip_line(slits.mouth, self.slits.mouth), self._lashes(slits)], -1)
        flow = continued_flow(image)
        valid[WINDOW] *= (1 - lines).prod(-1)
        return View(flow, valid, image[..., -1], guide, colors, lines)

    def way_to(
        self, other: PortraitScene, local: Float[Tensor, "vertices 3"], pose: RigidPose
    ) -> Float[np.ndarray, "crop crop 2"]:
        """Flow from each pixel of a view to where another photo of the same crop has its content.

        Args:
            other: a photo of the person in this pose and expression.
            local: see `view`.
            pose: see `view`.
        """
        homogeneous, _ = self._posed(local, pose)
        way = other._source - _on_screen(homogeneous)
        return continued_flow(
            self._raster.values(homogeneous.numpy(), torch.cat([way, other._seen[:, None]], 1).numpy())
        )

    def _posed(
        self, local: Float[Tensor, "vertices 3"], pose: RigidPose
    ) -> tuple[Float[Tensor, "vertices 3"], Float[Tensor, "vertices 1"]]:
        """Homogeneous pixels of a view, and how far it closes each slit."""
        closure = self.shared.anchors.closure(local, self._usual_gaps)
        return self._homogeneous(self.placed(local, pose), self._offsets + closure * self._closing), closure

    def face_mask(self) -> Bool[np.ndarray, "crop crop"]:
        """Where the photo shows the face itself, without hair, ears and neck."""
        raster = self._raster.values(self._homogeneous_photo.numpy(), self.shared.face[:, None].numpy())
        return raster[..., 0] > 0.5

    def _slits(self, homogeneous: Float[Tensor, "vertices 3"]) -> Slits:
        """Rims of mouth and eyes."""
        regions = self.shared.model.points.regions
        screen = _on_screen(homogeneous).numpy()
        mouth = Slit(*(screen[regions[name].numpy()[::_RIM_STEP]] for name in ("upper_lip_inner", "lower_lip_inner")))
        lids = _on_screen(self.shared.anchors.points_on(homogeneous, _LID_RIMS)).numpy().reshape(2, 2, -1, 2)
        return Slits(mouth, [Slit(*rims) for rims in lids])

    def _lashes(self, now: Slits) -> Float[np.ndarray, "side side"]:
        return np.maximum(*(lashes(eye, photo) for eye, photo in zip(now.eyes, self.slits.eyes, strict=True)))

    def _homogeneous(
        self, vertices: Float[Tensor, "vertices 3"], offsets: Float[Tensor, "vertices 2"]
    ) -> Float[Tensor, "vertices 3"]:
        """Homogeneous pixels of the crop, moved to where the photo's points are."""
        found = self.crop.homogeneous(vertices, self.K)
        return torch.cat([found[:, :2] + offsets * found[:, 2:], found[:, 2:]], 1)

    def _visible(self, vertices: np.ndarray, homogeneous: np.ndarray) -> Float[Tensor, " vertices"]:
        """How far the photo shows each vertex."""
        nearness = self._raster.depth(homogeneous)
        at = np.clip(homogeneous[:, :2] / homogeneous[:, 2:], 0, CROP_PX - 1).astype(int)
        depth = homogeneous[:, 2]
        front = depth < 1 / np.maximum(nearness[at[:, 1], at[:, 0]], 1e-6) + _BEHIND_M
        normals = np.empty_like(vertices, np.float32)
        vertex_normals(np.ascontiguousarray(vertices, np.float32), self.shared.faces, normals)
        normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
        towards = -vertices / np.linalg.norm(vertices, axis=1, keepdims=True)
        low, high = _FACING
        facing = np.clip(((normals * towards).sum(1) - low) / (high - low), 0, 1)
        return torch.from_numpy((front * facing).astype(np.float32))


def network_inputs(view: View) -> tuple[Float[Tensor, "2 height columns"], Float[Tensor, "cues height columns"]]:
    """Flow and cues of the window of a view."""
    flow = torch.from_numpy(np.ascontiguousarray(view.flow[WINDOW])).permute(2, 0, 1)
    cues = np.concatenate([view.valid[..., None], view.covered[..., None], view.guide], -1)[WINDOW]
    return flow, torch.from_numpy(np.ascontiguousarray(cues)).permute(2, 0, 1)


def continued_flow(image: Float[np.ndarray, "height width channels"]) -> Float[np.ndarray, "height width 2"]:
    """Flow for all pixels, from those that are valid; it fades with the distance from the head and at the edges.

    Args:
        image: way in x and y, validity, further values, coverage.
    """
    height, width = (side // COARSE for side in image.shape[:2])
    way = np.empty((height, width, 2), np.float32)
    weight, covered = np.empty((height, width), np.float32), np.empty((height, width), np.float32)
    pool(image, COARSE, way, weight, covered)
    away = COARSE * np.asarray(distance_transform_edt(covered < 0.5))
    near, far = _FADE_PX
    fade = _smooth(1 - np.clip((away - near) / (far - near), 0, 1)) * edge_fade(height, width)
    flow = np.empty((*image.shape[:2], 2), np.float32)
    blend(image, filled(way, weight) * fade[..., None].astype(np.float32), COARSE, flow)
    return flow


@cache
def edge_fade(height: int, width: int) -> Float[np.ndarray, "height width"]:
    """Share of the flow that is left near the edges of the coarse map."""
    rows, columns = (np.minimum(np.arange(n), np.arange(n)[::-1]) * COARSE for n in (height, width))
    return _smooth(np.clip(np.minimum(rows[:, None], columns) / _EDGE_PX, 0, 1))


def _smooth(share: np.ndarray) -> np.ndarray:
    return share * share * (3 - 2 * share)


def _on_screen(homogeneous: Float[Tensor, "points 3"]) -> Float[Tensor, "points 2"]:
    return homogeneous[:, :2] / homogeneous[:, 2:]


def _soften_mouth(
    guide: Float[np.ndarray, "side side parts"],
    colors: Float[np.ndarray, "side side 3"],
    valid: Float[np.ndarray, "side side"],
) -> None:
    """Take the steps along the lips out of the parts of the head, their colors and validity, which are changed."""
    inside = guide[..., MOUTH].sum(-1, keepdims=True)
    rows, columns = (np.flatnonzero(inside.any(axis)) for axis in ((1, 2), (0, 2)))
    if not len(rows):
        return
    part = slice(max(rows[0] - 1, 0), rows[-1] + 2), slice(max(columns[0] - 1, 0), columns[-1] + 2)
    inside = inside[part]
    soft = _softened(np.concatenate([guide[part], inside * colors[part], inside, valid[part][..., None]], -1))
    near = soft[..., -2] > 1e-3
    guide[part] = soft[..., :GUIDE]
    colors[part] = np.where(near[..., None], soft[..., GUIDE:-2] / soft[..., -2:-1].clip(1e-3), colors[part])
    valid[part] = np.where(near, soft[..., -1], valid[part])


def _softened(image: np.ndarray) -> np.ndarray:
    return correlate1d(correlate1d(image, _SOFT, 0, mode="nearest"), _SOFT, 1, mode="nearest")
