"""What is said in a recording that is animated: read from a file, or said by a voice."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from facetalk.audio.transcript import Transcript
from facetalk.core.motion import Motion
from facetalk.io.audio import write_wav
from facetalk.io.transcript import read_transcript
from facetalk.io.voices import say

if TYPE_CHECKING:
    from facetalk.pipelines.animate_jobs import AnimateJob, AnimateOptions

_log = logging.getLogger(__name__)

ENOUGH_WORDS = 0.7
"""Share of the words of a transcript below which it is reported that they do not fit."""


def transcript_for(job: AnimateJob, options: AnimateOptions) -> Transcript | None:
    """What is known of what is said; text is said, and its audio written if that is to be made."""
    if options.spoken is not None:
        speech = say(options.spoken, options.seed or 0)
        if "wav" in job.targets:
            write_wav(job.speech, speech.waveform, speech.sample_rate)
        transcript = speech.transcript
    elif options.transcript is not None:
        transcript = read_transcript(options.transcript)
    else:
        return None
    return transcript.cut(options.part.start_s, options.part.end_s)


def warn_if_wrong(motion: Motion, transcript: Transcript | None, speech: Path, options: AnimateOptions) -> None:
    """Report a transcript of whose words few were found."""
    words = 0 if transcript is None else transcript.num_words
    found = len(motion.events_of("word"))
    if found < ENOUGH_WORDS * words:
        _log.warning(
            "%s: %d of %d words of %s fit what is heard; elsewhere the audio alone decides",
            speech, found, words, options.transcript,
        )  # fmt: skip
