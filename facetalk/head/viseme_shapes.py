"""Visemes as combinations of ARKit channels, for faces that have shapes for sounds instead of muscles.

Two sets: the 15 visemes of Oculus (OVRLipSync), which Ready Player Me and VRChat use, and the five vowels of VRM. The
poses below are the usual look of each sound. A face is split into visemes by bounded least squares; the way back is the
sum.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.head.bounded_least_squares import Smoothness, bounded_over_time
from facetalk.head.channels import ARKIT_NAMES

_BLOCK = 4096
"""Frames that are split together."""

_POSES: Mapping[str, Mapping[str, Mapping[str, float]]] = {
    "oculus": {
        "sil": {},
        "PP": {"mouthPress": 0.5, "mouthRollUpper": 0.4, "mouthRollLower": 0.4},
        "FF": {"jawOpen": 0.05, "mouthRollLower": 0.5, "mouthUpperUp": 0.3},
        "TH": {"jawOpen": 0.15, "mouthLowerDown": 0.2, "mouthUpperUp": 0.1, "tongueOut": 0.4},
        "DD": {"jawOpen": 0.12, "mouthLowerDown": 0.25, "mouthStretch": 0.1},
        "kk": {"jawOpen": 0.18, "mouthLowerDown": 0.15, "mouthUpperUp": 0.1},
        "CH": {"jawOpen": 0.06, "mouthFunnel": 0.5, "mouthPucker": 0.15},
        "SS": {"jawOpen": 0.03, "mouthStretch": 0.3, "mouthLowerDown": 0.25, "mouthUpperUp": 0.15},
        "nn": {"jawOpen": 0.1, "mouthLowerDown": 0.15, "mouthStretch": 0.15},
        "RR": {"jawOpen": 0.1, "mouthFunnel": 0.3, "mouthPucker": 0.3},
        "aa": {"jawOpen": 0.6, "mouthLowerDown": 0.3, "mouthUpperUp": 0.2},
        "E": {"jawOpen": 0.3, "mouthStretch": 0.3, "mouthSmile": 0.2, "mouthLowerDown": 0.3, "mouthUpperUp": 0.2},
        "ih": {"jawOpen": 0.15, "mouthStretch": 0.35, "mouthSmile": 0.3, "mouthLowerDown": 0.25},
        "oh": {"jawOpen": 0.4, "mouthFunnel": 0.6, "mouthPucker": 0.15},
        "ou": {"jawOpen": 0.12, "mouthPucker": 0.7, "mouthFunnel": 0.25},
    },
    "vrm": {
        "aa": {"jawOpen": 0.6, "mouthLowerDown": 0.3, "mouthUpperUp": 0.2},
        "ih": {"jawOpen": 0.15, "mouthStretch": 0.35, "mouthSmile": 0.3, "mouthLowerDown": 0.25},
        "ou": {"jawOpen": 0.12, "mouthPucker": 0.7, "mouthFunnel": 0.25},
        "ee": {"jawOpen": 0.25, "mouthStretch": 0.35, "mouthSmile": 0.3, "mouthLowerDown": 0.3, "mouthUpperUp": 0.15},
        "oh": {"jawOpen": 0.4, "mouthFunnel": 0.6, "mouthPucker": 0.15},
    },
}

VISEME_SETS: Mapping[str, tuple[str, ...]] = {name: tuple(poses) for name, poses in _POSES.items()}
"""Names of the visemes of each set, in the order of its publisher."""

_MOUTH = tuple(dict.fromkeys(name for poses in _POSES.values() for pose in poses.values() for name in pose))
_CLOSED = {"jawOpen": 1.0, "mouthLowerDown": 1.0, "mouthUpperUp": 1.0}
"""What `mouthClose` takes back: a jaw that is open behind closed lips shows no opening."""
_IMPORTANCE = {"jawOpen": 2.0, "mouthPucker": 1.5, "mouthFunnel": 1.5, "mouthPress": 0.7, "mouthSmile": 0.7}
_ONE_AT_A_TIME = Smoothness(step=0.0, pull=0.02)


def to_visemes(expression: Float[Tensor, "frames 52"], kind: str) -> Float[Tensor, "frames visemes"]:
    """Weights in [0, 1] of the visemes that together look most like a face.

    Args:
        expression: ARKit channels in Apple's order.
        kind: `oculus` or `vrm`.
    """
    poses = _poses(kind)
    moving = poses.any(1)
    bounds = torch.tensor([0.0, 1.0], dtype=torch.float64).expand(int(moving.sum()), 2)
    weights = expression.new_zeros(len(expression), len(poses))
    for start in range(0, len(expression), _BLOCK):
        wanted = _seen(expression[start : start + _BLOCK].double())
        found = bounded_over_time(poses[moving], wanted, bounds, _ONE_AT_A_TIME)
        weights[start : start + _BLOCK, moving] = found.to(weights)
    if not moving[0]:  # silence is what the others leave
        weights[:, 0] = (1 - weights[:, 1:].sum(1)).clamp(0, 1)
    return weights


def from_visemes(weights: Float[Tensor, "frames visemes"], kind: str) -> Float[Tensor, "frames 52"]:
    """The ARKit channels that look like weighted visemes, in [0, 1] and Apple's order.

    Args:
        weights: of the visemes of the set.
        kind: `oculus` or `vrm`.
    """
    effect = _poses(kind) / _importance()
    columns = [[_MOUTH.index(base)] if (base := _base(name)) in _MOUTH else [] for name in ARKIT_NAMES]
    table = torch.stack([effect[:, own[0]] if own else effect.new_zeros(len(effect)) for own in columns], 1)
    return (weights @ table.to(weights)).clamp(0, 1)


def _base(channel: str) -> str:
    """A channel without its side, if both sides move alike."""
    side = "Left" if channel.endswith("Left") else "Right" if channel.endswith("Right") else ""
    return channel.removesuffix(side)


def _seen(expression: Float[Tensor, "frames 52"]) -> Float[Tensor, "frames channels"]:
    """Channels of the mouth as they look, both sides together, by importance."""
    closed = expression[:, ARKIT_NAMES.index("mouthClose")]
    rows = []
    for name in _MOUTH:
        members = [number for number, channel in enumerate(ARKIT_NAMES) if _base(channel) == name]
        rows.append((expression[:, members].mean(1) - _CLOSED.get(name, 0.0) * closed).clamp_min(0))
    return torch.stack(rows, 1) * _importance()


def _importance() -> Float[Tensor, " channels"]:
    return torch.tensor([_IMPORTANCE.get(name, 1.0) for name in _MOUTH], dtype=torch.float64)


@cache
def _poses(kind: str) -> Float[Tensor, "visemes channels"]:
    poses = [[pose.get(name, 0.0) for name in _MOUTH] for pose in _POSES[kind].values()]
    return torch.tensor(poses, dtype=torch.float64) * _importance()
