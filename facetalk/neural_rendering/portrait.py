"""A photo that moves: the portrait renderer of StyleTalk (Ma et al. 2023).

The flow of the tracked head moves the pixels of the photo, a network paints what the photo does not show, and the
result is laid into the photo, in front of its own background.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor
from torch.nn import functional

from facetalk.core.errors import UsageError
from facetalk.core.motion import Motion
from facetalk.motion.frames import matching_head
from facetalk.motion.heads import load_head
from facetalk.motion.portrait.crop import WINDOW_LEFT, WINDOW_PX, WINDOW_TOP
from facetalk.motion.portrait.driving import Driven, PhotoDriver, motion_rows, windows
from facetalk.motion.portrait.guess import FirstGuess
from facetalk.motion.portrait.photo import PhotoFit, fit_photo
from facetalk.motion.portrait.scene import PortraitHead, PortraitScene, RigidPose, View, network_inputs
from facetalk.networks.person_matte import MATTE_SIDE, PersonMatte
from facetalk.networks.portrait import WINDOW_FRAMES, PortraitNetwork
from facetalk.networks.registry import load
from facetalk.rendering.guided_filter import guided
from facetalk.rendering.moved_photo import MovedPhoto
from facetalk.rendering.sampling import sampled
from facetalk.training.device import autocast
from facetalk.vision.person_matte import person_matte

LONGEST_SIDE, SHORTEST_LONG_SIDE = 720, 256
"""Range of the longer side of the video, pixels; within it, that of the photo is kept."""
BATCH = 4
"""Frames that the network draws together."""
_BLOCK = 64
"""Frames that are posed together; memory does not grow with the motion."""
_PERSON = 0.8
"""Mean opacity of the face from which the person can be told from the background."""
_EDGE_PX, _EDGE_NOISE = 8, 1e-3
"""How far from the network's edge of the person the image's is looked for, and the variance of colors without edges."""
_CERTAIN = (0.25, 0.85)
"""Opacities up to which a pixel is background, and from which it is the person."""
_FADE_PX = 12
"""Distance from the edge of the network's window over which its work appears."""
_MOVED_PX = 1.0
"""Largest way in a frame from which the network's work appears in full: an unmoved photo stays as it is."""
_CORNER = (WINDOW_LEFT, WINDOW_TOP)

_log = logging.getLogger(__name__)


class PortraitRenderer:
    """Renders the person of one photo; see `NeuralRenderer`."""

    def __init__(self, photo: PhotoFit, shared: PortraitHead, network: PortraitNetwork, matte: PersonMatte) -> None:
        """Prepare everything that does not change from frame to frame.

        Args:
            photo: the photo and the head in it.
            shared: head model.
            network: paints.
            matte: tells the person from the background where the installed MediaPipe cannot, which does it better.
        """
        self._shared, self._network, self._fit = shared, network.eval(), photo.fit
        self._scene = PortraitScene(shared, photo.fit, photo.points)
        crop = self._scene.crop
        cut = crop.cut(photo.image)
        self._photo = torch.from_numpy(cut).permute(2, 0, 1).contiguous()[None] / 255
        self._guess = FirstGuess(self._scene, cut / 255)
        scale = shown_scale((photo.image.shape[1], photo.image.shape[0]))
        width, height = (2 * max(1, round(side * scale / 2)) for side in photo.image.shape[1::-1])
        self.image_size = width, height
        """Width and height of the frames, pixels."""
        self._shown = np.asarray(Image.fromarray(photo.image).resize(self.image_size, Image.Resampling.LANCZOS))
        ratio = torch.tensor([new / old for new, old in zip(self.image_size, photo.image.shape[1::-1], strict=True)])
        linear = crop.to_crop[:, :2] / ratio
        self._part = crop.scaled(ratio).bounds(self.image_size)
        rows, columns = self._part
        shift = crop.to_crop[:, 2] + linear @ torch.tensor([float(columns.start), float(rows.start)])
        self._to_crop = torch.cat([linear, shift[:, None]], 1).numpy()
        self._to_photo = torch.linalg.inv(linear).numpy()
        self._moved = MovedPhoto(self._shown[self._part], self._opacity(matte))
        self._fade = _window_fade()

    def frames(self, motion: Motion, camera: str = "front") -> Iterator[UInt8[np.ndarray, "height width 3"]]:
        """See `NeuralRenderer.frames`."""
        if camera != "front":
            raise UsageError("--portrait takes no --camera tracked: the photo has its own camera")
        motion = matching_head(motion, self._shared.model)[0]
        return self._drawn(motion)

    def _drawn(self, motion: Motion) -> Iterator[UInt8[np.ndarray, "height width 3"]]:
        with ThreadPoolExecutor(1) as pool:
            parts = self._parts(motion)
            coming = pool.submit(next, parts, None)
            while (part := coming.result()) is not None:
                coming = pool.submit(next, parts, None)
                yield from self._compose(*part)

    def _parts(self, motion: Motion) -> Iterator[tuple[list[View], Float[Tensor, "frames size motion"]]]:
        """Views and windows of motion of a few frames at a time."""
        driver = PhotoDriver(self._shared, self._fit, motion.cut(0, 1))
        reach = WINDOW_FRAMES // 2
        for start in range(0, motion.num_frames, _BLOCK):
            stop = min(start + _BLOCK, motion.num_frames)
            first, last = max(start - reach, 0), min(stop + reach, motion.num_frames)
            driven = driver.drive(motion.replace(events=()).cut(first, last), first)
            rows = torch.stack(list(windows(self._rows(driven), WINDOW_FRAMES)))[start - first : stop - first]
            for offset in range(start, stop, BATCH):
                some = slice(offset - first, min(offset + BATCH, stop) - first)
                yield self._views(driven, some), rows[offset - start : min(offset + BATCH, stop) - start]

    def _rows(self, driven: Driven) -> Float[Tensor, "frames motion"]:
        return motion_rows(self._shared, driven, self._fit.expression[0], self._scene.pose)

    def _views(self, driven: Driven, frames: slice) -> list[View]:
        with torch.inference_mode():
            local = self._shared.local(driven.expression[frames], driven.eyes[frames], self._fit.betas)
            poses = zip(driven.pose.rotation[frames], driven.pose.shift[frames], strict=True)
            return [self._scene.view(mesh, RigidPose(*pose)) for mesh, pose in zip(local, poses, strict=True)]

    def _compose(self, views: list[View], motion: Tensor) -> Iterator[UInt8[np.ndarray, "height width 3"]]:
        flows, cues = (torch.stack(values) for values in zip(*map(network_inputs, views), strict=True))
        guesses = torch.from_numpy(np.stack([self._guess.window(view) for view in views])).permute(0, 3, 1, 2)
        with torch.inference_mode(), autocast(self._photo.device, True):
            code = self._network.code(motion)
            drawn = self._network(self._photo.expand(len(views), -1, -1, -1), flows, cues, guesses, code, _CORNER)
        painted = torch.cat([255 * (drawn.needed * drawn.guess + drawn.change), drawn.needed], 1)
        layers = painted.permute(0, 2, 3, 1).numpy()
        for view, layer in zip(views, layers, strict=True):
            shown = self._fade * min(1.0, float(np.abs(view.flow).max()) / _MOVED_PX)
            image = self._shown.copy()
            image[self._part] = self._moved.frame(view.flow, layer * shown, _CORNER, self._to_crop, self._to_photo)
            yield image

    def _opacity(self, network: PersonMatte) -> Float[np.ndarray, "height width"] | None:
        """Opacity of the person in the part of the photo; None where it cannot be told from the background."""
        crop = self._photo[0].permute(1, 2, 0).numpy()
        matte = person_matte(np.clip(np.rint(255 * crop), 0, 255).astype(np.uint8))
        if matte is None:  # a MediaPipe without this model, as on Python 3.13
            matte = own_matte(network, self._photo)
        face = self._scene.face_mask()
        if float(matte[face].mean()) < _PERSON:
            _log.warning("the person does not stand out from the background, which moves a little with the head")
            return None
        matte = np.maximum(matte, face.astype(np.float32))
        rows, columns = (np.arange(part.stop - part.start) + 0.5 for part in self._part)
        places = np.stack(np.meshgrid(columns, rows), -1) @ self._to_crop[:, :2].T + self._to_crop[:, 2]
        return sampled(matte[..., None], places)[..., 0]


def own_matte(network: PersonMatte, crop: Float[Tensor, "1 3 crop crop"]) -> Float[np.ndarray, "crop crop"]:
    """Opacity of the person in a crop, with the edges of the image.

    Args:
        network: see `facetalk.networks.person_matte`.
        crop: RGB in [0, 1].
    """
    with torch.inference_mode():
        small = functional.interpolate(crop, (MATTE_SIDE, MATTE_SIDE), mode="area")
        rough = functional.interpolate(network(small).sigmoid()[:, None], crop.shape[2:], mode="bilinear")[0, 0]
    opacity = guided(rough.numpy(), crop[0].permute(1, 2, 0).numpy(), _EDGE_PX, _EDGE_NOISE)
    low, high = _CERTAIN
    return ((opacity - low) / (high - low)).clip(0, 1)


def shown_scale(size: tuple[int, int]) -> float:
    """Scale of the video over the photo."""
    longest = max(size)
    return min(max(longest, SHORTEST_LONG_SIDE), LONGEST_SIDE) / longest


def _window_fade() -> Float[np.ndarray, "side side 1"]:
    """Share of the network's work at each pixel of its window."""
    along = np.minimum(np.arange(WINDOW_PX), np.arange(WINDOW_PX)[::-1])
    share = np.clip(np.minimum(along[:, None], along) / _FADE_PX, 0, 1)
    return share[..., None].astype(np.float32)


def read_portrait(path: Path) -> PortraitRenderer:
    """A renderer of the person in a photo.

    Args:
        path: an image file, see `fit_photo`.

    Raises:
        UsageError: the path is empty.
        FacetalkError: the photo cannot be read, or shows no face that can be moved.
        MissingAssetError: the weights are missing.
    """
    if path == Path():
        raise UsageError("--portrait names no file; give a photo of a person")
    head = load_head("facetalk")
    return PortraitRenderer(fit_photo(path, head), PortraitHead(head), load("portrait"), load("person-matte"))
