"""A first guess of what a photo does not show: the surrounding skin, and the head's own mouth in the photo's light.

The network starts from it. Smeared lips or the open eye under a closing lid would first have to be unlearned.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from jaxtyping import Float

from facetalk.motion.portrait.crop import WINDOW, WINDOW_LEFT, WINDOW_PX, WINDOW_TOP
from facetalk.motion.portrait.scene import PortraitScene, View
from facetalk.rendering.filling import filled
from facetalk.rendering.sampling import sampled

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
_TEETH, _INSIDE = (0.9, 1.15), (0.8, 2.0)
"""Share of the head's own colors in teeth and mouth, and their brightness relative to skin, near the least error on the
training clips: the shadow of the lips darkens teeth, and fits are a few pixels off."""
_TINT = 0.7
"""Share of the tint of the photo's skin, relative to the head's, that is the tint of its light."""
_LIP_LINE = np.array([0.45, 0.3, 0.28], np.float32)
"""Color of the line between the lips relative to lips."""
_DARKER = np.float32(0.7)
"""Largest brightness of lashes relative to skin."""
_LASHES_PX = 1.5
"""Distance from the edge of the upper lid in which lashes are looked for."""
_DARKEST = 0.2
"""Share of the pixels there that are taken for lashes."""
_GAINS = (0.25, 1.5)
"""Smallest and largest brightness of the photo relative to the head's colors."""


class FirstGuess:
    """Guesses for the frames of one photo."""

    def __init__(self, scene: PortraitScene, photo: Float[np.ndarray, "crop crop 3"]) -> None:
        """Measure the light of the photo on the face.

        Args:
            scene: the head of the photo.
            photo: its crop, RGB in [0, 1].
        """
        self._photo = np.ascontiguousarray(photo, np.float32)
        face = scene.face_mask()
        found = self._photo[face].mean(0) if face.any() else np.full(3, 0.5, np.float32)
        usual = scene.shared.colors[scene.shared.face > 0].numpy().mean(0)
        brightness = float(found @ _LUMA) / max(float(usual @ _LUMA), 1e-3)
        tint = (found / np.maximum(usual, 1e-3) / max(brightness, 1e-3)) ** _TINT
        self._light = (np.clip(brightness, *_GAINS) * np.clip(tint, 0.5, 2)).astype(np.float32)
        self._lash_color = _darkest(self._photo, [eye.upper for eye in scene.slits.eyes])
        y, x = np.mgrid[0:WINDOW_PX, 0:WINDOW_PX].astype(np.float32) + np.float32(0.5)
        self._places = np.stack([x + WINDOW_LEFT, y + WINDOW_TOP], -1)

    def window(self, view: View) -> Float[np.ndarray, "side side 3"]:
        """The window of a view, RGB: the moved photo where it is valid, and a guess elsewhere on the head."""
        warped = sampled(self._photo, self._places + view.flow[WINDOW])
        valid, covered = view.valid[WINDOW], view.covered[WINDOW]
        skin = filled(warped, valid)
        own = skin.copy()
        for part, (share, brightness) in enumerate((_TEETH, _INSIDE)):
            shown = share * view.guide[WINDOW][..., part : part + 1]
            own += shown * (brightness * self._light * view.colors[WINDOW] - skin)
        needed = (covered - valid).clip(0, 1)[..., None]
        line_colors = (_LIP_LINE * skin, np.minimum(self._lash_color, _DARKER * skin))
        for line, color in enumerate(line_colors):
            own += (view.lines[..., line : line + 1] / needed.clip(1e-3)).clip(0, 1) * (color - own)
        return own


def _darkest(photo: np.ndarray, rims: Sequence[Float[np.ndarray, "points 2"]]) -> Float[np.ndarray, "3"]:
    """Color of the lashes: the darkest at the rims, towards their ends: in the middle, irises and pupils are near."""
    places = []
    for rim in rims:
        for first, second in (*pairwise(rim[:3]), *pairwise(rim[-3:])):
            along = np.linspace(first, second, 4, endpoint=False)
            places += [along + np.array([0, away]) for away in np.linspace(-_LASHES_PX, _LASHES_PX, 5)]
    colors = sampled(photo, np.concatenate(places).astype(np.float32)[None])[0]
    luma = colors @ _LUMA
    return colors[luma <= np.quantile(luma, _DARKEST)].mean(0)
