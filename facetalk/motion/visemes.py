"""Weights of Oculus' visemes for a motion: what its mouth shows, and where it has phonemes, what it says.

Each viseme is a pose of ARKit's channels. The weights of a frame are the non-negative combination of poses closest to
its channels,

    |x A - b|^2 + sum_v trust_v (x_v - p_v)^2,    0 <= x_v <= 1,

where b are the channels less what the face does all the time, and p is 1 while a phoneme with this viseme is spoken.
Many visemes look alike (T, N, S, K), and closed lips are silence or a P: channels decide how far the mouth opens,
phonemes which viseme it is. Without phonemes the second sum is a small cost of every weight.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.audio.visemes import OCULUS, OCULUS_VISEMES
from facetalk.core.events import Event
from facetalk.core.motion import Motion
from facetalk.head.channels import ARKIT_NAMES

POSES: Mapping[str, Mapping[str, float]] = {
    "PP": {"mouthPress": 0.4, "mouthRollLower": 0.35, "mouthRollUpper": 0.25, "mouthClose": 0.15},
    "FF": {"mouthRollLower": 0.6, "mouthUpperUp": 0.25},
    "TH": {"jawOpen": 0.15, "mouthLowerDown": 0.1, "tongueOut": 0.4},
    "DD": {"jawOpen": 0.15, "mouthLowerDown": 0.2, "mouthUpperUp": 0.1},
    "kk": {"jawOpen": 0.25, "mouthLowerDown": 0.1, "mouthUpperUp": 0.1},
    "CH": {"jawOpen": 0.12, "mouthFunnel": 0.4, "mouthPucker": 0.2},
    "SS": {"jawOpen": 0.05, "mouthLowerDown": 0.25, "mouthStretch": 0.25, "mouthSmile": 0.15},
    "nn": {"jawOpen": 0.12, "mouthLowerDown": 0.15, "mouthStretch": 0.05},
    "RR": {"jawOpen": 0.15, "mouthFunnel": 0.25, "mouthPucker": 0.3},
    "aa": {"jawOpen": 0.6, "mouthLowerDown": 0.2, "mouthUpperUp": 0.1},
    "E": {"jawOpen": 0.3, "mouthLowerDown": 0.2, "mouthUpperUp": 0.15, "mouthStretch": 0.2, "mouthSmile": 0.2},
    "ih": {"jawOpen": 0.15, "mouthLowerDown": 0.15, "mouthStretch": 0.2, "mouthSmile": 0.35},
    "oh": {"jawOpen": 0.4, "mouthFunnel": 0.35, "mouthPucker": 0.2},
    "ou": {"jawOpen": 0.1, "mouthFunnel": 0.25, "mouthPucker": 0.7},
}
"""Channels of each viseme at weight 1, both sides alike; `jawOpen` is the opening that `mouthClose` leaves."""

CONTACTS = ("PP", "FF")
"""Visemes in which the lips touch something, which a talker lets them do on these phonemes."""

_CHANNELS = tuple(sorted({name for pose in POSES.values() for name in pose}))
_IMPORTANCE = {"jawOpen": 2.0, "mouthSmile": 0.5, "tongueOut": 0.5}
"""How much a channel's error counts, relative to the others: smiles come and go with the mood as well."""
_TRUST, _CONTACT_TRUST, _LEAST_TRUST = 1.0, 4.0, 0.1
"""Cost of disregarding a phoneme, relative to the squared length of its pose, and the smallest such cost."""
_PULL = 0.02
"""Cost of a weight without phonemes."""
_USUAL_QUANTILE, _MOST_USUAL = 0.2, 0.2
"""What a face does all the time: this quantile of a channel over the motion, at most so much."""
_RAMP_S = 0.06
"""For so long before and after a phoneme its viseme comes and goes."""
_SWEEPS = 40
_BLOCK = 4096


def viseme_weights(motion: Motion, visemes: Sequence[str] = OCULUS_VISEMES) -> Float[Tensor, "frames visemes"]:
    """Weights in [0, 1] of some of Oculus' visemes, of which each row sums to at most 1.

    Args:
        motion: with ARKit's channels, with or without phonemes.
        visemes: of `OCULUS_VISEMES`. With `sil`, which gets what is left by the others, each row sums to 1.
    """
    shown = [name for name in visemes if name != "sil"]
    scale = torch.tensor([_IMPORTANCE.get(name, 1.0) for name in _CHANNELS])
    poses = scale * torch.tensor([[POSES[viseme].get(name, 0.0) for name in _CHANNELS] for viseme in shown])
    usual = scale * _usual(motion)
    phonemes = motion.events_of("phoneme")
    spoken = spoken_visemes(phonemes, shown, motion.num_frames, motion.fps)
    trust = _trust(poses, shown) if phonemes else torch.full((len(shown),), _PULL)
    weights = torch.empty(motion.num_frames, len(shown))
    for start, part in motion.blocks(_BLOCK):
        rows = slice(start, start + _BLOCK)
        weights[rows] = _solved(poses, scale * _mouth(part) - usual, spoken[rows], trust)
    weights /= weights.sum(1, keepdim=True).clamp_min(1)
    if "sil" not in visemes:
        return weights
    place = visemes.index("sil")
    return torch.cat([weights[:, :place], (1 - weights.sum(1, keepdim=True)).clamp_min(0), weights[:, place:]], 1)


def viseme_expression(
    weights: Float[Tensor, "frames visemes"], visemes: Sequence[str] = OCULUS_VISEMES
) -> Float[Tensor, "frames 52"]:
    """ARKit's channels of a mouth that shows weighted visemes: the sum of their poses, in [0, 1] and Apple's order.

    Args:
        weights: one column for each viseme.
        visemes: of `OCULUS_VISEMES`.
    """
    bases = [name if name in _CHANNELS else name.removesuffix("Left").removesuffix("Right") for name in ARKIT_NAMES]
    poses = [[POSES.get(viseme, {}).get(base, 0.0) for base in bases] for viseme in visemes]
    return (weights @ weights.new_tensor(poses)).clamp(0, 1)


def spoken_visemes(
    phonemes: Iterable[Event], visemes: Sequence[str], num_frames: int, fps: float
) -> Float[Tensor, "frames visemes"]:
    """Return 1 while a viseme is spoken, with a linear onset and release; a row sums to at most 1.

    Args:
        phonemes: events, labels as in `facetalk.audio.phonemes`.
        visemes: those that count.
        num_frames: of the result.
        fps: frames a second.
    """
    spoken = torch.zeros(num_frames, len(visemes))
    for phoneme in phonemes:
        parts = OCULUS.get(phoneme.label, ())
        for number, viseme in enumerate(parts):
            if viseme not in visemes:
                continue
            start, end = (phoneme.start + phoneme.duration_s * share / len(parts) for share in (number, number + 1))
            first, last = max(0, int((start - _RAMP_S) * fps)), min(num_frames, int((end + _RAMP_S) * fps) + 2)
            times = torch.arange(first, last) / fps
            level = 1 - torch.maximum(start - times, times - end).clamp_min(0) / _RAMP_S
            column = spoken[first:last, visemes.index(viseme)]
            column.copy_(torch.maximum(column, level.clamp_min(0)))
    return spoken / spoken.sum(1, keepdim=True).clamp_min(1)


def _mouth(motion: Motion) -> Float[Tensor, "frames channels"]:
    """The channels of the poses: means of both sides, and the opening in place of `jawOpen`."""
    mouth = torch.stack([_both_sides(motion, name) for name in _CHANNELS], 1)
    opening = (motion.channel("jawOpen") - motion.channel("mouthClose")).clamp_min(0)
    mouth[:, _CHANNELS.index("jawOpen")] = opening
    return mouth.clamp(0, 1)


def _both_sides(motion: Motion, name: str) -> Float[Tensor, " frames"]:
    if name in motion.expression_names:
        return motion.channel(name)
    return (motion.channel(f"{name}Left") + motion.channel(f"{name}Right")) / 2


def _usual(motion: Motion) -> Float[Tensor, " channels"]:
    """What the face does all the time; an opening is never usual."""
    mouth = torch.cat([_mouth(part) for _, part in motion.blocks(_BLOCK)])
    columns = mouth.unbind(1)  # one by one, because torch takes the quantile of 16 million numbers at most
    usual = torch.stack([column.quantile(_USUAL_QUANTILE) for column in columns]).clamp_max(_MOST_USUAL)
    usual[_CHANNELS.index("jawOpen")] = 0
    return usual


def _trust(poses: Float[Tensor, "visemes channels"], visemes: Sequence[str]) -> Float[Tensor, " visemes"]:
    shares = torch.tensor([_CONTACT_TRUST if viseme in CONTACTS else _TRUST for viseme in visemes])
    return (shares * poses.square().sum(1)).clamp_min(_LEAST_TRUST)


def _solved(
    poses: Float[Tensor, "visemes channels"],
    wanted: Float[Tensor, "frames channels"],
    spoken: Float[Tensor, "frames visemes"],
    trust: Float[Tensor, " visemes"],
) -> Float[Tensor, "frames visemes"]:
    """Minimize the sum of the module by descent along one weight after the other."""
    inner, linear = poses @ poses.T, wanted @ poses.T + trust * spoken
    weights = torch.zeros_like(spoken)
    for _ in range(_SWEEPS):
        for viseme in range(len(poses)):
            others = weights @ inner[viseme] - weights[:, viseme] * inner[viseme, viseme]
            best = (linear[:, viseme] - others) / (inner[viseme, viseme] + trust[viseme])
            weights[:, viseme] = best.clamp(0, 1)
    return weights
