"""Speech -> features -> motion -> mesh -> files: a video with audio, a motion file, an animated mesh."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from facetalk.core.audio_part import AudioPart
from facetalk.core.emotions import EmotionTrack
from facetalk.core.engines import LOCAL, runs_elsewhere
from facetalk.core.errors import FacetalkError
from facetalk.core.progress import Progress, no_progress
from facetalk.core.threads import one_torch_thread
from facetalk.exporters.registry import formats_named
from facetalk.head.looks import Look
from facetalk.io.path_list import single
from facetalk.io.voices import SpokenText, check_voice
from facetalk.motion.gestures.gaze import EYE_CONTACT
from facetalk.motion.gestures.registry import DEFAULT
from facetalk.motion.regions import RegionalControl
from facetalk.pipelines.animate_jobs import AnimateOptions, planned, sorted_out
from facetalk.pipelines.animate_work import AnimateWork
from facetalk.pipelines.animator import load_animator, with_style
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
from facetalk.pipelines.export import check_heads, check_neural
from facetalk.pipelines.styles import check_style


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
        speech: audio file, or a video whose audio is used, or text that a voice says; None with `idle_s`. For folders,
            patterns and lists there is `animate_all`.
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
    speeches = []
    if speech is not None and not isinstance(speech, SpokenText):
        speeches = [single(speech, "speech", "animate_all")]
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
        speeches: audio files, videos whose audio is used, folders that are searched for both, patterns such as
            `takes/*.wav`, and lists of all these as `@list.txt`.
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
        UsageError: an option makes no sense, a name is unknown, or a folder or pattern stands for no audio files.

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
