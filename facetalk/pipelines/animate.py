"""Speech -> features -> motion -> mesh -> files: a video with audio, a motion file, an animated mesh."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from facetalk.audio.activity import phrases
from facetalk.audio.seed import recording_seed
from facetalk.core.audio_part import AudioPart
from facetalk.core.emotions import EmotionTrack
from facetalk.core.engines import LOCAL, runs_elsewhere
from facetalk.core.errors import FacetalkError
from facetalk.core.motion import Motion, still_motion
from facetalk.core.progress import Progress, no_progress
from facetalk.core.text import unicode_name
from facetalk.core.threads import one_torch_thread
from facetalk.core.timing import FPS, frames_for
from facetalk.exporters.registry import FORMATS, formats_named
from facetalk.head.channels import ARKIT_NAMES
from facetalk.head.looks import Look
from facetalk.head.model import HeadModel
from facetalk.io.audio import Waveform
from facetalk.io.audio_clip import AudioClip
from facetalk.io.streamed_audio import StreamedAudio
from facetalk.io.voices import SpokenText, check_voice
from facetalk.motion.frame_rate import at_frame_rate
from facetalk.motion.gestures.gaze import EYE_CONTACT
from facetalk.motion.gestures.idle import Idle
from facetalk.motion.gestures.registry import DEFAULT, add_gestures, load_gesture
from facetalk.motion.heads import identity_names, load_head
from facetalk.motion.regions import RegionalControl, controlled
from facetalk.pipelines.animate_jobs import AnimateJob, AnimateOptions, file_options, planned, sorted_out
from facetalk.pipelines.avatar import avatar_formats
from facetalk.pipelines.batch import (
    Outcome,
    OutputFolder,
    Report,
    check_batch_flags,
    check_output_folder,
    jobs_of,
    no_report,
    run_batch,
)
from facetalk.pipelines.export import check_heads, check_neural, export_formats
from facetalk.pipelines.records import fingerprint, write_record
from facetalk.pipelines.styles import check_style, resolve_style
from facetalk.pipelines.transcripts import transcript_for, warn_if_wrong
from facetalk.talkers.base import (
    Direction,
    LaughingTalker,
    PersonalTalker,
    Talker,
    person_index,
    reject_unsupported,
)
from facetalk.talkers.emotion import speak_with_emotion, with_emotion
from facetalk.talkers.laughtalk import add_laughter
from facetalk.talkers.registry import load_talker
from facetalk.talkers.voice_emotion import emotion_of_voice, listener

_HEAD = "facetalk"
"""The head of a face that rests; it has the ARKit channels."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class AnimateResult:
    """What was made of one audio file."""

    speech: Path
    paths: Mapping[str, Path]
    """File or folder of each format."""
    duration_s: float
    timings: Mapping[str, float]
    """Seconds that each step took."""
    seed: int
    """Of the blinks and the head motion."""


@dataclass(frozen=True)
class AnimateBatch:
    """What was made of many audio files."""

    done: Sequence[AnimateResult]
    skipped: Sequence[Path]
    """Audio files whose outputs existed already."""
    failed: Mapping[Path, FacetalkError]


@dataclass(frozen=True, eq=False)
class Animator:
    """Everything that is loaded once for many audio files."""

    head: HeadModel
    talker: Talker
    direction: Direction

    def motion(self, waveform: Waveform, options: AnimateOptions) -> Motion:
        """Return the motion of the talker with gestures and phrases, on the talker's head; `meta` holds the seed."""
        seed = recording_seed(waveform) if options.seed is None else options.seed
        direction = replace(self.direction, emotion=self._emotion(waveform, options))
        if isinstance(self.talker, LaughingTalker):
            motion = speak_with_emotion(self.talker, waveform, replace(direction, laughter=options.laughter))
        else:
            motion = add_laughter(speak_with_emotion(self.talker, waveform, direction), waveform, options.laughter)
        motion = add_gestures(
            motion,
            waveform,
            gestures=options.gestures,
            head_motion=options.moving_head,
            blinks=options.blinks,
            gaze=options.directed_gaze(),
            seed=seed,
        )
        motion = controlled(motion, options.control)
        return motion.with_events(phrases(waveform)).replace(meta={**motion.meta, "seed": seed})

    def _emotion(self, waveform: Waveform, options: AnimateOptions) -> EmotionTrack | None:
        """What is asked for, or what is heard."""
        if options.hears_emotion:
            return emotion_of_voice(listener(self.talker).hear_emotion(waveform))
        return options.emotion_track

    def idle(self, options: AnimateOptions) -> Motion:
        """Return the motion of a face that rests, whose end joins its beginning; `meta` holds the seed."""
        seed = options.seed or 0
        num_frames = frames_for(options.idle_s or 0.0)
        rest = torch.zeros(num_frames, len(ARKIT_NAMES))
        motion = still_motion(_HEAD, rest, ARKIT_NAMES, FPS, len(identity_names(_HEAD)))
        track = options.emotion_track
        motion = motion if track is None else with_emotion(motion, motion, track)
        idle = Idle(options.moving_head, options.blinks, options.directed_gaze())
        motion = controlled(idle.loop(motion, torch.Generator().manual_seed(seed)), options.control)
        return motion.replace(meta={**motion.meta, "seed": seed})


def animate(
    speech: Path | str | SpokenText | None = None,
    *,
    style: Path | str | None = None,
    style_strength: float = 1.0,
    talker: str = "styletalk",
    head: str = "facetalk",
    look: Look | None = None,
    avatar: Path | str | None = None,
    photo: Path | str | None = None,
    portrait: Path | str | None = None,
    emotion: str | Path | EmotionTrack | None = None,
    person: str | None = None,
    laughter: float | None = None,
    gestures: str = DEFAULT,
    head_motion: float = 1.0,
    blinks: float = 1.0,
    gaze: float = 1.0,
    look_at: Path | str | None = None,
    eye_contact: float = EYE_CONTACT,
    still: bool = False,
    idle_s: float | None = None,
    formats: Sequence[str] = ("mp4", "npz", "glb"),
    size: int = 512,
    fps: float | None = None,
    seed: int | None = None,
    control: RegionalControl | None = None,
    part: AudioPart | None = None,
    transcript: Path | str | None = None,
    out: Path | str | None = None,
    overwrite: bool = False,
    progress: Progress = no_progress,
) -> AnimateResult:
    """Animate a head from speech and write the results to files.

    Args:
        speech: audio file, or a video whose audio is used, or text that a voice says; None with `idle_s`.
        style: whose speaking style is used: a video, a motion file, a saved or bundled style, or a mixture of these
            such as `A.mp4:0.4,happy:0.6`; the talker's neutral one if omitted.
        style_strength: how far to go from the neutral style: 0 not at all, 1 all the way, at most 1.5.
        talker: a bundled talker, or a folder that `facetalk train` wrote.
        head: a bundled or installed head, or `flame:PATH`, `ict:PATH`, `gnm:PATH`.
        look: colors of skin, eyes and hair; the head's own if omitted.
        avatar: your own character, a `.glb`, `.gltf` or `.vrm` file, instead of the head in `.glb` and video.
        photo: folder of a training by `facetalk train render2video`, whose person the video shows instead of the head.
        portrait: photo of a person, an image file, who is shown instead of the head.
        emotion: what the face feels: `happy`, `happy:2`, `happy:1,surprised:1`, `va:0.6,-0.3`, a CSV file with emotions
            over time, or `auto`, from the voice.
        person: one of the people that the talker was trained on, by name or number.
        laughter: multiplies how much the face laughs where the voice does; 0 for not at all, at most 2. If None, it is
            1 where the weights of LaughTalk are installed.
        gestures: what moves head and eyes: `idle` from statistics, `facial` as learned from speech, or a folder that
            `facetalk train facial` wrote.
        head_motion: multiplies how far the head moves by itself; 0 for not at all.
        blinks: multiplies how often the eyes blink; 0 for never.
        gaze: multiplies how far the eyes wander; 0 for eyes that rest.
        look_at: where the eyes look: `camera`, a place `X,Y,Z` in meters, or a CSV file with `seconds,x,y,z`.
        eye_contact: share of the time that the eyes are on what they look at.
        still: hold head and eyes; the eyes still blink.
        idle_s: seconds of a loop in which the face rests, in place of speech.
        formats: names of the formats to write, of `facetalk.exporters.registry.FORMATS`.
        size: side of the video's square image, pixels.
        fps: frames a second of all files: 24, 25, 29.97, 30, 50, 60 or any other; 30 if omitted.
        seed: decides when the eyes blink and how the head moves; if None, it follows from the first second of
            the recording, so that each one has its own performance, the same every time.
        control: how much mouth, upper face, eyes, head and single channels move; applied after blinks and head motion.
        part: which channel and span of the recording is used; all of it if omitted.
        transcript: file with what is said: text, subtitles or a TextGrid.
        out: folder that gets a folder for the outputs, named after the speech; the current one if omitted.
        overwrite: replace existing outputs.
        progress: called with the step, how much of it is done, and how much there is.

    Returns:
        The path of each format, the duration, and the seconds that each step took.

    Raises:
        UsageError: an option makes no sense, or a name is unknown.
        FacetalkError: the speech or the style cannot be read, or outputs exist already.

    Example:
        >>> animate("speech.wav", style="ref.mp4", formats=("mp4", "glb")).paths["glb"]
        PosixPath('speech/speech.glb')
    """
    options = AnimateOptions(
        style=style,
        style_strength=style_strength,
        talker=talker,
        head=head,
        look=look or Look(),
        avatar=avatar,
        photo=photo,
        portrait=portrait,
        emotion=emotion,
        person=person,
        laughter=laughter,
        gestures=gestures,
        head_motion=head_motion,
        blinks=blinks,
        gaze=gaze,
        look_at=look_at,
        eye_contact=eye_contact,
        still=still,
        idle_s=idle_s,
        formats=formats,
        size=size,
        fps=fps,
        seed=seed,
        control=control or RegionalControl(),
        part=part or AudioPart(),
        transcript=transcript,
        spoken=speech if isinstance(speech, SpokenText) else None,
    )
    speeches = [] if speech is None or isinstance(speech, SpokenText) else [Path(speech)]
    batch = animate_all(speeches, options, out=out, overwrite=overwrite, progress=progress)
    for error in batch.failed.values():
        raise error
    return batch.done[0]


def animate_all(
    speeches: Sequence[Path | str],
    options: AnimateOptions | None = None,
    *,
    out: Path | str | None = None,
    overwrite: bool = False,
    skip_existing: bool = False,
    jobs: int | None = None,
    engine: str = LOCAL,
    progress: Progress = no_progress,
    report: Report = no_report,
) -> AnimateBatch:
    """Animate many audio files; one that fails does not stop the others.

    Head, talker and style are loaded once, in each of several processes.

    Args:
        speeches: audio files, videos whose audio is used, or folders that are searched for both.
        options: shared by all.
        out: folder that gets a folder for each audio file, named after it; the current one if omitted.
        overwrite: replace existing outputs.
        skip_existing: keep the outputs that exist and were made with the same options, and write the others.
        jobs: number of audio files at the same time, each in a process; one if None, with Ray one for each processor.
        engine: `local`, or a Ray cluster, see `facetalk.core.engines`.
        progress: see `animate`.
        report: called with what became of each audio file, as soon as it is known.

    Returns:
        What was made, what was skipped, and what failed with which error.

    Raises:
        UsageError: an option makes no sense, a name is unknown, or a folder holds no audio files.

    Example:
        >>> batch = animate_all(["a.wav", "b.wav"], AnimateOptions(style="happy"), out="animated")
    """
    options = options or AnimateOptions()
    check_batch_flags(skip_existing, overwrite)
    check_output_folder(out)
    jobs = jobs_of(jobs, engine)
    formats, shown = formats_named(options.formats), None
    if options.avatar is not None:
        formats, shown = avatar_formats(options.avatar, formats)
    if "mp4" in formats:
        check_neural(options.written())
    targets = planned(speeches, out, formats, options)
    if options.spoken is not None:
        check_voice(options.spoken.voice)
    timings: dict[str, float] = {}
    with one_torch_thread():
        animator = load_animator(options, timings)
        check_heads(formats_named(options.formats), animator.head)
        if options.style is not None:
            check_style(options.style, animator.talker)
        waiting, settled = sorted_out(targets, options, overwrite, skip_existing)
        if waiting and options.style is not None:
            animator = with_style(animator, options, timings, progress)
        folder = OutputFolder(Path(out or "."))
        details = {} if shown is None else {"avatar": shown.document()}
        work = AnimateWork(animator, options, folder, details, timings, progress)
        with folder.made(bool(waiting) and runs_elsewhere(engine, jobs)):
            outcomes = run_batch(work, waiting, settled, report, progress, jobs, engine)
    return batch_of(outcomes)


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


def load_animator(options: AnimateOptions, timings: dict[str, float]) -> Animator:
    """Load head, talker and gestures; the style is neutral."""
    with _timed(timings, "load"):
        head, talker = load_head(options.head, options.look), load_talker(options.talker)
        load_gesture(options.gestures)
        return directed(Animator(head, talker, Direction()), options)


def directed(animator: Animator, options: AnimateOptions) -> Animator:
    """The same, speaking as the person that the options name; refuses what the talker would ignore."""
    talker = animator.talker
    asked = Direction(person=options.person, strength=options.style_strength)
    reject_unsupported(talker.name, asked, talker.supported)
    if options.person is not None and isinstance(talker, PersonalTalker):
        person_index(options.person, talker.people)
    if options.hears_emotion:
        listener(talker)
    return replace(animator, direction=replace(animator.direction, person=options.person))


def with_style(animator: Animator, options: AnimateOptions, timings: dict[str, float], progress: Progress) -> Animator:
    """Resolve the style, which may mean that a video is fitted."""
    with _timed(timings, "style"):
        code = resolve_style(options.style or "", animator.talker, head=animator.head, progress=progress)
    styled = replace(animator.direction, style=code, strength=options.style_strength)
    return replace(animator, direction=styled)


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
        with _timed(timings, "talker"):
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

    with folder.holding(next(iter(job.targets.values())).parent), _timed(timings, "files"):
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
    with folder.holding(job.speech.parent) if "wav" in job.targets else nullcontext(), _timed(timings, "text"):
        transcript = transcript_for(job, options)
    animator = replace(animator, direction=replace(animator.direction, transcript=transcript))
    with _timed(timings, "talker"), StreamedAudio(clip) as audio:
        motion = animator.motion(audio, options)
    warn_if_wrong(motion, transcript, job.speech, options)
    return motion


def batch_of(outcomes: Sequence[Outcome]) -> AnimateBatch:
    """The result of a run, of the outcomes of its inputs."""
    done = [
        AnimateResult(
            o.details.get("speech", o.source), o.files, o.details["seconds"], o.details["timings_s"], o.details["seed"]
        )
        for o in outcomes
        if o.state == "done"
    ]
    skipped = [outcome.source for outcome in outcomes if outcome.state == "skipped"]
    return AnimateBatch(done, skipped, {o.source: o.error for o in outcomes if o.error is not None})


@contextmanager
def _timed(timings: dict[str, float], name: str) -> Iterator[None]:
    """Record how many seconds a block takes."""
    start = time.perf_counter()
    yield
    timings[name] = time.perf_counter() - start
