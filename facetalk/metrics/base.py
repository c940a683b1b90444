"""What a metric is, what it finds, and what a pair of clips offers it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor

from facetalk.core.errors import FacetalkError


class NotOfferedError(FacetalkError):
    """The clips lack something that a metric needs; the message says what."""


@dataclass(frozen=True, eq=False)
class Measured:
    """What a metric finds in one pair of clips."""

    figures: Mapping[str, float]
    """By name, which ends with the unit; NaN where there is nothing to measure."""
    curves: Mapping[str, Float[Tensor, " frames"]] = field(default_factory=dict)
    """One value for each frame, for plots."""


def frame_mean(name: str, values: Float[Tensor, " frames"]) -> Measured:
    """The mean of a figure over the frames, and its course."""
    return Measured({name: float(values.mean())}, {name: values})


@dataclass(frozen=True, eq=False)
class MeshPair:
    """Both clips as the same mesh at the same times, without the motion of the head as a whole; in meters."""

    predicted: Float[Tensor, "frames vertices 3"]
    reference: Float[Tensor, "frames vertices 3"]
    template: Float[Tensor, "vertices 3"] | None
    """The reference's identity at rest, where that is known."""
    regions: Mapping[str, Int64[Tensor, " members"]]

    def region(self, name: str) -> Int64[Tensor, " members"]:
        """The vertices of a region.

        Raises:
            NotOfferedError: nobody said which they are.
        """
        if name not in self.regions:
            raise NotOfferedError(f"needs the vertices of the region {name!r}; give them with --regions")
        return self.regions[name]

    @property
    def rest(self) -> Float[Tensor, "vertices 3"]:
        """The reference's identity at rest.

        Raises:
            NotOfferedError: nobody said how it looks.
        """
        if self.template is None:
            raise NotOfferedError("needs the face at rest; give it as `template` in the file of --regions")
        return self.template


class LandmarkPair(NamedTuple):
    """The 68 landmarks of both clips at the same times, in any pose and size."""

    predicted: Float[Tensor, "frames 68 3"]
    reference: Float[Tensor, "frames 68 3"]
    unit: str
    """`mm`, or `iod` for videos: interocular distances of the reference."""
    rest_opening: float | None = None
    """Distance of the inner lips at rest, where that is known."""


class AnglePair(NamedTuple):
    """How both heads turn: degrees, in the order of `head_pose.AXES`."""

    predicted: Float[Tensor, "frames 3"]
    reference: Float[Tensor, "frames 3"]


class GazePair(NamedTuple):
    """Where both faces look: yaw and pitch relative to the line to the viewer, degrees."""

    predicted: Float[Tensor, "frames 2"]
    reference: Float[Tensor, "frames 2"]


class CurvePair(NamedTuple):
    """One curve of each clip."""

    predicted: Float[Tensor, " frames"]
    reference: Float[Tensor, " frames"]


class FeaturePair(NamedTuple):
    """Rows of features of each clip."""

    predicted: Float[Tensor, "frames features"]
    reference: Float[Tensor, "frames features"]


class Reading(NamedTuple):
    """Phonemes as they are heard, and as a lip reader sees them on both mouths; all without repetitions and silence."""

    heard: Sequence[int]
    predicted: Sequence[int]
    reference: Sequence[int]
    viseme_of_phoneme: Sequence[int]


class Synchrony(NamedTuple):
    """Similarity of speech and mouth where the mouth is read later by `offsets_ms`, mean over the frames."""

    similarity: Float[Tensor, " offsets"]
    offsets_ms: Float[Tensor, " offsets"]


@runtime_checkable
class Evidence(Protocol):
    """A pair of clips at the frame rate of the reference. What is not asked for is not computed.

    Every method raises `NotOfferedError` where the clips lack what it takes.
    """

    @property
    def fps(self) -> float:
        """Frames a second of everything."""
        ...

    def meshes(self) -> MeshPair:
        """Vertices."""
        ...

    def landmarks(self) -> LandmarkPair:
        """The 68 landmarks."""
        ...

    def head_angles(self) -> AnglePair:
        """How the heads turn."""
        ...

    def gaze(self) -> GazePair:
        """Where the eyes look."""
        ...

    def lid_closures(self) -> CurvePair:
        """How far the lids are closed: 0 open, 1 closed; the mean of both eyes."""
        ...

    def loudness(self) -> Float[Tensor, " frames"]:
        """Level of the speech in decibels."""
        ...

    def bilabials(self) -> Bool[Tensor, " frames"]:
        """Whether a P, B or M is spoken."""
        ...

    def images(self) -> Iterator[tuple[UInt8[np.ndarray, "height width 3"], UInt8[np.ndarray, "height width 3"]]]:
        """Frames of the predicted and the reference video, of the same size and one pair at a time."""
        ...

    def expression_features(self) -> FeaturePair:
        """Features of an expression network."""
        ...

    def reading(self) -> Reading:
        """What a lip reader sees."""
        ...

    def synchrony(self) -> tuple[Synchrony, Synchrony]:
        """How well the speech fits the predicted and the reference mouth at different offsets."""
        ...

    def other_takes(self) -> Sequence[Float[Tensor, "frames vertices 3"]]:
        """Further predictions for the same reference, as in `meshes`."""
        ...


@runtime_checkable
class Metric(Protocol):
    """A module that computes one metric."""

    def measure(self, clips: Evidence) -> Measured:
        """Compute the metric for a pair of clips.

        Raises:
            NotOfferedError: the clips lack something.
        """
        ...
