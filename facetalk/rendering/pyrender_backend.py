"""The OpenGL backend, through pyrender: on a graphics card, or in software through EGL."""

from __future__ import annotations

import os
import tempfile
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from facetalk.core.camera import Camera
from facetalk.core.errors import MissingAssetError
from facetalk.rendering.background import studio_background
from facetalk.rendering.color import BYTE_TO_LINEAR, linear_to_srgb
from facetalk.rendering.glsl import VERTEX_SHADER, fragment_shader
from facetalk.rendering.lights import Studio
from facetalk.rendering.normals import vertex_normals
from facetalk.rendering.rasterizer import NEAR, to_pixels
from facetalk.rendering.renderer import checked_background, checked_vertices, lens_of, vertex_look
from facetalk.rendering.surface import Surface
from facetalk.rendering.texture import fitting_texture

FAR = 1000.0
"""Nothing farther from the camera is rendered, meters."""

ADVICE = "install Mesa's EGL (apt-get install libegl1 libgl1-mesa-dri), or use the cpu backend, which needs no OpenGL"
EXTRA = "the pyrender backend needs an extra: pip install 'facetalk[opengl]'; the cpu backend needs none"


class PyrenderRenderer:
    """Renders one surface from one camera; one scene and one set of buffers are used for all frames."""

    threads = 1

    def __init__(
        self,
        surface: Surface,
        camera: Camera,
        *,
        studio: Studio | None = None,
        background: UInt8[np.ndarray, "height width 3"] | None = None,
    ) -> None:
        """Open OpenGL; the frames must be rendered by the same thread.

        Args:
            surface: the mesh's appearance.
            camera: viewpoint and image size.
            studio: lighting.
            background: sRGB image behind the mesh; a plain studio wall if not given.
        """
        self.image_size = camera.image_size
        self.background = studio_background(self.image_size) if background is None else background
        self._surface, self._studio = surface, studio or Studio()
        self._faces = np.ascontiguousarray(surface.faces, np.int32)
        self._pose = np.ascontiguousarray(camera.world_to_camera[:3].numpy(), np.float32)
        self._lens = lens_of(camera)
        self._seen = np.empty((surface.num_vertices, 3), np.float32)
        self._pixels = np.empty((surface.num_vertices, 3), np.float64)
        self._normals = np.empty((surface.num_vertices, 3), np.float32)
        self._pyrender = load_pyrender()
        self._offscreen = open_offscreen(self._pyrender, self.image_size)
        self._scene: Any = None

    def prepare(self, vertices: Float[np.ndarray, "vertices 3"]) -> None:
        """Build the scene and resize the texture to the size at which a typical frame shows it."""
        if self._scene is not None:
            return
        self._place(vertices)
        pyrender, surface = self._pyrender, self._surface
        corner, uv, indices = surface.split()
        look = vertex_look(surface)[corner]
        # pyrender has fixed names for attributes: gloss, translucency and exposure are passed as "tangents".
        self._vertices = np.concatenate([np.zeros((len(corner), 6), np.float32), look[:, 3:7], uv,
                                         look[:, :3], np.ones((len(corner), 1), np.float32)], 1)  # fmt: skip
        self._corner = corner
        self._fill()
        texture = None
        if surface.texture is not None:
            linear = fitting_texture(surface, self._pixels)[:-1, :-1]
            pixels = np.round(255 * linear_to_srgb(linear)).astype(np.uint8)
            texture = pyrender.Texture(source=pixels, source_channels="RGBA")
        rows = self._vertices
        self._primitive = pyrender.Primitive(
            positions=rows[:, 0:3], normals=rows[:, 3:6], tangents=rows[:, 6:10], texcoord_0=rows[:, 10:12],
            color_0=rows[:, 12:16], indices=indices.astype(np.uint32), mode=pyrender.GLTF.TRIANGLES,
            material=pyrender.MetallicRoughnessMaterial(baseColorTexture=texture),
        )  # fmt: skip
        fx, fy, cx, cy = (float(value) for value in self._lens)
        scene = pyrender.Scene(bg_color=(0.0, 0.0, 0.0, 0.0))
        scene.add(pyrender.Mesh([self._primitive]))
        scene.add(pyrender.IntrinsicsCamera(fx, fy, cx, cy, znear=float(NEAR), zfar=FAR))
        self._offscreen._renderer._program_cache = _program_cache(
            fragment_shader(self._studio, surface.texture is not None)
        )
        self._scene = scene

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
        self.prepare(vertices)
        self._place(vertices)
        self._fill()
        self._upload()
        flags = self._pyrender.RenderFlags.FLAT | self._pyrender.RenderFlags.RGBA
        rendered, _ = self._offscreen.render(self._scene, flags=flags)
        behind = checked_background(self.background if background is None else background, self.image_size)
        return _compose(rendered, behind)

    def close(self) -> None:
        """Release the OpenGL context."""
        self._offscreen.delete()

    def _place(self, vertices: np.ndarray) -> None:
        vertices = checked_vertices(vertices, self._surface.num_vertices)
        to_pixels(vertices, self._pose, self._lens, self._seen, self._pixels)
        vertex_normals(self._seen, self._faces, self._normals)

    def _fill(self) -> None:
        self._vertices[:, 0:3] = self._seen[self._corner]
        self._vertices[:, 3:6] = self._normals[self._corner]

    def _upload(self) -> None:
        from OpenGL import GL

        self._offscreen._platform.make_current()
        if not self._primitive._in_context():
            self._primitive.positions = self._vertices[:, 0:3]
            self._primitive.normals = self._vertices[:, 3:6]
            return
        GL.glBindBuffer(GL.GL_ARRAY_BUFFER, self._primitive._buffers[0])
        GL.glBufferSubData(GL.GL_ARRAY_BUFFER, 0, self._vertices.nbytes, self._vertices)


def load_pyrender() -> ModuleType:
    """The pyrender module, set up for rendering without a window.

    Raises:
        MissingAssetError: the extra `opengl` is not installed, or there is no OpenGL library.
    """
    if find_spec("pyrender") is None:
        raise MissingAssetError(EXTRA)
    os.environ.setdefault("PYOPENGL_PLATFORM", "egl")
    np.__dict__.setdefault("infty", np.inf)  # pyrender 0.1.45 spells infinity as NumPy before 2.0 did
    try:
        from OpenGL.plugins import FormatHandler

        # PyOpenGL 3.1.0, which pyrender 0.1.45 needs, knows this type by its module before Python 3.13, `builtins`.
        FormatHandler("byref", "OpenGL.arrays.ctypesparameters.CtypesParameterHandler", ["_ctypes.CArgObject"])
        import pyrender
    except (ImportError, OSError, AttributeError, TypeError) as error:
        platform = os.environ["PYOPENGL_PLATFORM"]
        raise MissingAssetError(f"pyrender cannot load OpenGL through {platform} ({_short(error)}); {ADVICE}") from None
    return pyrender


def open_offscreen(pyrender: ModuleType, image_size: tuple[int, int]) -> Any:
    """An off-screen OpenGL context with buffers of one size."""
    from OpenGL.error import Error

    try:
        return pyrender.OffscreenRenderer(*image_size)
    except (Error, ImportError, OSError, AttributeError, RuntimeError, ValueError, AssertionError) as error:
        platform = os.environ["PYOPENGL_PLATFORM"]
        raise MissingAssetError(f"no OpenGL context through {platform} ({_short(error)}); {ADVICE}") from None


def _short(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:120] if lines else type(error).__name__


def _program_cache(fragment: str) -> Any:
    """pyrender's cache of shader programs, with only ours in it."""
    from pyrender.shader_program import ShaderProgram, ShaderProgramCache

    class OurProgram(ShaderProgramCache):
        def get_program(self, *names: object, **options: object) -> ShaderProgram:
            if not self._program_cache:
                with tempfile.TemporaryDirectory() as folder:
                    paths = Path(folder, "face.vert"), Path(folder, "face.frag")
                    for path, text in zip(paths, (VERTEX_SHADER, fragment), strict=True):
                        path.write_text(text)
                    program = ShaderProgram(*map(str, paths))
                    program._add_to_context()
                self._program_cache["face"] = program
            return self._program_cache["face"]

    return OurProgram()


def _compose(rendered: np.ndarray, background: np.ndarray) -> UInt8[np.ndarray, "height width 3"]:
    """Composite an image with coverage over a background, in linear light."""
    image = np.where(rendered[..., 3:] == 255, rendered[..., :3], background)
    rows, columns = np.nonzero((rendered[..., 3] > 0) & (rendered[..., 3] < 255))
    part = rendered[rows, columns].astype(np.float32)
    share = part[:, 3:] / 255
    front = BYTE_TO_LINEAR[np.clip(np.round(part[:, :3] / share), 0, 255).astype(np.uint8)]
    mixed = front * share + BYTE_TO_LINEAR[background[rows, columns]] * (1 - share)
    image[rows, columns] = np.round(255 * linear_to_srgb(np.clip(mixed, 0, 1)))
    return image
