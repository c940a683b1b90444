"""The faces in every picture of a video, by two detectors that take turns with stretches of it, each in its thread.

A detector looks for a face where the last picture had it, so one that begins in the middle needs a few pictures to
settle: it gets them from the end of the stretch before. Where it then sees something else than the detector that came
all the way, as happens with profiles and blurred faces, the latter goes on and its points are taken.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Protocol, TypeAlias, TypeVar, runtime_checkable

import numpy as np
from jaxtyping import UInt8

from facetalk.core.landmarks import MESH_OUTER_EYE_CORNERS
from facetalk.core.threads import in_threads
from facetalk.vision.landmark_detector import (
    LandmarkDetector,
    ManyFacesDetector,
    MediaPipeCounter,
    MediaPipeDetector,
)

Item = TypeVar("Item")

MAX_FACES = 4
"""That are followed at the same time."""

LEAD = 6
"""Pictures that a detector is shown before those that count."""

_AGREEMENT = 0.001
"""Mean distance of two detectors' points in the same picture, over that of the eye corners, below which they follow the
same face: a tenth of the points' noise. Detectors that differ by more may see a profile in two ways for seconds."""

_USUAL_STRETCH = 48
_MOST_BYTES = 32 * 2**20
"""Of a stretch's pictures, about four of which are in memory."""

_SCOUTED = 10
"""Pictures from one search for further faces to the next: a third of a second."""

Image: TypeAlias = UInt8[np.ndarray, "height width 3"]
Picture: TypeAlias = tuple[float, Image]
"""Its moment in seconds, and its pixels."""
Stretch: TypeAlias = tuple[list[Picture], int]
"""Pictures, after some of the stretch before, and the number of these."""


@runtime_checkable
class Follower(Protocol):
    """Looks at one stretch of a video after the other, with gaps between them."""

    def faces(self, images: Sequence[Image]) -> list[list[np.ndarray]]:
        """Points (478, 3) in pixels of every face in each of some consecutive pictures."""
        ...


class WholeFollower:
    """Shows every picture to one detector."""

    def __init__(self, detector: LandmarkDetector) -> None:
        """Use a detector, which stays the caller's."""
        self._detector = detector

    def faces(self, images: Sequence[Image]) -> list[list[np.ndarray]]:
        """See `Follower.faces`."""
        if isinstance(self._detector, ManyFacesDetector):
            return [self._detector.detect_all(image) for image in images]
        return [[] if points is None else [points] for points in map(self._detector.detect, images)]


class MediaPipeFollower:
    """MediaPipe that follows one face as long as there is only one, which is a third cheaper.

    With more, it searches every picture for those that are missing. In mediapipe 0.10.21 both give the same points; the
    Tasks API of later releases crops each of several faces anew, which moves the points by 1 % of the eyes' distance.
    """

    def __init__(self) -> None:
        """Load what a single face needs."""
        self._one, self._scout = MediaPipeDetector(), MediaPipeCounter()
        self._many: MediaPipeDetector | None = None

    def faces(self, images: Sequence[Image]) -> list[list[np.ndarray]]:
        """See `Follower.faces`."""
        if all(self._scout.count(image) < 2 for image in (*images[::_SCOUTED], images[-1])):
            return [self._one.detect_all(image) for image in images]
        if self._many is None:
            self._many = MediaPipeDetector(max_faces=MAX_FACES)
        return [self._many.detect_all(image) for image in images]

    def close(self) -> None:
        """Give the networks' memory back."""
        for part in (self._one, self._scout, self._many):
            if part is not None:
                part.close()

    def __enter__(self) -> MediaPipeFollower:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def stretch_length(num_pictures: int, size: tuple[int, int], followers: int) -> int:
    """Pictures of a stretch, so that all followers are busy to the end.

    Args:
        num_pictures: expected in the video; 0 where nobody knows.
        size: their width and height.
        followers: that take turns.
    """
    most = max(2 * LEAD, min(_USUAL_STRETCH, _MOST_BYTES // (3 * size[0] * size[1])))
    turns = math.ceil(num_pictures / (most * followers)) * followers
    return math.ceil(num_pictures / turns) if turns else most


def stretches(pictures: Iterable[Item], length: int, lead: int) -> Iterator[tuple[list[Item], int]]:
    """Pictures of each stretch after the last few of the one before, and the number of these."""
    held: list[Item] = []
    ahead = 0
    for picture in pictures:
        held.append(picture)
        if len(held) == ahead + length:
            yield held, ahead
            held = held[max(0, len(held) - lead) :]
            ahead = len(held)
    if len(held) > ahead:
        yield held, ahead


def follow(
    pictures: Iterable[Picture], length: int, followers: Sequence[Follower]
) -> Iterator[tuple[Picture, list[np.ndarray]]]:
    """Each picture with the points (478, 3) of every face in it, in order.

    The result does not depend on the number of processors.

    Args:
        pictures: of a video; the next ones are read while these are looked at.
        length: of a stretch, see `stretch_length`.
        followers: take turns; a single one sees the whole video without gaps.
    """
    rounds = _rounds(stretches(pictures, length, LEAD), len(followers))
    order = list(followers)
    with ThreadPoolExecutor(1) as reader:
        coming = reader.submit(next, rounds, None)
        while (stretch := coming.result()) is not None:
            coming = reader.submit(next, rounds, None)
            order, found = _one_round(stretch, order)
            yield from found


def _rounds(work: Iterator[Stretch], count: int) -> Iterator[list[Stretch]]:
    """Stretches that are looked at together."""
    while together := list(itertools.islice(work, count)):
        yield together


def _one_round(
    together: list[Stretch], order: list[Follower]
) -> tuple[list[Follower], list[tuple[Picture, list[np.ndarray]]]]:
    """Followers, the one that saw the last picture of these stretches first, and each picture's faces.

    Args:
        together: consecutive stretches, one for each follower.
        order: followers, the first of which saw the picture before these stretches.
    """
    images = [[image for _, image in held] for held, _ in together]
    starts = [0 if index else ahead for index, (_, ahead) in enumerate(together)]
    work = [(order[index], images[index][start:]) for index, start in enumerate(starts)]
    seen = in_threads(lambda job: job[0].faces(job[1]), work)
    last, found = 0, [seen[0]]
    for index in range(1, len(together)):
        ahead = together[index][1]
        if same_faces(found[-1][-1], seen[index][ahead - 1]):
            last = index
            found.append(seen[index][ahead:])
        else:
            found.append(order[last].faces(images[index][ahead:]))
    kept = [picture for held, ahead in together for picture in held[ahead:]]
    return [*order[last:], *order[:last]], list(zip(kept, itertools.chain(*found), strict=True))


def same_faces(first: Sequence[np.ndarray], second: Sequence[np.ndarray]) -> bool:
    """Whether two detectors see the same faces in a picture."""
    if len(first) != len(second):
        return False
    right, left = MESH_OUTER_EYE_CORNERS
    for points in first:
        size = np.linalg.norm(points[right, :2] - points[left, :2])
        apart = min(np.linalg.norm((points - other)[:, :2], axis=1).mean() for other in second)
        if apart > _AGREEMENT * size:
            return False
    return True
