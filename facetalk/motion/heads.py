"""Heads by name."""

from __future__ import annotations

from dataclasses import replace

from facetalk.head.looks import Look
from facetalk.head.model import HeadModel
from facetalk.io.heads import BUNDLED_HEADS, read_head
from facetalk.motion.head_calibration import calibrated


def load_head(name: str = "facetalk", look: Look | None = None) -> HeadModel:
    """A head by name and in the colours of a look, ready to be posed, fitted and retargeted.

    A head of another publisher is looked at by MediaPipe before its first use, see `calibration.py`.

    Args:
        name: see `facetalk.io.heads.read_head`.
        look: its own colours, if not given.
    """
    if name in BUNDLED_HEADS:
        return HeadModel(read_head(name, look)).eval()
    plain = calibrated(HeadModel(read_head(name)).eval(), load_head())
    if look is None:
        return plain
    return HeadModel(
        replace(read_head(name, look), points=replace(read_head(name, look).points, mediapipe=plain.points.mediapipe))
    ).eval()
