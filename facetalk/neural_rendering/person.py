"""FACIAL's rendering-to-video (Zhang et al. 2021): a person whose videos a network was trained on."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from facetalk.core.errors import FacetalkError
from facetalk.core.motion import Motion
from facetalk.head.model import HeadModel
from facetalk.motion.frames import matching_head
from facetalk.motion.heads import load_head
from facetalk.networks.registry import load
from facetalk.networks.render2video import PersonGenerator
from facetalk.neural_rendering.appearance import PersonAppearance
from facetalk.neural_rendering.footage import Scene
from facetalk.neural_rendering.layers import LayerMaker, as_bytes
from facetalk.neural_rendering.person_file import PERSON_FILE, read_person_file
from facetalk.neural_rendering.placement import placed
from facetalk.training.device import choose_device, to_device

_log = logging.getLogger(__name__)


class _Take(NamedTuple):
    """What is rendered."""

    motion: Motion
    scene: Scene
    K: Float[Tensor, "3 3"]


class PersonRenderer:
    """See `NeuralRenderer`."""

    def __init__(self, person: PersonAppearance, network: PersonGenerator, head: HeadModel) -> None:
        """Put the parts together.

        Args:
            person: what the person looks like.
            network: trained on the same person.
            head: the one that the person was fitted with.
        """
        self.person, self.head = person, head
        self.device = choose_device("auto")
        self.network = network.to(self.device)
        self.maker = LayerMaker(person, head, network.config)

    @property
    def image_size(self) -> tuple[int, int]:
        """See `NeuralRenderer`."""
        return self.person.size, self.person.size

    def frames(self, motion: Motion, camera: str = "front") -> Iterator[UInt8[np.ndarray, "height width 3"]]:
        """See `NeuralRenderer`.

        Seen from the front, the person turns and moves no farther than in the videos. With the tracked camera, heads of
        the videos that were trained on lie where they do there; those of another video are shown in front of the first
        background.
        """
        motion, _ = matching_head(motion, self.head)
        take = self._tracked(motion) if camera == "tracked" else self._usual(motion)
        return self._drawn(take)

    def _usual(self, motion: Motion) -> _Take:
        scene = self.person.scenes[0]
        own = placed(motion, self.person.habits).replace(betas=self.person.betas, camera=scene.camera)
        return _Take(own, scene, scene.camera.K)

    def _tracked(self, motion: Motion) -> _Take:
        if motion.camera is None:
            raise FacetalkError(
                "this motion was not fitted to a video, so it has no tracked camera; use --camera front"
            )
        fingerprint = motion.meta.get("video_fingerprint")
        known = [scene for scene in self.person.scenes if scene.fingerprint and scene.fingerprint == fingerprint]
        scene = (known or list(self.person.scenes))[0]
        if motion.camera.image_size != scene.video_size:
            raise FacetalkError(
                "the motion was fitted to a video of {}x{} pixels, the person is known from one of {}x{}; use "
                "--camera front".format(*motion.camera.image_size, *scene.video_size)
            )
        if not known:
            _log.warning(
                "the motion was fitted to a video that the person is not known from; its background may differ"
            )
        return _Take(motion, scene, scene.of(motion.camera))

    @torch.inference_mode()
    def _drawn(self, take: _Take) -> Iterator[UInt8[np.ndarray, "height width 3"]]:
        step = max(1, round(take.motion.fps / self.person.fps))
        for layers in self.maker.stream(take.motion, take.scene, take.K, step):
            yield as_bytes(self.network(to_device(layers, self.device)).cpu())[0].numpy()


def read_person(path: Path) -> PersonRenderer:
    """Load the person of a folder that `facetalk train render2video` wrote.

    Raises:
        FacetalkError: the folder holds no person, or its parts do not belong together.
    """
    if not path.is_dir():
        raise FacetalkError(f"no person at {path}; give a folder that facetalk train render2video wrote")
    person = read_person_file(path)
    network = load("person", path)
    config = network.config
    if (config.size, config.num_keyframes) != (person.size, len(person.keyframes)):
        raise FacetalkError(f"{path / PERSON_FILE} belongs to another network than the weights beside it")
    head = load_head(person.head)
    shape = head.shape
    if (len(person.colors), person.habits.expression.shape[1]) != (len(shape.template), len(shape.expression_names)):
        raise FacetalkError(
            f"{path / PERSON_FILE} was made for another version of the head {person.head!r}; train again"
        )
    if len(person.betas) > head.num_betas:
        raise FacetalkError(f"{path / PERSON_FILE} has {len(person.betas)} betas; the head has {head.num_betas}")
    return PersonRenderer(person, network, head)
