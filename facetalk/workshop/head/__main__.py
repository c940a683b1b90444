"""`python -m facetalk.workshop.head [FOLDER]`: build the bundled head and write its files."""

from __future__ import annotations

import sys
from pathlib import Path

from facetalk.io.head_folder import write_head_folder
from facetalk.io.weights import weights_dir
from facetalk.motion.heads import BUNDLED_HEADS
from facetalk.workshop.head.build import build_head


def main(arguments: list[str]) -> None:
    """Build and write."""
    folder = Path(arguments[0]) if arguments else weights_dir() / BUNDLED_HEADS["facetalk"]
    folder.mkdir(parents=True, exist_ok=True)
    assets = build_head()
    write_head_folder(folder, assets)
    print(f"{folder}: {len(assets.shape.template)} vertices, {len(assets.shape.faces)} triangles")


if __name__ == "__main__":
    main(sys.argv[1:])
