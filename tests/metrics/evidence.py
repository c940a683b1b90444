"""Evidence of two toy clips, all of which can be stated by a test."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from facetalk.metrics.base import (
    AnglePair,
    CurvePair,
    FeaturePair,
    GazePair,
    LandmarkPair,
    MeshPair,
    Reading,
    Synchrony,
)

FPS = 30.0


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@dataclass
class ToyEvidence:
    """Two clips whose difference is `offset` times noise."""

    offset: float = 0.0
    num_frames: int = 120
    fps: float = FPS
    takes: Sequence[Tensor] = field(default_factory=list)

    def _pair(self, *shape: int, scale: float, seed: int) -> tuple[Tensor, Tensor]:
        reference = scale * noise(self.num_frames, *shape, seed=seed).cumsum(0) / 4
        return reference + self.offset * scale * noise(self.num_frames, *shape, seed=seed + 1), reference

    def meshes(self) -> MeshPair:
        template = 0.05 * noise(70, 3)
        predicted, reference = self._pair(70, 3, scale=0.002, seed=1)
        members = torch.arange(10)
        regions = {"lips": members, "upper_face": members + 20, "skin": members + 40}
        return MeshPair(template + predicted, template + reference, template, regions)

    def landmarks(self) -> LandmarkPair:
        mesh = self.meshes()
        return LandmarkPair(1000 * mesh.predicted[:, :68], 1000 * mesh.reference[:, :68], "mm")

    def head_angles(self) -> AnglePair:
        return AnglePair(*self._pair(3, scale=2.0, seed=3))

    def gaze(self) -> GazePair:
        return GazePair(*self._pair(2, scale=8.0, seed=11))

    def lid_closures(self) -> CurvePair:
        predicted, reference = self._pair(scale=1.0, seed=5)
        return CurvePair(predicted.sigmoid(), reference.sigmoid())

    def loudness(self) -> Tensor:
        return 10 * noise(self.num_frames, seed=7).cumsum(0) / 4 - 40

    def bilabials(self) -> Tensor:
        return torch.arange(self.num_frames) % 20 < 3

    def images(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for frame in range(3):
            image = np.random.default_rng(frame).integers(0, 200, (64, 64, 3), dtype=np.uint8)
            yield image + np.uint8(50 * min(self.offset, 1)), image

    def expression_features(self) -> FeaturePair:
        return FeaturePair(*self._pair(8, scale=1.0, seed=9))

    def reading(self) -> Reading:
        heard = [1, 2, 3, 4]
        return Reading(heard, [1, 2, 2, 4] if self.offset else heard, heard, [0, 1, 1, 2, 3])

    def synchrony(self) -> tuple[Synchrony, Synchrony]:
        offsets = torch.arange(-15, 16) * 1000 / 30
        return tuple(Synchrony(torch.exp(-((offsets - at) / 100).square()), offsets) for at in (100 * self.offset, 0.0))  # type: ignore[return-value]

    def other_takes(self) -> Sequence[Tensor]:
        return self.takes or [self.meshes().reference]
