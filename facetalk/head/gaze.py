"""Gaze: conversion between eyeball rotations and the eight `eyeLook*` channels.

The eyeballs rotate by `leye_pose` and `reye_pose`; the channels move the lids accordingly and pass the same angles to
animation tools. An eye looks along +z at rest; rotation around +y looks to the subject's left, around +x down.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.head.channels import ARKIT_NAMES, GAZE_NAMES

FULL_IN = math.radians(35.0)
"""Angle at which `eyeLookIn*` is 1, and likewise for the other three: about the limits of the comfortable range."""
FULL_OUT = math.radians(35.0)
FULL_UP = math.radians(25.0)
FULL_DOWN = math.radians(30.0)


def gaze_pose(yaw: Float[Tensor, "*batch"], pitch: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch 3"]:
    """Eyeball rotation for a gaze direction: axis-angle without torsion (Listing's law).

    Args:
        yaw: radians, positive to the subject's left.
        pitch: radians, positive down.
    """
    return torch.stack([pitch, yaw, torch.zeros_like(yaw)], -1)


def gaze_to_channels(
    leye_pose: Float[Tensor, "frames 3"], reye_pose: Float[Tensor, "frames 3"]
) -> Float[Tensor, "frames 8"]:
    """Weights in [0, 1] of the channels in `GAZE_NAMES` for two eyeball rotations."""
    columns = {}
    for side, pose, outward in (("Left", leye_pose, 1.0), ("Right", reye_pose, -1.0)):
        pitch, out = pose[:, 0], pose[:, 1] * outward
        columns[f"eyeLookDown{side}"] = pitch / FULL_DOWN
        columns[f"eyeLookUp{side}"] = -pitch / FULL_UP
        columns[f"eyeLookOut{side}"] = out / FULL_OUT
        columns[f"eyeLookIn{side}"] = -out / FULL_IN
    return torch.stack([columns[name] for name in GAZE_NAMES], 1).clamp(0, 1)


def channels_to_gaze(
    expression: Float[Tensor, "frames n_expression"], names: tuple[str, ...] = ARKIT_NAMES
) -> tuple[Float[Tensor, "frames 3"], Float[Tensor, "frames 3"]]:
    """Rotations of the left and the right eyeball for the `eyeLook*` channels of an expression."""
    poses = []
    for side, outward in (("Left", 1.0), ("Right", -1.0)):
        down, up, out, into = (expression[:, names.index(f"eyeLook{way}{side}")] for way in ("Down", "Up", "Out", "In"))
        poses.append(gaze_pose((out * FULL_OUT - into * FULL_IN) * outward, down * FULL_DOWN - up * FULL_UP))
    return poses[0], poses[1]
