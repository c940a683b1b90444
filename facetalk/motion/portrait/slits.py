"""Mouth and eyes as slits between two rims: a dark line where the rims meet, and shade behind them.

A photo with an open mouth does not show the line between closed lips, and one with open eyes no lashes on closed lids.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from facetalk.motion.portrait.crop import WINDOW_LEFT, WINDOW_PX, WINDOW_TOP

_REACH_PX = 6
"""Distance from the rims up to which something is drawn, pixels of the crop: about millimeters."""
_LIP_LINE_PX, _LIP_LINE = 0.7, 0.7
"""Standard deviation of the line between lips, pixels, and its opacity."""
_LIPS_MET_PX = 1.2
"""Gap of the lips at which the line disappears."""
_LASHES_PX, _LASHES = 0.8, 0.75
_LASH_SHADOW_PX, _LASH_SHADOW = 2.0, 0.25
"""Below the line of the lashes."""
_OPEN_PX = 1.5
"""Gap in the photo from which it lacks the line."""
_SHADE_GAP_PX = 2.0
"""Gap of the lips at which half of the light reaches what is behind them."""
_SHADOW_PX, _SHADOW = 4.0, (0.45, 0.4)
"""Width of the shadow of a lip, and the light at the upper and the lower one."""


class Slit(NamedTuple):
    """Opposite points of two rims from the left corner to the right one, pixels of the crop."""

    upper: Float[np.ndarray, "points 2"]
    lower: Float[np.ndarray, "points 2"]

    @property
    def gaps(self) -> Float[np.ndarray, " points"]:
        """Distances of the rims, at least 0 where they cross."""
        along = self.upper[-1] - self.upper[0]
        down = np.array([-along[1], along[0]], np.float32) / max(float(np.hypot(*along)), 1e-6)
        return np.maximum((self.lower - self.upper) @ down, 0)


class Slits(NamedTuple):
    """The slits of a face."""

    mouth: Slit
    eyes: Sequence[Slit]


class _Near(NamedTuple):
    """The pixels around a slit, and of each the nearest place on a line."""

    part: tuple[slice, slice]
    distance: Float[np.ndarray, "rows columns"]
    """Pixels; negative above the line."""
    at: Float[np.ndarray, "rows columns"]
    """Place on the line, in points from its left end."""

    def values(self, of_points: Float[np.ndarray, " points"]) -> Float[np.ndarray, "rows columns"]:
        """Values of the points, interpolated."""
        return np.interp(self.at, np.arange(len(of_points)), of_points)


def lip_line(now: Slit, photo: Slit) -> Float[np.ndarray, "side side"]:
    """Opacity of the dark line between lips that meet, in the window, where the photo has them apart.

    Args:
        now: the mouth in the frame.
        photo: the mouth in the photo.
    """
    opacity = np.zeros((WINDOW_PX, WINDOW_PX), np.float32)
    strength = _LIP_LINE * (photo.gaps / _OPEN_PX).clip(0, 1) * _smooth(1 - now.gaps / _LIPS_MET_PX)
    if strength.max() > 0:
        near = _nearest((now.upper + now.lower) / 2)
        opacity[near.part] = near.values(strength) * _bell(near.distance, _LIP_LINE_PX)
    return opacity


def lashes(now: Slit, photo: Slit) -> Float[np.ndarray, "side side"]:
    """Opacity of the lashes of a closing upper lid in the window; lids that are as open as in the photo have their own.

    Args:
        now: an eye in the frame.
        photo: the same eye in the photo.
    """
    opacity = np.zeros((WINDOW_PX, WINDOW_PX), np.float32)
    open_by = photo.gaps
    strength = _smooth(1 - now.gaps / np.maximum(open_by, _OPEN_PX)) * (open_by / _OPEN_PX).clip(0, 1)
    if strength.max() > 0:
        near = _nearest(now.upper)
        shadow = _LASH_SHADOW * _bell(near.distance, _LASH_SHADOW_PX) * (near.distance > 0)
        opacity[near.part] = near.values(strength) * np.maximum(_LASHES * _bell(near.distance, _LASHES_PX), shadow)
    return opacity


def mouth_light(now: Slit) -> Float[np.ndarray, "side side"]:
    """Share of the light that reaches what the window shows behind the lips: little through a narrow gap, and below
    the upper lip.

    Args:
        now: the mouth in the frame.
    """
    light = np.ones((WINDOW_PX, WINDOW_PX), np.float32)
    for rim, side, least in ((now.upper, 1, _SHADOW[0]), (now.lower, -1, _SHADOW[1])):
        near = _nearest(rim, reach=_REACH_PX + int(now.gaps.max()))
        light[near.part] *= least + (1 - least) * _smooth(side * near.distance / _SHADOW_PX)
    gap = near.values(now.gaps)
    light[near.part] *= gap / (gap + _SHADE_GAP_PX)
    return light


def _nearest(line: Float[np.ndarray, "points 2"], reach: int = _REACH_PX) -> _Near:
    """The pixels of the window up to `reach` around a line from left to right."""
    points = line - np.array([WINDOW_LEFT, WINDOW_TOP], np.float32)
    low = np.clip(np.floor(points.min(0)) - reach, 0, WINDOW_PX).astype(int)
    high = np.clip(np.ceil(points.max(0)) + reach, 0, WINDOW_PX).astype(int)
    part = slice(low[1], high[1]), slice(low[0], high[0])
    y, x = np.mgrid[part]
    places = np.stack([x, y], -1).reshape(-1, 1, 2).astype(np.float32) + np.float32(0.5)
    along = np.diff(points, axis=0)
    away = places - points[:-1]
    share = ((away * along).sum(-1) / np.maximum((along**2).sum(-1), 1e-6)).clip(0, 1)
    apart = away - share[..., None] * along
    squared = (apart**2).sum(-1)
    best = squared.argmin(1)
    rows = np.arange(len(best))
    side = np.sign(along[best, 0] * apart[rows, best, 1] - along[best, 1] * apart[rows, best, 0])
    shape = y.shape
    distance = side * np.sqrt(squared[rows, best])
    return _Near(part, distance.reshape(shape), (best + share[rows, best]).reshape(shape))


def _bell(distance: np.ndarray, spread: float) -> np.ndarray:
    return np.exp(-0.5 * (distance / spread) ** 2)


def _smooth(share: np.ndarray) -> np.ndarray:
    share = np.clip(share, 0, 1)
    return share * share * (3 - 2 * share)
