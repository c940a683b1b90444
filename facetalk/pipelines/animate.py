"""Speech -> features -> motion -> mesh -> files: a video with sound, a motion file, an animated mesh."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from jaxtyping import Float
from torch import Tensor

from facetalk.core.errors import FacetalkError, UsageError
from facetalk.core.motion import Motion, still_motion
from facetalk.core.progress import Progress, no_progress
from facetalk.core.threads import one_torch_thread
from facetalk.core.timing import FPS
from facetalk.exporters.base import ExportOptions
from facetalk.exporters.registry import FORMATS, formats_named
from facetalk.head.looks import Look
from facetalk.head.model import HeadModel
from facetalk.io.audio import read_waveform
from facetalk.motion.gestures.registry import add_gestures
from facetalk.motion.heads import load_head
from facetalk.networks.styletalk import Talker
from facetalk.pipelines.export import export_formats
from facetalk.pipelines.styles import TALKERS_HEAD, resolve_style
from facetalk.talkers.registry import load_talker


@dataclass(frozen=True)
class AnimateOptions:
    """How recordings are animated."""

    style: str | Path | None = None
    """Whose manner of speaking is taken over, see `styles.resolve_style`; the talker's neutral one if there is none."""
    style_strength: float = 1.0
    """How far to go from the neutral style: 0 not at all, 1 all the way, at most 1.5."""
    talker: str = "styletalk"
    """A released talker, or a folder that `train` wrote."""
    head: str = "facetalk"
    look: Look = field(default_factory=Look)
    """Colours of skin, eyes and hair."""
    head_motion: float = 1.0
    """Multiplies how far head and eyes move by themselves; 0 for not at all."""
    blinks: float = 1.0
    """Multiplies how often the eyes blink; 0 for never."""
    formats: Sequence[str] = ("mp4", "npz", "glb")
    size: int = 512
    """Side of the video's square picture, pixels."""
    seed: int = 0
    """Decides when the eyes blink and how the head moves."""

    def __post_init__(self) -> None:
        formats_named(self.formats)
        if self.head_motion < 0 or self.blinks < 0:
            raise UsageError(f"head motion ({self.head_motion:g}) and blinks ({self.blinks:g}) cannot be negative")


@dataclass(frozen=True)
class AnimateResult:
    """What one recording became."""

    speech: Path
    paths: Mapping[str, Path]
    """File or folder of each format."""
    duration_s: float
    timings: Mapping[str, float]
    """Seconds that each step took."""


@dataclass(frozen=True)
class Batch:
    """What many recordings became."""

    done: Sequence[AnimateResult]
    skipped: Sequence[Path]
    """Recordings whose outputs were all there."""
    failed: Mapping[Path, FacetalkError]


@dataclass(frozen=True, eq=False)
class Performer:
    """Everything that is loaded once for many recordings."""

    head: HeadModel
    talker: Talker
    style_code: Float[Tensor, " style"] | None
    """None for the talker's neutral style."""


def animate(
    speech: Path | str,
    *,
    style: Path | str | None = None,
    out: Path | str | None = None,
    overwrite: bool = False,
    progress: Progress = no_progress,
    **options: object,
) -> AnimateResult:
    """Animate a head from one recording.

    Args:
        speech: sound file, or a video whose sound is used.
        style: see `AnimateOptions`.
        out: folder of the outputs; `<stem>/` in the current folder if left away.
        overwrite: replace existing outputs.
        progress: told how far the work is.
        options: any other field of `AnimateOptions`.
    """
    chosen = AnimateOptions(style=style, **options)  # type: ignore[arg-type]
    batch = animate_all([Path(speech)], chosen, out=out, overwrite=overwrite, progress=progress)
    for error in batch.failed.values():
        raise error
    return batch.done[0]


def animate_all(
    speeches: Sequence[Path],
    options: AnimateOptions | None = None,
    *,
    out: Path | str | None = None,
    overwrite: bool = False,
    skip_existing: bool = False,
    progress: Progress = no_progress,
) -> Batch:
    """Animate many recordings; one that fails does not stop the others.

    Args:
        speeches: see `animate`.
        options: shared by all.
        out: folder of the outputs; with several recordings it gets a folder for each.
        overwrite: replace existing outputs.
        skip_existing: leave out recordings whose outputs are all there, do the others again.
        progress: told how far the work is.
    """
    options = options or AnimateOptions()
    jobs = plan(speeches, out, formats_named(options.formats))
    skipped = [speech for speech, paths in jobs.items() if skip_existing and all(p.exists() for p in paths.values())]
    jobs = {speech: paths for speech, paths in jobs.items() if speech not in skipped}
    failed = {}
    for speech, paths in jobs.items():
        try:
            _check(speech, paths, overwrite or skip_existing)
        except FacetalkError as error:
            failed[speech] = error
    jobs = {speech: paths for speech, paths in jobs.items() if speech not in failed}
    if not jobs:
        return Batch([], skipped, failed)
    timings: dict[str, float] = {}
    done = []
    with one_torch_thread():
        performer = load_performer(options, timings, progress)
        for speech, paths in jobs.items():
            try:
                done.append(_animate_one(performer, speech, paths, options, dict(timings), progress))
            except FacetalkError as error:
                failed[speech] = error
            timings = {}  # what was loaded once is told once
    return Batch(done, skipped, failed)


def load_performer(options: AnimateOptions, timings: dict[str, float], progress: Progress = no_progress) -> Performer:
    """Load head and talker, and take the style from its file."""
    with _timed(timings, "load"):
        head, talker = load_head(options.head, options.look), load_talker(options.talker)
    if options.style is None:
        return Performer(head, talker, None)
    with _timed(timings, "style"):
        code = resolve_style(
            options.style,
            talker,
            talker_name=options.talker,
            head=head,
            strength=options.style_strength,
            progress=progress,
        )
    return Performer(head, talker, code)


def perform(performer: Performer, waveform: Float[Tensor, " samples"], options: AnimateOptions) -> Motion:
    """The performance of a recording: the talker's expression, with blinks, glances and head motion on top.

    It has ARKit's channels and belongs to the bundled head where the performer's head has others.
    """
    expression = performer.talker.speak(waveform, performer.style_code)
    head = performer.head if performer.head.shape.is_arkit else load_head(TALKERS_HEAD)
    motion = still_motion(head.name, expression, head.shape.expression_names, FPS, head.num_betas)
    return add_gestures(motion, waveform, head_motion=options.head_motion, blinks=options.blinks, seed=options.seed)


def plan(speeches: Sequence[Path], out: Path | str | None, formats: Sequence[str]) -> dict[Path, dict[str, Path]]:
    """Where each format of each recording goes; recordings that would share a folder are refused."""
    jobs: dict[Path, dict[str, Path]] = {}
    owners: dict[Path, Path] = {}
    for speech in map(Path, speeches):
        folder = Path(out or ".") / ("" if out is not None and len(speeches) == 1 else speech.stem)
        other = owners.setdefault(folder, speech)
        if other != speech:
            raise UsageError(f"{other} and {speech} would both go to {folder}; animate them with different -o")
        jobs[speech] = {name: folder / f"{speech.stem}{FORMATS[name].suffix}" for name in dict.fromkeys(formats)}
    return jobs


def _check(speech: Path, targets: Mapping[str, Path], may_replace: bool) -> None:
    """Find out before any long work whether a recording can be used and its outputs written."""
    read_waveform(speech)
    there = [path for path in targets.values() if path.exists()]
    if any(path.samefile(speech) for path in there):
        raise FacetalkError(f"{speech} would be replaced by its own animation; choose another folder with -o")
    if there and not may_replace:
        raise FacetalkError(f"{there[0]} exists already; --overwrite replaces it, -o chooses another folder")


def _animate_one(
    performer: Performer,
    speech: Path,
    targets: Mapping[str, Path],
    options: AnimateOptions,
    timings: dict[str, float],
    progress: Progress,
) -> AnimateResult:
    with _timed(timings, "talker"):
        motion = perform(performer, read_waveform(speech), options)
    motion = motion.replace(source=speech.name, meta=_meta(speech, options))

    def tell(what: str, done: int, total: int) -> None:
        progress(f"{what} {speech.name}", done, total)

    with _timed(timings, "files"):
        written = ExportOptions(size=options.size, audio=speech)
        export_formats(motion, targets, head=performer.head, options=written, progress=tell)
    return AnimateResult(speech, dict(targets), motion.duration_s, timings)


def _meta(speech: Path, options: AnimateOptions) -> dict[str, object]:
    return {
        "command": "animate",
        "speech": speech.name,
        "style": _style_name(options.style),
        "style_strength": options.style_strength,
        "talker": options.talker,
        "head_motion": options.head_motion,
        "blinks": options.blinks,
        "seed": options.seed,
    }


def _style_name(style: str | Path | None) -> str:
    """What the motion file says of its style: of a file the name only."""
    if style is None:
        return "neutral"
    return Path(style).name if Path(style).exists() else str(style)


@contextmanager
def _timed(timings: dict[str, float], name: str) -> Iterator[None]:
    """Note how many seconds a block takes."""
    start = time.perf_counter()
    yield
    timings[name] = time.perf_counter() - start
