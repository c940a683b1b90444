"""Base colors of a glTF file's materials, as far as a plain renderer shows them."""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from facetalk.io.gltf import GltfFile
from facetalk.io.reasons import reason_of

_MOST_PIXELS = 1 << 26
"""Of a texture, 8192 x 8192."""
_FORMATS = ("PNG", "JPEG", "WEBP")


@dataclass(frozen=True)
class BaseColor:
    """How a material looks under plain light."""

    factor: tuple[float, float, float, float] = (1.0, 1.0, 1.0, 1.0)
    """Linear red, green, blue, and opacity."""
    image: int | None = None
    """Number of the image that it is multiplied with."""
    cuts_out: bool = False
    """Whether the image's opacity cuts the surface."""
    has_back: bool = False
    """Whether the surface is seen from both sides."""


def read_base_color(file: GltfFile, number: int | None) -> BaseColor:
    """The base color of a material; white without one."""
    if number is None:
        return BaseColor()
    material = file.numbered("materials", number, "a mesh")
    surface = material.get("pbrMetallicRoughness", {})
    if not isinstance(surface, dict):
        raise file.error(f"material {number} is damaged")
    factor = surface.get("baseColorFactor", [1, 1, 1, 1])
    fits = isinstance(factor, list) and len(factor) == 4
    if not fits or not all(isinstance(value, int | float) and 0 <= value <= 1 for value in factor):
        raise file.error(f"the color of material {number} is not four numbers between 0 and 1")
    texture = surface.get("baseColorTexture")
    image = _image(file, texture, number) if isinstance(texture, dict) else None
    cuts_out = material.get("alphaMode") in ("MASK", "BLEND")
    red, green, blue, alpha = (float(value) for value in factor)
    return BaseColor((red, green, blue, alpha), image, cuts_out, material.get("doubleSided") is True)


def _image(file: GltfFile, texture: dict[str, Any], material: int) -> int | None:
    """The number of a texture's image; None if there is only a compressed one."""
    entry = file.numbered("textures", texture.get("index"), f"material {material}")
    source = file.extension(entry, "EXT_texture_webp").get("source", entry.get("source"))
    return None if source is None else file.index(source, len(file.table("images")), f"material {material}")


def read_texture(file: GltfFile, number: int, side: int) -> UInt8[np.ndarray, "{side} {side} 4"] | None:
    """An image of the file as a square of red, green, blue and opacity, sRGB; None for kinds that are not read (KTX2).

    Args:
        file: the file.
        number: of the image.
        side: pixels.

    Raises:
        GltfError: the image is damaged, or larger than 67 megapixels.
    """
    entry = file.table("images")[number]
    data = _image_bytes(file, entry, number)
    if bytes(data[:4]) == b"\xabKTX" or entry.get("mimeType") == "image/ktx2":
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(data), formats=_FORMATS)
        with image:
            if image.width * image.height > _MOST_PIXELS:
                raise file.error(f"image {number} has {image.width}x{image.height} pixels, which is more than is read")
            image.draft("RGB", (2 * side, 2 * side))
            whole = image.convert("RGBA")
            # Apart, because Pillow would blacken what is transparent.
            parts = [whole.convert("RGB"), whole.getchannel("A")]
            reduced = [part.resize((side, side), Image.Resampling.BOX, reducing_gap=2.0) for part in parts]
    except (
        OSError,
        ValueError,
        SyntaxError,
        EOFError,
        IndexError,
        Image.DecompressionBombError,
        Image.DecompressionBombWarning,
    ) as error:
        raise file.error(f"image {number} cannot be read ({reason_of(error)})") from None
    return np.dstack([np.asarray(part) for part in reduced])


def _image_bytes(file: GltfFile, entry: dict[str, Any], number: int) -> memoryview:
    if isinstance(entry.get("uri"), str):
        return file.beside(entry["uri"], f"image {number}")
    view = file.numbered("bufferViews", entry.get("bufferView"), f"image {number}")
    data = file.buffers[file.index(view.get("buffer"), len(file.buffers), f"image {number}")]
    start, length = view.get("byteOffset", 0), view.get("byteLength")
    if data is None or not isinstance(start, int) or not isinstance(length, int) or not 0 <= start <= start + length:
        raise file.error(f"image {number} refers to a damaged buffer view")
    if start + length > len(data):
        raise file.error(f"image {number} leads out of its buffer")
    return data[start : start + length]
