"""A schematic face of 68 points."""

from __future__ import annotations

import numpy as np


def moving_landmarks(num_frames: int, seed: int = 0) -> np.ndarray:
    """Jaw line, brows, nose, eyes and mouth in pixels, the same in every frame."""
    rng = np.random.default_rng(seed)
    angle = np.linspace(0.1, np.pi - 0.1, 17)
    jaw = np.stack([-50 * np.cos(angle), 60 * np.sin(angle)], 1)
    brows = np.stack([np.linspace(-40, 40, 10), np.full(10, -40.0)], 1)
    nose = np.stack([np.array([0, 0, 0, 0, -10, -5, 0, 5, 10]), np.array([-20, -12, -4, 4, 10, 11, 12, 11, 10])], 1)
    eyes = np.concatenate([x + 8 * np.stack([np.cos(np.arange(6)), 0.4 * np.sin(np.arange(6))], 1) for x in (-25, 25)])
    eyes[:, 1] -= 22
    ring = np.arange(12) * np.pi / 6
    outer = np.stack([-20 * np.cos(ring), 30 - 8 * np.sin(ring)], 1)
    inner = np.stack([-14 * np.cos(np.arange(8) * np.pi / 4), 30 - 3 * np.sin(np.arange(8) * np.pi / 4)], 1)
    face = np.concatenate([jaw, brows, nose, eyes, outer, inner]) + rng.normal(0, 0.1, (68, 2)) + 128
    return np.repeat(face[None], num_frames, 0).astype(np.float32)
