"""Pairs of frames of one clip: the first as a photo, the second as what the photo shall become."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.core.landmarks import MESH_INNER_LIP_CENTERS, MESH_LEFT_LID_CENTERS, MESH_RIGHT_LID_CENTERS
from facetalk.core.rotations import matrix_to_axis_angle
from facetalk.data.sampling import random_index
from facetalk.motion.portrait.crop import CROP_PX, WINDOW, WINDOW_LEFT, WINDOW_PX, WINDOW_TOP
from facetalk.motion.portrait.driving import MOTION_WIDTH, Driven, centers, motion_rows
from facetalk.motion.portrait.guess import FirstGuess
from facetalk.motion.portrait.scene import PortraitHead, PortraitScene, RigidPose, network_inputs, rigid_pose
from facetalk.networks.portrait import WINDOW_FRAMES, near, warp
from facetalk.recipes.parts.portrait_data import PortraitClip

TARGETS = 2
"""Targets of each photo in training."""
_MOST_TURNED_DEG, _MOST_MOVED_M = 25.0, 0.05
"""Rotation and way between photo and target."""
_TRIES = 8
_FACE_AT = (CROP_PX / 2, CROP_PX / 2 + 19.4)
"""Where the middle of the face lies in the crop of a photo."""
_MOST_SHIFT = 40
"""Pixels that stored frames are moved so that it does."""
_FEATURES = 4.0
"""What the weight of pixels at mouth and eyes is multiplied with, at most."""
_MOUTH_PX, _EYES_PX = 16.0, 9.0
"""Standard deviation of that, pixels."""
_BLINKING = 0.2
"""Share of targets that are the most closed lids of the clip."""
_SPEAKING = 0.5
"""Share of targets that are, of two frames, the one whose jaw differs more from the photo's."""


class Pair(NamedTuple):
    """A photo and a target; see `recipes.portrait.PortraitBatch`."""

    photo: Float[Tensor, "3 crop crop"]
    flow: Float[Tensor, "2 height columns"]
    cues: Float[Tensor, "cues height columns"]
    guess: Float[Tensor, "3 height columns"]
    motion: Float[Tensor, "frames motion"]
    target: Float[Tensor, "3 height columns"]
    """Its lips, lids and face moved to where the photo's are expected, so that details lie on each other."""
    weight: Float[Tensor, "1 height columns"]
    mouth: Float[Tensor, "2"]


class PairSampler:
    """Samples pairs: every speaker about equally often."""

    def __init__(self, shared: PortraitHead, clips: Sequence[PortraitClip]) -> None:
        self._shared, self._clips = shared, clips
        per_speaker = Counter(clip.clip.speaker or clip.clip.name for clip in clips)
        weights = [per_speaker[clip.clip.speaker or clip.clip.name] ** -0.7 for clip in clips]
        self._weights = torch.tensor(weights, dtype=torch.float64)

    def sample(self, generator: torch.Generator) -> list[Pair]:
        """A photo with `TARGETS` targets."""
        while True:
            clip = self._clips[int(torch.multinomial(self._weights, 1, generator=generator))]
            source = random_index(len(clip.frames), generator)
            scene = ClipScene(self._shared, clip, source)
            targets = [self._target(scene, generator) for _ in range(TARGETS)]
            found = [scene.pair(target) for target in targets if target is not None]
            if found:
                return found

    def _target(self, scene: ClipScene, generator: torch.Generator) -> int | None:
        clip = scene.clip
        for _ in range(_TRIES):
            chance = float(torch.rand((), generator=generator))
            one, other = (random_index(len(clip.frames), generator) for _ in range(2))
            if chance < _BLINKING:
                lids = scene.channel("eyeBlinkLeft")
                one = int(lids.argsort(descending=True)[one % 4])
            elif chance < _BLINKING + _SPEAKING:
                jaw = scene.channel("jawOpen")
                one = max(one, other, key=lambda frame: float((jaw[frame] - jaw[scene.source]).abs()))
            if one != scene.source and scene.is_near(one):
                return one
        return None

    def motion_statistics(self) -> tuple[Float[Tensor, " motion"], Float[Tensor, " motion"]]:
        """Mean and spread of the rows that the network sees."""
        rows = []
        for clip in self._clips:
            poses = rigid_pose(self._shared.model, clip.motion)
            first = int(clip.frames[0])
            photo = RigidPose(poses.rotation[first], poses.shift[first])
            rows.append(
                motion_rows(self._shared, _picked(clip, poses, clip.frames), clip.motion.expression[first], photo)
            )
        if not rows:
            return torch.zeros(MOTION_WIDTH), torch.ones(MOTION_WIDTH)
        every = torch.cat(rows)
        return every.mean(0), every.std(0).clamp_min(0.03)


class ClipScene:
    """A frame of a clip as the photo."""

    def __init__(self, shared: PortraitHead, clip: PortraitClip, source: int) -> None:
        self.clip, self.source = clip, source
        self._shared = shared
        motion = clip.motion
        frame = int(clip.frames[source])
        self._poses = poses = rigid_pose(shared.model, motion)
        self._pose = photo = RigidPose(poses.rotation[frame], poses.shift[frame])
        assert motion.camera is not None
        at = clip.crop.homogeneous(centers(shared, photo), motion.camera.K)
        left, top = (
            int(min(max(round(float(at[axis] / at[2]) - _FACE_AT[axis]), -_MOST_SHIFT), _MOST_SHIFT)) for axis in (0, 1)
        )
        self._corner = left, top
        crop = clip.crop.shifted(left, top)
        self._scene = PortraitScene(shared, motion.cut(frame, frame + 1), self._detected(source), crop)
        self._photo = _image(clip.images[source], left, top)
        self._guess = FirstGuess(self._scene, self._photo.permute(1, 2, 0).numpy())

    def channel(self, name: str) -> Float[Tensor, " kept"]:
        """A channel of the expression in each stored frame."""
        return self.clip.motion.channel(name)[self.clip.frames]

    def is_near(self, target: int) -> bool:
        """Whether the head has not moved too far for a photo."""
        frame = int(self.clip.frames[target])
        pose = RigidPose(self._poses.rotation[frame], self._poses.shift[frame])
        turned = torch.rad2deg(matrix_to_axis_angle(self._pose.rotation.T @ pose.rotation).norm())
        moved = (centers(self._shared, pose) - centers(self._shared, self._pose)).norm()
        return float(turned) <= _MOST_TURNED_DEG and float(moved) <= _MOST_MOVED_M

    def pair(self, target: int) -> Pair:
        """The photo and a stored frame."""
        frame = int(self.clip.frames[target])
        driven = _picked(self.clip, self._poses, torch.tensor([frame]))
        local = self._shared.local(driven.expression, driven.eyes, self.clip.motion.betas)[0]
        view_pose = RigidPose(driven.pose.rotation[0], driven.pose.shift[0])
        view = self._scene.view(local, view_pose)
        left, top = self._corner
        points = self.clip.points[target] - torch.tensor([left + WINDOW_LEFT, top + WINDOW_TOP])
        at = (torch.arange(frame - WINDOW_FRAMES // 2, frame + WINDOW_FRAMES // 2 + 1)).clamp(
            0, self.clip.motion.num_frames - 1
        )
        wanted = self._aligned(target, local, view_pose)
        shown = _shifted(self.clip.inside[..., None], left, top)[WINDOW][..., 0]
        mouth = points[list(MESH_INNER_LIP_CENTERS)].mean(0)
        flow, cues = network_inputs(view)
        eyes = [points[list(lids)].mean(0) for lids in (MESH_LEFT_LID_CENTERS, MESH_RIGHT_LID_CENTERS)]
        weight = pixel_weights(mouth, eyes, cues, shown)[None]
        guess = torch.from_numpy(self._guess.window(view)).permute(2, 0, 1)
        return Pair(self._photo, flow, cues, guess, self._rows(at), wanted, weight, mouth)

    def _aligned(
        self, target: int, local: Float[Tensor, "vertices 3"], pose: RigidPose
    ) -> Float[Tensor, "3 height columns"]:
        """The window of a stored frame, with every point of the face where the view of the photo has it."""
        crop = self.clip.crop.shifted(*self._corner)
        frame = int(self.clip.frames[target])
        own = self.clip.motion.cut(frame, frame + 1)
        other = PortraitScene(self._shared, own, self._detected(target), crop)
        flow = torch.from_numpy(np.ascontiguousarray(self._scene.way_to(other, local, pose)[WINDOW]))
        image = _image(self.clip.images[target], *self._corner)
        return warp(image[None], flow.permute(2, 0, 1)[None], (WINDOW_LEFT, WINDOW_TOP))[0]

    def _detected(self, index: int) -> Float[Tensor, "478 2"]:
        """The points of a stored frame in pixels of the video."""
        inverse = self.clip.crop.to_image
        return self.clip.points[index] @ inverse[:, :2].T + inverse[:, 2]

    def _rows(self, frames: Tensor) -> Float[Tensor, "frames motion"]:
        own = self.clip.motion.expression[int(self.clip.frames[self.source])]
        return motion_rows(self._shared, _picked(self.clip, self._poses, frames), own, self._pose)


def _picked(clip: PortraitClip, poses: RigidPose, frames: Tensor) -> Driven:
    """Some frames of a clip as they are."""
    motion = clip.motion
    eyes = torch.stack([motion.leye_pose[frames], motion.reye_pose[frames]], 1)
    return Driven(motion.expression[frames], eyes, RigidPose(poses.rotation[frames], poses.shift[frames]))


def pixel_weights(
    mouth: Float[Tensor, "2"],
    eyes: Sequence[Float[Tensor, "2"]],
    cues: Float[Tensor, "cues height columns"],
    shown: np.ndarray,
) -> Float[Tensor, "height columns"]:
    """Weight of each pixel of the window: where the network changes something, more at mouth and eyes."""
    along = torch.arange(WINDOW_PX) + 0.5
    weights = torch.ones(WINDOW_PX, WINDOW_PX)
    for center, spread in [(mouth, _MOUTH_PX), *((eye, _EYES_PX) for eye in eyes)]:
        x, y = (torch.exp(-0.5 * ((along - center[axis]) / spread) ** 2) for axis in (0, 1))
        weights += (_FEATURES - 1) * y[:, None] * x
    weights *= near((cues[1] - cues[0]).clamp(0, 1)[None, None])[0, 0]
    return weights * torch.from_numpy(np.ascontiguousarray(shown, np.float32))


def validation_pairs(shared: PortraitHead, clips: Sequence[PortraitClip], targets: int = 3) -> list[Pair]:
    """Of each clip, its first frame as a photo and some others, evenly spread."""
    pairs = []
    for clip in clips:
        scene = ClipScene(shared, clip, 0)
        near = [frame for frame in range(1, len(clip.frames)) if scene.is_near(frame)]
        step = max(1, math.ceil(len(near) / targets))
        pairs += [scene.pair(frame) for frame in near[step // 2 :: step]]
    return pairs


def _image(frame: np.ndarray, left: int, top: int) -> Float[Tensor, "3 crop crop"]:
    return torch.from_numpy(np.ascontiguousarray(_shifted(frame, left, top).transpose(2, 0, 1))).float() / 255


def _shifted(image: np.ndarray, left: int, top: int) -> np.ndarray:
    """The image as it begins so many pixels further right and down; its edge is repeated."""
    reach = _MOST_SHIFT
    padded = np.pad(image, ((reach, reach), (reach, reach), (0, 0)), mode="edge")
    return padded[reach + top :, reach + left :][: image.shape[0], : image.shape[1]]
