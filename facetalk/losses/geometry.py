"""Where the lips and the mouth are on the head, in millimeters."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from facetalk.core.landmarks import IBUG_LOWER_INNER_LIP, IBUG_MOUTH, IBUG_MOUTH_CORNERS, IBUG_UPPER_INNER_LIP
from facetalk.head.assets import HeadAssets
from facetalk.head.controls import control_dirs


class LipGeometry(nn.Module):
    """Expression -> displacement of the lips. Linear, because the channels of the bundled head are displacements.

    Many combinations of channels give the same mouth; a loss on the mouth itself does not depend on which.
    """

    lip_dirs: Tensor
    curve_dirs: Tensor

    def __init__(self, assets: HeadAssets) -> None:
        """Measure a head; where its jaw is a joint, the three angles are further columns (see `Controls`)."""
        super().__init__()
        dirs = 1000 * assets.points.landmarks.on(control_dirs(assets.shape))
        gap = dirs[:, list(IBUG_UPPER_INNER_LIP), 1].mean(1) - dirs[:, list(IBUG_LOWER_INNER_LIP), 1].mean(1)
        right, left = IBUG_MOUTH_CORNERS
        width = dirs[:, left, 0] - dirs[:, right, 0]
        self.register_buffer("lip_dirs", dirs[:, list(IBUG_MOUTH)].flatten(1))
        self.register_buffer("curve_dirs", torch.stack([gap, width], 1))

    def lips(self, expression: Float[Tensor, "*batch n_expression"]) -> Float[Tensor, "*batch coordinates"]:
        """Displacement of the 20 mouth landmarks from rest, three coordinates each, millimeters."""
        return expression @ self.lip_dirs

    def curves(self, expression: Float[Tensor, "*batch n_expression"]) -> Float[Tensor, "*batch 2"]:
        """Change of the gap between the lips and of the mouth's width from rest, millimeters."""
        return expression @ self.curve_dirs


class PointGeometry(nn.Module):
    """Difference of two motions -> how far the head's points are apart on average.

    Linear like `LipGeometry`, so that the mean over thousands of vertices is one quadratic form of the motion.
    """

    landmark_form: Tensor
    vertex_form: Tensor

    def __init__(self, assets: HeadAssets) -> None:
        super().__init__()
        dirs = 1000 * control_dirs(assets.shape)
        for name, points in (("landmark_form", assets.points.landmarks.on(dirs)), ("vertex_form", dirs)):
            flat = points.flatten(1)
            self.register_buffer(name, flat @ flat.T / points.shape[1])

    def landmarks(self, difference: Float[Tensor, "*batch controls"]) -> Float[Tensor, "*batch"]:
        """Mean squared distance of the 68 landmarks, square millimeters."""
        return ((difference @ self.landmark_form) * difference).sum(-1)

    def vertices(self, difference: Float[Tensor, "*batch controls"]) -> Float[Tensor, "*batch"]:
        """Mean squared distance of all vertices, square millimeters."""
        return ((difference @ self.vertex_form) * difference).sum(-1)


class MouthVertices(nn.Module):
    """Expression -> vertices of the mouth, evenly chosen from its region: the input of the sync critic."""

    dirs: Tensor
    rest: Tensor

    def __init__(self, assets: HeadAssets, num_vertices: int) -> None:
        super().__init__()
        region = assets.points.regions["mouth"]
        chosen = region[torch.linspace(0, len(region) - 1, min(num_vertices, len(region))).long()]
        rest = assets.shape.template[chosen]
        self.register_buffer("dirs", 1000 * assets.shape.expression_dirs[:, chosen].flatten(1))
        self.register_buffer("rest", 100 * (rest - rest.mean(0)))

    def forward(
        self, expression: Float[Tensor, "batch frames n_expression"]
    ) -> Float[Tensor, "batch frames vertices 3"]:
        """Displacement from the mean over the excerpt, millimeters: the level of a style says nothing about sync."""
        moved = expression - expression.mean(1, keepdim=True)
        return (moved @ self.dirs).unflatten(2, (-1, 3))
