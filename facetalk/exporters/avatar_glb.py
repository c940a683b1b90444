"""`.glb` of the user's own character: a copy of the file, with the performance as its first animation.

Meshes, materials, textures, skins and extensions stay as they are, and the bytes of all buffers too: nothing is
decoded, so compressed files keep their compression. Buffers and images that a `.gltf` keeps in files of their own are
put into the one file. The animation comes first because many viewers play only that; others stay behind it, except one
of the same name, so that a character can be animated again and again.
"""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

from facetalk.core.motion import Motion
from facetalk.core.progress import Progress, no_progress
from facetalk.core.rotations import on_one_side
from facetalk.exporters.base import DEFAULTS, ExportOptions, in_arkit_channels
from facetalk.exporters.glb_animation import GlbAnimation
from facetalk.exporters.glb_file import GlbFile
from facetalk.head.model import HeadModel
from facetalk.io.files import replacing
from facetalk.io.gltf import GltfFile, is_whole
from facetalk.motion.avatar import Avatar, AvatarPlay, read_avatar

ANIMATION_NAME = "performance"

_IMAGE_TYPES = {
    b"\x89PNG": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"\xabKTX 20\xbb": "image/ktx2",
    b"RIFF": "image/webp",
}


def write(
    path: Path,
    motion: Motion,
    head: HeadModel,
    options: ExportOptions = DEFAULTS,
    progress: Progress = no_progress,
) -> None:
    """Write the character of `options.avatar` with the motion, see `Exporter`.

    Args:
        path: `.glb` file.
        motion: for any head.
        head: not shown: the character has its own.
        options: names the character.
        progress: not called.
    """
    assert options.avatar is not None
    avatar = read_avatar(options.avatar)
    motion = in_arkit_channels(motion, head, options)
    with replacing(path) as temporary:
        _save(temporary, avatar, motion)


def _save(path: Path, avatar: Avatar, motion: Motion) -> None:
    packed = _Packed(avatar.file)
    animation = GlbAnimation(packed.binary, motion.fps)
    play = AvatarPlay(avatar, motion)
    for node, weights in play.weights():
        animation.weights(node, weights)
    for node, rotations in play.turns():
        animation.rotations(node, on_one_side(rotations))
    document = packed.document
    notes = {"fps": motion.fps, "frames": motion.num_frames, "source": Path(motion.source).name}
    others = [entry for entry in avatar.file.table("animations") if entry.get("name") != ANIMATION_NAME]
    document["animations"] = [{**animation.document(ANIMATION_NAME), "extras": notes}, *others]
    packed.binary.save(path, document, packed.placeholders)


class _Packed:
    """A character's file with all its data in one binary part."""

    def __init__(self, file: GltfFile) -> None:
        pieces: list[bytes | memoryview] = [data for data in file.buffers if data is not None]
        self.placeholders = [
            entry for entry, data in zip(file.table("buffers"), file.buffers, strict=True) if data is None
        ]
        """Buffers without data, which compressed views refer to."""
        self.document = {**file.document}
        views, place = self._views(file), sum(len(piece) + -len(piece) % 4 for piece in pieces)
        if "images" in self.document:
            images = []
            for number, image in enumerate(file.table("images")):
                uri = image.get("uri")
                if isinstance(uri, str) and not uri.startswith("data:"):
                    data = file.beside(uri, f"image {number}")
                    image = {key: value for key, value in image.items() if key != "uri"}
                    image |= {"bufferView": len(views), "mimeType": image.get("mimeType", _image_type(data))}
                    views.append({"buffer": 0, "byteOffset": place, "byteLength": len(data)})
                    pieces.append(data)
                    place += len(data) + -len(data) % 4
                images.append(image)
            self.document["images"] = images
        self.binary = GlbFile(pieces, views, file.table("accessors"))

    @staticmethod
    def _views(file: GltfFile) -> list[dict[str, Any]]:
        """The buffer views, moved to where their buffers are now."""
        start_of: dict[int, tuple[int, int]] = {}
        place = placeholders = 0
        for number, data in enumerate(file.buffers):
            if data is None:
                placeholders += 1
                start_of[number] = placeholders, 0
            else:
                start_of[number] = 0, place
                place += len(data) + -len(data) % 4
        views = deepcopy(file.table("bufferViews"))
        for number, view in enumerate(views):
            extensions = view.get("extensions")
            inner = extensions.values() if isinstance(extensions, dict) else ()
            for holder in (view, *(entry for entry in inner if isinstance(entry, dict) and "buffer" in entry)):
                old = file.index(holder.get("buffer"), len(file.buffers), f"buffer view {number}")
                holder["buffer"], start = start_of[old]
                offset = holder.get("byteOffset", 0)
                if not is_whole(offset):
                    raise file.error(f"buffer view {number} begins at {str(offset)[:20]}")
                if start:
                    holder["byteOffset"] = offset + start
        return views


def _image_type(data: memoryview) -> str:
    """MIME type of an image by its first bytes, for documents that do not say it."""
    return next((kind for mark, kind in _IMAGE_TYPES.items() if bytes(data[: len(mark)]) == mark), "image/png")
