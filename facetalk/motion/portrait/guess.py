"""A first guess of what a photo does not show: the surrounding skin, and the head's own mouth in the photo's light.

The network starts from it. Smeared lips or the open eye under a closing lid would first have to be unlearned.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from facetalk.motion.portrait.crop import WINDOW, WINDOW_LEFT, WINDOW_PX, WINDOW_TOP
from facetalk.motion.portrait.scene import PortraitScene, View
from facetalk.rendering.filling import filled
from facetalk.rendering.sampling import sampled

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
_TEETH, _INSIDE = (0.5, 0.65), (0.5, 1.7)
"""Share of the head's own colors in teeth and mouth, and their brightness relative to skin, near the least error on the
training clips: the shadow of the lips darkens teeth, and fits are a few pixels off."""
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
        found = float((self._photo[face] @ _LUMA).mean()) if face.any() else 0.5
        albedo = scene.shared.colors[scene.shared.face > 0].numpy() @ _LUMA
        self._gain = np.float32(np.clip(found / max(float(albedo.mean()), 1e-3), *_GAINS))
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
            own += shown * (brightness * self._gain * view.colors[WINDOW] - skin)
        needed = (covered - valid).clip(0, 1)[..., None]
        return warped + needed * (own - warped)
