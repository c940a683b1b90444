"""Photos as they are meant to be seen: upright, opaque, in 8 bits per channel, of bounded size."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageOps, UnidentifiedImageError

from facetalk.core.errors import FacetalkError
from facetalk.io.media import checked_file

LARGEST_MEGAPIXELS = 120
"""Photos with more are refused; they would take half a gigabyte."""
LONGEST_SIDE = 2048
"""Pixels to which larger photos are reduced."""
SMALLEST_SIDE = 32
"""Photos with a shorter side are refused."""
FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF")
"""Names that Pillow gives to what is read. Others, such as EPS, start programs."""
BEHIND = (255, 255, 255)
"""Color behind transparent parts: video has no transparency."""


def read_photo(path: Path | str) -> UInt8[np.ndarray, "height width 3"]:
    """Read a photo as sRGB.

    The camera's rotation is applied; transparent parts are laid over white; gray, paletted, CMYK and 16-bit images
    are converted; of an animation, the first frame is read.

    Args:
        path: PNG, JPEG, WebP, TIFF, BMP or GIF.

    Raises:
        FacetalkError: the file is missing, is no image, is damaged, is transparent everywhere, or has too many or too
            few pixels.
    """
    path = checked_file(Path(path), "a photo")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of large images, whose size is checked here, and of odd metadata
            with Image.open(path, formats=FORMATS) as image:
                _check_size(path, image.size)
                image.draft("RGB", (LONGEST_SIDE, LONGEST_SIDE))
                upright = ImageOps.exif_transpose(image)
                _check_visible(path, upright)
                return np.asarray(_reduced(_opaque(upright)))
    except UnidentifiedImageError:
        raise FacetalkError(f"{path} is not a PNG, JPEG, WebP, TIFF, BMP or GIF image") from None
    except Image.DecompressionBombError:
        raise FacetalkError(f"{path} has more than {LARGEST_MEGAPIXELS} megapixels; make it smaller") from None
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise FacetalkError(f"{path} is damaged or not an image ({error}); give a PNG or JPEG file") from None


def _check_size(path: Path, size: tuple[int, int]) -> None:
    width, height = size
    if width * height > LARGEST_MEGAPIXELS * 1_000_000:
        raise FacetalkError(
            f"{path} has {width} x {height} pixels; at most {LARGEST_MEGAPIXELS} megapixels are read: make it smaller"
        )
    if min(size) < SMALLEST_SIDE:
        raise FacetalkError(
            f"{path} has {width} x {height} pixels; a photo needs at least {SMALLEST_SIDE} on each side"
        )


def _check_visible(path: Path, image: Image.Image) -> None:
    if image.has_transparency_data and image.convert("RGBA").getchannel("A").getextrema() == (0, 0):
        raise FacetalkError(f"{path} is transparent everywhere; give a photo that shows something")


def _reduced(image: Image.Image) -> Image.Image:
    if max(image.size) > LONGEST_SIDE:
        image.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.LANCZOS, reducing_gap=3.0)
    return image


def _opaque(image: Image.Image) -> Image.Image:
    """The image in RGB."""
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        values = np.asarray(image, np.float64)
        # Sixteen bits, unless the values say that the image merely is stored in wide numbers.
        most = 65535.0 if values.max(initial=0) > 255 else 255.0
        return Image.fromarray((np.clip(values / most, 0, 1) * 255).round().astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        seen = image.convert("RGBA")
        behind = Image.new("RGBA", seen.size, (*BEHIND, 255))
        return Image.alpha_composite(behind, seen).convert("RGB")
    return image.convert("RGB")
