"""Points that ride on a mesh: landmarks as a triangle and barycentric coordinates."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor


class SurfacePoints(NamedTuple):
    """Points on a mesh: a triangle and barycentric coordinates each."""

    triangles: Int[Tensor, "points 3"]
    """Vertex indices of the triangle's corners."""
    barycentric: Float[Tensor, "points 3"]

    @classmethod
    def from_arrays(
        cls, triangles: Int[np.ndarray, "points 3"], barycentric: Float[np.ndarray, "points 3"]
    ) -> SurfacePoints:
        """Convert from NumPy arrays of any precision."""
        return cls(torch.from_numpy(triangles.astype(np.int64)), float_tensor(barycentric))

    def on(self, vertices: Float[Tensor, "*batch vertices 3"]) -> Float[Tensor, "*batch points 3"]:
        """Return the points' positions on a posed mesh, meters."""
        corners = vertices[..., self.triangles, :]
        return (corners * self.barycentric[..., None].to(vertices)).sum(-2)


class ContourPoints(NamedTuple):
    """The 17 jaw-line points on the visible outline of the face, for each degree of yaw to either side."""

    triangles: Int[Tensor, "turns 17 3"]
    """Rows 0 to n hold 0 to n degrees to the subject's right; 1 to n degrees to the left follow."""
    barycentric: Float[Tensor, "turns 17 3"]

    def on(
        self, vertices: Float[Tensor, "frames vertices 3"], turns: Float[Tensor, "frames 3 3"]
    ) -> Float[Tensor, "frames 17 3"]:
        """The points' positions on a posed mesh, meters.

        Args:
            vertices: the mesh.
            turns: rotation of the head relative to the camera.
        """
        most = len(self.triangles) // 2
        yaw = torch.atan2(-turns[:, 2, 0], torch.hypot(turns[:, 0, 0], turns[:, 1, 0]))
        degrees = torch.round(-yaw * 180 / torch.pi).clamp(-most, most).long()
        row = torch.where(degrees < 0, most - degrees, degrees)
        corners = torch.gather(vertices, 1, self.triangles[row].flatten(1)[..., None].expand(-1, -1, 3)).unflatten(
            1, (17, 3)
        )
        return (corners * self.barycentric[row][..., None].to(vertices)).sum(-2)


def float_tensor(values: np.ndarray) -> Tensor:
    """Convert an array to a contiguous float32 tensor."""
    return torch.from_numpy(np.ascontiguousarray(values, np.float32))
