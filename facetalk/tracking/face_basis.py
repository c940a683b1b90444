"""A head reduced to several hundred points of the detector instead of all vertices."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from facetalk.core.landmarks import MESH_SILHOUETTE, MESH_TEMPLES, NUM_MESH_POINTS, NUM_MESH_SKIN_POINTS
from facetalk.head.assets import HeadAssets
from facetalk.head.channels import GAZE_NAMES
from facetalk.head.correctives import corrective_weights
from facetalk.head.model import HeadModel
from facetalk.tracking import face_points
from facetalk.tracking.settings import HELD_AT_ZERO

_ROWS, _COLUMNS = (0, 1, 2, 0, 0, 1), (0, 1, 2, 1, 2, 2)
"""Rows and columns of the six elements of a symmetric 3x3 matrix, in the order of `point_kernel`."""


@dataclass(frozen=True, eq=False)
class FaceBasis:
    """The skin points of a head that are in MediaPipe's mesh, as linear functions of its parameters."""

    ids: Int[Tensor, " points"]
    """Indices in MediaPipe's mesh."""
    template: Float[Tensor, "points 3"]
    """At rest, meters."""
    normals: Float[Tensor, "points 3"]
    """Outward directions of the surface at rest."""
    identity_dirs: Float[Tensor, "n_betas points 3"]
    expression_dirs: Float[Tensor, "free points 3"]
    """One row per channel that is solved for."""
    gaze_dirs: Float[Tensor, "8 points 3"]
    """Displacement of the lids by the `eyeLook*` channels."""
    free: tuple[int, ...]
    """Columns of the head's expression that are solved for."""
    free_names: tuple[str, ...]
    gaze: tuple[int, ...]
    """Columns of the `eyeLook*` channels."""
    corrective_dirs: Float[Tensor, "n_correctives points 3"]
    """Correctives of channels that are solved for."""
    corrective_pairs: Int[Tensor, "n_correctives 2"]
    """Rows of `expression_dirs` that activate each corrective."""
    pivot: Float[Tensor, "3"]
    """Mean of the points at rest: the center of rotation, which decouples rotation and translation."""
    pairs: Int[Tensor, "pairs 2"]
    """Rows of two points whose distance vector is compared as well."""
    point_weights: Float[Tensor, " points"]
    depth_weights: Float[Tensor, " points"]
    pair_weights: Float[Tensor, " pairs"]
    products: Float[Tensor, "numbers channel_pairs"]
    """Table of `E E'`: a column for each pair of channels, a row for each of the six elements of a point's symmetric
    3x3 matrix. Then, negated, a row for each of the nine elements of a pair of points: `E` of one and `E'` of the
    other."""

    def rest(
        self, betas: Float[Tensor, " n_betas"], gaze: Float[Tensor, "frames 8"]
    ) -> Float[Tensor, "frames points 3"]:
        """The points of one identity before expression, with lids that follow the gaze."""
        own = self.template + torch.einsum("s,spc->pc", betas, self.identity_dirs)
        return own + torch.einsum("te,epc->tpc", gaze, self.gaze_dirs)

    def moved(self, channels: Float[Tensor, "frames free"]) -> Float[Tensor, "frames points 3"]:
        """Displacement of the points by the channels and their correctives.

        The correctives are small: the fit treats them as constant within one step and omits their derivative.
        """
        weights = torch.cat([channels, corrective_weights(channels, self.corrective_pairs)], 1)
        dirs = torch.cat([self.expression_dirs, self.corrective_dirs])
        return (weights @ dirs.flatten(1)).unflatten(1, (-1, 3))


def reduce_head(head: HeadModel) -> FaceBasis:
    """The basis of a head's skin points."""
    assets = head.assets
    names = assets.shape.expression_names
    rows = _used(assets.points.mediapipe_ids)
    ids = assets.points.mediapipe_ids[rows]
    free = tuple(i for i, name in enumerate(names) if name not in HELD_AT_ZERO)
    gaze = tuple(names.index(name) for name in GAZE_NAMES)

    def on_points(values: Tensor) -> Tensor:
        return assets.points.mediapipe.on(values)[..., rows, :].float()

    # The points are where the detector finds them on renders, so that fitted head and person are detected alike.
    template, expression_dirs = on_points(assets.shape.template), on_points(assets.shape.expression_dirs)
    if assets.points.detector_bias is not None:
        template = template + assets.points.detector_bias[0, rows]
        expression_dirs = expression_dirs + assets.points.detector_bias[1:, rows]
    pairs, pair_weights = _pairs(ids.tolist())
    weights = _point_weights(ids)
    corrective_dirs, corrective_pairs = _correctives(assets, free)
    edge = torch.isin(ids, torch.tensor(MESH_SILHOUETTE + MESH_TEMPLES))
    return FaceBasis(
        ids=ids,
        template=template,
        normals=on_points(_vertex_normals(assets)),
        identity_dirs=on_points(assets.shape.identity_dirs),
        expression_dirs=expression_dirs[list(free)],
        gaze_dirs=expression_dirs[list(gaze)],
        free=free,
        free_names=tuple(names[i] for i in free),
        gaze=gaze,
        corrective_dirs=on_points(corrective_dirs),
        corrective_pairs=corrective_pairs,
        pivot=template.mean(0),
        pairs=pairs,
        point_weights=weights,
        depth_weights=torch.where(edge, 0.0, weights.clamp_max(1.0)),
        pair_weights=pair_weights,
        products=_products(expression_dirs[list(free)], pairs),
    )


def _correctives(assets: HeadAssets, free: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Vertex directions of the correctives whose channels are all free, and their pairs of free channels."""
    if assets.shape.corrective_dirs is None or assets.shape.corrective_pairs is None:
        return assets.shape.template.new_zeros(0, *assets.shape.template.shape), torch.zeros(0, 2, dtype=torch.long)
    row_of = torch.full((len(assets.shape.expression_names),), -1)
    row_of[list(free)] = torch.arange(len(free))
    pairs = row_of[assets.shape.corrective_pairs]
    solved = (pairs >= 0).all(1)
    return assets.shape.corrective_dirs[solved], pairs[solved]


def with_points(
    basis: FaceBasis, template: Float[Tensor, "points 3"], expression_dirs: Float[Tensor, "free points 3"]
) -> FaceBasis:
    """The basis with other points and displacements by the channels."""
    products = _products(expression_dirs, basis.pairs)
    return replace(basis, template=template, expression_dirs=expression_dirs, products=products)


def _used(numbers: Tensor) -> Tensor:
    """Rows of the skin points that the fit uses: all named ones, and every other one of the remaining skin."""
    named = torch.zeros(NUM_MESH_POINTS, dtype=torch.bool)
    for members, _ in face_points.POINT_WEIGHTS:
        named[list(members)] = True
    for pairs, _ in face_points.PAIRS:
        named[torch.tensor(pairs).flatten()] = True
    named[::2] = True
    named[NUM_MESH_SKIN_POINTS:] = False
    return named[numbers].nonzero()[:, 0]


def _vertex_normals(assets: HeadAssets) -> Tensor:
    corners = assets.shape.template[assets.shape.faces]
    face_normals = torch.linalg.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals = torch.zeros_like(assets.shape.template)
    for corner in range(3):
        normals.index_add_(0, assets.shape.faces[:, corner], face_normals)
    return torch.nn.functional.normalize(normals, dim=-1)


def _point_weights(ids: Tensor) -> Tensor:
    weights = torch.full((NUM_MESH_POINTS,), face_points.DEFAULT_WEIGHT)
    for members, weight in face_points.POINT_WEIGHTS:
        weights[list(members)] = weight
    return weights[ids]


def _pairs(ids: list[int]) -> tuple[Tensor, Tensor]:
    """Pairs both of whose points lie on the head, as rows of the basis, and their weights."""
    row = {number: index for index, number in enumerate(ids)}
    found, weights = [], []
    for pairs, weight in face_points.PAIRS:
        present = [(row[a], row[b]) for a, b in pairs if a in row and b in row]
        found += present
        weights += [weight] * len(present)
    return torch.tensor(found, dtype=torch.long).reshape(-1, 2), torch.tensor(weights, dtype=torch.float32)


def _products(dirs: Tensor, pairs: Tensor) -> Tensor:
    """The table `FaceBasis.products`."""
    free, points = dirs.shape[:2]
    upper = torch.triu_indices(free, free)
    by_axis = dirs.permute(2, 1, 0)
    first, second = (by_axis.index_select(2, one) for one in upper)
    table = dirs.new_empty(6 * points + 9 * len(pairs), upper.shape[1])
    own, between = table[: 6 * points].unflatten(0, (points, 6)), table[6 * points :].unflatten(0, (len(pairs), 9))
    for index, (i, j) in enumerate(zip(_ROWS, _COLUMNS, strict=True)):
        torch.mul(first[i], second[j], out=own[:, index])
        if i != j:
            own[:, index].addcmul_(first[j], second[i])
    a, b = pairs.unbind(1)
    for index, (i, j) in enumerate(itertools.product(range(3), range(3))):
        between[:, index] = -first[i, a] * second[j, b] - second[i, a] * first[j, b]
    return table
