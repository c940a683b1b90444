"""One clip of a pair, posed or seen as often as metrics need it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.core.errors import FacetalkError
from facetalk.core.landmarks import IBUG_FROM_MEDIAPIPE, MESH_LID_GAPS
from facetalk.core.motion import Motion
from facetalk.core.rotations import axis_angle_to_matrix, yaw_pitch_roll
from facetalk.core.timing import exact_rate, frame_times, resample
from facetalk.head.channels import BLINK_NAMES
from facetalk.head.model import HeadModel
from facetalk.head.sight import sight_angles
from facetalk.io.video import read_video_info
from facetalk.metrics.base import NotOfferedError
from facetalk.metrics.seen_mouths import SeenFace, still_headed
from facetalk.motion.frames import posed
from facetalk.motion.gestures.gaze import VIEWER_M
from facetalk.pipelines.evaluation.clips import Clip, MeshClip, MotionClip, VideoClip, kind_of
from facetalk.vision.face_measures import face_angles

if TYPE_CHECKING:
    from facetalk.pipelines.evaluation.faces import Crops

MOST_POSED = 1 << 30
"""Coordinates of the vertices of a motion that are held: four GiB, ten minutes of the bundled head."""
_OPEN_SHARE = 0.9
"""Quantile of the gap between the lids that counts as open."""

Times = Float[Tensor, " frames"]


@dataclass(frozen=True, eq=False)
class Side:
    """A clip at the times of its pair."""

    clip: Clip
    head: HeadModel
    fps: float
    """Of the pair."""
    stated_fps: float
    """Of the clip itself."""

    @cached_property
    def times(self) -> Times:
        """When its frames are shown, at the rate of the pair; of a video, as it is."""
        if isinstance(self.clip, VideoClip):
            return self.seen.times
        assert self.clip.num_frames is not None
        rates = exact_rate(self.stated_fps), exact_rate(self.fps)
        return frame_times(max(1, round(self.clip.num_frames / rates[0] * rates[1])), rates[1])

    @cached_property
    def seen(self) -> SeenFace:
        """The face in a video."""
        assert isinstance(self.clip, VideoClip)
        from facetalk.pipelines.evaluation.faces import see_face  # loads networks, like those below

        face = see_face(self.clip.path)
        if self.clip.still:
            first = int(_shown(face).nonzero()[0, 0])
            return SeenFace(face.points[first].expand_as(face.points), face.times)
        return face

    @cached_property
    def _shapes(self) -> tuple[Float[Tensor, "shown 478 3"], Times]:
        """Points of a video in interocular distances, without head motion, and their times; y up, z to the viewer."""
        points, times = still_headed(self.seen)
        return points * points.new_tensor([1.0, -1.0, -1.0]), times

    def motion(self, what: str) -> Motion:
        """The motion.

        Raises:
            NotOfferedError: it is a mesh or a video; `what` is needed instead.
        """
        if not isinstance(self.clip, MotionClip):
            raise NotOfferedError(f"needs {what}; {self.clip.path} is {kind_of(self.clip)}")
        return self.clip.motion

    def vertices(self, betas: Tensor | None) -> Float[Tensor, "frames vertices 3"]:
        """Vertices at the rate of the pair, without the motion of the head as a whole.

        Args:
            betas: the person that a motion is posed as.
        """
        if isinstance(self.clip, VideoClip):
            raise NotOfferedError(f"needs motions or vertices; {self.clip.path} is a video")
        if isinstance(self.clip, MotionClip):
            assert betas is not None
            return _face_only(self.clip.motion.to_fps(self.fps), betas, self.head)
        if exact_rate(self.stated_fps) == exact_rate(self.fps):
            return self.clip.vertices
        own = frame_times(len(self.clip.vertices), exact_rate(self.stated_fps))
        return resample(self.clip.vertices, own, self.times)

    def video_landmarks(self, times: Times) -> Float[Tensor, "frames 68 3"]:
        """The 68 landmarks of a video in interocular distances."""
        points, shown = self._shapes
        return resample(points[:, list(IBUG_FROM_MEDIAPIPE)].float(), shown, times)

    def head_angles(self, times: Times) -> Float[Tensor, "frames 3"]:
        """How the head turns, see `AnglePair`."""
        if isinstance(self.clip, VideoClip):
            shown = _shown(self.seen)
            angles = torch.from_numpy(face_angles(self.seen.points[shown].double().numpy())).float()
            # There, positive roll lowers the left side.
            return resample(angles * angles.new_tensor([1.0, 1.0, -1.0]), self.seen.times[shown], times)
        motion = self.motion("motions or videos")
        turns = axis_angle_to_matrix(motion.global_orient) @ axis_angle_to_matrix(motion.neck_pose)
        return resample(yaw_pitch_roll(turns).rad2deg(), self._own_times(motion.num_frames), times)

    def gaze(self, times: Times) -> Float[Tensor, "frames 2"]:
        """Where the eyes look, see `GazePair`."""
        motion = self.motion("motions")
        return resample(sight_angles(self.head, motion, VIEWER_M), self._own_times(motion.num_frames), times)

    def lid_closure(self, times: Times) -> Float[Tensor, " frames"]:
        """How far the lids are closed, 0 to 1."""
        if isinstance(self.clip, VideoClip):
            points, shown = self._shapes
            pairs = torch.tensor(MESH_LID_GAPS)
            gap = (points[:, pairs[:, 0]] - points[:, pairs[:, 1]]).norm(dim=-1).mean(1)
            closure = 1 - gap / gap.quantile(_OPEN_SHARE).clamp_min(1e-6)
            return resample(closure.clamp(0, 1).float(), shown, times)
        motion = self.motion("motions or videos")
        if not set(BLINK_NAMES) <= set(motion.expression_names):
            raise NotOfferedError(f"needs the channels {' and '.join(BLINK_NAMES)}; {self.clip.path} lacks them")
        closure = torch.stack([motion.channel(name) for name in BLINK_NAMES]).mean(0)
        return resample(closure, self._own_times(motion.num_frames), times)

    def expression_features(self, times: Times) -> Float[Tensor, "frames features"]:
        """Features of the expression network."""
        from facetalk.networks.registry import load
        from facetalk.pipelines.evaluation.faces import expression_features

        rows = self._held(expression_features(self._crops(), load("expression-net")))
        own = self.seen.times if isinstance(self.clip, VideoClip) else self._own_times(len(rows))
        return resample(rows, own, times)

    def phonemes_seen(self) -> Float[Tensor, "frames phonemes"]:
        """Logits of a lip reader."""
        from facetalk.networks.registry import load
        from facetalk.pipelines.evaluation.faces import read_lips

        return self._held(read_lips(self._crops(), load("lip-reader")))

    def _crops(self) -> Crops:
        from facetalk.pipelines.evaluation.faces import rendered_crops, video_crops

        if isinstance(self.clip, VideoClip):
            return video_crops(self.clip.path, self.seen, read_video_info(self.clip.path).size)
        return rendered_crops(self.motion("motions or videos"), self.head)

    def _own_times(self, count: int) -> Times:
        return frame_times(count, exact_rate(self.stated_fps))

    def _held(self, rows: Tensor) -> Tensor:
        """The first row for all frames, where the first frame of a video stands for all of them."""
        return rows[:1].expand_as(rows) if isinstance(self.clip, VideoClip) and self.clip.still else rows


def needs_faces_that_move(*sides: Side) -> None:
    """Raise `NotOfferedError` for a mesh: it has no head motion, lids or textures."""
    for side in sides:
        if isinstance(side.clip, MeshClip):
            raise NotOfferedError(f"needs motions or videos; {side.clip.path} is {kind_of(side.clip)}")


def _shown(face: SeenFace) -> Tensor:
    """In which frames there is a face."""
    return face.points.isfinite().all(2).all(1)


def _face_only(motion: Motion, betas: Tensor, head: HeadModel) -> Float[Tensor, "frames vertices 3"]:
    if motion.num_frames * head.template.numel() > MOST_POSED:
        most = MOST_POSED / head.template.numel() / motion.fps / 60
        raise FacetalkError(
            f"a motion of {motion.duration_s / 60:.0f} minutes is too long for metrics of vertices; cut it to "
            f"{most:.0f}"
        )
    rest = torch.zeros_like(motion.transl)
    still = motion.replace(global_orient=rest, neck_pose=rest, transl=rest, betas=betas)
    return torch.from_numpy(np.stack(list(posed(head, still))))
