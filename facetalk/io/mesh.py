"""Meshes as other programs want them: corners split at texture seams, normals, and folders of OBJ or PLY files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from PIL import Image

from facetalk.core.types import Motion
from facetalk.head.model import HeadAssets, HeadModel
from facetalk.io.files import replacing
from facetalk.rendering.normals import vertex_normals as fill_normals

PARTS = {
    "skin": (),
    "eyes": ("left_eyeball", "right_eyeball"),
    "teeth": ("upper_teeth", "lower_teeth"),
    "tongue": ("tongue",),
}
"""Materials of an exported head and the regions that wear them; skin is what is left over."""


class SplitMesh(NamedTuple):
    """A mesh whose vertices have one texture coordinate each."""

    source: Int[np.ndarray, " split"]
    """The head's vertex that each vertex repeats."""
    uv_coords: Float[np.ndarray, "split 2"]
    faces: Int[np.ndarray, "faces 3"]


def split_at_seams(
    faces: Int[np.ndarray, "faces 3"], uv_faces: Int[np.ndarray, "faces 3"], uv_coords: Float[np.ndarray, "uvs 2"]
) -> SplitMesh:
    """The mesh with vertices doubled where the texture is cut; vertices without a face are left out."""
    pairs = faces.astype(np.int64).ravel() * len(uv_coords) + uv_faces.ravel()
    used, corner = np.unique(pairs, return_inverse=True)
    source, uv = np.divmod(used, len(uv_coords))
    return SplitMesh(source, uv_coords[uv], corner.reshape(faces.shape))


def vertex_normals(
    vertices: Float[np.ndarray, "vertices 3"], faces: Int[np.ndarray, "faces 3"]
) -> Float[np.ndarray, "vertices 3"]:
    """Unit normals, faces weighted by area; (0, 0, 1) where a vertex has no face."""
    normals = np.empty((len(vertices), 3), np.float32)
    fill_normals(np.ascontiguousarray(vertices, np.float32), np.ascontiguousarray(faces, np.int32), normals)
    normals[(normals == 0).all(1)] = (0, 0, 1)
    return normals


def part_faces(assets: HeadAssets) -> dict[str, Int[np.ndarray, " members"]]:
    """Numbers of the faces of each part of `PARTS` that this head has."""
    part_of_vertex = np.zeros(len(assets.template), np.int64)
    for number, regions in enumerate(PARTS.values()):
        for region in regions:
            if region in assets.regions:
                part_of_vertex[assets.regions[region].numpy()] = number
    # A face belongs to a part only with all its corners.
    corners = part_of_vertex[assets.faces.numpy()]
    part = np.where((corners == corners[:, :1]).all(1), corners[:, 0], 0)
    members = {name: np.flatnonzero(part == number) for number, name in enumerate(PARTS)}
    return {name: numbers for name, numbers in members.items() if len(numbers)}


def painted_colors(assets: HeadAssets) -> Float[np.ndarray, "vertices 3"]:
    """sRGB of each vertex in [0, 1], the texture included: for formats that carry no picture."""
    colors = assets.colors.numpy()
    if assets.texture is None:
        return colors
    height, width = assets.texture.shape[:2]
    uv = np.zeros((len(colors), 2), np.float32)
    uv[assets.faces.numpy().ravel()] = assets.uv_coords.numpy()[assets.uv_faces.numpy().ravel()]
    column = np.clip(uv[:, 0] * width, 0, width - 1).astype(np.int64)
    row = np.clip((1 - uv[:, 1]) * height, 0, height - 1).astype(np.int64)
    return colors * assets.texture[row, column].astype(np.float32) / 255


def check_same_head(assets: HeadAssets, motion: Motion) -> None:
    """Refuse a motion that is made for another head."""
    if motion.head != assets.name or motion.expression_names != assets.expression_names:
        raise ValueError(f"a motion for head {motion.head!r} cannot move head {assets.name!r}: retarget it first")


def posed_frames(assets: HeadAssets, motion: Motion, chunk: int = 32) -> Iterator[Float[np.ndarray, "vertices 3"]]:
    """The head's vertices frame by frame, metres."""
    check_same_head(assets, motion)
    head = HeadModel(assets)
    for start in range(0, motion.num_frames, chunk):
        yield from head.pose(motion.cut(start, start + chunk)).vertices.numpy()


def write_obj_sequence(folder: Path, assets: HeadAssets, motion: Motion) -> None:
    """One `frame_00000.obj` a frame with texture coordinates and vertex colours; the texture and `head.mtl` once."""
    uv_lines = "".join(f"vt {u:.6f} {v:.6f}\n" for u, v in assets.uv_coords.tolist())
    face_lines = _obj_faces(assets)
    colors = assets.colors.numpy()
    with replacing(Path(folder)) as temporary:
        temporary.mkdir()
        _write_mtl(temporary, assets)
        line = "v %.6f %.6f %.6f %.4f %.4f %.4f\n" * len(colors)
        for number, vertices in enumerate(posed_frames(assets, motion)):
            vertex_lines = line % tuple(np.hstack([vertices, colors]).ravel().tolist())
            text = f"mtllib head.mtl\no {assets.name}\n{vertex_lines}{uv_lines}{face_lines}"
            (temporary / f"frame_{number:05d}.obj").write_text(text, encoding="ascii")


def _obj_faces(assets: HeadAssets) -> str:
    both = np.stack([assets.faces.numpy(), assets.uv_faces.numpy()], 2) + 1
    lines: list[str] = []
    for name, members in part_faces(assets).items():
        lines.append(f"usemtl {name}\n")
        lines += ["f {}/{} {}/{} {}/{}\n".format(*row) for row in both[members].reshape(-1, 6).tolist()]
    return "".join(lines)


def _write_mtl(folder: Path, assets: HeadAssets) -> None:
    lines = []
    picture = "map_Kd texture.png\n" if assets.texture is not None else ""
    for name, members in part_faces(assets).items():
        strength, exponent = assets.gloss.numpy()[np.unique(assets.faces.numpy()[members])].mean(0)
        specular = " ".join([f"{strength:.3f}"] * 3)
        lines.append(f"newmtl {name}\nKd 1 1 1\nKs {specular}\nNs {exponent:.1f}\n{picture}")
    (folder / "head.mtl").write_text("\n".join(lines), encoding="ascii")
    if assets.texture is not None:
        Image.fromarray(assets.texture).save(folder / "texture.png")


def write_ply_sequence(folder: Path, assets: HeadAssets, motion: Motion) -> None:
    """One binary `frame_00000.ply` a frame with normals and vertex colours."""
    faces = assets.faces.numpy()
    triangles = np.empty(len(faces), [("count", "u1"), ("corners", "<i4", 3)])
    triangles["count"], triangles["corners"] = 3, faces
    points = np.empty(len(assets.template), [("place", "<f4", 3), ("normal", "<f4", 3), ("color", "u1", 3)])
    points["color"] = np.rint(painted_colors(assets) * 255)
    names = (
        "float x",
        "float y",
        "float z",
        "float nx",
        "float ny",
        "float nz",
        "uchar red",
        "uchar green",
        "uchar blue",
    )
    properties = "".join(f"property {name}\n" for name in names)
    header = (
        f"ply\nformat binary_little_endian 1.0\nelement vertex {len(points)}\n{properties}"
        f"element face {len(faces)}\nproperty list uchar int vertex_indices\nend_header\n"
    ).encode("ascii")
    with replacing(Path(folder)) as temporary:
        temporary.mkdir()
        for number, vertices in enumerate(posed_frames(assets, motion)):
            points["place"], points["normal"] = vertices, vertex_normals(vertices, faces)
            data = header + points.tobytes() + triangles.tobytes()
            (temporary / f"frame_{number:05d}.ply").write_bytes(data)
