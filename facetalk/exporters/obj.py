"""Folders of OBJ files, one per frame, with normals, texture coordinates, one material file and its textures.

Not written by trimesh, which splits vertices at texture seams (so that they are no longer the head's), writes one
material instead of one each for skin, eyes, teeth and tongue, and formats the unchanging faces anew in every frame.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from facetalk.core.motion import Motion
from facetalk.core.progress import Progress, no_progress
from facetalk.exporters.base import DEFAULTS, ExportOptions, at_frame_rate, check_same_head
from facetalk.exporters.head_mesh import refuse_other_files, vertex_normals
from facetalk.exporters.part_textures import encoded, textured_parts
from facetalk.head.assets import HeadAssets
from facetalk.head.model import HeadModel
from facetalk.io.files import replacing
from facetalk.motion.frames import posed


def write(
    path: Path,
    motion: Motion,
    head: HeadModel,
    options: ExportOptions = DEFAULTS,
    progress: Progress = no_progress,
) -> None:
    """Write `frame_00000.obj` and so on, `head.mtl` and the textures into a folder, see `Exporter`.

    Vertices have no color of their own: some programs would multiply it with the texture, which says it all.
    """
    check_same_head(motion, head)
    motion, assets = at_frame_rate(motion, options), head.assets
    faces, count = assets.shape.faces.numpy(), len(assets.shape.template)
    fixed_lines = _face_lines(assets)
    vertex_line, normal_line = "v %.6f %.6f %.6f\n" * count, "vn %.4f %.4f %.4f\n" * count
    refuse_other_files(path, (".obj", ".mtl", ".png", ".jpg"))
    with replacing(path) as temporary:
        temporary.mkdir()
        _write_materials(temporary, assets)
        for number, vertices in enumerate(posed(head, motion)):
            with (temporary / f"frame_{number:05d}.obj").open("w", encoding="ascii") as file:
                file.write("mtllib head.mtl\no head\n")
                file.write(vertex_line % tuple(vertices.ravel().tolist()))
                file.write(normal_line % tuple(vertex_normals(vertices, faces).ravel().tolist()))
                file.write(fixed_lines)
            progress("writing OBJ", number + 1, motion.num_frames)


def _face_lines(assets: HeadAssets) -> str:
    """Texture coordinates, and triangles by part, each corner as vertex/texture coordinate/normal."""
    faces, start, coords, lines = assets.shape.faces.numpy() + 1, 1, [], []
    for part in textured_parts(assets):
        coords += ["vt {:.6f} {:.6f}\n".format(*row) for row in part.uv_coords.tolist()]
        corners = np.stack([faces[part.members], part.uv_faces + start, faces[part.members]], 2).reshape(-1, 9)
        lines.append(f"usemtl {part.name}\n")
        lines += ["f {}/{}/{} {}/{}/{} {}/{}/{}\n".format(*row) for row in corners.tolist()]
        start += len(part.uv_coords)
    return "".join([*coords, *lines])


def _write_materials(folder: Path, assets: HeadAssets) -> None:
    """`head.mtl` with a material for each part, and the textures.

    `Ks` and `Ns` are for programs with a Phong shader, `Pr` for those with a physical one. No map of roughness and no
    `map_Bump`: Blender would take them for colors and make the skin shiny and dark.
    """
    lines = []
    for part in textured_parts(assets):
        corners = np.unique(assets.shape.faces.numpy()[part.members])
        strength, exponent = assets.appearance.gloss.numpy()[corners].mean(0)
        lines += [f"newmtl {part.name}", "illum 2", "Kd 1 1 1"]
        lines += [f"Ks {strength:.3f} {strength:.3f} {strength:.3f}", f"Ns {exponent:.1f}"]
        lines += [f"Pr {part.roughness.mean() / 255:.3f}", f"map_Kd {part.name}_color.jpg"]
        (folder / f"{part.name}_color.jpg").write_bytes(encoded(part.color))
        if part.relief is not None:
            lines.append(f"norm {part.name}_normal.jpg")
            (folder / f"{part.name}_normal.jpg").write_bytes(encoded(part.relief))
        lines.append("")
    (folder / "head.mtl").write_text("\n".join(lines), encoding="ascii")
