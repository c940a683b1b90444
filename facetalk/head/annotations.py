"""Annotations of a head mesh (landmarks, MediaPipe's points, regions, colors), transferred from another head.

The reference head is registered to the mesh by a smooth warp; an annotation at some place of the reference then holds
for the nearest place on the mesh.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from facetalk.core.landmarks import MESH_LEFT_IRIS, MESH_RIGHT_IRIS, NUM_MESH_SKIN_POINTS
from facetalk.head.assets import HeadAssets
from facetalk.head.bare_mesh import BareMesh, Eyeball
from facetalk.head.color_transfer import transfer_colors
from facetalk.head.regions import REGIONS
from facetalk.head.registration import OnSurface, Warp, nearest_on_surface, register, spread_points, vertex_normals
from facetalk.head.skinning import JOINT_NAMES

TRANSFERRED_REGIONS = ("lips", "mouth", "upper_face", "eyes", "brows", "neck")
"""Regions of the skin that the warp transfers."""

_NUM_ANCHORS = 600


@dataclass(frozen=True, eq=False)
class Annotations:
    """What a bare mesh lacks."""

    mediapipe_triangles: Int[np.ndarray, "478 3"]
    mediapipe_barycentric: Float[np.ndarray, "478 3"]
    landmark_triangles: Int[np.ndarray, "68 3"]
    landmark_barycentric: Float[np.ndarray, "68 3"]
    colors: Float[np.ndarray, "vertices 3"]
    """sRGB in [0, 1]."""
    gloss: Float[np.ndarray, "vertices 2"]
    regions: dict[str, Int[np.ndarray, " members"]]


def transfer_annotations(head: BareMesh, reference: HeadAssets) -> Annotations:
    """Transfer points, regions and colors of a reference head to a mesh.

    Args:
        head: the mesh.
        reference: a head with all 478 MediaPipe points in order, all 68 landmarks and all regions.
    """
    template, faces = reference.shape.template.numpy().astype(np.float64), reference.shape.faces.numpy()
    normals = vertex_normals(template, faces)
    eyeballs = _reference_eyeballs(reference)
    points = reference.points.mediapipe.on(reference.shape.template).numpy()[:NUM_MESH_SKIN_POINTS].astype(np.float64)
    point_normals = _point_normals(reference, normals)
    skin_faces = head.faces[np.isin(head.faces, head.skin).all(1)]
    warp = _fit_warp(head, reference, eyeballs, (points, point_normals), normals, skin_faces)
    on_skin = nearest_on_surface(warp(points), head.template, skin_faces, point_normals)
    irises = [_iris_points(head, ball, reference) for ball in (head.right_eye, head.left_eye)]
    landmarks = reference.points.landmarks.on(reference.shape.template).numpy().astype(np.float64)
    landmark_normals = normals[reference.points.landmarks.triangles.numpy()].mean(1)
    on_landmarks = nearest_on_surface(warp(landmarks), head.template, skin_faces, landmark_normals)
    regions = _transfer_regions(head, reference, warp(template), normals, skin_faces)
    colors, gloss = transfer_colors(head, reference, warp(template), eyeballs)
    return Annotations(
        mediapipe_triangles=np.concatenate([skin_faces[on_skin.faces], *(corners for corners, _ in irises)]),
        mediapipe_barycentric=np.concatenate([on_skin.barycentric, *(weights for _, weights in irises)]),
        landmark_triangles=skin_faces[on_landmarks.faces],
        landmark_barycentric=on_landmarks.barycentric,
        colors=colors,
        gloss=gloss,
        regions=regions,
    )


def _fit_warp(
    head: BareMesh,
    reference: HeadAssets,
    eyeballs: tuple[Eyeball, Eyeball],
    points: tuple[np.ndarray, np.ndarray],
    normals: np.ndarray,
    skin_faces: np.ndarray,
) -> Warp:
    """Register the reference's face to the mesh, starting from the known landmarks and the eyes."""
    template = reference.shape.template.numpy().astype(np.float64)
    known = sorted(head.landmarks)
    landmarks = reference.points.landmarks.on(reference.shape.template).numpy()
    source_pairs = np.concatenate([landmarks[known], [ball.center for ball in eyeballs]])
    target_pairs = np.concatenate(
        [[head.landmarks[index] for index in known], [head.left_eye.center, head.right_eye.center]]
    )
    face = np.setdiff1d(reference.points.regions["skin"].numpy(), reference.points.regions["neck"].numpy())
    face = face[spread_points(template[face], _NUM_ANCHORS - len(points[0]) // 2)]
    return register(
        np.concatenate([points[0], template[face]]),
        np.concatenate([points[1], normals[face]]),
        head.template.astype(np.float64),
        skin_faces,
        source_pairs.astype(np.float64),
        target_pairs.astype(np.float64),
        num_anchors=_NUM_ANCHORS,
    )


def _reference_eyeballs(reference: HeadAssets) -> tuple[Eyeball, Eyeball]:
    """Left and right eyeball."""
    forward = np.array([0.0, 0.0, 1.0])
    joints, regions = reference.shape.joints.numpy(), reference.points.regions
    left, right = (
        Eyeball(regions[region].numpy(), joints[JOINT_NAMES.index(joint)], forward)
        for region, joint in (("left_eyeball", "left_eye"), ("right_eyeball", "right_eye"))
    )
    return left, right


def _point_normals(reference: HeadAssets, normals: np.ndarray) -> np.ndarray:
    """Unit normals at MediaPipe's skin points."""
    points, skin_ids = reference.points.mediapipe, reference.points.mediapipe_ids[:NUM_MESH_SKIN_POINTS]
    if len(points.triangles) < NUM_MESH_SKIN_POINTS or not bool((skin_ids.diff() == 1).all()):
        raise ValueError("a reference head needs all of MediaPipe's points in order")
    corners = points.triangles[:NUM_MESH_SKIN_POINTS].numpy()
    mixed = (normals[corners] * points.barycentric[:NUM_MESH_SKIN_POINTS].numpy()[..., None]).sum(1)
    return mixed / np.linalg.norm(mixed, axis=1, keepdims=True)


def _iris_points(head: BareMesh, ball: Eyeball, reference: HeadAssets) -> tuple[np.ndarray, np.ndarray]:
    """Iris center and four points of its rim on an eyeball, placed as on the reference's right eye."""
    own = _reference_eyeballs(reference)[1]
    template = reference.shape.template
    places = reference.points.mediapipe.on(template).numpy()[MESH_RIGHT_IRIS:MESH_LEFT_IRIS] - own.center
    own_size = np.linalg.norm(template.numpy()[own.members] - own.center, axis=1).max()
    size = np.linalg.norm(head.template[ball.members] - ball.center, axis=1).max()
    targets = places / own_size * size @ ball.basis + ball.center
    ball_faces = head.faces[np.isin(head.faces, ball.members).all(1)]
    found = nearest_on_surface(targets, head.template, ball_faces, targets - ball.center)
    return ball_faces[found.faces], found.barycentric


def _transfer_regions(
    head: BareMesh, reference: HeadAssets, warped: np.ndarray, normals: np.ndarray, skin_faces: np.ndarray
) -> dict[str, np.ndarray]:
    """Regions of the mesh: the nearest reference vertex decides on the skin; lip rims are paired anew.

    Args:
        head: the mesh.
        reference: the reference head.
        warped: its vertices, warped to the mesh.
        normals: normals of its vertices.
        skin_faces: triangles of the mesh's skin.
    """
    from scipy.spatial import KDTree

    skin = reference.points.regions["skin"].numpy()
    _, nearest = KDTree(warped[skin]).query(head.template[head.skin])
    regions: dict[str, np.ndarray] = {name: np.zeros(0, np.int64) for name in REGIONS}
    for name in TRANSFERRED_REGIONS:
        regions[name] = head.skin[np.isin(skin[nearest], reference.points.regions[name].numpy())]

    def on_mesh(members: np.ndarray) -> np.ndarray:
        found = nearest_on_surface(warped[members], head.template, skin_faces, normals[members])
        return _nearest_corner(found, skin_faces)

    upper, lower = (reference.points.regions[name].numpy() for name in ("upper_lip_inner", "lower_lip_inner"))
    pairs = np.stack([on_mesh(upper), on_mesh(lower)], 1)
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]
    _, first = np.unique(pairs, axis=0, return_index=True)
    pairs = pairs[np.sort(first)]
    regions |= {"upper_lip_inner": pairs[:, 0], "lower_lip_inner": pairs[:, 1], "skin": head.skin}
    regions |= {"left_eyeball": head.left_eye.members, "right_eyeball": head.right_eye.members}
    return regions


def _nearest_corner(found: OnSurface, faces: np.ndarray) -> np.ndarray:
    return faces[found.faces, found.barycentric.argmax(1)]
