"""Frames of two videos that are shown at the same time, one pair after the other."""

from __future__ import annotations

from collections.abc import Iterator

from jaxtyping import UInt8
from numpy import ndarray

from facetalk.core.errors import FacetalkError
from facetalk.io.video import VideoReader, read_video_info
from facetalk.metrics.base import NotOfferedError
from facetalk.pipelines.evaluation.clips import VideoClip, same_length

ImagePair = tuple[UInt8[ndarray, "height width 3"], UInt8[ndarray, "height width 3"]]


def image_pairs(predicted: VideoClip, reference: VideoClip) -> Iterator[ImagePair]:
    """Each frame of the reference with the one that the predicted video shows then.

    Raises:
        NotOfferedError: the videos have different sizes.
        FacetalkError: one of them is much longer than the other.
    """
    ours, theirs = (read_video_info(clip.path) for clip in (predicted, reference))
    if ours.size != theirs.size:
        shown = ["{}x{}".format(*info.size) for info in (ours, theirs)]
        raise NotOfferedError(
            f"needs videos of one size; {predicted.path} has {shown[0]} and {reference.path} {shown[1]} pixels"
        )
    if ours.duration_s and theirs.duration_s and not (predicted.still or predicted.repeated):
        lengths = [round(info.duration_s * theirs.fps) for info in (ours, theirs) if info.duration_s]
        same_length(predicted.path, lengths[0], reference.path, lengths[1])
    return _paired(predicted, reference)


def _paired(predicted: VideoClip, reference: VideoClip) -> Iterator[ImagePair]:
    with VideoReader(predicted.path) as ours, VideoReader(reference.path) as theirs:
        frames, step = _shown(ours, predicted), 1 / theirs.fps
        current, coming = next(frames), next(frames, None)
        for time_s, image in theirs:
            # Half a frame of slack keeps both in step where they have the same rate.
            while coming is not None and coming[0] <= time_s + step / 2:
                current, coming = coming, next(frames, None)
            if coming is None and time_s > current[0] + 1.5 * step:
                return
            if current[1].shape != image.shape:
                raise FacetalkError(f"{predicted.path} and {reference.path} have frames of different sizes")
            yield current[1], image


def _shown(video: VideoReader, clip: VideoClip) -> Iterator[tuple[float, UInt8[ndarray, "height width 3"]]]:
    """Frames and their times; the first one for ever, or all of them again and again, as the clip says."""
    start_s = time_s = 0.0
    while True:
        for time_s, image in video:
            yield start_s + time_s, image
            while clip.still:
                time_s += 1 / video.fps
                yield time_s, image
        if not clip.repeated:
            return
        start_s += time_s + 1 / video.fps
