"""The bundled head as a person in front of a camera."""

from __future__ import annotations

from functools import cache

import torch

from facetalk.core.camera import Camera
from facetalk.core.motion import Motion, still_motion
from facetalk.head.channels import ARKIT_NAMES
from facetalk.motion.heads import load_head
from facetalk.motion.portrait.scene import PortraitHead, PortraitScene, rigid_pose
from facetalk.rendering.camera import project

K = torch.tensor([[700.0, 0, 160], [0, 700.0, 160], [0, 0, 1]])
IMAGE_SIZE = (320, 320)


@cache
def shared() -> PortraitHead:
    return PortraitHead(load_head("facetalk"))


def person(num_frames: int = 1, **channels: float) -> Motion:
    """The head at rest 0.9 m from the camera."""
    head = shared().model
    expression = torch.zeros(num_frames, 52)
    for name, value in channels.items():
        expression[:, ARKIT_NAMES.index(name)] = value
    motion = still_motion("facetalk", expression, ARKIT_NAMES, 30.0, head.num_betas)
    transl = torch.tensor([0.0, -0.02, -0.9]) - shared().center
    return motion.replace(transl=transl.expand(num_frames, 3), camera=Camera(K, IMAGE_SIZE))


def detected(motion: Motion) -> torch.Tensor:
    """What a detector without error finds in a frame."""
    head = shared().model
    pose = rigid_pose(head, motion)
    eyes = torch.stack([motion.leye_pose, motion.reye_pose], 1)
    local = shared().local(motion.expression, eyes, motion.betas)[0]
    expected = shared().anchors.expected(local, motion.expression[0]) @ pose.rotation[0].T + pose.shift[0]
    points = torch.full((478, 2), torch.nan)
    points[head.points.mediapipe_ids] = project(expected, Camera(K, IMAGE_SIZE))
    return points


def scene(motion: Motion | None = None, shift_px: float = 0.0) -> PortraitScene:
    """The person as a photo, whose points the detector finds `shift_px` further right."""
    motion = person() if motion is None else motion
    return PortraitScene(shared(), motion, detected(motion) + torch.tensor([shift_px, 0.0]))
