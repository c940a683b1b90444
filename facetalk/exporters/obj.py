"""Folders of OBJ files, one per frame, with texture coordinates, vertex colors and one material file.

Not written by trimesh, which splits vertices at texture seams (so that they are no longer the head's), writes one
material instead of one each for skin, eyes, teeth and tongue, and formats the unchanging faces anew in every frame.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from facetalk.core.motion import Motion
from facetalk.core.progress import Progress, no_progress
from facetalk.exporters.base import DEFAULTS, ExportOptions, at_frame_rate, check_same_head
from facetalk.exporters.head_mesh import part_faces, refuse_other_files
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
    """Write `frame_00000.obj` and so on, `head.mtl` and the texture into a folder, see `Exporter`."""
    check_same_head(motion, head)
    motion, assets = at_frame_rate(motion, options), head.assets
    uv_lines = "".join(f"vt {u:.6f} {v:.6f}\n" for u, v in assets.appearance.uv_coords.tolist())
    face_lines = _face_lines(assets)
    colors = assets.appearance.colors.numpy()
    line = "v %.6f %.6f %.6f %.4f %.4f %.4f\n" * len(colors)
    refuse_other_files(path, (".obj", ".mtl", ".png", ".jpg"))
    with replacing(path) as temporary:
        temporary.mkdir()
        _write_materials(temporary, assets)
        for number, vertices in enumerate(posed(head, motion)):
            vertex_lines = line % tuple(np.hstack([vertices, colors]).ravel().tolist())
            text = f"mtllib head.mtl\no {assets.name}\n{vertex_lines}{uv_lines}{face_lines}"
            (temporary / f"frame_{number:05d}.obj").write_text(text, encoding="ascii")
            progress("writing OBJ", number + 1, motion.num_frames)


def _face_lines(assets: HeadAssets) -> str:
    """Triangles by part, each corner as vertex/texture coordinate."""
    both = np.stack([assets.shape.faces.numpy(), assets.appearance.uv_faces.numpy()], 2) + 1
    lines: list[str] = []
    for name, members in part_faces(assets).items():
        lines.append(f"usemtl {name}\n")
        lines += ["f {}/{} {}/{} {}/{}\n".format(*row) for row in both[members].reshape(-1, 6).tolist()]
    return "".join(lines)


def _write_materials(folder: Path, assets: HeadAssets) -> None:
    """`head.mtl` with a material for each part, and the texture."""
    lines = []
    texture = "map_Kd texture.png\n" if assets.appearance.texture is not None else ""
    for name, members in part_faces(assets).items():
        strength, exponent = assets.appearance.gloss.numpy()[np.unique(assets.shape.faces.numpy()[members])].mean(0)
        specular = " ".join([f"{strength:.3f}"] * 3)
        lines.append(f"newmtl {name}\nKd 1 1 1\nKs {specular}\nNs {exponent:.1f}\n{texture}")
    (folder / "head.mtl").write_text("\n".join(lines), encoding="ascii")
    if assets.appearance.texture is not None:
        Image.fromarray(assets.appearance.texture).save(folder / "texture.png")
