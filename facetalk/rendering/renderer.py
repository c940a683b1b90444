"""The CPU renderer: mesh to pixels without any system library."""

from __future__ import annotations

import threading

import numpy as np
from jaxtyping import Float, UInt8

from facetalk.core.camera import Camera
from facetalk.core.threads import usable_cores
from facetalk.rendering.antialias import mark_edges, shade_edges
from facetalk.rendering.background import studio_background
from facetalk.rendering.color import srgb_to_linear
from facetalk.rendering.lights import Studio
from facetalk.rendering.normals import vertex_normals
from facetalk.rendering.rasterizer import cover, cover_samples, set_up, to_pixels
from facetalk.rendering.shading import LOOK, shade_pixels
from facetalk.rendering.surface import Surface
from facetalk.rendering.texture import corner_texels, fitting_texture

MOST_THREADS = 8
"""More would render faster than any encoder can keep up with."""


class _Workspace(threading.local):
    """Arrays that one thread reuses for every frame."""

    def __init__(self, num_vertices: int, num_faces: int, width: int, height: int, look: np.ndarray) -> None:
        self.seen = np.empty((num_vertices, 3), np.float32)
        self.pixels = np.empty((num_vertices, 3), np.float64)
        self.normals = np.empty((num_vertices, 3), np.float32)
        self.look = look.copy()
        self.face_of = np.empty(num_faces, np.int32)
        self.planes = np.empty((num_faces, 9), np.float32)
        self.boxes = np.empty((num_faces, 8), np.int32)
        self.nearness = np.empty((height, width), np.float32)
        self.triangle = np.empty((height, width), np.int32)
        self.slot = np.empty((height, width), np.int32)
        self.edges = np.empty((height * width, 2), np.int32)
        self.samples(4096)

    def samples(self, count: int) -> None:
        """Allocate arrays for this many edge pixels."""
        self.sample_nearness = np.empty((count, 8), np.float32)
        self.sample_triangle = np.empty((count, 8), np.int32)
        self.total = np.empty((count, 3), np.float32)


class CpuRenderer:
    """Renders one surface from one camera; `render` may be called from several threads at once."""

    def __init__(
        self,
        surface: Surface,
        camera: Camera,
        *,
        studio: Studio | None = None,
        background: UInt8[np.ndarray, "height width 3"] | None = None,
        antialias: bool = True,
    ) -> None:
        """Prepare everything that does not change from frame to frame.

        Args:
            surface: the mesh's appearance.
            camera: viewpoint and image size.
            studio: lighting.
            background: sRGB image behind the mesh; a plain studio wall if not given.
            antialias: smooth the edges.
        """
        self.image_size = camera.image_size
        width, height = self.image_size
        self.antialias = antialias
        self.threads = min(usable_cores(), MOST_THREADS)
        self.background = studio_background(self.image_size) if background is None else background
        self._pose = np.ascontiguousarray(camera.world_to_camera[:3].numpy(), np.float32)
        self._lens = lens_of(camera)
        self._lights = (studio or Studio()).table()
        self._surface = surface
        self._faces = np.ascontiguousarray(surface.faces, np.int32)
        self._look = vertex_look(surface)
        self._texture = np.empty((1, 1, 4), np.float32)
        self._uv = np.empty((0, 6), np.float32)
        self._ready = surface.texture is None
        self._lock = threading.Lock()
        self._workspace = _Workspace(surface.num_vertices, len(self._faces), width, height, self._look)

    def prepare(self, vertices: Float[np.ndarray, "vertices 3"]) -> None:
        """Resize the texture to the size at which a typical frame shows it; done on first use otherwise."""
        with self._lock:
            if not self._ready and self._surface.texture is not None:
                space = self._workspace
                typical = checked_vertices(vertices, self._surface.num_vertices)
                to_pixels(typical, self._pose, self._lens, space.seen, space.pixels)
                self._texture = fitting_texture(self._surface, space.pixels)
                rows, columns = self._texture.shape[:2]
                self._uv = corner_texels(self._surface, rows - 1, columns - 1)
                self._ready = True

    def render(
        self,
        vertices: Float[np.ndarray, "vertices 3"],
        background: UInt8[np.ndarray, "height width 3"] | None = None,
    ) -> UInt8[np.ndarray, "height width 3"]:
        """Render one frame, sRGB.

        Args:
            vertices: world frame, meters.
            background: for this frame, instead of the renderer's own.
        """
        if not self._ready:
            self.prepare(vertices)
        vertices = checked_vertices(vertices, self._surface.num_vertices)
        behind = checked_background(self.background if background is None else background, self.image_size)
        image = behind.copy()
        space, faces = self._workspace, self._faces
        width, height = self.image_size
        to_pixels(vertices, self._pose, self._lens, space.seen, space.pixels)
        vertex_normals(space.seen, faces, space.normals)
        space.look[:, :3] = space.normals
        count = set_up(space.pixels, faces, width, height, space.face_of, space.planes, space.boxes)
        cover(count, space.planes, space.boxes, space.nearness, space.triangle)
        mesh = (space.face_of, space.planes, space.boxes, faces, space.look, self._uv, self._texture)
        shade_pixels(space.triangle, *mesh, self._lens, self._lights, image)
        if self.antialias:
            edges = mark_edges(space.triangle, space.face_of, faces, image, space.slot, space.edges)
            if edges > len(space.total):
                space.samples(2 * edges)
            spots, seen = space.edges[:edges], space.sample_triangle[:edges]
            cover_samples(count, space.planes, space.boxes, spots, space.slot, space.sample_nearness[:edges], seen)
            shade_edges(spots, seen, *mesh, self._lens, self._lights, behind, space.total[:edges], image)
        return image


def checked_vertices(vertices: np.ndarray, count: int) -> Float[np.ndarray, "vertices 3"]:
    """Vertices in the layout of the kernels; their number and values are checked."""
    if len(vertices) != count:
        raise ValueError(f"{len(vertices)} vertices for a surface of {count}")
    if not np.isfinite(vertices).all():
        raise ValueError("vertices are not finite")
    return np.ascontiguousarray(vertices, np.float32)


def checked_background(background: np.ndarray, image_size: tuple[int, int]) -> UInt8[np.ndarray, "height width 3"]:
    """A background in the layout of the kernels; its size is checked."""
    width, height = image_size
    if background.shape != (height, width, 3):
        raise ValueError(f"a background of shape {background.shape} for an image of {width}x{height}")
    return np.ascontiguousarray(background, np.uint8)


def lens_of(camera: Camera) -> Float[np.ndarray, "4"]:
    """Focal lengths and principal point, pixels."""
    K = camera.K.numpy()
    return np.array([K[0, 0], K[1, 1], K[0, 2], K[1, 2]], np.float32)


def vertex_look(surface: Surface) -> Float[np.ndarray, "vertices look"]:
    """The vertex table that `shading.interpolate` reads, with normals still zero."""
    look = np.zeros((surface.num_vertices, LOOK), np.float32)
    look[:, 3:6] = srgb_to_linear(np.asarray(surface.colors, np.float64))
    look[:, 6:8] = surface.gloss
    if surface.translucency is not None:
        look[:, 8] = surface.translucency
    look[:, 9] = 1.0 if surface.exposure is None else surface.exposure
    return look
