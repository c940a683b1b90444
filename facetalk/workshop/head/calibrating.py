"""Calibration of MediaPipe's points on the bundled head: where they are detected relative to where they were measured.

`python -m facetalk.workshop.head.calibrating` renders the head in several poses and expressions, runs MediaPipe on the
images and writes the mean displacement of each of the 478 points to `calibration.npz` next to this module; then it
adds how that displacement changes with each channel, measured on images of random expressions. Run it again after a
change of the face's shape, channels or texture (two minutes), then rebuild the head.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from facetalk.core.landmarks import NUM_MESH_POINTS, NUM_MESH_SKIN_POINTS
from facetalk.head.assets import HeadAssets
from facetalk.head.channels import ARKIT_NAMES, mirrored
from facetalk.head.model import HeadModel
from facetalk.motion.detector_bias import readings, solve_bias
from facetalk.motion.head_calibration import displacement, expressions
from facetalk.motion.head_surface import head_surface
from facetalk.vision.landmark_detector import MediaPipeDetector
from facetalk.workshop.head.anatomy import read_measurements
from facetalk.workshop.head.build import build_head

CALIBRATION_PATH = Path(__file__).with_name("calibration.npz")

LARGEST_MM = 6.0
ROUNDS = 2
"""Displaced points are projected to the skin, which undoes part of the displacement; the second round corrects it."""

NUM_IMAGES = 2500
"""Number of random expressions for the displacement by channel."""


def point_partners() -> np.ndarray:
    """Index of the mirrored point for each of the 478."""
    pairs = read_measurements().pairs.copy()
    # Iris rings start on the same side of the image in both eyes.
    pairs[NUM_MESH_SKIN_POINTS:NUM_MESH_POINTS] = [473, 476, 475, 474, 477, 468, 471, 470, 469, 472]
    return pairs


def channel_displacements(assets: HeadAssets, count: int = NUM_IMAGES) -> np.ndarray:
    """`HeadPoints.detector_bias` of a head, symmetrized, (53, 478, 3) meters."""
    head, generator = (
        HeadModel(replace(assets, points=replace(assets.points, detector_bias=None))).eval(),
        torch.Generator().manual_seed(0),
    )
    with MediaPipeDetector() as detector:
        measured = solve_bias(list(readings(head, head_surface(assets), detector, count, generator)))
    others = [0, *(1 + ARKIT_NAMES.index(mirrored(name)) for name in ARKIT_NAMES)]
    return (measured + measured[others][:, point_partners()] * [-1, 1, 1]) / 2


def mean_displacement(assets: HeadAssets) -> np.ndarray:
    """Displacement that `motion.head_calibration` measures on the head, (478, 3) mm."""
    head = HeadModel(assets).eval()
    with MediaPipeDetector(follow=False) as detector:
        offsets = displacement(assets, expressions(head, head), detector)
    if offsets is None:
        raise ValueError("MediaPipe does not see the head as a face")
    return offsets * 1000


def evened(offsets: np.ndarray) -> np.ndarray:
    """Symmetrize and bound displacements, (478, 3) mm."""
    even = (offsets + offsets[point_partners()] * [-1, 1, 1]) / 2
    length = np.linalg.norm(even, axis=1, keepdims=True)
    return even * np.minimum(1, LARGEST_MM / np.maximum(length, 1e-9))


def main() -> None:
    """Measure and write the tables."""
    tables = {
        "offsets": np.zeros((NUM_MESH_POINTS, 3), np.float32),
        "by_channel": np.zeros((53, NUM_MESH_POINTS, 3), np.float16),
    }
    for again in range(ROUNDS):
        measured = mean_displacement(build_head(calibrated=again > 0))
        tables["offsets"] = evened(tables["offsets"] + measured).astype(np.float32)
        np.savez_compressed(CALIBRATION_PATH, **tables)
    length = np.linalg.norm(tables["offsets"], axis=1)
    print(f"{CALIBRATION_PATH}: mean displacement {length.mean():.2f} mm, largest {length.max():.2f} mm")
    tables["by_channel"] = channel_displacements(build_head()).astype(np.float16)
    np.savez_compressed(CALIBRATION_PATH, **tables)
    size = np.linalg.norm(tables["by_channel"][1:].astype(np.float32), axis=-1) * 1000
    print(f"{CALIBRATION_PATH}: {size.mean():.2f} mm per channel, largest {size.max():.2f} mm")


if __name__ == "__main__":
    main()
