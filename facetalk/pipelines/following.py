"""The faces in every picture of a video, by two detectors that take turns with stretches of it, each in its thread.

A detector looks for a face where the last picture had it, so one that begins in the middle needs a few pictures to
settle: it gets them from the end of the stretch before. After `LEAD` of them its points lie within 0.03 pixels of those
of a detector that saw the whole video, a thirtieth of the points' own noise.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Protocol, TypeAlias, TypeVar, runtime_checkable

import numpy as np
from jaxtyping import UInt8

from facetalk.core.threads import usable_cores
from facetalk.models.landmark_detector import (
    LandmarkDetector,
    ManyFacesDetector,
    MediaPipeCounter,
    MediaPipeDetector,
)

Item = TypeVar("Item")

MAX_FACES = 4
"""That are followed at the same time."""

LEAD = 4
"""Pictures that a detector is shown before those that count."""

_USUAL_STRETCH = 48
_MOST_BYTES = 64 * 2**20
"""Of a stretch's pictures, about three of which are in memory."""

_SCOUTED = 10
"""Pictures from one search for further faces to the next: a third of a second."""

Image: TypeAlias = UInt8[np.ndarray, "height width 3"]
Picture: TypeAlias = tuple[float, Image]
"""Its moment in seconds, and its pixels."""


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
    """MediaPipe that follows one face as long as there is only one, which is a third cheaper and gives the same points.

    With more, it searches every picture for those that are missing.
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
        pictures: of a video; they are taken a stretch or two ahead.
        length: of a stretch, see `stretch_length`.
        followers: take turns; a single one sees the whole video without gaps.
    """
    work = enumerate(stretches(pictures, length, LEAD if len(followers) > 1 else 0))
    if usable_cores() == 1:
        for turn, (held, ahead) in work:
            yield from _look(followers[turn % len(followers)], held, ahead)
        return
    # A thread for each, so that every follower sees its stretches in order.
    threads = [ThreadPoolExecutor(1) for _ in followers]
    waiting: deque[Future[list[tuple[Picture, list[np.ndarray]]]]] = deque()
    try:
        for turn, (held, ahead) in work:
            index = turn % len(followers)
            waiting.append(threads[index].submit(_look, followers[index], held, ahead))
            if len(waiting) > len(followers):
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()
    finally:
        for thread in threads:
            thread.shutdown(cancel_futures=True)


def _look(follower: Follower, held: list[Picture], ahead: int) -> list[tuple[Picture, list[np.ndarray]]]:
    faces = follower.faces([image for _, image in held])
    return list(zip(held[ahead:], faces[ahead:], strict=True))
