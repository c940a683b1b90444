"""Frames of one person to train on, with the layers that the network gets for each."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.core.config import check_ranges
from facetalk.core.errors import FacetalkError, UsageError
from facetalk.data.manifest import Clip, read_clips
from facetalk.data.patterns import matches_any
from facetalk.head.assets import HeadAssets
from facetalk.head.model import HeadModel
from facetalk.io.motion import read_motion
from facetalk.motion.frames import posed
from facetalk.motion.heads import load_head
from facetalk.networks.render2video import CENTER, LOOK, WINDOW, PersonLayers, Render2VideoConfig
from facetalk.neural_rendering.appearance import blinks, collect
from facetalk.neural_rendering.footage import Footage, read_footage
from facetalk.neural_rendering.layers import LayerMaker, as_colors, small_look

HALF_CLOSED = 0.5
"""Closure above which a frame shows a blink."""
LEAST_FRAMES = 2 * WINDOW
"""Of a video that is trained on."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PersonDataConfig:
    """Which frames are trained on."""

    only: tuple[str, ...] = ()
    """Speakers or names of clips (patterns with * and ?); all if empty."""
    held_out: float = 0.1
    """Share of the material, its end, that is kept for validation."""
    max_seconds: float = 240.0
    """Of each video; the rest is not read."""
    min_confidence: float = 0.5
    """Frames whose fit has a lower confidence are not trained on."""
    batch_size: int = 1
    blinks: float = 0.15
    """Share of the samples that show closed eyes, which are rare, where there are any."""
    mouth: float = 11.0
    """How much a pixel of the mouth counts, where one beside the face counts 1."""
    eyes: float = 6.0
    """The same of the eyes."""
    face: float = 2.0
    """The same of the rest of the head."""

    def __post_init__(self) -> None:
        check_ranges(self, held_out=(0, 0.9), max_seconds=(1, 1e5), min_confidence=(0, 1), batch_size=(1, 256))
        check_ranges(self, blinks=(0, 1))
        check_ranges(self, mouth=(0, 1e3), eyes=(0, 1e3), face=(0, 1e3))


class PersonBatch(NamedTuple):
    """Frames of a person."""

    layers: PersonLayers
    target: Float[Tensor, "batch 3 size size"]
    """Colors in [-1, 1]."""
    importance: Float[Tensor, "batch 1 size size"]
    """How much each pixel counts."""


def read_person_footage(data_dir: Path | None, config: PersonDataConfig, size: int) -> tuple[list[Footage], HeadModel]:
    """Read the fitted videos of a dataset, in its order.

    Raises:
        UsageError: there is no dataset.
        FacetalkError: a video is gone, or was fitted with another head than the others.
    """
    clips = [clip for clip in read_clips(data_dir, "render2video") if not config.only or _is_chosen(clip, config.only)]
    if not clips:
        raise UsageError(f"no clip of {data_dir} matches data.only={list(config.only)}")
    motions = [read_motion(clip.motion_path) for clip in clips]
    heads = {motion.head for motion in motions}
    if len(heads) > 1:
        raise FacetalkError(
            f"the clips were fitted with different heads: {', '.join(sorted(heads))}; fit them with one"
        )
    head = load_head(heads.pop())
    found = []
    for clip, motion in zip(clips, motions, strict=True):
        if not clip.source or not Path(clip.source).is_file():
            raise FacetalkError(
                f"the video of {clip.name} is not there any more: {clip.source or 'no source is named'}"
            )
        footage = read_footage(clip.source, motion, head, size, config.min_confidence, config.max_seconds)
        if footage.num_frames >= LEAST_FRAMES:
            found.append(footage)
        else:
            _log.warning("%s is left out: it has only %d frames", clip.source, footage.num_frames)
    if not found:
        raise FacetalkError(f"no video has {LEAST_FRAMES} frames; give longer ones")
    return found, head


def _is_chosen(clip: Clip, patterns: Sequence[str]) -> bool:
    return matches_any(clip.speaker, patterns) or matches_any(clip.name, patterns)


def held_out(footages: Sequence[Footage], share: float) -> tuple[list[Footage], list[Footage]]:
    """Parts to train on, the longest one first, and the end of the material for validation.

    Of every video some frames are trained on, because the background is known from them.
    """
    remaining = round(share * sum(footage.num_frames for footage in footages))
    train: list[Footage] = []
    kept: list[Footage] = []
    for footage in reversed(footages):
        count = min(remaining, footage.num_frames - LEAST_FRAMES)
        remaining -= count
        if count:
            kept.insert(0, footage.cut(footage.num_frames - count, footage.num_frames))
        train.append(footage.cut(0, footage.num_frames - count))
    return sorted(train, key=lambda footage: -footage.num_frames), kept


def importance(assets: HeadAssets, config: PersonDataConfig) -> Float[Tensor, "vertices 1"]:
    """By how much more than the background each vertex counts."""
    values = torch.full((len(assets.shape.template), 1), config.face - 1)
    for name, value in (("eyes", config.eyes), ("mouth", config.mouth)):
        values[assets.points.regions[name]] = value - 1
    return values


class PersonFrames:
    """Frames of videos and what the network gets for them; the small renders of windows are made once."""

    def __init__(self, footages: Sequence[Footage], maker: LayerMaker, config: PersonDataConfig) -> None:
        self.footages, self.maker, self.config = footages, maker, config
        self.importance = importance(maker.head.assets, config)
        self.closed = [blinks(footage.motion) for footage in footages]
        scenes = maker.person.scenes
        self.scenes = [scenes[number] for number in range(len(footages))]
        self._small: dict[int, Tensor] = {}
        self.places = [
            (number, int(frame)) for number, item in enumerate(footages) for frame in item.trusted.nonzero()[:, 0]
        ]

        self.blinking = [(number, i) for number, i in self.places if float(self.closed[number][i].mean()) > HALF_CLOSED]

    def small_looks(self, number: int) -> Float[Tensor, "frames 4 half half"]:
        """Renders of a video at half size, in half precision; made when they are first needed."""
        if number not in self._small:
            self._small[number] = self._made_small_looks(number)
        return self._small[number]

    def _made_small_looks(self, number: int) -> Float[Tensor, "frames 4 half half"]:
        footage, K = self.footages[number], self.scenes[number].camera.K
        with torch.inference_mode():
            drawn = (
                self.maker.drawn(vertices, closed, K)
                for vertices, closed in zip(posed(self.maker.head, footage.motion), self.closed[number], strict=True)
            )
            return torch.cat([small_look(item).half() for item in drawn]).clone()

    def sample(self, generator: torch.Generator) -> PersonBatch:
        """Random frames."""
        parts = [self.frame(*self._sampled(generator)) for _ in range(self.config.batch_size)]
        layers = PersonLayers(*(torch.cat(rows) for rows in zip(*(part.layers for part in parts), strict=True)))
        return PersonBatch(
            layers, torch.cat([part.target for part in parts]), torch.cat([part.importance for part in parts])
        )

    def _sampled(self, generator: torch.Generator) -> tuple[int, int]:
        """A video and one of its frames."""
        wants_blink = bool(torch.rand((), generator=generator) < self.config.blinks)
        places = self.blinking if wants_blink and self.blinking else self.places
        return places[int(torch.randint(len(places), (), generator=generator))]

    @torch.no_grad()
    def frame(self, number: int, index: int) -> PersonBatch:
        """One frame of a video."""
        footage, scene = self.footages[number], self.scenes[number]
        motion = footage.motion.cut(index, index + 1)
        vertices = self.maker.head(motion.expression, motion.poses, motion.transl, motion.betas)[0].numpy()
        drawn = self.maker.drawn(vertices, self.closed[number][index], scene.camera.K, self.importance)
        rows = [min(max(index + step - CENTER, 0), footage.num_frames - 1) for step in range(WINDOW)]
        layers = self.maker.layers(drawn, self.small_looks(number)[rows].float(), scene)
        return PersonBatch(layers, as_colors(footage.frames[index][None]), 1 + drawn.values[:, LOOK:])


def make_frames(
    footages: Sequence[Footage], head: HeadModel, network: Render2VideoConfig, config: PersonDataConfig
) -> PersonFrames:
    """Collect the person's appearance from videos, and prepare their frames."""
    person = collect(footages, head, network.num_keyframes)
    return PersonFrames(footages, LayerMaker(person, head, network), config)
