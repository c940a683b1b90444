"""Motion file -> edited motion file."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from facetalk.core.errors import FacetalkError, UsageError
from facetalk.core.motion import Motion
from facetalk.core.progress import Progress, no_progress
from facetalk.core.text import unicode_name
from facetalk.core.text_values import parse_number
from facetalk.data.sources import output_name
from facetalk.importers.registry import import_motion
from facetalk.io.motion import write_motion
from facetalk.motion.edits import CROSSFADE_S, joined, looped, retimed, trimmed
from facetalk.motion.mirror import mirrored_motion
from facetalk.motion.regions import RegionalControl, controlled
from facetalk.motion.smoothing import smoothed
from facetalk.pipelines.batch import Outcome, Report, check_batch_flags, no_report, run_batch
from facetalk.pipelines.records import fingerprint, wanted_targets, write_record
from facetalk.pipelines.sidecar import Sidecar, edits_made_with


@dataclass(frozen=True)
class MotionEdits:
    """What is done to a motion, in this order."""

    trim: tuple[float, float | None] | None = None
    """Seconds between which the motion is kept."""
    retime: float = 1.0
    """By how much it becomes faster."""
    mirror: bool = False
    smooth: float = 0.0
    """Standard deviation of the weights that average it, in thirtieths of a second."""
    control: RegionalControl = field(default_factory=RegionalControl)
    edits: Path | None = None
    """A list of edits, see `facetalk.io.edit_list`."""
    join: tuple[Path, ...] = ()
    """Motions that follow."""
    loop: bool = False
    """Whether the end leads over to the beginning."""
    crossfade_s: float = CROSSFADE_S
    """Overlap of joined motions and of a loop."""

    def __post_init__(self) -> None:
        asked = (self.trim, self.edits, self.mirror, self.loop, self.join, self.smooth, self.retime != 1)
        if not any(asked) and self.control == RegionalControl():
            raise UsageError("nothing to do: give --trim, --retime, --mirror, --smooth, --join, --loop or another edit")

    def on(self, motion: Motion) -> Motion:
        """Return the edited motion.

        Raises:
            FacetalkError: an edit does not fit the motion, or a file cannot be read.
        """
        sidecar = None if self.edits is None else Sidecar.read(self.edits)
        if sidecar is not None and motion.meta.get("edits_fingerprint") == fingerprint(sidecar.path):
            raise FacetalkError(f"the motion has the edits of {sidecar.path} already: `animate` applied them")
        others = [import_motion(path) for path in self.join]
        if self.trim is not None:
            motion = trimmed(motion, *self.trim)
        motion = retimed(motion, self.retime)
        motion = mirrored_motion(motion) if self.mirror else motion
        motion = controlled(smoothed(motion, self.smooth), self.control)
        if sidecar is not None:
            motion = sidecar.on(motion)
            motion = motion.replace(meta={**motion.meta, **edits_made_with(sidecar)})
        for other in others:
            motion = joined(motion, other, self.crossfade_s)
        return looped(motion, self.crossfade_s) if self.loop else motion

    def recorded(self) -> dict[str, Any]:
        """What a record says about the edits."""
        files = [path for path in (self.edits, *self.join) if path is not None and path.is_file()]
        plain = {name: value for name, value in asdict(self).items() if name not in ("control", "edits", "join")}
        return {
            **plain,
            **self.control.described(),
            "edits": None if self.edits is None else unicode_name(self.edits.name),
            "join": [unicode_name(path.name) for path in self.join],
            "inputs_fingerprint": " ".join(map(fingerprint, files)) or None,
        }


def parse_span(text: str) -> tuple[float, float | None]:
    """Times that are given as `2:8`, `2:` or `:8`, in seconds.

    Raises:
        UsageError: they are not of this form.
    """
    start, colon, end = text.partition(":")
    if not colon or not (start or end):
        raise UsageError(f"cannot read the span {text!r:.40}; write the seconds as START:END, such as 2:8")
    try:
        return parse_number(start or "0", "the start"), parse_number(end, "the end") if end else None
    except FacetalkError as error:
        raise UsageError(str(error)) from None


def edit_file(
    motion_path: Path | str,
    edits: MotionEdits,
    out_path: Path | str | None = None,
    *,
    overwrite: bool = False,
    skip_existing: bool = False,
    progress: Progress = no_progress,
    report: Report = no_report,
) -> Outcome:
    """Write an edited copy of a motion file.

    Args:
        motion_path: motion file.
        edits: what is done to it.
        out_path: `.npz` file; `NAME-edited.npz` in the current folder if omitted.
        overwrite: replace an existing file.
        skip_existing: keep an existing file that the same edits made of the same inputs.
        progress: called with the number of finished inputs.
        report: called with the outcome.

    Example:
        >>> edit_file("take.npz", MotionEdits(trim=(2.0, 8.0), mirror=True), "mirrored.npz")

    Raises:
        UsageError: the path is not an `.npz` file, or the options exclude each other.
    """
    check_batch_flags(skip_existing, overwrite)
    source = Path(motion_path)
    target = Path(out_path) if out_path is not None else Path(f"{output_name(source)}-edited.npz")
    if target.suffix.lower() != ".npz":
        raise UsageError(f"edit writes .npz files, not {target.name}; `facetalk export` writes other formats of them")

    def work(path: Path) -> Outcome:
        motion = import_motion(path)
        for other in (path, *edits.join):
            if target.exists() and other.exists() and target.samefile(other):
                raise FacetalkError(f"{target} would be replaced by what is made from it; choose another -o")
        made = {"command": "edit", "motion_fingerprint": fingerprint(path), **edits.recorded()}
        wanted, redone = wanted_targets({"npz": target}, lambda _: made, overwrite, skip_existing)
        if not wanted:
            return Outcome(path, "skipped", {"npz": target})
        result = edits.on(motion)
        write_motion(target, result)
        write_record({target: made})
        details = {"frames": result.num_frames, "seconds": result.duration_s}
        return Outcome(path, "done", wanted, redone=redone, details=details)

    return run_batch(work, {source: source}, (), report, progress)[0]
