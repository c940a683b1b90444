"""A motion as in a mirror."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.core.camera import Camera
from facetalk.core.errors import UsageError
from facetalk.core.motion import POSES, Motion
from facetalk.head.channels import ARKIT_NAMES, mirrored

_EYES = {"leye_pose": "reye_pose", "reye_pose": "leye_pose"}


def mirrored_motion(motion: Motion) -> Motion:
    """Return the motion with left and right exchanged: channels, eyes, rotations, position, and the fitted camera.

    The identity stays. Mirrored twice, a motion is exactly what it was; so is a camera whose center is that of the
    image to a quarter of its width.

    Args:
        motion: with ARKit's channels, of which it is known how they mirror.

    Raises:
        UsageError: it has others, or a channel without that of the other side.
    """
    names = motion.expression_names
    other = next((name for name in names if name not in ARKIT_NAMES or mirrored(name) not in names), None)
    if other is not None:
        raise UsageError(
            f"the channel {other!r:.40} of the head {motion.head!r} has no known mirror image; "
            f"retarget the motion to a head with ARKit's channels first"
        )
    poses = {name: _mirrored(getattr(motion, _EYES.get(name, name))) for name in POSES}
    order = [names.index(mirrored(name)) for name in names]
    laughter = motion.laughter
    if laughter is not None:
        laughter = torch.cat([laughter[:, order], _mirrored(laughter[:, -3:])], 1)
    return motion.replace(
        expression=motion.expression[:, order],
        laughter=laughter,
        transl=motion.transl * motion.transl.new_tensor([-1, 1, 1]),
        camera=None if motion.camera is None else _mirrored_camera(motion.camera),
        **poses,
    )


def _mirrored(rotation: Float[Tensor, "frames 3"]) -> Float[Tensor, "frames 3"]:
    """Axis-angle in a world whose x axis is turned around: an axis is a pseudovector."""
    return rotation * rotation.new_tensor([1, -1, -1])


def _mirrored_camera(camera: Camera) -> Camera:
    """The camera whose image is the mirror image."""
    flip = torch.diag(camera.world_to_camera.new_tensor([-1, 1, 1, 1]))
    K = camera.K.clone()
    K[0, 2] = camera.image_size[0] - K[0, 2]
    return Camera(K, camera.image_size, flip @ camera.world_to_camera @ flip)
