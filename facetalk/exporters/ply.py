"""Folders of binary PLY files, one per frame, with normals and vertex colors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from trimesh import Trimesh
from trimesh.exchange.ply import export_ply

from facetalk.core.motion import Motion
from facetalk.core.progress import Progress, no_progress
from facetalk.exporters.base import DEFAULTS, ExportOptions, at_frame_rate, check_same_head
from facetalk.exporters.head_mesh import refuse_other_files, vertex_normals
from facetalk.exporters.part_textures import vertex_colors
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
    """Write `frame_00000.ply` and so on into a folder, see `Exporter`."""
    check_same_head(motion, head)
    motion, faces = at_frame_rate(motion, options), head.shape.faces.numpy()
    # As attributes, colors stay three bytes; trimesh's own vertex colors would add an alpha channel.
    channels = vertex_colors(head.assets).T
    colors: dict[str, Any] = dict(zip(("red", "green", "blue"), channels, strict=True))
    refuse_other_files(path, (".ply",))
    with replacing(path) as temporary:
        temporary.mkdir()
        for number, vertices in enumerate(posed(head, motion)):
            normals = vertex_normals(vertices, faces)
            mesh = Trimesh(vertices, faces, vertex_normals=normals, vertex_attributes=colors, process=False)
            (temporary / f"frame_{number:05d}.ply").write_bytes(export_ply(mesh, vertex_normal=True))
            progress("writing PLY", number + 1, motion.num_frames)
