"""What a person and their background look like, collected from their videos before any network is trained."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor
from torch.nn import functional

from facetalk.core.errors import FacetalkError
from facetalk.core.motion import Motion
from facetalk.head.channels import BLINK_NAMES
from facetalk.head.model import HeadModel
from facetalk.motion.contacts import lip_opening
from facetalk.motion.frames import posed
from facetalk.neural_rendering.drawn_head import eye_sides, head_faces
from facetalk.neural_rendering.footage import Footage, Scene
from facetalk.neural_rendering.placement import Habits, habits_of, relative_turns
from facetalk.rendering.differentiable import Projected, perspective, smooth_normals, visible_faces
from facetalk.rendering.push_pull import spread

COLOR_FRAMES = 120
"""Frames from which colors are taken."""
PLATE_FRAMES = 96
"""Frames of a scene whose median is its background."""
MARGIN = 0.09
"""Width of the border around the head that is hair rather than background, in units of the image."""
_LEAST_SEEN = 10
"""Frames in which a background pixel has to be free."""
_TURN, _LIPS = 0.6, 3.0
"""How much the turn of the head counts in the choice of keyframes, and how much the opening of the lips."""
_SHUT = 0.6
"""Closure from which eyes are closed."""
_ROUNDS = 20
"""Of the search for clusters of frames."""
_KEY_CHANNELS = (("mouthSmileLeft", 1.0), ("mouthPucker", 1.0), (BLINK_NAMES[0], 1.0))
"""Channels by which they differ as well."""


@dataclass(frozen=True, eq=False)
class PersonAppearance:
    """Everything about a person except the network."""

    head: str
    """Name of the head that was fitted."""
    betas: Float[Tensor, " n_betas"]
    """Identity, of the main video."""
    colors: Float[Tensor, "vertices 3"]
    """Mean color of each vertex in the videos, in [0, 1]."""
    keyframes: UInt8[Tensor, "photos size size 3"]
    """Photos of the person that are warped; of the main video."""
    key_points: Float[Tensor, "photos vertices 3"]
    """Vertices of the head in each keyframe, (u w, v w, w) in pixels of the square frames."""
    scenes: tuple[Scene, ...]
    """The main video first."""
    habits: Habits
    fps: float
    """Of the main video; the window of the network spans that many frames a second."""

    @property
    def size(self) -> int:
        """Side of the frames, pixels."""
        return self.scenes[0].camera.image_size[0]


def collect(footages: Sequence[Footage], head: HeadModel, num_keyframes: int) -> PersonAppearance:
    """Collect appearance and habits from videos, the first of which is the main one.

    Args:
        footages: what may be learned from.
        head: the head that was fitted.
        num_keyframes: photos to keep.

    Raises:
        FacetalkError: too few frames have a certain fit.
    """
    main = footages[0]
    if int(main.trusted.sum()) < max(_LEAST_SEEN, num_keyframes):
        raise FacetalkError("nearly no frame of the longest video has a certain fit; give a video with a clear face")
    keys = keyframes(main, num_keyframes)
    with torch.inference_mode():
        meshes = posed(head, main.motion.pick(keys)) if keys else ()
        points = [project_square(vertices, main.scene) for vertices in meshes]
    empty = torch.zeros(0, len(head.shape.template), 3)
    certain = [footage.motion.pick(footage.trusted.nonzero()[:, 0].tolist()) for footage in footages]
    return PersonAppearance(
        head=head.name,
        betas=main.motion.betas,
        colors=vertex_colors(footages, head),
        keyframes=main.frames[keys],
        key_points=torch.cat([empty, *points]),
        scenes=tuple(replace(footage.scene, plate=plate(footage, head)) for footage in footages),
        habits=habits_of(certain[0], certain[1:]),
        fps=main.motion.fps,
    )


def project_square(vertices: Float[np.ndarray, "vertices 3"], scene: Scene) -> Float[Tensor, "1 vertices 3"]:
    """Vertices in the square frames of a scene, (u w, v w, w) in pixels."""
    return perspective(torch.from_numpy(vertices)[None], scene.camera.K[None]).homogeneous


def spread_over(frames: Int64[Tensor, " frames"], count: int) -> list[int]:
    """At most so many frames, evenly spread."""
    rows = np.unique(np.linspace(0, len(frames) - 1, min(count, len(frames))).round().astype(int))
    return frames[torch.from_numpy(rows)].tolist()


def keyframes(footage: Footage, count: int) -> list[int]:
    """Frames that together are close to all others in mouth, turn of the head and lids: medoids of k-means clusters.

    The last one has closed eyes, if there are such frames: lids look like nothing that open eyes show.
    """
    if count == 0:
        return []
    shut = closed_eyes(footage) if count > 1 else None
    if shut is not None:
        return [*keyframes_of_clusters(footage, count - 1), shut]
    return keyframes_of_clusters(footage, count)


def closed_eyes(footage: Footage) -> int | None:
    """The frame with closed eyes in which the head is turned as usual; None if the eyes are always open."""
    closure = blinks(footage.motion).amin(1) * footage.trusted
    if float(closure.max()) < _SHUT:
        return None
    candidates = (closure >= 0.9 * closure.max()).nonzero()[:, 0]
    turns = footage.motion.global_orient
    return int(candidates[(turns[candidates] - turns.median(0).values).norm(dim=1).argmin()])


def keyframes_of_clusters(footage: Footage, count: int) -> list[int]:
    """The frames nearest to the centers of clusters."""
    frames = footage.trusted.nonzero()[:, 0]
    motion = footage.motion.pick(frames.tolist())
    turns = relative_turns(motion, motion.global_orient.mean(0))
    columns = [_TURN * turns / turns.std().clamp_min(1e-6)]
    curves = [(motion.channel(name), weight) for name, weight in _KEY_CHANNELS]
    for curve, weight in ((lip_opening(motion), _LIPS), *curves):
        columns.append(weight * (curve / curve.std().clamp_min(1e-3))[:, None])
    rows = torch.cat(columns, 1)
    nearest = torch.cdist(cluster_centers(rows, count), rows).argmin(1)
    return frames[nearest].tolist()


def cluster_centers(rows: Float[Tensor, "rows width"], count: int) -> Float[Tensor, "count width"]:
    """Means of clusters (Lloyd's algorithm), from the mean of all rows and the ones that are farthest from others."""
    centers = rows.mean(0, keepdim=True)
    while len(centers) < count:
        centers = torch.cat([centers, rows[torch.cdist(rows, centers).amin(1).argmax()][None]])
    for _ in range(_ROUNDS):
        cluster = torch.cdist(rows, centers).argmin(1)
        for number in cluster.unique().tolist():
            centers[number] = rows[cluster == number].mean(0)
    return centers


def vertex_colors(footages: Sequence[Footage], head: HeadModel) -> Float[Tensor, "vertices 3"]:
    """Mean color of each vertex where it is seen; of vertices that never are, that of the nearest one that is."""
    from scipy.spatial import KDTree

    total = torch.zeros(len(head.shape.template), 3)
    count = torch.zeros(len(head.shape.template))
    faces = head_faces(head.assets)
    share = max(1, COLOR_FRAMES // len(footages))
    for footage in footages:
        for mesh, drawn, image in _seen(footage, head, share):
            shown = visible_faces(drawn, faces.numpy().astype(np.int32), (len(image), len(image)))
            vertices = faces[shown[shown >= 0].unique()].unique()
            place = drawn.homogeneous[0, vertices, :2] / drawn.homogeneous[0, vertices, 2:]
            grid = 2 * place / image.shape[0] - 1
            colors = functional.grid_sample(
                image.permute(2, 0, 1)[None].float() / 255, grid[None, None], padding_mode="border", align_corners=False
            )
            weight = _facing(mesh, faces)[vertices]
            total[vertices] += weight[:, None] * colors[0, :, 0].T
            count[vertices] += weight
    seen = (count > 0).numpy()
    if not seen.any():
        raise FacetalkError("the head is never in the image; fit the video again")
    colors = total / count.clamp_min(1e-8)[:, None]
    template = head.shape.template.numpy()
    _, nearest = KDTree(template[seen]).query(template[~seen])
    colors[torch.from_numpy(~seen)] = colors[torch.from_numpy(seen)][torch.from_numpy(nearest)]
    return colors


def _facing(mesh: Float[Tensor, "1 vertices 3"], faces: Int64[Tensor, "faces 3"]) -> Float[Tensor, " vertices"]:
    """How much a vertex faces the camera: at the outline of the head, background is mixed into its color."""
    cosine = (smooth_normals(mesh, faces) * functional.normalize(-mesh, dim=-1)).sum(-1)[0]
    return cosine.clamp_min(0).square() + 1e-6


def plate(footage: Footage, head: HeadModel) -> UInt8[Tensor, "size size 3"]:
    """Median of what is seen beside the head; behind it, the surroundings."""
    from scipy.ndimage import binary_dilation

    size = footage.scene.camera.image_size[0]
    faces = head_faces(head.assets).numpy().astype(np.int32)
    reach = max(1, round(MARGIN * size))
    images, free = [], []
    for _, drawn, image in _seen(footage, head, PLATE_FRAMES):
        covered = (visible_faces(drawn, faces, (size, size))[0] >= 0).numpy()
        free.append(np.logical_not(binary_dilation(covered, iterations=reach)))
        images.append(image.numpy())
    stack = np.ma.MaskedArray(np.stack(images), mask=np.repeat(~np.stack(free)[..., None], 3, -1))
    values = torch.from_numpy(np.ma.median(stack, 0).filled(0).astype(np.float32)).permute(2, 0, 1)[None]
    seen = torch.from_numpy(np.stack(free).sum(0) >= min(_LEAST_SEEN, len(free))).float()[None, None]
    return spread(values, seen)[0].permute(1, 2, 0).round().clamp(0, 255).to(torch.uint8)


def _seen(footage: Footage, head: HeadModel, count: int) -> Iterator[tuple[Tensor, Projected, Tensor]]:
    """The head, where it is projected to, and the image, in some frames with a certain fit."""
    frames = spread_over(footage.trusted.nonzero()[:, 0], count)
    if not frames:
        return
    K = footage.scene.camera.K[None]
    for vertices, index in zip(posed(head, footage.motion.pick(frames)), frames, strict=True):
        mesh = torch.from_numpy(vertices)[None]
        yield mesh, perspective(mesh, K), footage.frames[index]


def blinks(motion: Motion) -> Float[Tensor, "frames 2"]:
    """How far each eye is closed."""
    return torch.stack([motion.channel(name) for name in BLINK_NAMES], 1)


class HeadLook:
    """What is drawn on the head of a person in each frame."""

    def __init__(self, head: HeadModel, colors: Float[Tensor, "vertices 3"]) -> None:
        self.colors = 2 * colors - 1
        self.sides = eye_sides(head.assets).float()

    def attributes(self, closed: Float[Tensor, "2"]) -> Float[Tensor, "vertices 4"]:
        """Colors in [-1, 1], and eye attention: how far the eye is closed, on the skin and the ball of each eye."""
        attention = (self.sides * closed[:, None]).sum(0)
        return torch.cat([self.colors, attention[:, None]], 1)
