"""`.usdz` files: the USD layer and its textures in one archive."""

from __future__ import annotations

from pathlib import Path
from zipfile import ZIP_STORED, ZipFile, ZipInfo

from facetalk.core.motion import Motion
from facetalk.core.progress import Progress, no_progress
from facetalk.exporters.base import DEFAULTS, ExportOptions, at_frame_rate, check_same_head
from facetalk.exporters.usd import texture_files
from facetalk.exporters.usd_document import document
from facetalk.head.model import HeadModel
from facetalk.io.files import replacing

_ALIGNMENT = 64
"""Bytes at a multiple of which the standard wants the content of each file."""
_HEADER = 30
"""Bytes of a file's header before its name."""


def write(
    path: Path,
    motion: Motion,
    head: HeadModel,
    options: ExportOptions = DEFAULTS,
    progress: Progress = no_progress,
) -> None:
    """Write the head with one identity and one motion as a USD package, see `Exporter`."""
    check_same_head(motion, head)
    motion = at_frame_rate(motion, options)
    with replacing(path) as temporary, ZipFile(temporary, "w", ZIP_STORED) as archive:
        # The first file is the one that programs open.
        with archive.open(_aligned(archive, "head.usda"), "w") as layer:
            for block in document(head, motion, "textures"):
                layer.write(block.encode())
        for name, data in texture_files(head.assets):
            archive.writestr(_aligned(archive, f"textures/{name}"), data)


def _aligned(archive: ZipFile, name: str) -> ZipInfo:
    """An entry whose content starts at a multiple of the alignment: its header has a field of zeros."""
    entry = ZipInfo(name)
    assert archive.fp is not None
    gap = -(archive.fp.tell() + _HEADER + len(name) + 4) % _ALIGNMENT
    entry.extra = b"\x86\x19" + gap.to_bytes(2, "little") + bytes(gap)
    return entry
