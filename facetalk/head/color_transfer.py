"""Vertex colors of a mesh, taken from the nearest places of a textured reference head."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from facetalk.head.assets import HeadAssets
from facetalk.head.bare_mesh import BareMesh, Eyeball
from facetalk.head.registration import nearest_on_surface

_FINEST = 0.009
"""Finest detail of the reference's texture that is transferred, as a share of its side: about 2 mm of skin."""


def transfer_colors(
    head: BareMesh,
    reference: HeadAssets,
    warped: Float[np.ndarray, "reference_vertices 3"],
    eyeballs: tuple[Eyeball, Eyeball],
) -> tuple[Float[np.ndarray, "vertices 3"], Float[np.ndarray, "vertices 2"]]:
    """Colors (sRGB) and gloss of the mesh; eyeballs are matched by direction from their centers.

    Args:
        head: the mesh.
        reference: the textured head.
        warped: its vertices, warped to the mesh, meters.
        eyeballs: the reference's left and right eyeball.
    """
    from scipy.spatial import KDTree

    look, faces = reference.appearance, reference.shape.faces.numpy()
    own_colors, own_gloss = vertex_colors(reference), look.gloss.numpy()
    colors = np.full((len(head.template), 3), 0.7, np.float32)
    gloss = np.tile(np.array([0.2, 20.0], np.float32), (len(head.template), 1))
    skin_faces = np.flatnonzero(np.isin(faces, reference.points.regions["skin"].numpy()).all(1))
    found = nearest_on_surface(head.template[head.skin], warped, faces[skin_faces], candidates=12)
    corners, shares = faces[skin_faces][found.faces], found.barycentric[..., None]
    gloss[head.skin] = (own_gloss[corners] * shares).sum(1)
    painted = (look.colors.numpy()[corners] * shares).sum(1)
    if look.texture is not None:
        uv_corners = look.uv_coords.numpy()[look.uv_faces.numpy()[skin_faces[found.faces]]]
        painted = painted * _texture_at((uv_corners * shares).sum(1), _blurred(look.texture))
    colors[head.skin] = painted
    template = reference.shape.template.numpy()
    for own, ball in zip(eyeballs, (head.left_eye, head.right_eye), strict=True):
        directions = _unit((head.template[ball.members] - ball.center) @ ball.basis.T)
        near = own.members[KDTree(_unit((template[own.members] - own.center) @ own.basis.T)).query(directions)[1]]
        colors[ball.members], gloss[ball.members] = own_colors[near], own_gloss[near]
    return colors, gloss


def vertex_colors(assets: HeadAssets) -> Float[np.ndarray, "vertices 3"]:
    """Color of each vertex with the texture applied, sRGB in [0, 1]."""
    look = assets.appearance
    colors = look.colors.numpy().copy()
    if look.texture is None:
        return colors
    uv = np.zeros((len(colors), 2))
    uv[assets.shape.faces.numpy().ravel()] = look.uv_coords.numpy()[look.uv_faces.numpy().ravel()]
    return colors * _texture_at(uv, look.texture)


def _texture_at(uv: np.ndarray, texture: np.ndarray) -> np.ndarray:
    """Texels at some places, sRGB in [0, 1]."""
    height, width = texture.shape[:2]
    column = (uv[:, 0] * width).astype(int).clip(0, width - 1)
    row = ((1 - uv[:, 1]) * height).astype(int).clip(0, height - 1)
    return texture[row, column].astype(np.float32) / 255


def _blurred(texture: np.ndarray) -> np.ndarray:
    """Return the texture without detail that is finer than a mesh's vertices, such as single hairs."""
    from scipy.ndimage import uniform_filter

    side = max(3, round(texture.shape[0] * _FINEST))
    return np.stack([uniform_filter(texture[..., band], side) for band in range(3)], -1)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)
