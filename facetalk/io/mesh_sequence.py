"""Vertices of an animated mesh in files of other programs: folders of OBJ or PLY frames, `.npy` and `.npz`."""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from facetalk.core.errors import FacetalkError
from facetalk.io.npy import ArrayFileError, npz_names, read_npy, read_npz

FRAME_SUFFIXES = (".obj", ".ply")
"""Of the files in a folder that are the frames of one animation."""

MOST_BYTES = 4 << 30
"""For the vertices of an animation: ten minutes of the bundled head."""
LARGEST_M = 1e4
MOST_FRAME_BYTES = 256 << 20
_DAMAGES = (
    ValueError, LookupError, TypeError, AttributeError, NameError, ArithmeticError, AssertionError, RuntimeError,
    MemoryError, EOFError, struct.error,
)  # fmt: skip
"""What reading a damaged file leads to; NameError is a bug of trimesh."""
_NAMES = ("vertices", "verts")
"""Of the array of vertices in an `.npz` file."""


class MeshSequence(NamedTuple):
    """An animated mesh."""

    vertices: Float[np.ndarray, "frames vertices 3"]
    """Single precision, meters where the file has meters."""
    fps: float | None
    """Frames a second, where the file states them."""


def frame_files(folder: Path) -> list[Path]:
    """The frames of an animation in a folder: its OBJ or its PLY files, `frame_2` before `frame_10`."""
    files = [path for path in folder.iterdir() if not path.name.startswith(".") and path.is_file()]
    for suffix in FRAME_SUFFIXES:
        frames = [path for path in files if path.suffix.lower() == suffix]
        if frames:
            return sorted(frames, key=_natural)
    return []


def _natural(path: Path) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", path.stem)]


def holds_vertices(path: Path) -> bool:
    """Whether an `.npz` file is an animated mesh."""
    try:
        return any(name in _NAMES for name in npz_names(path))
    except (ArrayFileError, OSError):
        return False


def read_mesh_sequence(path: Path) -> MeshSequence:
    """Read an animated mesh.

    Args:
        path: a folder of OBJ or PLY frames; `.npy` with (frames, vertices, 3) or, as VOCASET and BIWI are used, with
            (frames, 3 x vertices); or `.npz` with `vertices` and perhaps `fps`.

    Raises:
        FacetalkError: it cannot be read, is too large, or its frames differ in their vertices.
    """
    if path.is_dir():
        return MeshSequence(_checked(path, _read_frames(path)), None)
    try:
        arrays = read_npz(path, (*_NAMES, "fps"), MOST_BYTES) if path.suffix.lower() == ".npz" else {}
        found = next((arrays[name] for name in _NAMES if name in arrays), None)
        array = read_npy(path, MOST_BYTES) if found is None else found
    except ArrayFileError as error:
        raise FacetalkError(f"{path} is not a vertex file: {error}") from None
    return MeshSequence(_checked(path, array), _fps(path, arrays))


def read_mesh(path: Path) -> Float[np.ndarray, "vertices 3"]:
    """Vertices of one OBJ or PLY file, in its order.

    Raises:
        FacetalkError: it cannot be read.
    """
    size = path.stat().st_size
    if size > MOST_FRAME_BYTES:
        raise FacetalkError(f"{path} has {size >> 20} MiB; at most {MOST_FRAME_BYTES >> 20} are read")
    from trimesh.exchange.ply import load_ply

    try:
        if path.suffix.lower() == ".obj":
            # Not by trimesh, which splits vertices at the seams of the texture.
            lines = [line.split()[1:4] for line in path.read_bytes().splitlines() if line.startswith(b"v ")]
            vertices = np.array(lines, np.float32)
        else:
            with path.open("rb") as file:
                vertices = np.asarray(load_ply(file, skip_materials=True)["vertices"], np.float32)
    except _DAMAGES as error:
        raise FacetalkError(f"{path} cannot be read as a mesh: {' '.join(str(error).split())[:100]}") from None
    if vertices.ndim != 2 or vertices.shape[1] != 3 or len(vertices) == 0:
        raise FacetalkError(f"{path} holds no vertices with three coordinates")
    return vertices


def _read_frames(folder: Path) -> np.ndarray:
    files = frame_files(folder)
    first = read_mesh(files[0])
    if len(files) * first.nbytes > MOST_BYTES:
        raise FacetalkError(f"{folder} has {len(files)} frames of {len(first)} vertices; at most 4 GiB are read")
    vertices = np.empty((len(files), *first.shape), np.float32)
    for number, path in enumerate(files):
        mesh = read_mesh(path)
        if mesh.shape != first.shape:
            raise FacetalkError(
                f"{path} has {len(mesh)} vertices, {files[0].name} has {len(first)}; the frames must be the same mesh"
            )
        vertices[number] = mesh
    return vertices


def _checked(path: Path, array: np.ndarray) -> np.ndarray:
    if array.dtype.kind not in "fiu":
        raise FacetalkError(f"{path} is not a vertex file: it must be one array of numbers")
    if array.ndim == 2 and array.shape[1] % 3 == 0:
        array = array.reshape(len(array), -1, 3)
    if array.ndim != 3 or array.shape[2] != 3 or 0 in array.shape:
        raise FacetalkError(
            f"{path} has shape {array.shape}; vertices have (frames, vertices, 3) or (frames, 3 x vertices), in meters"
        )
    if not np.isfinite(array).all() or np.abs(array).max() > LARGEST_M:
        raise FacetalkError(f"{path} contains values that are not finite, or vertices beyond {LARGEST_M:g} m")
    return array.astype(np.float32, copy=False)


def _fps(path: Path, arrays: Mapping[str, np.ndarray]) -> float | None:
    if "fps" not in arrays:
        return None
    stated = arrays["fps"]
    if stated.size != 1 or stated.dtype.kind not in "fiu" or not 1 <= float(stated.reshape(())) <= 1000:
        raise FacetalkError(f"{path} states a frame rate that makes no sense")
    return float(stated.reshape(()))
