"""Videos of one person -> the dataset with which trained weights are tuned to them."""

from __future__ import annotations

import logging
import math
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from facetalk.core.errors import FacetalkError, UsageError
from facetalk.core.progress import Progress
from facetalk.core.timing import FPS
from facetalk.data.sources import find_videos
from facetalk.head.behavior import WINDOW
from facetalk.io.video import VideoReader, read_video_info
from facetalk.pipelines.batch import Outcome
from facetalk.pipelines.fit import fit_videos
from facetalk.pipelines.fit_command import person_among
from facetalk.recipes.registry import config_names

PERSON = "-person"
"""End of the names of configurations that tune trained weights."""

OF_PERSONS = ("render2video",)
"""Beginnings of the names of configurations that are always of one person."""

CLIPS = "clips"
"""Folder of the fitted videos, in that of the run."""

BEFORE_CHECKPOINT = (CLIPS, "training.yaml", "log.csv")
"""What an attempt leaves that ends before its first checkpoint; the next one starts training again."""

SHORTEST_S = WINDOW / FPS
"""Of a video: what is shorter than a window teaches nothing."""
ENOUGH_S = 60.0
"""With less, spread and blinks of a person are chance."""

_log = logging.getLogger(__name__)


def person_config(config: str | Path, data_dir: str | Path | None) -> str:
    """The configuration with which weights are tuned to one person, or trained on them alone.

    Raises:
        UsageError: there is none, or data are given as well.
    """
    tunable = [name.removesuffix(PERSON) for name in config_names() if name.endswith(PERSON)]
    trained = [name for name in config_names() if name.startswith(OF_PERSONS)]
    if data_dir is not None:
        raise UsageError("give data, or videos of one person, not both")
    if str(config) in trained:
        return str(config)
    if str(config) not in tunable:
        raise UsageError(f"{config} cannot be tuned to a person; what can: {', '.join((*tunable, *trained))}")
    return f"{config}{PERSON}"


def check_person(videos: Sequence[str | Path], needs_audio: bool) -> None:
    """Refuse videos that teach nothing, before minutes are spent on fitting them.

    Args:
        videos: of one person.
        needs_audio: whether behavior is learned together with the speech it belongs to.

    Raises:
        FacetalkError: a video cannot be read, has no audio, or is too short.
    """
    total_s = 0.0
    for video in find_videos(videos):
        info = read_video_info(video)
        if needs_audio and not info.has_audio:
            raise FacetalkError(f"{video} has no audio; behavior is learned together with the speech it belongs to")
        duration_s = info.duration_s or _decoded_s(video)
        if duration_s <= SHORTEST_S:
            raise FacetalkError(
                f"{video} is {duration_s:.1f} s long; give a video of more than {SHORTEST_S:.1f} s, better of two "
                "or three minutes"
            )
        total_s += info.duration_s or math.inf
    if total_s < ENOUGH_S:
        _log.warning("%.0f s say little about a person; two or three minutes are a sensible least", total_s)


def _decoded_s(video: Path) -> float:
    """Length of a video that does not state it, as those that browsers record: of its frames, as far as is asked."""
    end_s = 0.0
    with VideoReader(video, max_side=16) as frames:
        for start_s, _ in frames:
            end_s = start_s + 1 / frames.info.fps
            if end_s > SHORTEST_S:
                break
    return end_s


def fit_person(videos: Sequence[str | Path], clips_dir: Path, progress: Progress) -> Path:
    """Fit videos into a dataset; those that were fitted before stay.

    Raises:
        FacetalkError: a video cannot be fitted; what was fitted is kept for the next attempt.
    """

    def noted(outcome: Outcome) -> None:
        if outcome.error is not None:
            raise outcome.error
        if (person := person_among(outcome)) is not None:
            _log.warning(
                "%s: tuned to %s; for another one: facetalk fit --face, then facetalk train with its folder as --data",
                outcome.source, person,
            )  # fmt: skip

    try:
        fit_videos(videos, clips_dir, jobs=1, skip_existing=True, progress=progress, report=noted)
    except FacetalkError:
        if not any(clips_dir.glob("*.npz")):  # only tables of nothing
            shutil.rmtree(clips_dir, ignore_errors=True)
            with suppress(OSError):
                clips_dir.parent.rmdir()
        raise
    return clips_dir
