"""`.html` files: a page that plays the motion in any browser, with everything inside; see `viewer_page`."""

from __future__ import annotations

from pathlib import Path

from facetalk.core.motion import Motion
from facetalk.core.progress import Progress, no_progress
from facetalk.exporters.base import DEFAULTS, ExportOptions, at_frame_rate, check_same_head
from facetalk.exporters.viewer_page import PageClip, viewer_page
from facetalk.head.model import HeadModel
from facetalk.io.files import replacing


def write(
    path: Path,
    motion: Motion,
    head: HeadModel,
    options: ExportOptions = DEFAULTS,
    progress: Progress = no_progress,
) -> None:
    """Write a page that shows one motion, see `Exporter`."""
    check_same_head(motion, head)
    page = viewer_page(path.stem, [PageClip(path.stem, at_frame_rate(motion, options), head, options.audio)])
    with replacing(path) as temporary:
        temporary.write_text(page, encoding="utf-8", errors="replace")
