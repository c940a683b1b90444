"""A picture of points on a plane, coloured by group."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

_BACKGROUND = (250, 250, 248)
_TEXT = (40, 42, 46)
_OVERSAMPLING = 2
_LEGEND_SHARE = 0.3


def group_colours(groups: Sequence[str]) -> dict[str, tuple[int, int, int]]:
    """A colour for each group, far apart in hue; unnamed groups are grey."""
    names = sorted({group for group in groups if group not in ("", "unstated")})
    colours = {}
    for index, name in enumerate(names):
        # Steps of the golden angle: neighbours in the list never look alike.
        red, green, blue = colorsys.hls_to_rgb(index * 0.381966 % 1, 0.42 + 0.16 * (index % 2), 0.75)
        colours[name] = (round(255 * red), round(255 * green), round(255 * blue))
    return colours | {group: (170, 172, 176) for group in groups if group not in colours}


def draw_scatter(places: np.ndarray, groups: Sequence[str], title: str, size: int = 900) -> Image.Image:
    """The points, and a legend of their groups with how many there are.

    Args:
        places: (points, 2), any unit; y upwards.
        groups: of each point.
        title: written above.
        size: height of the picture, pixels; the legend stands to the right.
    """
    scale = _OVERSAMPLING
    wide, high = round(size * (1 + _LEGEND_SHARE)) * scale, size * scale
    picture = Image.new("RGB", (wide, high), _BACKGROUND)
    draw = ImageDraw.Draw(picture)
    margin, radius = 0.06 * high, 0.007 * high
    low, high_end = places.min(0), places.max(0)
    span = np.maximum(high_end - low, 1e-9).max()
    middle = (low + high_end) / 2
    pixels = (places - middle) / span * (high - 2 * margin) * (1, -1) + high / 2
    colours = group_colours(groups)
    for (x, y), group in zip(pixels, groups, strict=True):
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colours[group], outline=_BACKGROUND)
    picture = picture.resize((wide // scale, high // scale), Image.Resampling.LANCZOS)
    _legend(ImageDraw.Draw(picture), groups, colours, title, size)
    return picture


def _legend(
    draw: ImageDraw.ImageDraw,
    groups: Sequence[str],
    colours: dict[str, tuple[int, int, int]],
    title: str,
    size: int,
) -> None:
    """Title and names, largest groups first, as many as fit."""
    draw.text((12, 8), title, fill=_TEXT)
    counts = {group: list(groups).count(group) for group in colours}
    fitting = (size - 40) // 16
    for row, (group, count) in enumerate(sorted(counts.items(), key=lambda item: -item[1])[:fitting]):
        y = 24 + 16 * row
        draw.ellipse((size + 4, y, size + 13, y + 9), fill=colours[group])
        draw.text((size + 20, y - 1), f"{group or 'unnamed'} ({count})", fill=_TEXT)
