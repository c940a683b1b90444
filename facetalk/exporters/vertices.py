"""Vertices of all frames in one `.npz`, written frame by frame."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
from numpy.lib import format as npy_format

from facetalk.core.motion import Motion
from facetalk.core.progress import Progress, no_progress
from facetalk.exporters.base import DEFAULTS, ExportOptions, at_frame_rate, check_same_head
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
    """Write `vertices` (frames, vertices, 3) float32 in meters, `faces` (faces, 3) and `fps`, see `Exporter`.

    Nothing is compressed: coordinates of moving points hardly shrink, and the file is written at the speed of the disk.
    """
    check_same_head(motion, head)
    motion = at_frame_rate(motion, options)
    shape = (motion.num_frames, *head.template.shape)
    with replacing(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
        for name, array in (("fps", np.array(motion.fps)), ("faces", head.shape.faces.numpy().astype(np.int32))):
            with archive.open(f"{name}.npy", "w") as member:
                npy_format.write_array(member, array, allow_pickle=False)
        with archive.open("vertices.npy", "w", force_zip64=True) as member:
            npy_format.write_array_header_1_0(member, {"descr": "<f4", "fortran_order": False, "shape": shape})
            for number, vertices in enumerate(posed(head, motion)):
                member.write(np.ascontiguousarray(vertices, "<f4").tobytes())
                progress("writing vertices", number + 1, motion.num_frames)
