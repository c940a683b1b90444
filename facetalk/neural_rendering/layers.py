"""Motion of a person -> the layers that the network composes their frames of, frame by frame."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from facetalk.core.motion import Motion
from facetalk.head.model import HeadModel
from facetalk.motion.frames import posed
from facetalk.networks.render2video import CENTER, LOOK, WINDOW, PersonLayers, Render2VideoConfig
from facetalk.neural_rendering.appearance import HeadLook, PersonAppearance, blinks
from facetalk.neural_rendering.drawn_head import DrawnHead, draw, follows, grid, head_faces, shifts, warped
from facetalk.neural_rendering.footage import Scene


class LayerMaker:
    """Draws the head of a person, and warps their keyframes to it."""

    def __init__(self, person: PersonAppearance, head: HeadModel, config: Render2VideoConfig) -> None:
        self.person, self.head, self.config = person, head, config
        self.faces = head_faces(head.assets)
        self.look = HeadLook(head, person.colors)
        self.keyframes = as_colors(person.keyframes)
        self.plates = [as_colors(scene.plate[None])[0] for scene in person.scenes]

    def drawn(
        self,
        vertices: Float[np.ndarray, "vertices 3"],
        closed: Float[Tensor, "2"],
        K: Float[Tensor, "3 3"],
        further: Float[Tensor, "vertices further"] | None = None,
    ) -> DrawnHead:
        """The head in one frame: color and eye attention.

        Args:
            vertices: in the frame of the camera, meters.
            closed: how far each eye is closed.
            K: intrinsics for the square frames.
            further: attributes that are drawn as well.
        """
        attributes = self.look.attributes(closed)
        if further is not None:
            attributes = torch.cat([attributes, further], 1)
        return draw(torch.from_numpy(vertices), attributes, self.faces, K, self.config.size)

    def photos(self, drawn: DrawnHead, scene: Scene) -> Float[Tensor, "photos 3 size size"]:
        """Keyframes warped to a drawn head, one that follows it as a whole, and the background of its scene."""
        found = []
        if self.config.num_keyframes:
            shift = shifts(drawn, self.person.key_points)
            near = follows(drawn.coverage)[0, 0, :, :, None]
            found.append(warped(self.keyframes, grid(shift * near)))
            if self.config.follow:
                found.append(warped(self.keyframes[:1], grid(shift[:1])))
        if self.config.plate:
            found.append(self.plates[self.person.scenes.index(scene)][None])
        empty = drawn.values.new_zeros(0, 3, self.config.size, self.config.size)
        return torch.cat([empty, *found])

    def layers(self, drawn: DrawnHead, window: Float[Tensor, "window 4 half half"], scene: Scene) -> PersonLayers:
        """What the network gets for one frame."""
        look = drawn.values[:, :LOOK]
        return PersonLayers(look, drawn.coverage, window.flatten(0, 1)[None], self.photos(drawn, scene)[None])

    def stream(self, motion: Motion, scene: Scene, K: Float[Tensor, "3 3"], step: int = 1) -> Iterator[PersonLayers]:
        """Layers of each frame of a motion, of which only a window is held.

        Args:
            motion: on the person's head, in front of the camera.
            scene: whose background is shown.
            K: intrinsics for the square frames.
            step: frames between two renders of a window.
        """
        before, after = CENTER * step, (WINDOW - 1 - CENTER) * step
        held: list[tuple[DrawnHead, Tensor]] = []
        heads = zip(posed(self.head, motion), blinks(motion), strict=True)

        def take() -> None:
            vertices, closed = next(heads)
            drawn = self.drawn(vertices, closed, K)
            held.append((drawn, small_look(drawn)))

        first, last = 0, motion.num_frames - 1
        for index in range(motion.num_frames):
            while first + len(held) <= min(index + after, last):
                take()
            rows = [min(max(index + step * (number - CENTER), 0), last) for number in range(WINDOW)]
            window = torch.cat([held[row - first][1] for row in rows])
            yield self.layers(held[index - first][0], window, scene)
            while first < index + 1 - before:
                held.pop(0)
                first += 1


def small_look(drawn: DrawnHead) -> Float[Tensor, "1 4 half half"]:
    """A render at half size, for windows."""
    return functional.avg_pool2d(drawn.values[:, :LOOK], 2)


def as_colors(images: Tensor) -> Float[Tensor, "images 3 size size"]:
    """Images of bytes, channels last, as colors in [-1, 1]."""
    return images.permute(0, 3, 1, 2).float() / 127.5 - 1


def as_bytes(colors: Float[Tensor, "images 3 size size"]) -> Tensor:
    """Colors in [-1, 1] as images of bytes, channels last."""
    return ((colors + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous()
