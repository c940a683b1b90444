"""What a bare head model lacks, taken over from another head: MediaPipe's points, landmarks, regions and colours.

The reference head (the bundled one) is laid over the other by a smooth warp; what lies at a place of the reference then
holds for the nearest place of the other head.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from facetalk.core.landmarks import MESH_LEFT_IRIS, MESH_RIGHT_IRIS, NUM_MESH_SKIN_POINTS
from facetalk.head.assets import HeadAssets
from facetalk.head.regions import REGIONS
from facetalk.head.registration import OnSurface, nearest_on_surface, register, spread_points, vertex_normals

TAKEN_OVER = ("lips", "mouth", "upper_face", "eyes", "brows", "neck")
"""Regions of the skin that a warp carries over."""

_FINEST = 0.009
"""Detail of the reference's texture that is carried over, as a share of its side: about 2 mm of skin."""
_NUM_ANCHORS = 600


@dataclass(frozen=True, eq=False)
class Eyeball:
    """One eyeball of a head at rest."""

    members: Int[np.ndarray, " members"]
    """Its vertices."""
    centre: Float[np.ndarray, "3"]
    """Metres."""
    axis: Float[np.ndarray, "3"]
    """Where it looks."""

    @property
    def basis(self) -> Float[np.ndarray, "3 3"]:
        """Right, up and forward directions, by rows."""
        forward = self.axis / np.linalg.norm(self.axis)
        right = np.cross([0.0, 1.0, 0.0], forward)
        right /= np.linalg.norm(right)
        return np.stack([right, np.cross(forward, right), forward])


@dataclass(frozen=True, eq=False)
class BareHead:
    """A mesh with a few known places. Metres; x to the subject's left, y up, z forward."""

    template: Float[np.ndarray, "vertices 3"]
    faces: Int[np.ndarray, "faces 3"]
    skin: Int[np.ndarray, " members"]
    """Vertices of the skin, neck included."""
    marks: Mapping[int, Float[np.ndarray, "3"]]
    """Places of some of the 68 landmarks."""
    left_eye: Eyeball
    right_eye: Eyeball


@dataclass(frozen=True, eq=False)
class Dress:
    """What a bare head lacks."""

    mediapipe_triangles: Int[np.ndarray, "478 3"]
    mediapipe_barycentric: Float[np.ndarray, "478 3"]
    landmark_triangles: Int[np.ndarray, "68 3"]
    landmark_barycentric: Float[np.ndarray, "68 3"]
    colors: Float[np.ndarray, "vertices 3"]
    gloss: Float[np.ndarray, "vertices 2"]
    regions: dict[str, Int[np.ndarray, " members"]]


def dress(head: BareHead, reference: HeadAssets) -> Dress:
    """Carry points, regions and colours of a reference head over to another one.

    Args:
        head: the other head.
        reference: a head with all 478 points and all regions.
    """
    template, faces = reference.shape.template.numpy().astype(np.float64), reference.shape.faces.numpy()
    normals = vertex_normals(template, faces)
    balls = _reference_eyes(reference)
    marks = sorted(head.marks)
    own_marks = reference.points.landmarks.on(reference.shape.template).numpy()
    source_pairs = np.concatenate([own_marks[marks], [ball.centre for ball in balls]])
    target_pairs = np.concatenate([[head.marks[i] for i in marks], [head.left_eye.centre, head.right_eye.centre]])
    numbered = reference.points.mediapipe.on(reference.shape.template).numpy()[:NUM_MESH_SKIN_POINTS].astype(np.float64)
    numbered_normals = _point_normals(reference, normals)
    face = np.setdiff1d(reference.points.regions["skin"].numpy(), reference.points.regions["neck"].numpy())
    face = face[spread_points(template[face], _NUM_ANCHORS - len(numbered) // 2)]
    skin_faces = head.faces[_all_in(head.faces, head.skin)]
    warp = register(
        np.concatenate([numbered, template[face]]),
        np.concatenate([numbered_normals, normals[face]]),
        head.template.astype(np.float64),
        skin_faces,
        source_pairs.astype(np.float64),
        target_pairs.astype(np.float64),
        num_anchors=_NUM_ANCHORS,
    )
    on_skin = nearest_on_surface(warp(numbered), head.template, skin_faces, numbered_normals)
    irises = [_iris_points(head, ball, reference) for ball in (head.right_eye, head.left_eye)]
    landmarks = reference.points.landmarks.on(reference.shape.template).numpy().astype(np.float64)
    own_corners = normals[reference.points.landmarks.triangles.numpy()].mean(1)
    on_landmarks = nearest_on_surface(warp(landmarks), head.template, skin_faces, own_corners)
    regions = _regions(head, reference, warp(template), normals, skin_faces)
    colors, gloss = _colors(head, reference, warp(template), balls)
    return Dress(
        mediapipe_triangles=np.concatenate([skin_faces[on_skin.faces], *(corners for corners, _ in irises)]),
        mediapipe_barycentric=np.concatenate([on_skin.barycentric, *(weights for _, weights in irises)]),
        landmark_triangles=skin_faces[on_landmarks.faces],
        landmark_barycentric=on_landmarks.barycentric,
        colors=colors,
        gloss=gloss,
        regions=regions,
    )


def eyeball(template: Float[np.ndarray, "vertices 3"], members: Int[np.ndarray, " members"]) -> Eyeball:
    """An eyeball that looks straight ahead, with the centre of the sphere through its vertices."""
    points = template[members].astype(np.float64)
    system = np.concatenate([2 * points, np.ones((len(points), 1))], 1)
    answer = np.linalg.lstsq(system, (points**2).sum(1), rcond=None)[0]
    return Eyeball(members, answer[:3], np.array([0.0, 0.0, 1.0]))


def connected_parts(faces: Int[np.ndarray, "faces 3"], num_vertices: int) -> Int[np.ndarray, " vertices"]:
    """Number of the connected part of a mesh that each vertex belongs to."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    ends = faces.ravel(), np.roll(faces, 1, 1).ravel()
    graph = coo_matrix((np.ones(faces.size), ends), (num_vertices, num_vertices))
    return connected_components(graph, directed=False)[1]


def _all_in(faces: np.ndarray, members: np.ndarray) -> np.ndarray:
    return np.isin(faces, members).all(1)


def _reference_eyes(reference: HeadAssets) -> tuple[Eyeball, Eyeball]:
    forward = np.array([0.0, 0.0, 1.0])
    joints = reference.shape.joints.numpy()
    names = (("left_eyeball", 3), ("right_eyeball", 4))
    left, right = (Eyeball(reference.points.regions[name].numpy(), joints[joint], forward) for name, joint in names)
    return left, right


def _point_normals(reference: HeadAssets, normals: np.ndarray) -> np.ndarray:
    points = reference.points.mediapipe
    if len(points.triangles) < NUM_MESH_SKIN_POINTS or not bool(
        (reference.points.mediapipe_ids[:NUM_MESH_SKIN_POINTS].diff() == 1).all()
    ):
        raise ValueError("a reference head needs all of MediaPipe's points in order")
    corners = points.triangles[:NUM_MESH_SKIN_POINTS].numpy()
    mixed = (normals[corners] * points.barycentric[:NUM_MESH_SKIN_POINTS].numpy()[..., None]).sum(1)
    return mixed / np.linalg.norm(mixed, axis=1, keepdims=True)


def _iris_points(head: BareHead, ball: Eyeball, reference: HeadAssets) -> tuple[np.ndarray, np.ndarray]:
    """The iris centre and four points of its rim on an eyeball, as on the reference's."""
    own = _reference_eyes(reference)[1]
    places = (
        reference.points.mediapipe.on(reference.shape.template).numpy()[MESH_RIGHT_IRIS:MESH_LEFT_IRIS] - own.centre
    )
    own_size = np.linalg.norm(reference.shape.template.numpy()[own.members] - own.centre, axis=1).max()
    size = np.linalg.norm(head.template[ball.members] - ball.centre, axis=1).max()
    targets = places / own_size * size @ ball.basis + ball.centre
    ball_faces = head.faces[_all_in(head.faces, ball.members)]
    found = nearest_on_surface(targets, head.template, ball_faces, targets - ball.centre)
    return ball_faces[found.faces], found.barycentric


def _regions(
    head: BareHead, reference: HeadAssets, laid_on: np.ndarray, normals: np.ndarray, skin_faces: np.ndarray
) -> dict[str, np.ndarray]:
    from scipy.spatial import KDTree

    skin = reference.points.regions["skin"].numpy()
    _, nearest = KDTree(laid_on[skin]).query(head.template[head.skin])
    regions: dict[str, np.ndarray] = {name: np.zeros(0, np.int64) for name in REGIONS}
    for name in TAKEN_OVER:
        regions[name] = head.skin[np.isin(skin[nearest], reference.points.regions[name].numpy())]
    upper, lower = (reference.points.regions[name].numpy() for name in ("upper_lip_inner", "lower_lip_inner"))
    on_upper = _nearest_corner(
        nearest_on_surface(laid_on[upper], head.template, skin_faces, normals[upper]), skin_faces
    )
    on_lower = _nearest_corner(
        nearest_on_surface(laid_on[lower], head.template, skin_faces, normals[lower]), skin_faces
    )
    pairs = np.stack([on_upper, on_lower], 1)
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]
    _, first = np.unique(pairs, axis=0, return_index=True)
    pairs = pairs[np.sort(first)]
    regions |= {"upper_lip_inner": pairs[:, 0], "lower_lip_inner": pairs[:, 1], "skin": head.skin}
    regions |= {"left_eyeball": head.left_eye.members, "right_eyeball": head.right_eye.members}
    return regions


def _nearest_corner(found: OnSurface, faces: np.ndarray) -> np.ndarray:
    return faces[found.faces, found.barycentric.argmax(1)]


def _colors(
    head: BareHead, reference: HeadAssets, laid_on: np.ndarray, balls: tuple[Eyeball, Eyeball]
) -> tuple[np.ndarray, np.ndarray]:
    """Colours of the reference's nearest places; eyeballs by direction from their centres."""
    from scipy.spatial import KDTree

    own_colors, own_gloss = vertex_colors(reference), reference.appearance.gloss.numpy()
    colors = np.full((len(head.template), 3), 0.7, np.float32)
    gloss = np.tile(np.array([0.2, 20.0], np.float32), (len(head.template), 1))
    skin_faces = np.flatnonzero(_all_in(reference.shape.faces.numpy(), reference.points.regions["skin"].numpy()))
    own_faces = reference.shape.faces.numpy()[skin_faces]
    found = nearest_on_surface(head.template[head.skin], laid_on, own_faces, candidates=12)
    corners, shares = own_faces[found.faces], found.barycentric[..., None]
    gloss[head.skin] = (own_gloss[corners] * shares).sum(1)
    painted = (reference.appearance.colors.numpy()[corners] * shares).sum(1)
    if reference.appearance.texture is not None:
        uv_corners = reference.appearance.uv_coords.numpy()[
            reference.appearance.uv_faces.numpy()[skin_faces[found.faces]]
        ]
        painted = painted * _texture_at((uv_corners * shares).sum(1), _soft(reference.appearance.texture))
    colors[head.skin] = painted
    template = reference.shape.template.numpy()
    for own, ball in zip(balls, (head.left_eye, head.right_eye), strict=True):
        directions = _unit((head.template[ball.members] - ball.centre) @ ball.basis.T)
        near = own.members[KDTree(_unit((template[own.members] - own.centre) @ own.basis.T)).query(directions)[1]]
        colors[ball.members], gloss[ball.members] = own_colors[near], own_gloss[near]
    return colors, gloss


def vertex_colors(assets: HeadAssets) -> Float[np.ndarray, "vertices 3"]:
    """Colour of each vertex with the texture applied, sRGB in [0, 1]."""
    colors = assets.appearance.colors.numpy().copy()
    if assets.appearance.texture is None:
        return colors
    uv = np.zeros((len(colors), 2))
    uv[assets.shape.faces.numpy().ravel()] = assets.appearance.uv_coords.numpy()[
        assets.appearance.uv_faces.numpy().ravel()
    ]
    return colors * _texture_at(uv, assets.appearance.texture)


def _texture_at(uv: np.ndarray, texture: np.ndarray) -> np.ndarray:
    height, width = texture.shape[:2]
    column = (uv[:, 0] * width).astype(int).clip(0, width - 1)
    row = ((1 - uv[:, 1]) * height).astype(int).clip(0, height - 1)
    return texture[row, column].astype(np.float32) / 255


def _soft(texture: np.ndarray) -> np.ndarray:
    """The texture without detail that is finer than a mesh's vertices, such as single hairs."""
    from scipy.ndimage import uniform_filter

    side = max(3, round(texture.shape[0] * _FINEST))
    return np.stack([uniform_filter(texture[..., band], side) for band in range(3)], -1)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)
