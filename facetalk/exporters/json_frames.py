"""Frames as JSON values, one by one: what streams and `facetalk serve` send."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import torch

from facetalk.core.motion import Motion
from facetalk.exporters.csv import angles
from facetalk.head.channels import ARKIT_NAMES

_DECIMALS = 5


def start_document(seed: int, look_ahead_s: float) -> dict[str, Any]:
    """What comes before the frames.

    Args:
        seed: of the gestures.
        look_ahead_s: audio that is waited for after each frame.
    """
    return {
        "event": "start",
        "version": 1,
        "fps": 30,
        "sample_rate": 16_000,
        "look_ahead_s": round(look_ahead_s, 3),
        "seed": seed,
        "blendshapes": list(ARKIT_NAMES),
    }


def frame_documents(motion: Motion, first: int) -> Iterator[dict[str, Any]]:
    """Yield an object for each frame: weights of ARKit's channels in their order, angles in radians, place in meters.

    Args:
        motion: with ARKit's channels.
        first: number of its first frame.
    """
    rows = torch.cat([motion.expression, angles(motion), motion.transl], 1).double()
    rounded = rows.mul(10**_DECIMALS).round().div(10**_DECIMALS).tolist()
    shapes = motion.expression.shape[1]
    for index, row in enumerate(rounded):
        yield {
            "event": "frame",
            "frame": first + index,
            "seconds": round((first + index) / motion.fps, _DECIMALS),
            "blendshapes": row[:shapes],
            "head": row[shapes : shapes + 3],
            "left_eye": row[shapes + 3 : shapes + 6],
            "right_eye": row[shapes + 6 : shapes + 9],
            "position": row[shapes + 9 :],
        }


def end_document(frames: int) -> dict[str, Any]:
    """What comes after the frames."""
    return {"event": "end", "frames": frames, "seconds": round(frames / 30, _DECIMALS)}


def compact(value: dict[str, Any]) -> str:
    """A value as one line."""
    return json.dumps(value, separators=(",", ":"))
