"""How well speech fits a mouth at different offsets, by the sync critic."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.core.errors import FacetalkError, MissingAssetError
from facetalk.core.motion import Motion
from facetalk.core.timing import FPS
from facetalk.head.assets import HeadAssets
from facetalk.io.audio import Waveform
from facetalk.losses.geometry import MouthVertices
from facetalk.metrics.base import NotOfferedError, Synchrony
from facetalk.networks.critics import SYNC_FRAMES, SyncCritic
from facetalk.networks.registry import describe, load, load_speech

LARGEST_OFFSET = 15
"""Frames at 30 a second by which mouth and speech are shifted against each other, as many as in SyncNet."""
_BLOCK = 600
"""Frames whose similarities are computed together."""


class SyncScorer:
    """A sync critic with the mouth and the speech that it was trained on."""

    def __init__(self, name: str, assets: HeadAssets) -> None:
        """Load the networks.

        Args:
            name: bundled weights, or a folder that `facetalk train sync-critic` wrote.
            assets: the head whose mouth the critic sees.

        Raises:
            NotOfferedError: there are no such weights, or they are for another head.
        """
        try:
            entries = describe("sync-critic", name).entries
        except MissingAssetError:
            raise NotOfferedError(
                f"needs a sync critic, and there is none in {name!r}: facetalk train sync-critic, then "
                "--sync-critic RUN"
            ) from None
        if entries.get("head") != assets.name:
            raise NotOfferedError(
                f"needs a sync critic for the head {assets.name!r}; {name} is for {entries.get('head')!r}: "
                "facetalk train sync-critic, then --sync-critic RUN"
            )
        self.critic: SyncCritic = load("sync-critic", name)
        self.mouth = MouthVertices(assets, len_of(entries.get("num_vertices")))
        self.speech = load_speech(str(entries.get("speech", "")))

    def features(self, waveform: Waveform) -> Float[Tensor, "frames features"]:
        """Features of the speech at 30 frames a second."""
        return self.speech.encode(waveform[:])

    @torch.no_grad()
    def similarities(self, motion: Motion, features: Float[Tensor, "frames features"]) -> Synchrony:
        """Mean similarity with the mouth that is read earlier and later than the speech."""
        motion = motion.to_fps(FPS)
        num_frames = min(motion.num_frames, len(features))
        if num_frames < 2 * LARGEST_OFFSET:
            raise NotOfferedError(f"needs a second of speech and motion; there is {num_frames / FPS:.1f} s")
        moved = self.mouth(motion.expression[None, :num_frames])
        offsets = range(-LARGEST_OFFSET, LARGEST_OFFSET + 1)
        means = []
        for offset in offsets:
            # Positive: the mouth of a later frame belongs to this frame's speech.
            late = moved[:, max(0, offset) : num_frames + min(0, offset)]
            heard = features[None, max(0, -offset) : num_frames - max(0, offset)]
            parts = [self.critic(late[:, part], self.mouth.rest, heard[:, part])[0] for part in _parts(late.shape[1])]
            means.append(torch.cat(parts).mean())
        return Synchrony(torch.stack(means), torch.tensor(offsets) * 1000 / FPS)


def len_of(value: object) -> int:
    """The number of vertices that a description states."""
    if not isinstance(value, int) or not 1 <= value <= 1_000_000:
        raise FacetalkError(f"a sync critic of {value!r:.40} vertices; train it again")
    return value


def _parts(num_frames: int) -> Iterator[slice]:
    """Slices that share the frames by which a critic's result is shorter."""
    shared = SYNC_FRAMES - 1
    for start in range(0, num_frames - shared, _BLOCK):
        yield slice(start, min(start + _BLOCK + shared, num_frames))
