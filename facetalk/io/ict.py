"""ICT-FaceKit Light from the publisher's folder of OBJ files, or from one `.npz` with the same content."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import numpy as np

from facetalk.core.errors import FacetalkError, MissingAssetError
from facetalk.head.channels import ARKIT_NAMES
from facetalk.head.ict import NUM_VERTICES, IctArrays
from facetalk.io.cache import cached_arrays
from facetalk.io.named_arrays import NamedArrays
from facetalk.io.pickles import read_arrays

NUM_IDENTITY = 30
"""Identity modes that are used, of 100 published."""

_MOST_OBJ_BYTES = 64 << 20
"""Ten times the largest published file."""

NEUTRAL = "generic_neutral_mesh.obj"
HOW_TO_GET = "clone https://github.com/ICT-VGL/ICT-FaceKit (MIT) and give its folder FaceXModel as --head ict:PATH"


def find_ict(path: Path) -> Path:
    """Find the model at a path: an `.npz` file, or a folder with the publisher's OBJ files."""
    if path.is_dir() and list(path.glob("*.npz")) and not (path / NEUTRAL).is_file():
        return next(path.glob("*.npz"))
    return path


def read_ict(path: Path) -> IctArrays:
    """Read ICT-FaceKit Light from the folder FaceXModel of OBJ files, or from an `.npz` made of them."""
    arrays = _read_folder(path) if path.is_dir() else _read_npz(path)
    if len(arrays.vertices) != NUM_VERTICES:
        raise FacetalkError(f"{path} has {len(arrays.vertices)} vertices; ICT-FaceKit Light has {NUM_VERTICES}")
    return arrays


def _read_npz(path: Path) -> IctArrays:
    if not path.is_file():
        raise MissingAssetError(f"no ICT-FaceKit file at {path}; {HOW_TO_GET}")
    file = NamedArrays(path, read_arrays(path), "an ICT-FaceKit file")
    vertices, uv = file.numbers("vertices", None, 3), file.numbers("uv", None, 2)
    names = file.texts("expression_names")
    # Triangles are padded with -1.
    polygons = file.indices("polygons", len(vertices), None, 4, first=-1)
    polygon_uv = file.indices("polygon_uv", len(uv), len(polygons), 4, first=-1)
    faces, uv_faces = _triangles(path, polygons, polygon_uv)
    arrays = IctArrays(
        vertices=vertices.astype(np.float64),
        faces=faces,
        uv_coords=uv.astype(np.float32),
        uv_faces=uv_faces,
        expression_names=names,
        expression=file.numbers("expression_deltas", len(names), len(vertices), 3).astype(np.float32),
        identity=file.numbers("identity_deltas", None, len(vertices), 3).astype(np.float32),
    )
    _check_names(path, arrays.expression_names)
    return arrays


def _read_folder(folder: Path) -> IctArrays:
    neutral_path = folder / NEUTRAL
    if not neutral_path.is_file():
        raise MissingAssetError(f"no {NEUTRAL} in {folder}; {HOW_TO_GET}")
    found = sorted(path.stem for path in folder.glob("*.obj") if _is_shape(path.stem))
    _check_names(folder, tuple(found))
    modes = [folder / f"identity{i:03d}.obj" for i in range(NUM_IDENTITY)]
    modes = [path for path in modes if path.is_file()]
    shapes = [folder / f"{name}.obj" for name in found]
    # Reading 84 text files takes seconds: the result is cached until a file changes.
    stamps = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in (neutral_path, *shapes, *modes)]

    def make() -> dict[str, np.ndarray]:
        vertices, uv, polygons, polygon_uv = _read_obj(neutral_path)
        deltas = [_read_vertices(path, len(vertices)) - vertices for path in (*shapes, *modes)]
        moved = np.array(deltas, np.float32).reshape(-1, len(vertices), 3)
        return {"vertices": vertices, "uv": uv, "polygons": polygons, "polygon_uv": polygon_uv, "deltas": moved}

    values = cached_arrays("ict", [np.array([str(folder.resolve()), str(stamps)])], make)
    faces, uv_faces = _triangles(folder, values["polygons"], values["polygon_uv"])
    return IctArrays(
        vertices=values["vertices"].astype(np.float64),
        faces=faces,
        uv_coords=values["uv"].astype(np.float32),
        uv_faces=uv_faces,
        expression_names=tuple(found),
        expression=values["deltas"][: len(found)],
        identity=values["deltas"][len(found) :],
    )


def _expected() -> set[str]:
    """Published names of the shapes that form ARKit's channels."""
    names = set()
    for name in ARKIT_NAMES:
        if name in ("browInnerUp", "cheekPuff"):
            names |= {f"{name}_L", f"{name}_R"}
        elif name in ("jawLeft", "jawRight", "mouthLeft", "mouthRight"):
            names.add(name)
        elif name.endswith(("Left", "Right")):
            names.add(name.replace("Left", "_L").replace("Right", "_R"))
        elif name != "tongueOut":
            names.add(name)
    return names


def _is_shape(stem: str) -> bool:
    return stem in _expected()


def _check_names(path: Path, names: tuple[str, ...]) -> None:
    missing = sorted(_expected() - set(names))
    if missing:
        raise FacetalkError(f"{path} lacks the shapes {', '.join(missing[:5])}{'...' if len(missing) > 5 else ''}")


def _triangles(path: Path, polygons: np.ndarray, polygon_uv: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Triangles of quads and triangles (padded with -1), split on the first diagonal, and their UV corners."""
    polygons, polygon_uv = polygons.astype(np.int64), polygon_uv.astype(np.int64)
    if (polygons[:, :3] < 0).any() or (polygon_uv[:, :3] < 0).any() or (polygon_uv[polygons[:, 3] >= 0] < 0).any():
        raise FacetalkError(f"{path} is not an ICT-FaceKit file: it has polygons of fewer than three corners")
    quads = polygons[:, 3] >= 0
    order = np.argsort(np.concatenate([np.arange(len(polygons)), np.flatnonzero(quads)]), kind="stable")
    return tuple(
        np.concatenate([table[:, [0, 1, 2]], table[quads][:, [0, 2, 3]]])[order] for table in (polygons, polygon_uv)
    )  # type: ignore[return-value]


def _read_obj(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Vertices, UVs, polygons and their UVs (both padded with -1) of an OBJ file of quads and triangles.

    Not read by trimesh, which splits the mesh by material, turns quads into triangles and keeps one UV per vertex.
    """
    vertices, uv, polygons, polygon_uv = [], [], [], []
    try:
        for line in _read_text(path).splitlines():
            kind, *words = line.split() or [""]
            if kind == "v":
                vertices.append([float(word) for word in words[:3]])
            elif kind == "vt":
                uv.append([float(word) for word in words[:2]])
            elif kind == "f":
                corners = [[*word.split("/"), "1"][:2] for word in words]
                if not 3 <= len(corners) <= 4:
                    raise ValueError(f"a polygon of {len(corners)} corners")
                padding = [-1] * (4 - len(corners))
                polygons.append([int(vertex) - 1 for vertex, _ in corners] + padding)
                polygon_uv.append([int(place or 1) - 1 for _, place in corners] + padding)
        read = {"v": np.array(vertices), "vt": np.array(uv), "f": np.array(polygons), "f/vt": np.array(polygon_uv)}
    except (ValueError, UnicodeDecodeError, OverflowError) as error:
        raise FacetalkError(f"{path} is not an OBJ file of quads and triangles ({error}); fetch it again") from None
    file = NamedArrays(path, read, "an OBJ file of quads and triangles")
    return (
        file.numbers("v", None, 3),
        file.numbers("vt", None, 2),
        file.indices("f", len(vertices), None, 4, first=-1),
        file.indices("f/vt", len(uv), len(polygons), 4, first=-1),
    )


def _read_text(path: Path) -> str:
    """Text of an OBJ file, if it is no larger than one may be: as numbers, its lines take ten times the memory."""
    if path.stat().st_size > _MOST_OBJ_BYTES:
        raise FacetalkError(f"{path} has {path.stat().st_size >> 20} MiB; at most {_MOST_OBJ_BYTES >> 20} are read")
    return path.read_text("ascii")


def _read_vertices(path: Path, count: int) -> np.ndarray:
    """Vertices of a shape, whose faces are those of the neutral mesh."""
    from trimesh.exchange.obj import load_obj  # only a folder that is not in the cache needs it

    try:
        lines = [line for line in _read_text(path).splitlines() if line.startswith("v ")]
        vertices = load_obj(StringIO("\n".join(lines))).get("vertices", np.zeros((0, 3)))
    except (ValueError, IndexError, UnicodeDecodeError) as error:
        raise FacetalkError(f"{path} is not an OBJ file ({error}); fetch it again") from None
    if np.shape(vertices) != (count, 3):
        raise FacetalkError(f"{path} has {len(vertices)} vertices, the neutral mesh has {count}")
    return NamedArrays(path, {"v": np.asarray(vertices)}, "an OBJ file").numbers("v", count, 3)
