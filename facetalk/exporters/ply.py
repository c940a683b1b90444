"""Folders of binary PLY files, one per frame, with normals and vertex colors."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from facetalk.core.motion import Motion
from facetalk.core.progress import Progress, no_progress
from facetalk.exporters.base import DEFAULTS, ExportOptions, at_frame_rate, check_same_head
from facetalk.exporters.head_mesh import painted_colors, vertex_normals
from facetalk.head.model import HeadModel
from facetalk.io.files import replacing
from facetalk.motion.frames import posed

_PROPERTIES = (
    *("float x", "float y", "float z", "float nx", "float ny", "float nz"),
    *("uchar red", "uchar green", "uchar blue"),
)


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
    triangles = np.empty(len(faces), [("count", "u1"), ("corners", "<i4", 3)])
    triangles["count"], triangles["corners"] = 3, faces
    points = np.empty(len(head.shape.template), [("place", "<f4", 3), ("normal", "<f4", 3), ("color", "u1", 3)])
    points["color"] = np.rint(painted_colors(head.assets) * 255)
    header = _header(len(points), len(faces))
    with replacing(path) as temporary:
        temporary.mkdir()
        for number, vertices in enumerate(posed(head, motion)):
            points["place"], points["normal"] = vertices, vertex_normals(vertices, faces)
            data = header + points.tobytes() + triangles.tobytes()
            (temporary / f"frame_{number:05d}.ply").write_bytes(data)
            progress("writing PLY", number + 1, motion.num_frames)


def _header(num_vertices: int, num_faces: int) -> bytes:
    properties = "".join(f"property {name}\n" for name in _PROPERTIES)
    return (
        f"ply\nformat binary_little_endian 1.0\nelement vertex {num_vertices}\n{properties}"
        f"element face {num_faces}\nproperty list uchar int vertex_indices\nend_header\n"
    ).encode("ascii")
