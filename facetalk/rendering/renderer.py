"""The CPU renderer: mesh to pixels without any system library."""

from __future__ import annotations

import threading

import numpy as np
from jaxtyping import Float, UInt8

from facetalk.core.camera import Camera
from facetalk.core.threads import usable_cores
from facetalk.rendering.antialias import blend_edges, mark_edges, split_edges
from facetalk.rendering.background import studio_background
from facetalk.rendering.color import srgb_to_linear
from facetalk.rendering.lanes import LANES
from facetalk.rendering.lights import Studio
from facetalk.rendering.normals import vertex_normals
from facetalk.rendering.rasterizer import Raster, cover_samples, to_pixels
from facetalk.rendering.shading import AIMED, TEXEL_WHITE, VERTEX, aim, light_on_skin, shade
from facetalk.rendering.surface import Surface
from facetalk.rendering.tables import aligned
from facetalk.rendering.texture import fitting_texture, texel_places

MOST_THREADS = 8
"""More would render faster than any encoder can keep up with."""


class _Workspace(threading.local):
    """Arrays that one thread reuses for every frame."""

    def __init__(
        self, surface: Surface, corners: np.ndarray, vertices: np.ndarray, image_size: tuple[int, int]
    ) -> None:
        width, height = image_size
        self.seen = np.empty((surface.num_vertices, 3), np.float32)
        self.pixels = np.empty((surface.num_vertices, 3), np.float64)
        self.normals = np.empty((surface.num_vertices, 3), np.float32)
        self.vertices = aligned(vertices.shape, np.float32)
        self.vertices[:] = vertices
        self.raster = Raster(surface.faces, image_size, corners)
        self.marked = np.empty(height * width + LANES, np.uint8)
        self.slot = np.empty(height * width, np.int32)
        self.edges = np.empty(height * width, np.int32)
        self.allocate_samples(4096)

    def allocate_samples(self, count: int) -> None:
        """Make room for the samples of this many edge pixels, and for as many parts of them."""
        self.most_edges = count
        samples = count * LANES
        self.sample_nearness, self.share = np.empty(samples, np.float32), np.empty(samples, np.float32)
        self.sample_triangle, self.ends = np.empty(samples, np.int32), np.empty(count, np.int32)
        self.part_triangle = np.empty(samples + LANES, np.int32)
        self.part_x, self.part_y = np.zeros(samples + LANES, np.float32), np.zeros(samples + LANES, np.float32)
        self.part_colors = np.empty(3 * (samples + LANES), np.uint8)


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
        self.antialias = antialias
        self.threads = min(usable_cores(), MOST_THREADS)
        self.background = studio_background(self.image_size) if background is None else background
        self._pose = np.ascontiguousarray(camera.world_to_camera[:3].numpy(), np.float32)
        self._lens = lens_of(camera)
        self._lights = (studio or Studio()).table()
        self._skin = light_on_skin(self._lights)
        self._surface = surface
        self._split = surface.split()
        self._centers = _pixel_centers(self.image_size)
        self._texture = np.full((2, 2, 4), TEXEL_WHITE, np.uint16)
        self._lock = threading.Lock()
        self._workspace: _Workspace | None = None

    def prepare(self, vertices: Float[np.ndarray, "vertices 3"]) -> None:
        """Resize the texture to the size at which a typical frame shows it; done on first use otherwise."""
        with self._lock:
            if self._workspace is not None:
                return
            look = vertex_look(self._surface)[self._split.source]
            rows = np.zeros((len(look), VERTEX), np.float32)
            rows[:, AIMED - 1], rows[:, AIMED + 2 :] = look[:, 6], look[:, :6]
            rows[:, AIMED + 2 : AIMED + 5] /= TEXEL_WHITE
            if self._surface.texture is not None:
                typical = checked_vertices(vertices, self._surface.num_vertices)
                seen, pixels = np.empty(typical.shape, np.float32), np.empty(typical.shape, np.float64)
                to_pixels(typical, self._pose, self._lens, seen, pixels)
                self._texture = np.round(TEXEL_WHITE * fitting_texture(self._surface, pixels)).astype(np.uint16)
                size = (length - 1 for length in self._texture.shape[:2])
                rows[:, AIMED : AIMED + 2] = texel_places(self._split.uv_coords, *size)
            corners = (VERTEX * self._split.faces).astype(np.int32)
            self._workspace = _Workspace(self._surface, corners, rows, self.image_size)

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
        if self._workspace is None:
            self.prepare(vertices)
        vertices = checked_vertices(vertices, self._surface.num_vertices)
        behind = checked_background(self.background if background is None else background, self.image_size).ravel()
        image = np.empty(behind.size + 3 * LANES, np.uint8)
        image[: behind.size] = behind
        space = self._workspace
        assert space is not None
        to_pixels(vertices, self._pose, self._lens, space.seen, space.pixels)
        vertex_normals(space.seen, space.raster.faces, space.normals)
        aim(space.seen, space.normals, self._split.source, self._lights, space.vertices)
        space.raster.draw(space.pixels)
        self._shade(space, space.raster.flat_triangle, self._centers, image)
        if self.antialias:
            self._smooth_edges(space, behind, image)
        return image[: behind.size].reshape(*self.image_size[::-1], 3)

    def _shade(
        self, space: _Workspace, triangle: np.ndarray, places: tuple[np.ndarray, ...], colors: np.ndarray
    ) -> None:
        texture, mesh = self._texture, (space.raster.planes.ravel(), space.vertices.ravel())
        view = self._lens, self._lights, self._skin
        shade(triangle, *places, *mesh, texture.ravel(), *texture.shape[:2], *view, colors)

    def _smooth_edges(self, space: _Workspace, behind: np.ndarray, image: np.ndarray) -> None:
        raster, width, marked = space.raster, self.image_size[0], space.marked
        count = mark_edges(
            width, raster.flat_triangle, raster.face_of, raster.faces, image, marked, space.slot, space.edges
        )
        if count > space.most_edges:
            space.allocate_samples(2 * count)
        edges, ends = space.edges[:count], space.ends[:count]
        nearness, seen = space.sample_nearness[: count * LANES], space.sample_triangle[: count * LANES]
        cover_samples(raster.count, raster.planes, raster.boxes, width, marked, space.slot, nearness, seen)
        x, y, triangle, colors = space.part_x, space.part_y, space.part_triangle, space.part_colors
        end = split_edges(seen, edges, width, triangle, x, y, space.share, ends) + LANES
        self._shade(space, triangle[:end], (x[:end], y[:end], np.zeros(1, np.float32)), colors)
        blend_edges(edges, colors, space.share, ends, behind, image)


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


def vertex_look(surface: Surface) -> Float[np.ndarray, "vertices 7"]:
    """Linear color, specular strength and exponent, translucency and exposure of each vertex."""
    look = np.zeros((surface.num_vertices, 7), np.float32)
    look[:, :3] = srgb_to_linear(np.asarray(surface.colors, np.float64))
    look[:, 3:5] = surface.gloss
    if surface.translucency is not None:
        look[:, 5] = surface.translucency
    look[:, 6] = 1.0 if surface.exposure is None else surface.exposure
    return look


def _pixel_centers(image_size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The grid of points that `shade` colors: columns with a margin, and what differs between rows."""
    width, height = image_size
    half = np.float32(0.5)
    columns = np.arange(width + LANES, dtype=np.float32)
    return columns + half, np.zeros_like(columns), np.arange(height, dtype=np.float32) + half
