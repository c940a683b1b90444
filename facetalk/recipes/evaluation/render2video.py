"""Rendering-to-video on frames of the same videos that it was not trained on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from facetalk.metrics.image_similarity import psnr_db, ssim
from facetalk.networks.render2video import PersonGenerator
from facetalk.neural_rendering.appearance import spread_over
from facetalk.neural_rendering.footage import Footage
from facetalk.neural_rendering.layers import as_bytes
from facetalk.recipes.parts.person_frames import PersonFrames

MOST_FRAMES = 24
"""Of each part."""


def evaluate_person(model: PersonGenerator, frames: PersonFrames, validation: Sequence[Footage]) -> dict[str, float]:
    """SSIM and PSNR of the network, of its first warped photo alone, and of the mean of the frames trained on.

    Args:
        model: in eval mode, on the CPU.
        frames: what was trained on.
        validation: parts of the same videos.
    """
    found: dict[str, list[tuple[float, float]]] = {"": [], "warp_": [], "mean_": []}
    for footage in validation:
        number = next(i for i, item in enumerate(frames.footages) if item.scene is footage.scene)
        mean = frames.footages[number].frames.float().mean(0).round().to(torch.uint8)
        scene = frames.scenes[number]
        wanted = set(spread_over(footage.trusted.nonzero()[:, 0], MOST_FRAMES))
        for index, layers in enumerate(frames.maker.stream(footage.motion, scene, scene.camera.K)):
            if index not in wanted:
                continue
            real = footage.frames[index].numpy()
            shown = {"": as_bytes(model(layers))[0], "mean_": mean}
            if model.config.num_keyframes:
                shown["warp_"] = as_bytes(layers.photos[:, 0])[0]
            for name, image in shown.items():
                found[name].append(_similarity(image, real))
    rows = {name: np.mean(values, 0) for name, values in found.items() if values}
    return {
        f"{name}{figure}": float(row[i]) for name, row in rows.items() for i, figure in enumerate(("ssim", "psnr_db"))
    }


def _similarity(image: Tensor, real: np.ndarray) -> tuple[float, float]:
    return ssim(image.numpy(), real), psnr_db(image.numpy(), real)
