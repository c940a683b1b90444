"""Speech -> features -> motion -> mesh -> files: a video with audio, a motion file, an animated mesh."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from facetalk.audio.seed import recording_seed
from facetalk.core.errors import FacetalkError, UsageError
from facetalk.core.motion import Motion
from facetalk.core.progress import Progress, no_progress
from facetalk.core.threads import one_torch_thread
from facetalk.exporters.base import ExportOptions, check_fps
from facetalk.exporters.registry import FORMATS, formats_named
from facetalk.head.looks import Look
from facetalk.head.model import HeadModel
from facetalk.io.audio import Waveform
from facetalk.io.streamed_audio import StreamedAudio
from facetalk.motion.gestures.registry import add_gestures, check_factors, check_seed
from facetalk.motion.heads import load_head
from facetalk.pipelines.export import export_formats
from facetalk.pipelines.styles import resolve_style
from facetalk.talkers.base import Direction, Talker
from facetalk.talkers.registry import load_talker


@dataclass(frozen=True)
class AnimateOptions:
    """How speech is animated."""

    style: str | Path | None = None
    """Whose speaking style is used: a video, a motion file, a saved or bundled style, or a mixture of these such as
    `A.mp4:0.4,happy:0.6`; the talker's neutral one if omitted."""
    style_strength: float = 1.0
    """How far to go from the neutral style: 0 not at all, 1 all the way, at most 1.5."""
    talker: str = "styletalk"
    """A bundled talker, or a folder that `facetalk train` wrote."""
    head: str = "facetalk"
    look: Look = field(default_factory=Look)
    """Colors of skin, eyes and hair."""
    head_motion: float = 1.0
    """Multiplies how far head and eyes move by themselves; 0 for not at all."""
    blinks: float = 1.0
    """Multiplies how often the eyes blink; 0 for never."""
    formats: Sequence[str] = ("mp4", "npz", "glb")
    size: int = 512
    """Side of the video's square image, pixels."""
    fps: float | None = None
    """Frames a second of all files: 24, 25, 29.97, 30, 50, 60 or any other; 30 if omitted."""
    seed: int | None = None
    """Decides when the eyes blink and how the head moves; if None, it follows from the recording."""

    def __post_init__(self) -> None:
        formats_named(self.formats)
        check_factors(self.head_motion, self.blinks)
        check_seed(self.seed)
        check_fps(self.fps)


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
        """Return the motion of the talker with gestures added, on the talker's head; its `meta` holds the seed."""
        seed = recording_seed(waveform) if options.seed is None else options.seed
        motion = self.talker.speak(waveform, self.direction)
        motion = add_gestures(motion, waveform, head_motion=options.head_motion, blinks=options.blinks, seed=seed)
        return motion.replace(meta={**motion.meta, "seed": seed})


def animate(
    speech: Path | str,
    *,
    style: Path | str | None = None,
    style_strength: float = 1.0,
    talker: str = "styletalk",
    head: str = "facetalk",
    look: Look | None = None,
    head_motion: float = 1.0,
    blinks: float = 1.0,
    formats: Sequence[str] = ("mp4", "npz", "glb"),
    size: int = 512,
    fps: float | None = None,
    seed: int | None = None,
    out: Path | str | None = None,
    overwrite: bool = False,
    progress: Progress = no_progress,
) -> AnimateResult:
    """Animate a head from speech and write the results to files.

    Args:
        speech: audio file, or a video whose audio is used.
        style: whose speaking style is used: a video, a motion file, a saved or bundled style, or a mixture of these
            such as `A.mp4:0.4,happy:0.6`; the talker's neutral one if omitted.
        style_strength: how far to go from the neutral style: 0 not at all, 1 all the way, at most 1.5.
        talker: a bundled talker, or a folder that `facetalk train` wrote.
        head: a bundled or installed head, or `flame:PATH`, `ict:PATH`, `gnm:PATH`.
        look: colors of skin, eyes and hair; the head's own if omitted.
        head_motion: multiplies how far head and eyes move by themselves; 0 for not at all.
        blinks: multiplies how often the eyes blink; 0 for never.
        formats: names of the formats to write, of `mp4`, `npz`, `glb`, `csv`, `obj`, `ply`, `usd`.
        size: side of the video's square image, pixels.
        fps: frames a second of all files: 24, 25, 29.97, 30, 50, 60 or any other; 30 if omitted.
        seed: decides when the eyes blink and how the head moves; if None, it follows from the recording, so that
            each one has its own performance, the same every time.
        out: folder of the outputs; a folder named after the speech in the current folder if omitted.
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
        head_motion=head_motion,
        blinks=blinks,
        formats=formats,
        size=size,
        fps=fps,
        seed=seed,
    )
    batch = animate_all([Path(speech)], options, out=out, overwrite=overwrite, progress=progress)
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
    progress: Progress = no_progress,
) -> AnimateBatch:
    """Animate many audio files; one that fails does not stop the others.

    Head, talker and style are loaded once.

    Args:
        speeches: audio files, or videos whose audio is used.
        options: shared by all.
        out: folder of the outputs; with several audio files each gets a folder in it.
        overwrite: replace existing outputs.
        skip_existing: keep the outputs that exist and write the others.
        progress: see `animate`.

    Returns:
        What was made, what was skipped, and what failed with which error.

    Raises:
        UsageError: an option makes no sense, a name is unknown, or two audio files would share a folder.

    Example:
        >>> batch = animate_all(["a.wav", "b.wav"], AnimateOptions(style="happy"), out="animated")
    """
    options = options or AnimateOptions()
    jobs = plan([Path(speech) for speech in speeches], out, formats_named(options.formats))
    skipped = []
    if skip_existing:  # only what is missing is written
        jobs = {
            speech: {name: path for name, path in paths.items() if not path.exists()} for speech, paths in jobs.items()
        }
        skipped = [speech for speech, missing in jobs.items() if not missing]
        jobs = {speech: missing for speech, missing in jobs.items() if missing}
    failed = {}
    for speech, paths in jobs.items():
        try:
            _check(speech, paths, overwrite)
        except FacetalkError as error:
            failed[speech] = error
    jobs = {speech: paths for speech, paths in jobs.items() if speech not in failed}
    if not jobs:
        return AnimateBatch([], skipped, failed)
    timings: dict[str, float] = {}
    done = []
    with one_torch_thread():
        animator = load_animator(options, timings, progress)
        for speech, paths in jobs.items():
            try:
                done.append(_animate_one(animator, speech, paths, options, dict(timings), progress))
            except FacetalkError as error:
                failed[speech] = error
            timings = {}  # what was loaded once is reported once
    return AnimateBatch(done, skipped, failed)


def load_animator(options: AnimateOptions, timings: dict[str, float], progress: Progress = no_progress) -> Animator:
    """Load head and talker, and resolve the style."""
    with _timed(timings, "load"):
        head, talker = load_head(options.head, options.look), load_talker(options.talker)
    if options.style is None:
        return Animator(head, talker, Direction())
    with _timed(timings, "style"):
        code = resolve_style(options.style, talker, head=head, progress=progress)
    return Animator(head, talker, Direction(style=code, strength=options.style_strength))


def plan(speeches: Sequence[Path], out: Path | str | None, formats: Sequence[str]) -> dict[Path, dict[str, Path]]:
    """Return the path of each format of each audio file; audio files that would share a folder are refused."""
    jobs: dict[Path, dict[str, Path]] = {}
    owners: dict[Path, Path] = {}
    for speech in speeches:
        folder = Path(out or ".") / ("" if out is not None and len(speeches) == 1 else speech.stem)
        other = owners.setdefault(folder, speech)
        if other != speech:
            raise UsageError(f"{other} and {speech} would both go to {folder}; animate them with different -o")
        jobs[speech] = {name: folder / f"{speech.stem}{FORMATS[name].suffix}" for name in dict.fromkeys(formats)}
    return jobs


def _check(speech: Path, targets: Mapping[str, Path], may_replace: bool) -> None:
    """Find out before any long work whether an audio file can be used and its outputs written."""
    with StreamedAudio(speech):
        pass
    there = [path for path in targets.values() if path.exists()]
    if any(path.samefile(speech) for path in there):
        raise FacetalkError(f"{speech} would be replaced by its own animation; choose another folder with -o")
    if there and not may_replace:
        raise FacetalkError(f"{there[0]} exists already; --overwrite replaces it, -o chooses another folder")


def _animate_one(
    animator: Animator,
    speech: Path,
    targets: Mapping[str, Path],
    options: AnimateOptions,
    timings: dict[str, float],
    progress: Progress,
) -> AnimateResult:
    with _timed(timings, "talker"), StreamedAudio(speech) as audio:
        motion = animator.motion(audio, options)
    motion = motion.replace(source=speech.name, meta=_meta(speech, options) | dict(motion.meta))

    def labeled(what: str, done: int, total: int) -> None:
        progress(f"{what} {speech.name}", done, total)

    with _timed(timings, "files"):
        written = ExportOptions(fps=options.fps, size=options.size, audio=speech)
        export_formats(motion, targets, head=animator.head, options=written, progress=labeled)
    return AnimateResult(speech, dict(targets), motion.duration_s, timings, int(motion.meta["seed"]))


def _meta(speech: Path, options: AnimateOptions) -> dict[str, object]:
    return {
        "command": "animate",
        "speech": speech.name,
        "style": _style_name(options.style),
        "style_strength": options.style_strength,
        "talker": options.talker,
        "head_motion": options.head_motion,
        "blinks": options.blinks,
    }


def _style_name(style: str | Path | None) -> str:
    """Return how the motion file names its style: a file without its folder."""
    if style is None:
        return "neutral"
    return Path(style).name if Path(style).exists() else str(style)


@contextmanager
def _timed(timings: dict[str, float], name: str) -> Iterator[None]:
    """Record how many seconds a block takes."""
    start = time.perf_counter()
    yield
    timings[name] = time.perf_counter() - start
