"""`.usda` files, which every program for USD reads, with their textures in a folder beside them."""

from __future__ import annotations

from pathlib import Path

from facetalk.core.motion import Motion
from facetalk.core.progress import Progress, no_progress
from facetalk.core.text import table_name
from facetalk.exporters.base import DEFAULTS, ExportOptions, at_frame_rate, check_same_head
from facetalk.exporters.head_mesh import refuse_other_files
from facetalk.exporters.part_textures import encoded, textured_parts
from facetalk.exporters.usd_document import document
from facetalk.exporters.usd_materials import TEXTURE_NAMES, texture_images, texture_name
from facetalk.head.assets import HeadAssets
from facetalk.head.model import HeadModel
from facetalk.io.files import replacing


def write(
    path: Path,
    motion: Motion,
    head: HeadModel,
    options: ExportOptions = DEFAULTS,
    progress: Progress = no_progress,
) -> None:
    """Write the head with one identity and one motion as USD text, and its textures, see `Exporter`.

    The textures of `clip.usda` are in the folder `clip.usda_textures`, so that no two files share one; only that of
    an earlier export makes way.
    """
    check_same_head(motion, head)
    motion, folder = at_frame_rate(motion, options), path.with_name(f"{table_name(path.name)}_textures")
    # By name, not by suffix: the user did not name this folder and may keep photos in it.
    refuse_other_files(folder, TEXTURE_NAMES)
    with replacing(path) as temporary, replacing(folder) as textures:
        textures.mkdir()
        for name, data in texture_files(head.assets):
            (textures / name).write_bytes(data)
        with temporary.open("w", encoding="utf-8") as file:
            file.writelines(document(head, motion, f"./{folder.name}"))


def texture_files(assets: HeadAssets) -> list[tuple[str, bytes]]:
    """Name and content of each texture."""
    return [
        (texture_name(part, shader), encoded(image))
        for part in textured_parts(assets)
        for shader, image in texture_images(part).items()
    ]
