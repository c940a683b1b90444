"""Motions among the speaking styles that a talker knows by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from facetalk.core.motion import Motion
from facetalk.head.channels import ARKIT_NAMES
from facetalk.recipes.evaluation.styles import comparable
from facetalk.talkers.registry import load_talker
from facetalk.talkers.styletalk import StyleTalk

TALKER = "styletalk"


def style_plane(motions: Sequence[Motion]) -> Mapping[str, Any] | None:
    """Return the plane in which the talker's named styles differ most, and where its encoder places motions in it.

    Args:
        motions: any; each is encoded as if it were a reference.

    Returns:
        `names` of the styles; `places` (x, y) of the styles, then of the motions; the `share` of the variance of the
        styles that the plane shows. None where a motion lacks the talker's channels.
    """
    if any(motion.expression_names != ARKIT_NAMES for motion in motions):
        return None
    talker = load_talker(TALKER)
    assert isinstance(talker, StyleTalk)
    codes = [talker.encode_style(motion) for motion in motions]
    known = {"neutral": talker.neutral_style, **talker.styles}
    points = comparable(talker.generator, torch.stack([*(code.float() for code in known.values()), *codes]))
    middle = points[: len(known)].mean(0)
    _, spread, axes = torch.linalg.svd(points[: len(known)] - middle, full_matrices=False)
    variance = spread.square()
    return {
        "names": list(known),
        "places": ((points - middle) @ axes[:2].T).tolist(),
        "share": float(variance[:2].sum() / variance.sum()),
    }
