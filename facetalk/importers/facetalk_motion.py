"""Motion files of facetalk (`.npz`), see `facetalk.io.motion`."""

from __future__ import annotations

from pathlib import Path

from facetalk.core.motion import Motion
from facetalk.importers.base import ImportOptions
from facetalk.io.motion import read_motion


def read(path: Path, options: ImportOptions) -> Motion:
    """Read a motion file, which says everything itself; see `Importer`."""
    return read_motion(path)
