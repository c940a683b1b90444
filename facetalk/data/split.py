"""The split of a dataset into training and validation speakers, with warnings about what is missing."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from facetalk.core.errors import FacetalkError
from facetalk.data.manifest import Clip, split_by_speaker
from facetalk.data.patterns import matches_any

FEW_CLIPS = 20
FEW_SECONDS = 120.0
"""With fewer clips or seconds to train on, a network repeats them rather than learning to speak."""

_LISTED = 5
"""Speakers that a warning names."""

_log = logging.getLogger(__name__)


def split_clips(clips: Sequence[Clip], validation_speakers: Sequence[str]) -> tuple[list[Clip], list[Clip]]:
    """Clips to train on, and clips of the speakers that are kept for validation.

    Warns where nobody is kept although patterns were given, where clips have no speaker, and where there is little to
    train on.

    Args:
        clips: of a dataset.
        validation_speakers: patterns with * and ?, the option `data.dev_speakers`.

    Raises:
        FacetalkError: the patterns match all clips.
    """
    train, validation = split_by_speaker(clips, validation_speakers)
    speakers = sorted({clip.speaker for clip in clips if clip.speaker})
    if not train:
        raise FacetalkError(
            f"all {len(clips)} clips belong to validation speakers, none is left to train on; change data.dev_speakers "
            f"({_some(validation_speakers)})"
        )
    if validation_speakers and not validation:
        _log.warning(
            "data.dev_speakers (%s) matches none of the speakers (%s), so all clips are trained on and the run is not "
            "validated; keep some speakers with --set 'data.dev_speakers=[NAME]'",
            _some(validation_speakers), _some(speakers),
        )  # fmt: skip
    unnamed = sum(not clip.speaker for clip in clips)
    if unnamed and validation_speakers and not matches_any("", validation_speakers):
        _log.warning(
            "%d of %d clips have no speaker in the manifest; they are trained on, even if a validation speaker says "
            "them (facetalk fit --about CSV names speakers)", unnamed, len(clips),
        )  # fmt: skip
    seconds = sum(clip.duration_s or 0.0 for clip in train)
    known = all(clip.duration_s is not None for clip in train)
    if len(train) < FEW_CLIPS or (known and seconds < FEW_SECONDS):
        _log.warning(
            "there are only %d clips%s to train on; the network will repeat them rather than learn, ten minutes by "
            "several speakers are a sensible least", len(train), f" ({seconds:.0f} s)" if known else "",
        )  # fmt: skip
    return train, validation


def _some(names: Sequence[str]) -> str:
    if not names:
        return "none is named"
    return ", ".join(names[:_LISTED]) + (f", ... {len(names)} in all" if len(names) > _LISTED else "")
