"""Moving curves next to a video: named graphs with the current frame in the middle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw, ImageFont

_BACK, _GRID, _TEXT, _NOW = (18, 20, 24), (44, 48, 56), (205, 210, 218), (110, 116, 128)
_COLORS = ((255, 138, 101), (100, 181, 246), (174, 213, 129), (206, 147, 216))
_OVERSAMPLING = 2
"""Lines are drawn larger and scaled down, which smooths them."""

Graph = tuple[str, tuple[float, float], Sequence[str]]
"""Title, range of values, and the names of its curves."""


class CurvePanel:
    """Draws several graphs one above the other."""

    def __init__(
        self,
        graphs: Sequence[Graph],
        curves: Mapping[str, Float[np.ndarray, " frames"]],
        fps: float,
        size: tuple[int, int],
        *,
        span_s: float = 4.0,
    ) -> None:
        """Lay out the panel.

        Args:
            graphs: from the top.
            curves: values by name, one per frame.
            fps: frames per second.
            size: width and height in pixels.
            span_s: seconds that are visible at a time.
        """
        self._graphs, self._curves, self._fps, self._span_s = graphs, curves, fps, span_s
        self._size = size
        width, height = (side * _OVERSAMPLING for side in size)
        self._margin = max(6, height // 60)
        self._row = (height - self._margin) // len(graphs)
        text_px = min(max(12, self._row // 7), width // 16)
        self._font = ImageFont.load_default(float(text_px))
        self._head = int(text_px * 1.45)  # height of a title
        self._line = max(2, height // 240)
        self._empty = Image.new("RGB", (width, height), _BACK)
        draw = ImageDraw.Draw(self._empty)
        for index, (title, (low, high), names) in enumerate(graphs):
            left, top, right, bottom = self._box(index)
            draw.rectangle((left, top, right, bottom), outline=_GRID, width=2)
            if low < 0 < high:
                zero = bottom - (bottom - top) * (0 - low) / (high - low)
                draw.line((left, zero, right, zero), fill=_GRID, width=2)
            x = left + self._margin
            for word, color in ((title, _TEXT), *zip(names, _COLORS[: len(names)], strict=True)):
                draw.text((x, top - self._head), word, fill=color, font=self._font)
                x += draw.textlength(word + "   ", font=self._font)

    def draw(self, frame: int) -> UInt8[np.ndarray, "height width 3"]:
        """The panel at one frame."""
        image = self._empty.copy()
        draw = ImageDraw.Draw(image)
        for index, (_, limits, names) in enumerate(self._graphs):
            left, top, right, bottom = self._box(index)
            middle = (left + right) / 2
            draw.line((middle, top, middle, bottom), fill=_NOW, width=2)
            for name, color in zip(names, _COLORS[: len(names)], strict=True):
                points = self._line_of(self._curves[name], frame, limits, (left, top, right, bottom))
                if len(points) > 1:
                    draw.line(points, fill=color, width=self._line, joint="curve")
        return np.asarray(image.resize(self._size, Image.Resampling.BOX))

    def _box(self, index: int) -> tuple[int, int, int, int]:
        """Left, top, right and bottom of a graph's frame."""
        top = self._margin + index * self._row + self._head
        bottom = (index + 1) * self._row
        return self._margin, top, self._empty.width - self._margin, bottom

    def _line_of(
        self, values: np.ndarray, frame: int, limits: tuple[float, float], box: tuple[int, int, int, int]
    ) -> list[tuple[float, float]]:
        left, top, right, bottom = box
        half = round(self._span_s / 2 * self._fps)
        numbers = np.arange(max(frame - half, 0), min(frame + half + 1, len(values)))
        x = (left + right) / 2 + (numbers - frame) * (right - left) / (2 * half)
        share = (np.clip(values[numbers], *limits) - limits[0]) / (limits[1] - limits[0])
        return list(zip(x.tolist(), (bottom - share * (bottom - top)).tolist(), strict=True))
