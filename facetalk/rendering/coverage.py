"""How opaque a mesh is at each pixel, for drawing it over another image with soft edges."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Integer, UInt8
from PIL import Image, ImageFilter

from facetalk.core.camera import Camera
from facetalk.rendering.rasterizer import Raster, to_pixels
from facetalk.rendering.renderer import checked_vertices, lens_of


class Coverage:
    """Opacity of a mesh in the image of one camera; `of` may be called from several threads at once."""

    def __init__(
        self,
        faces: Integer[np.ndarray, "faces 3"],
        opacity: Float[np.ndarray, " vertices"],
        camera: Camera,
        *,
        blur_m: float = 0.0,
    ) -> None:
        """Prepare what does not change from frame to frame.

        Args:
            faces: triangles, counter-clockwise seen from outside.
            opacity: of each vertex, in [0, 1].
            camera: viewpoint and image size.
            blur_m: standard deviation of a blur of the opacity, meters at the depth of the mesh.
        """
        self._faces = np.ascontiguousarray(faces, np.int32)
        self._opacity = np.rint(255 * opacity[faces].mean(1)).astype(np.uint8)
        self._num_vertices = len(opacity)
        self._size = camera.image_size
        self._pose = np.ascontiguousarray(camera.world_to_camera[:3].numpy(), np.float32)
        self._lens, self._blur_m = lens_of(camera), blur_m

    def of(self, vertices: Float[np.ndarray, "vertices 3"]) -> UInt8[np.ndarray, "height width"]:
        """Opacity of each pixel, 255 where nothing behind the mesh is visible.

        Args:
            vertices: world frame, meters.
        """
        vertices = checked_vertices(vertices, self._num_vertices)
        seen, pixels = np.empty((len(vertices), 3), np.float32), np.empty((len(vertices), 3), np.float64)
        to_pixels(vertices, self._pose, self._lens, seen, pixels)
        raster = Raster(self._faces, self._size)
        raster.draw(pixels)
        shown = np.where(raster.triangle >= 0, self._opacity[raster.visible_faces()], np.uint8(0))
        blur_px = self._blur_m * self._lens[0] / max(float(np.median(-seen[:, 2])), 1e-3)
        if blur_px < 0.3:
            return shown
        return np.asarray(Image.fromarray(shown).filter(ImageFilter.GaussianBlur(float(blur_px))))
