"""A scatter plot with a color for each group."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

_BACKGROUND = (250, 250, 248)
_TEXT = (40, 42, 46)
_OVERSAMPLING = 2
_LEGEND_SHARE = 0.3


def group_colors(groups: Sequence[str]) -> dict[str, tuple[int, int, int]]:
    """A color for each group, far apart in hue; unnamed groups are gray."""
    names = sorted({group for group in groups if group not in ("", "unstated")})
    colors = {}
    for index, name in enumerate(names):
        # Steps of the golden angle keep neighbors in the list apart.
        red, green, blue = colorsys.hls_to_rgb(index * 0.381966 % 1, 0.42 + 0.16 * (index % 2), 0.75)
        colors[name] = (round(255 * red), round(255 * green), round(255 * blue))
    return colors | {group: (170, 172, 176) for group in groups if group not in colors}


def draw_scatter(positions: np.ndarray, groups: Sequence[str], title: str, size: int = 900) -> Image.Image:
    """The plot, with a legend of the groups and their sizes.

    Args:
        positions: (points, 2), any unit; y up.
        groups: one name per point.
        title: above the plot.
        size: height of the image, pixels; the legend is to the right.
    """
    scale = _OVERSAMPLING
    wide, high = round(size * (1 + _LEGEND_SHARE)) * scale, size * scale
    image = Image.new("RGB", (wide, high), _BACKGROUND)
    draw = ImageDraw.Draw(image)
    margin, radius = 0.06 * high, 0.007 * high
    low, high_end = positions.min(0), positions.max(0)
    span = np.maximum(high_end - low, 1e-9).max()
    middle = (low + high_end) / 2
    pixels = (positions - middle) / span * (high - 2 * margin) * (1, -1) + high / 2
    colors = group_colors(groups)
    for (x, y), group in zip(pixels, groups, strict=True):
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colors[group], outline=_BACKGROUND)
    image = image.resize((wide // scale, high // scale), Image.Resampling.LANCZOS)
    _legend(ImageDraw.Draw(image), groups, colors, title, size)
    return image


def _legend(
    draw: ImageDraw.ImageDraw,
    groups: Sequence[str],
    colors: dict[str, tuple[int, int, int]],
    title: str,
    size: int,
) -> None:
    """Title and names, largest groups first, as many as fit."""
    draw.text((12, 8), title, fill=_TEXT)
    counts = {group: list(groups).count(group) for group in colors}
    fitting = (size - 40) // 16
    for row, (group, count) in enumerate(sorted(counts.items(), key=lambda item: -item[1])[:fitting]):
        y = 24 + 16 * row
        draw.ellipse((size + 4, y, size + 13, y + 9), fill=colors[group])
        draw.text((size + 20, y - 1), f"{group or 'unnamed'} ({count})", fill=_TEXT)
