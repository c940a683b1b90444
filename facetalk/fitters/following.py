"""All faces in every frame of a video, by two detectors that take turns with segments of it, each in its own thread.

A detector searches a face where the previous frame had it, so one that starts in the middle needs a few frames to
settle: it gets them from the end of the previous segment. Where it then disagrees with the detector of that segment, as
on profiles and blurred faces, the other one continues and its points are used.
"""

from __future__ import annotations

import itertools
import math
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Protocol, TypeAlias, TypeVar, runtime_checkable

import numpy as np
from jaxtyping import UInt8

from facetalk.core.landmarks import MESH_OUTER_EYE_CORNERS
from facetalk.core.threads import in_threads
from facetalk.vision.landmark_detector import LandmarkDetector, ManyFacesDetector, MediaPipeDetector, MediaPipeFinder

Item = TypeVar("Item")

MAX_FACES = 4
"""Largest number of faces that are followed at the same time."""

LEAD = 6
"""Frames of the previous segment that a detector sees before those that count."""

_AGREEMENT = 0.001
"""Mean distance of two detectors' points in one frame over that of the eye corners, below which they follow the same
face: a tenth of the noise of the points. Detectors that differ by more may see a profile in two ways for seconds."""

_USUAL_SEGMENT = 48
_MAX_BYTES = 32 * 2**20
"""Size of a segment's frames; about four segments are in memory."""

_SCOUTED_FRAMES = 10
"""Frames from one search for further faces to the next: a third of a second."""

Image: TypeAlias = UInt8[np.ndarray, "height width 3"]
Frame: TypeAlias = tuple[float, Image]
"""Time in seconds, and pixels."""
Segment: TypeAlias = tuple[list[Frame], int]
"""Frames, the first of which belong to the previous segment, and the number of these."""


@runtime_checkable
class Follower(Protocol):
    """A detector that sees segments of a video in order, with gaps between them."""

    def faces(self, images: Sequence[Image]) -> list[list[np.ndarray]]:
        """Points (478, 3) in pixels of every face in each of several consecutive frames."""
        ...


class WholeFollower:
    """Shows every frame to one detector."""

    def __init__(self, detector: LandmarkDetector) -> None:
        """Use a detector, which the caller closes."""
        self._detector = detector

    def faces(self, images: Sequence[Image]) -> list[list[np.ndarray]]:
        """See `Follower.faces`."""
        if isinstance(self._detector, ManyFacesDetector):
            return [self._detector.detect_all(image) for image in images]
        return [[] if points is None else [points] for points in map(self._detector.detect, images)]


class MediaPipeFollower:
    """MediaPipe that follows one face as long as there is only one, which is a third cheaper.

    With more, it searches every frame for those that are missing. In mediapipe 0.10.21 both give the same points; the
    Tasks API of later releases crops each of several faces anew, which moves the points by 1 % of the eyes' distance.
    """

    def __init__(self) -> None:
        """Begin to load the networks for a single face: video is decoded in the meantime."""
        loader = ThreadPoolExecutor(1)
        self._one = loader.submit(MediaPipeDetector, small_faces=MAX_FACES)
        self._scout = loader.submit(MediaPipeFinder)
        loader.shutdown(wait=False)
        self._many: MediaPipeDetector | None = None

    def faces(self, images: Sequence[Image]) -> list[list[np.ndarray]]:
        """See `Follower.faces`."""
        one, scout = self._one.result(), self._scout.result()
        if all(len(scout.boxes(image)) < 2 for image in (*images[::_SCOUTED_FRAMES], images[-1])):
            return [one.detect_all(image) for image in images]
        if self._many is None:
            self._many = MediaPipeDetector(max_faces=MAX_FACES, small_faces=MAX_FACES)
        return [self._many.detect_all(image) for image in images]

    def close(self) -> None:
        """Free the memory of the networks."""
        for loading in (self._one, self._scout):
            if loading.exception() is None:
                loading.result().close()
        if self._many is not None:
            self._many.close()

    def __enter__(self) -> MediaPipeFollower:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def segment_length(num_frames: int, size: tuple[int, int], followers: int) -> int:
    """Frames in a segment, so that all followers are busy to the end.

    Args:
        num_frames: expected in the video; 0 if unknown.
        size: width and height of a frame.
        followers: number of followers that take turns.
    """
    longest = max(2 * LEAD, min(_USUAL_SEGMENT, _MAX_BYTES // (3 * size[0] * size[1])))
    turns = math.ceil(num_frames / (longest * followers)) * followers
    return math.ceil(num_frames / turns) if turns else longest


def segments(frames: Iterable[Item], length: int, lead: int) -> Iterator[tuple[list[Item], int]]:
    """Frames of each segment after the last ones of the previous segment, and the number of these."""
    held: list[Item] = []
    ahead = 0
    for frame in frames:
        held.append(frame)
        if len(held) == ahead + length:
            yield held, ahead
            held = held[max(0, len(held) - lead) :]
            ahead = len(held)
    if len(held) > ahead:
        yield held, ahead


def follow(
    frames: Iterable[Frame], length: int, followers: Sequence[Follower]
) -> Iterator[tuple[Frame, list[np.ndarray]]]:
    """Each frame with the points (478, 3) of every face in it, in order.

    The result does not depend on the number of processors.

    Args:
        frames: of a video; the next ones are read while these are processed, and those before by the caller.
        length: frames in a segment, see `segment_length`.
        followers: take turns; a single one sees the whole video without gaps.
    """
    rounds = _rounds(segments(frames, length, LEAD), len(followers))
    order = list(followers)
    found: deque[tuple[Frame, list[np.ndarray]]] = deque()
    with ThreadPoolExecutor(1) as reader, ThreadPoolExecutor(1) as leader:
        coming = reader.submit(next, rounds, None)
        while (together := coming.result()) is not None:
            coming = reader.submit(next, rounds, None)
            running = leader.submit(_one_round, together, order)
            while found:
                yield found.popleft()  # not held any more: images are large
            order, found = running.result()
        yield from found


def _rounds(work: Iterator[Segment], count: int) -> Iterator[list[Segment]]:
    """Segments that are processed at the same time."""
    while together := list(itertools.islice(work, count)):
        yield together


def _one_round(
    together: list[Segment], order: list[Follower]
) -> tuple[list[Follower], deque[tuple[Frame, list[np.ndarray]]]]:
    """Followers, starting with the one that saw the last frame of these segments, and the faces of each frame.

    Args:
        together: consecutive segments, one for each follower.
        order: followers, the first of which saw the frame before these segments.
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
    kept = [frame for held, ahead in together for frame in held[ahead:]]
    return [*order[last:], *order[:last]], deque(zip(kept, itertools.chain(*found), strict=True))


def same_faces(first: Sequence[np.ndarray], second: Sequence[np.ndarray]) -> bool:
    """Whether two detectors see the same faces in a frame."""
    if len(first) != len(second):
        return False
    right, left = MESH_OUTER_EYE_CORNERS
    for points in first:
        size = np.linalg.norm(points[right, :2] - points[left, :2])
        apart = min(np.linalg.norm((points - other)[:, :2], axis=1).mean() for other in second)
        if apart > _AGREEMENT * size:
            return False
    return True
