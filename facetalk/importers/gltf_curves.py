"""The curves of one glTF animation, sampled at any times: linear, stepped or cubic; rotations take the shortest arc."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from facetalk.core.rotations import slerp
from facetalk.io.gltf import GltfFile, is_whole
from facetalk.io.gltf_values import GltfValues

_INTERPOLATIONS = ("LINEAR", "STEP", "CUBICSPLINE")
_WIDTHS = {"translation": 3, "rotation": 4, "scale": 3}


@dataclass(frozen=True, eq=False)
class Curve:
    """Values at keys, and how a program fills in between."""

    times: Float[np.ndarray, " keys"]
    """Seconds, increasing."""
    values: Float[np.ndarray, "keys parts width"]
    """One part; for cubic curves tangent, value, tangent."""
    interpolation: str
    is_rotation: bool

    @property
    def width(self) -> int:
        """Numbers at each key."""
        return self.values.shape[2]

    def at(
        self, times: Float[np.ndarray, " frames"], columns: Sequence[int] | None = None
    ) -> Float[np.ndarray, "frames columns"]:
        """Values at other times; constant beyond the ends.

        Args:
            times: seconds.
            columns: which of the numbers; all if not given.
        """
        values = self.values if columns is None else self.values[..., list(columns)]
        keys = values[:, 1] if self.interpolation == "CUBICSPLINE" else values[:, 0]
        left = np.clip(np.searchsorted(self.times, times + 1e-7, side="right") - 1, 0, len(self.times) - 1)
        right = np.minimum(left + 1, len(self.times) - 1)
        span = self.times[right] - self.times[left]
        share = np.clip((times - self.times[left]) / np.where(span > 0, span, 1), 0, 1)[:, None]
        if self.interpolation == "STEP":
            found = keys[left]
        elif self.interpolation == "CUBICSPLINE":
            found = _cubic(values[left], values[right], span[:, None], share)
        elif self.is_rotation:
            found = _arc(keys[left], keys[right], share)
        else:
            found = keys[left] + share * (keys[right] - keys[left])
        return found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-9) if self.is_rotation else found


def animation_curves(file: GltfFile, animation: dict[str, Any]) -> dict[tuple[int, str], Curve]:
    """The curves of an animation by node and property: `weights`, `rotation`, `translation` or `scale`.

    Raises:
        GltfError: a sampler is damaged.
        CompressedError: its values are compressed.
    """
    values = GltfValues(file)
    samplers = file.objects(animation, "samplers", "an animation")
    curves = {}
    for number, channel in enumerate(file.objects(animation, "channels", "an animation")):
        target = channel.get("target")
        node, path = (target.get("node"), target.get("path")) if isinstance(target, dict) else (None, None)
        if node is None or path not in (*_WIDTHS, "weights"):
            continue  # of an extension
        node = file.index(node, len(file.table("nodes")), f"animation channel {number}")
        where = f"animation channel {number}"
        sampler = samplers[file.index(channel.get("sampler"), len(samplers), where)]
        curves[node, path] = _curve(file, values, sampler, path, where)
    return curves


def _curve(file: GltfFile, values: GltfValues, sampler: dict[str, Any], path: str, where: str) -> Curve:
    interpolation = sampler.get("interpolation", "LINEAR")
    if interpolation not in _INTERPOLATIONS:
        raise file.error(f"{where} has the unknown interpolation {str(interpolation)[:20]!r}")
    times = values.floats(sampler.get("input"), f"the times of {where}", 1)[:, 0].astype(np.float64)
    if times[0] < 0 or (np.diff(times) < 0).any():
        raise file.error(f"the times of {where} do not increase")
    numbers = values.floats(sampler.get("output"), f"the values of {where}", _WIDTHS.get(path, 1))
    parts = 3 if interpolation == "CUBICSPLINE" else 1
    width = numbers.size // (len(times) * parts)
    if not is_whole(width) or width == 0 or width * len(times) * parts != numbers.size:
        raise file.error(f"{where} has {numbers.size} values for {len(times)} times")
    return Curve(times, numbers.reshape(len(times), parts, width), interpolation, path == "rotation")


def _cubic(start: np.ndarray, end: np.ndarray, span: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Hermite spline of the standard's appendix C, between keys of tangent, value, tangent."""
    square, cube = share**2, share**3
    return (
        (2 * cube - 3 * square + 1) * start[:, 1]
        + span * (cube - 2 * square + share) * start[:, 2]
        + (3 * square - 2 * cube) * end[:, 1]
        + span * (cube - square) * end[:, 0]
    )


def _arc(first: np.ndarray, second: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Between unit quaternions, along the shortest arc."""
    start, end = (torch.from_numpy(np.ascontiguousarray(keys, np.float64)) for keys in (first, second))
    return slerp(start, end, torch.from_numpy(share[:, 0])).numpy()
