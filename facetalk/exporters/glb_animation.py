"""One animation of a binary glTF file: weights, rotations and positions of nodes, with as few keys as they need.

Linear interpolation between the keys reproduces the frames: weights within 0.004 where they are stored in eight bits,
rotations within 0.05 degrees, positions within 0.05 mm (see `keys`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float

from facetalk.exporters.glb_file import GlbFile
from facetalk.exporters.keys import ROTATION_TOLERANCE, TRANSLATION_TOLERANCE_M, WEIGHT_TOLERANCE, needed_keys


class GlbAnimation:
    """The samplers and channels of an animation as it grows."""

    def __init__(self, file: GlbFile, fps: float) -> None:
        self._file, self._fps = file, fps
        self._samplers: list[dict[str, Any]] = []
        self._channels: list[dict[str, Any]] = []
        self._inputs: dict[bytes, int] = {}

    def weights(self, node: int, values: Float[np.ndarray, "frames targets"]) -> None:
        """Animate the morph targets of a node: in a byte each, unless they leave 0 to 1."""
        kept = self._animate(node, "weights", values, WEIGHT_TOLERANCE)
        fits = bool(kept.min() >= 0 and kept.max() <= 1)
        self._put(_rounded(kept, np.uint8).ravel() if fits else kept.ravel(), normalized=fits)

    def rotations(self, node: int, values: Float[np.ndarray, "frames 4"]) -> None:
        """Animate the rotation of a node.

        Args:
            node: its number.
            values: unit quaternions (x, y, z, w), neighbors on the same side.
        """
        kept = self._animate(node, "rotation", values, ROTATION_TOLERANCE)
        self._put(_rounded(kept.clip(-1, 1), np.int16), normalized=True)

    def translations(self, node: int, values: Float[np.ndarray, "frames 3"]) -> None:
        """Animate the position of a node relative to its parent, meters."""
        self._put(self._animate(node, "translation", values, TRANSLATION_TOLERANCE_M), normalized=False)

    def document(self, name: str) -> dict[str, Any]:
        """The animation as the file's document states it."""
        return {"name": name, "samplers": self._samplers, "channels": self._channels}

    def _animate(self, node: int, path: str, values: np.ndarray, tolerance: float) -> np.ndarray:
        """Begin a sampler and its channel; returns the values at the keys, which `_put` adds."""
        keep = needed_keys(values, tolerance)
        times = np.flatnonzero(keep) / self._fps
        if keep.tobytes() not in self._inputs:
            self._inputs[keep.tobytes()] = self._file.accessor(times.astype(np.float32))
        self._channels.append({"sampler": len(self._samplers), "target": {"node": node, "path": path}})
        self._samplers.append({"input": self._inputs[keep.tobytes()], "interpolation": "LINEAR"})
        return values if keep.all() else values[keep]

    def _put(self, values: np.ndarray, *, normalized: bool) -> None:
        extra = {"normalized": True} if normalized else {}
        self._samplers[-1]["output"] = self._file.accessor(values, **extra)


def _rounded(values: np.ndarray, kind: type[np.integer[Any]]) -> np.ndarray:
    """Values up to 1 as integers of which the largest means 1; portion by portion."""
    whole = np.empty(values.shape, kind)
    for start in range(0, len(values), 4096):
        whole[start : start + 4096] = np.rint(values[start : start + 4096] * np.float32(np.iinfo(kind).max))
    return whole
