"""The skin's texture, painted on the map: skin tones, lips, brows, lashes and cropped hair."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates

from facetalk.core.landmarks import (
    MESH_INNER_LIP_CENTERS,
    MESH_RIGHT_BROW_LOWER_EDGE,
    MESH_RIGHT_BROW_UPPER_EDGE,
    MESH_RIGHT_LIDS,
    MESH_RIGHT_LIP_OUTLINE,
    MESH_RIGHT_UNDER_EYE,
    MESH_RIGHT_UPPER_LID_FOLD,
)
from facetalk.head.looks import HAIRS, PAINTED, SKINS
from facetalk.workshop.head.domain import PER_RADIAN, TOP, bump, smoothstep
from facetalk.workshop.head.sculpture import Sculpture, hairline
from facetalk.workshop.head.topology import inside

SIZE = 1024
STRIP = 0.05
"""Lowest part of the texture, white: for pieces that are colored by vertex."""

SKIN_TONE, LIP_TONE = (np.array(tone) for tone in SKINS[PAINTED["skin"]][:2])
HAIR_TONE = np.array(HAIRS[PAINTED["hair"]])
LAYERS = ("skin", "lips", "hair")
"""What `looks` can repaint; lashes are none of them."""
BOTTOM = -330.0
PINK = np.array([0.76, 0.55, 0.49])
"""The wet rim of the lids."""
PINK_AT = (0.12, STRIP * 0.3)
WHITE_AT = (0.6, STRIP * 0.3)
"""Texture coordinates of plain patches."""


def _scale(low: float, high: float, middle: float, width: float, boost: float) -> tuple[np.ndarray, np.ndarray]:
    """A monotone map from millimeters to [0, 1] that gives more room round `middle`."""
    mm = np.linspace(low, high, 2001)
    density = 1 + boost * np.exp(-(((mm - middle) / width) ** 2))
    total = np.append(0, np.cumsum((density[1:] + density[:-1]) / 2))
    return mm, total / total[-1]


_ACROSS = _scale(-np.pi * PER_RADIAN, np.pi * PER_RADIAN, 0.0, 75.0, 3.5)
_ALONG = _scale(BOTTOM, TOP, -28.0, 75.0, 3.5)


def to_texture(places: np.ndarray) -> np.ndarray:
    """Texture coordinates in [0, 1], origin at the lower left, of map places."""
    u = np.interp(places[:, 0], *_ACROSS)
    v = np.interp(places[:, 1], *_ALONG)
    return np.stack([u, STRIP + (1 - STRIP) * v], 1)


def pixel_places() -> np.ndarray:
    """Map place of every texel, (SIZE, SIZE, 2), first row at the top."""
    center = (np.arange(SIZE) + 0.5) / SIZE
    x = np.interp(center, _ACROSS[1], _ACROSS[0])
    y = np.interp((1 - center - STRIP) / (1 - STRIP), _ALONG[1], _ALONG[0])
    return np.stack(np.meshgrid(x, y), -1)


class Canvas:
    """An image over the map."""

    def __init__(self, seed: int = 7) -> None:
        self.places = pixel_places()
        self.flat = self.places.reshape(-1, 2)
        self.color = np.tile(SKIN_TONE, (SIZE, SIZE, 1))
        self.layers = np.tile(np.eye(len(LAYERS))[0], (SIZE, SIZE, 1))
        self.generator = np.random.default_rng(seed)

    def map_noise(self, across: float, along: float) -> np.ndarray:
        """Noise of unit variance with cells of a size in millimeters on the map."""
        rows, columns = int((TOP - BOTTOM) / along) + 3, int(2 * np.pi * PER_RADIAN / across) + 3
        lattice = self.generator.standard_normal((rows, columns))
        at = [(self.places[..., 1] - BOTTOM) / along + 0.5, (self.places[..., 0] + np.pi * PER_RADIAN) / across + 0.5]
        field = map_coordinates(lattice, at, order=1, mode="nearest")
        return field / field.std()

    def noise(self, blur_px: float) -> np.ndarray:
        """Smooth noise of unit variance, mirror-free."""
        field = gaussian_filter(self.generator.standard_normal((SIZE, SIZE)), blur_px, mode="wrap")
        return field / field.std()

    def hill(self, center: np.ndarray, size: tuple[float, float], turn: float = 0.0) -> np.ndarray:
        """Gaussian hills on both sides of the face."""
        x, y = abs(center[0]), center[1]
        left = bump(self.flat, (x, y), size, turn)
        right = bump(self.flat, (-x, y), size, -turn)
        return np.maximum(left, right).reshape(SIZE, SIZE)

    def area(self, outline: np.ndarray, soft_px: float) -> np.ndarray:
        """Coverage of a polygon given for one side, on both sides, with a soft edge."""
        covered = inside(self.flat, outline) | inside(self.flat, outline * [-1, 1])
        return gaussian_filter(covered.reshape(SIZE, SIZE).astype(float), soft_px)

    def blend(self, color: np.ndarray, share: np.ndarray, layer: str) -> None:
        """Lay a color over what is there, as part of a layer; lashes are none."""
        share = np.clip(share, 0, 1)[..., None]
        self.color += share * (color - self.color)
        self.layers += share * (membership(layer) - self.layers)

    def tint(self, factor: tuple[float, float, float], share: np.ndarray) -> None:
        """Multiply by a color."""
        self.color *= 1 + share[..., None] * (np.array(factor) - 1)

    def crease(self, path: np.ndarray, width: float, factor: tuple[float, float, float], strength: float) -> None:
        """Multiply by a color along a line through points of one side, and along its mirror image.

        Args:
            path: (n, 2) map places.
            width: standard deviation across, mm.
            factor: color multiplier on the line.
            strength: share of it.
        """
        t = np.linspace(0, len(path) - 1, 16 * len(path))
        line = np.stack([np.interp(t, np.arange(len(path)), path[:, i]) for i in range(2)], 1)
        ends = np.interp(t, [0, 0.15 * t[-1], 0.85 * t[-1], t[-1]], [0.15, 1, 1, 0.15])
        for sign in (1, -1):
            points = line * [sign, 1]
            low, high = points.min(0) - 3.5 * width, points.max(0) + 3.5 * width
            window = ((self.places > low) & (self.places < high)).all(-1)
            gap = np.linalg.norm(self.places[window][:, None] - points, axis=-1)
            share = (np.exp(-0.5 * (gap / width) ** 2) * ends).max(1) * strength * (0.5 if abs(path[0, 0]) < 0.1 else 1)
            self.color[window] *= 1 + share[:, None] * (np.array(factor) - 1)

    def stroke(self, start: np.ndarray, end: np.ndarray, color: np.ndarray, opacity: float) -> None:
        """A tapering, slightly bent hair from start to end on the map."""
        t = np.linspace(0, 1, 24)[:, None]
        path = start + (end - start) * t + np.array([0.0, 0.25]) * 4 * t * (1 - t)
        uv = to_texture(path)
        at = np.stack([uv[:, 0] * SIZE - 0.5, (1 - uv[:, 1]) * SIZE - 0.5], 1)
        low = np.maximum(np.floor(at.min(0) - 3).astype(int), 0)
        high = np.minimum(np.ceil(at.max(0) + 4).astype(int), SIZE)
        if (high <= low).any():
            return
        ys, xs = np.mgrid[low[1] : high[1], low[0] : high[0]]
        gap = np.hypot(xs[..., None] - at[:, 0], ys[..., None] - at[:, 1])
        taper = 0.75 * (1 - 0.75 * t[:, 0] ** 2)
        cover = np.clip(taper + 0.5 - gap, 0, 1).max(-1) * opacity
        block = self.color[low[1] : high[1], low[0] : high[0]]
        block += cover[..., None] * (color - block)
        shares = self.layers[low[1] : high[1], low[0] : high[0]]
        shares += cover[..., None] * (membership("hair") - shares)


def membership(layer: str) -> np.ndarray:
    """1 for one layer, 0 for the others."""
    return np.array([float(layer == name) for name in LAYERS])


def paint(head: Sculpture) -> tuple[np.ndarray, np.ndarray]:
    """The texture, sRGB, and the share of each of `LAYERS` in it, both uint8 (SIZE, SIZE, 3)."""
    canvas = Canvas()
    at = head.face_at
    _skin(canvas, at)
    _folds(canvas, at)
    _eyes(canvas, at)
    _lips(canvas, at)
    _hair(canvas)
    _brows(canvas, at)
    image = canvas.color
    image[int(SIZE * (1 - STRIP * 0.8)) :] = 1.0
    image[int(SIZE * (1 - STRIP * 0.8)) :, : SIZE // 4] = PINK
    canvas.layers[int(SIZE * (1 - STRIP * 0.8)) :] = 0
    image, layers = ((np.clip(values, 0, 1) * 255 + 0.5).astype(np.uint8) for values in (image, canvas.layers))
    return image, layers


def _skin(canvas: Canvas, at: np.ndarray) -> None:
    canvas.tint((1.03, 0.90, 0.90), 0.65 * canvas.hill(at[50], (19, 15)))
    canvas.tint((1.03, 0.88, 0.87), 0.8 * canvas.hill(at[4], (11, 10)))
    canvas.tint((1.02, 0.92, 0.90), 0.6 * canvas.hill(at[199], (15, 10)))
    canvas.tint((1.01, 0.93, 0.92), 0.7 * canvas.hill(at[129], (5, 6)))
    canvas.tint((1.02, 1.01, 0.96), 0.6 * canvas.hill(at[151], (35, 18)))
    canvas.tint((0.90, 0.84, 0.86), 0.6 * canvas.hill(at[230], (12, 4.5)))
    canvas.tint((0.94, 0.88, 0.86), 0.4 * canvas.hill(at[27], (13, 5)))
    canvas.tint((0.93, 0.86, 0.84), 0.5 * canvas.hill(at[133] + [2.5, 1], (4, 5)))
    canvas.tint((1.01, 0.90, 0.88), 0.8 * canvas.hill(np.array([171.0, -19.0]), (14, 26)))
    canvas.tint((0.93, 0.90, 0.90), smoothstep(-125, -165, canvas.places[..., 1]) * 0.5)
    # On the neck the map is stretched: there only the finest grain.
    face = smoothstep(-150, -110, canvas.places[..., 1])
    mottle = face * sum(0.006 * canvas.map_noise(cell, cell) for cell in (14.0, 6.0, 2.4))
    mottle += 0.006 * canvas.map_noise(0.8, 0.8)
    canvas.color *= 1 + mottle[..., None] * np.array([0.7, 1.15, 1.2])


def _folds(canvas: Canvas, at: np.ndarray) -> None:
    """Fine shade where skin folds."""
    lid, under_eye = at[list(MESH_RIGHT_UPPER_LID_FOLD)], at[list(MESH_RIGHT_UNDER_EYE)]
    down, right = np.array([0.0, -1.0]), np.array([-1.0, 0.0])
    canvas.crease(lid - 0.6 * down, 0.8, (0.66, 0.54, 0.50), 0.35)
    canvas.crease(lid - 1.6 * down, 2.0, (0.86, 0.78, 0.75), 0.25)
    canvas.crease(under_eye + 1.5 * down, 1.4, (0.88, 0.78, 0.76), 0.5)
    beside_nose, beside_mouth = at[129] + 2.5 * right + down, at[186] + 6 * right - 2 * down
    fold = np.stack([beside_nose, at[203], (at[206] + at[165]) / 2 + 3 * right, beside_mouth])
    canvas.crease(fold, 2.2, (0.90, 0.80, 0.77), 0.6)
    ridge = np.stack([at[2] + 3 * right + 1.5 * down, at[0] + 4.2 * right - 3 * down])
    canvas.crease(ridge, 1.3, (1.03, 1.02, 1.01), 0.7)
    canvas.crease(np.stack([at[2] + 2 * down, at[0] - 2.5 * down]), 1.6, (0.93, 0.86, 0.84), 0.6)
    canvas.crease(np.stack([at[83], at[18]]) - down, 2.6, (0.93, 0.86, 0.84), 0.6)


def _lips(canvas: Canvas, at: np.ndarray) -> None:
    right = at[list(MESH_RIGHT_LIP_OUTLINE)]
    outline = np.concatenate([right, right[-2:0:-1] * [-1, 1]])
    red = canvas.area(outline, 2.2)
    fine = canvas.noise(1.2)
    canvas.blend(LIP_TONE * (1 + 0.03 * fine[..., None]), red * 0.92, "lips")
    line = at[[78, 13]]
    x = np.abs(canvas.places[..., 0])
    middle = line[0, 1] + (at[list(MESH_INNER_LIP_CENTERS), 1].mean() - line[0, 1]) * smoothstep(abs(line[0, 0]), 0, x)
    near = np.exp(-(((canvas.places[..., 1] - middle) / 1.5) ** 2)) * smoothstep(
        abs(line[0, 0]) + 2.5, abs(line[0, 0]) - 2, x
    )
    canvas.tint((0.72, 0.62, 0.62), 0.8 * near)
    upper = red * smoothstep(middle + 1, middle + 4, canvas.places[..., 1])
    canvas.tint((0.93, 0.90, 0.90), upper)


def _eyes(canvas: Canvas, at: np.ndarray) -> None:
    margin = at[list(MESH_RIGHT_LIDS)]
    following = np.roll(margin, -1, 0)
    fine = np.linspace(margin, following, 12, endpoint=False).transpose(1, 0, 2).reshape(-1, 2)
    for sign in (1, -1):
        points = fine * [sign, 1]
        window = (np.abs(canvas.places[..., 0] - points[:, 0].mean()) < 24) & (np.abs(canvas.places[..., 1]) < 22)
        pixels = canvas.places[window]
        gap = np.linalg.norm(pixels[:, None] - points[None], axis=-1)
        which, gap = gap.argmin(1), gap.min(1)
        upper = which < 8 * 12
        shade = np.zeros(canvas.places.shape[:2])
        shade[window] = np.exp(-((gap / np.where(upper, 1.9, 0.7)) ** 2)) * np.where(upper, 0.93, 0.5)
        canvas.blend(np.array([0.12, 0.08, 0.065]), shade, "lashes")


def brow_curve(at: np.ndarray, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper edge of the right brow from its inner end outwards."""
    lower = at[list(MESH_RIGHT_BROW_LOWER_EDGE[::-1])]
    upper = at[list(MESH_RIGHT_BROW_UPPER_EDGE[::-1])]
    knots = np.linspace(0, 1, 5)
    edges = [np.stack([np.interp(t, knots, edge[:, i]) for i in range(2)], 1) for edge in (lower, upper)]
    return edges[0], edges[1]


def _brows(canvas: Canvas, at: np.ndarray) -> None:
    t = np.linspace(0, 1, 60)
    lower, upper = brow_curve(at, t)
    middle = (lower + upper) / 2
    thick = np.interp(t, [0, 0.15, 0.6, 1], [0.42, 0.52, 0.40, 0.10])[:, None]
    outline = np.concatenate([middle + (upper - middle) * thick * 1.1, (middle + (lower - middle) * thick * 1.1)[::-1]])
    canvas.blend(HAIR_TONE * 1.5, canvas.area(outline, 6.0) * 0.42, "hair")
    for _ in range(1100):
        s = canvas.generator.uniform(0, 1)
        low, high = brow_curve(at, np.array([s]))
        mid = (low + high)[0] / 2
        across = (high - low)[0] / 2 * np.interp(s, [0, 0.15, 0.6, 1], [0.48, 0.58, 0.44, 0.14])
        start = mid + across * canvas.generator.uniform(-1.15, 0.6)
        lean = np.interp(s, [0, 0.25, 0.6, 1], [1.35, 0.75, 0.2, -0.35]) + canvas.generator.normal(0, 0.12)
        reach = canvas.generator.uniform(3.0, 5.2) * np.interp(s, [0, 0.2, 1], [0.9, 1.0, 0.75])
        end = start + reach * np.array([-np.cos(lean), np.sin(lean)])
        tone = HAIR_TONE * canvas.generator.uniform(0.9, 1.7)
        opacity = canvas.generator.uniform(0.12, 0.42)
        for sign in (1, -1):
            canvas.stroke(start * [sign, 1], end * [sign, 1], tone, opacity)


def _hair(canvas: Canvas) -> None:
    ragged = 1.5 * canvas.map_noise(0.9, 3.5) + 1.8 * canvas.map_noise(9.0, 9.0)
    share = smoothstep(-8.0, 13.0, hairline(canvas.places) + ragged) ** 1.2 * 0.94
    grain = 1 + 0.17 * canvas.map_noise(0.9, 3.5) + 0.10 * canvas.map_noise(3.0, 8.0)
    canvas.blend(HAIR_TONE * np.clip(grain, 0.5, 1.6)[..., None], share, "hair")
