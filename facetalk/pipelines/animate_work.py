"""What is made of one recording, in the process that has the work to do."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

from facetalk.core.motion import Motion
from facetalk.core.progress import Progress, no_progress
from facetalk.core.text import unicode_name
from facetalk.exporters.registry import FORMATS
from facetalk.io.audio_clip import AudioClip
from facetalk.io.streamed_audio import StreamedAudio
from facetalk.motion.frame_rate import at_frame_rate
from facetalk.pipelines.animate_jobs import AnimateJob, AnimateOptions, file_options
from facetalk.pipelines.animator import Animator, load_animator, timed
from facetalk.pipelines.batch import Outcome, OutputFolder
from facetalk.pipelines.export import export_formats
from facetalk.pipelines.records import fingerprint, write_record
from facetalk.pipelines.transcripts import transcript_for, warn_if_wrong

_log = logging.getLogger(__name__)


class AnimateWork:
    """Animates one recording after the other; a copy in another process loads head and talker there, once."""

    def __init__(
        self,
        animator: Animator,
        options: AnimateOptions,
        folder: OutputFolder,
        details: Mapping[str, Any],
        timings: Mapping[str, float],
        progress: Progress,
    ) -> None:
        """Remember what is wanted.

        Args:
            animator: with the style.
            options: how.
            folder: of the run.
            details: reported with every recording.
            timings: seconds that loading took; reported once.
            progress: see `animate_one`.
        """
        self.animator: Animator | None = animator
        self.direction, self.options, self.folder, self.details = animator.direction, options, folder, details
        self.timings, self.progress = dict(timings), progress

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "animator": None, "timings": {}, "progress": no_progress}

    def __call__(self, job: AnimateJob) -> Outcome:
        """Animate one recording."""
        spent, self.timings = self.timings, {}
        if self.animator is None:
            self.animator = replace(load_animator(self.options, spent), direction=self.direction)
        done = animate_one(self.animator, job, self.options, self.folder, spent, self.progress)
        return replace(done, details={**done.details, **self.details})


def animate_one(
    animator: Animator,
    job: AnimateJob,
    options: AnimateOptions,
    folder: OutputFolder,
    timings: dict[str, float],
    progress: Progress,
) -> Outcome:
    """Animate one audio file.

    Args:
        animator: made from the options, with their style.
        job: what to make.
        options: how.
        folder: of the run; the outputs go into a folder in it.
        timings: gets the seconds that each step took.
        progress: called with the step and the name of the file.
    """
    speech = job.speech
    clip = None if options.idle_s is not None else AudioClip(speech, options.part)
    if clip is None:
        with timed(timings, "talker"):
            motion = animator.idle(options)
        meta = {**job.made, **motion.meta}
    else:
        motion = _spoken(animator, job, clip, options, folder, timings)
        meta = {"speech_fingerprint": fingerprint(speech), **job.made, **motion.meta}
    if job.sidecar is not None:  # at the final frame rate, where locked values stay exact
        motion = job.sidecar.on(at_frame_rate(motion, options.fps or motion.fps))
    motion = motion.replace(source=unicode_name(speech.name), meta={**meta, **motion.meta})

    def labeled(what: str, done: int, total: int) -> None:
        progress(f"{what} {speech.name}", done, total)

    with folder.holding(next(iter(job.targets.values())).parent), timed(timings, "files"):
        written = options.written(clip)
        targets = {name: path for name, path in job.targets.items() if name in FORMATS}
        export_formats(motion, targets, head=animator.head, options=written, progress=labeled)
        made = {path: file_options(name, job.made, options) for name, path in job.targets.items() if name != "npz"}
        write_record(made)
    _log.info("%s: seed %d", speech, motion.meta["seed"])
    details = {"seconds": motion.duration_s, "seed": int(motion.meta["seed"]), "timings_s": timings}
    return Outcome(speech, "done", dict(job.targets), redone=job.redone, details=details)


def _spoken(
    animator: Animator,
    job: AnimateJob,
    clip: AudioClip,
    options: AnimateOptions,
    folder: OutputFolder,
    timings: dict[str, float],
) -> Motion:
    """The motion of a recording, or of a text that a voice says first."""
    with folder.holding(job.speech.parent) if "wav" in job.targets else nullcontext(), timed(timings, "text"):
        transcript = transcript_for(job, options)
    animator = replace(animator, direction=replace(animator.direction, transcript=transcript))
    with timed(timings, "talker"), StreamedAudio(clip) as audio:
        motion = animator.motion(audio, options)
    warn_if_wrong(motion, transcript, job.speech, options)
    return motion
