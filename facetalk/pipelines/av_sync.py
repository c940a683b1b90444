"""Whether the audio of a video belongs to its frames: the offset between the two.

The mouth that the bundled speech encoder expects from the audio is compared with the tracked one.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.core.landmarks import IBUG_LOWER_INNER_LIP, IBUG_MOUTH_CORNERS, IBUG_UPPER_INNER_LIP
from facetalk.core.motion import POSES, Motion
from facetalk.head.model import HeadModel
from facetalk.io.audio import Waveform
from facetalk.io.streamed_audio import StreamedAudio
from facetalk.io.video import read_video_info
from facetalk.metrics.av_offset import AvOffset, estimate_av_offset, pooled_offsets_ms
from facetalk.motion.landmark_head import landmark_corners_head
from facetalk.networks.registry import load
from facetalk.pipelines.audio_cues import pieces_of

WARN_MS = 60.0
"""Viewers begin to notice at about this offset (ITU-R BT.1359: 45 ms early, 125 ms late)."""

_log = logging.getLogger(__name__)


class AudioBeside:
    """Audio of a video that another thread decodes and listens to while the video is fitted."""

    def __init__(self, helper: ThreadPoolExecutor, audio: Future[StreamedAudio]) -> None:
        """Begin with audio that `helper` decodes."""
        self._helper, self._audio = helper, audio
        self._heard: dict[int, Future[Tensor]] = {}

    def waveform(self) -> StreamedAudio:
        """Wait for the audio, or raise the error of decoding it."""
        return self._audio.result()

    def listen(self, num_frames: int) -> None:
        """Begin with `expected_mouth` for a video of so many frames."""
        self._heard[num_frames] = self._helper.submit(lambda: expected_mouth(self.waveform(), num_frames))

    def expected_mouth(self, num_frames: int) -> Float[Tensor, "frames 2"]:
        """Wait for what `listen` began, which need not have been called."""
        if num_frames not in self._heard:
            self.listen(num_frames)
        return self._heard[num_frames].result()


@contextmanager
def audio_beside(video: Path) -> Iterator[AudioBeside | None]:
    """Decode the audio of a video within the block; yields None for a video without audio."""
    if not read_video_info(video).has_audio:
        yield None
        return
    # The helper's operations use one thread each; MKL has one number for all threads, which is restored at the end.
    one_each = ThreadPoolExecutor(1, initializer=torch.set_num_threads, initargs=(1,))
    with ExitStack() as stack:
        stack.callback(torch.set_num_threads, torch.get_num_threads())
        with one_each as helper:
            yield AudioBeside(helper, helper.submit(lambda: stack.enter_context(StreamedAudio(video))))


@torch.no_grad()
def expected_mouth(audio: Waveform, num_frames: int) -> Float[Tensor, "frames 2"]:
    """Opening and width of the mouth that the speech encoder expects, z-scored, at 30 fps.

    Args:
        audio: mono, 16 kHz; analyzed in pieces, so that memory does not grow with it.
        num_frames: of the video.
    """
    encoder = load("speech-encoder")
    parts = []
    for part, keep in pieces_of(audio, num_frames):
        parts.append(encoder.encode(part)[keep, encoder.slices["mouth"]][:, :2])
    return torch.cat(parts)


def tracked_mouth(motion: Motion, head: HeadModel) -> Float[Tensor, "frames 2"]:
    """Gap between the lips and distance of the corners of the mouth of a head that does not turn, meters."""
    corners = landmark_corners_head(head)
    poses = motion.poses.clone()
    poses[:, [index for index, name in enumerate(POSES) if name != "jaw_pose"]] = 0
    vertices = corners(motion.expression, poses, torch.zeros_like(motion.transl), motion.betas)
    points = corners.points.landmarks.on(vertices)
    gap = points[:, list(IBUG_UPPER_INNER_LIP), 1].mean(1) - points[:, list(IBUG_LOWER_INNER_LIP), 1].mean(1)
    right, left = IBUG_MOUTH_CORNERS
    return torch.stack([gap, (points[:, left] - points[:, right]).norm(dim=1)], 1)


@torch.no_grad()
def measure_av_offset(motion: Motion, head: HeadModel, expected: Float[Tensor, "frames 2"]) -> AvOffset | None:
    """Estimate how much later than its audio the mouth of a fitted motion moves.

    Args:
        motion: fitted to the video, at 30 fps.
        head: the head that it was fitted with.
        expected: `expected_mouth` of the same video's audio, from its start.

    Returns:
        None where the clip is too short, or its mouth or its audio does not move.
    """
    return estimate_av_offset(expected, tracked_mouth(motion, head))


def with_av_offset(motion: Motion, head: HeadModel, expected: Float[Tensor, "frames 2"]) -> Motion:
    """Return a fitted motion with the estimated offset in its metadata (`av_offset`); see `measure_av_offset`."""
    found = measure_av_offset(motion, head, expected)
    if found is None:
        return motion
    rounded = {name: round(value, 3) for name, value in asdict(found).items()}
    return motion.replace(meta={**motion.meta, "av_offset": rounded})


def av_offset_of(motion: Motion) -> AvOffset | None:
    """Return the offset in the metadata of a motion; None if there is none."""
    stored = motion.meta.get("av_offset")
    try:
        return AvOffset(**{name: float(value) for name, value in stored.items()}) if stored else None
    except (AttributeError, TypeError, ValueError):
        return None


def offset_figures(motion: Motion) -> dict[str, float | bool] | None:
    """Return the offset in the metadata of a motion for a report, with whether the clip alone tells it (`certain`)."""
    found = av_offset_of(motion)
    return None if found is None else {**asdict(found), "certain": found.is_certain}


def warn_if_out_of_sync(motion: Motion, video: Path) -> None:
    """Log a warning if the audio of a video is clearly more than 60 ms early or late."""
    found = av_offset_of(motion)
    if found is not None and found.is_certain and abs(found.ms) > WARN_MS:
        which = "late" if found.ms < 0 else "early"
        _log.warning(
            "%s: the audio seems to be %.0f ms %s (+-%.0f ms); what is trained or measured with it suffers",
            video, abs(found.ms), which, found.sd_ms,
        )  # fmt: skip


def offsets_by_folder(found: Mapping[Path, AvOffset | None]) -> dict[Path, float]:
    """Offset of each video in milliseconds; those of one folder support each other."""
    folders: dict[Path, list[Path]] = defaultdict(list)
    for video in found:
        folders[video.parent].append(video)
    offsets: dict[Path, float] = {}
    for videos in folders.values():
        estimates: Sequence[AvOffset | None] = [found[video] for video in videos]
        if any(estimate is not None for estimate in estimates):
            offsets.update(zip(videos, pooled_offsets_ms(estimates), strict=True))
    return offsets
