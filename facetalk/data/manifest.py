"""The clips of a dataset folder, and their split into training and validation."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar, runtime_checkable

from facetalk.core.errors import FacetalkError, UsageError
from facetalk.core.motion import Motion
from facetalk.core.timing import FPS
from facetalk.data.patterns import first_match, matches_any
from facetalk.io.files import checked_name, replacing
from facetalk.metrics.fit_quality import face_frames_ratio, mean_fit_error

MANIFEST = "manifest.csv"

COLUMNS = (
    "name", "source", "speaker", "label", "text", "duration_s", "num_frames", "source_fps", "width", "height",
    "has_audio", "face_frames_ratio", "fit_error", "av_corr", "av_lag_ms", "av_offset_ms",
)  # fmt: skip
"""Columns of the manifest that `facetalk fit` writes."""
CURATED_COLUMNS = (*COLUMNS, "av_shift_ms", "start_s", "end_s", "face", "laughter_s")
"""Columns of the manifest that `facetalk fit --curate` writes."""

REJECTED = "rejected.csv"
FAILED_COLUMNS = ("source", "reason")
"""Columns of the table of failed videos that `facetalk fit` writes."""
REJECTED_COLUMNS = ("source", "start_s", "end_s", "face", "reason", "value", "threshold")
"""Columns of the table of rejected spans and failed videos that `facetalk fit --curate` writes."""


@runtime_checkable
class HasSpeaker(Protocol):
    """Anything that one person says."""

    @property
    def speaker(self) -> str:
        """Who speaks."""
        ...


Spoken = TypeVar("Spoken", bound=HasSpeaker)


@dataclass(frozen=True)
class Clip:
    """One clip of a dataset: the motion in `<name>.npz`, the audio in `<name>.wav`."""

    folder: Path
    name: str
    speaker: str = ""
    label: str = ""
    """The emotion as the source names it."""
    av_corr: float | None = None
    """Correlation of mouth opening and loudness; low where audio and video may not belong together."""
    source: str = ""
    """The video that the motion was fitted to."""
    av_offset_ms: float = 0.0
    """How much later than the audio the mouth moves; 0 where that is not known."""
    duration_s: float | None = None
    """Length; None where the manifest does not state it."""
    text: str = ""
    """What is said, where the source states it."""

    @property
    def motion_path(self) -> Path:
        """The motion file."""
        return self.folder / f"{self.name}.npz"

    @property
    def audio_path(self) -> Path:
        """The audio file."""
        return self.folder / f"{self.name}.wav"

    @property
    def has_audio(self) -> bool:
        """Whether the audio file exists; a clip without audio only shows a speaking style."""
        return self.audio_path.is_file()

    def audio_lag_s(self, lags_ms: Mapping[str, float], fix_sync: bool) -> float:
        """How much later than the video the audio comes.

        Args:
            lags_ms: of speakers; the first pattern that matches the speaker counts.
            fix_sync: whether the clip's own offset counts too.
        """
        return (first_match(self.speaker, lags_ms, 0.0) - (self.av_offset_ms if fix_sync else 0.0)) / 1000

    @property
    def style(self) -> str:
        """Clips of one style show one person with one emotion."""
        return f"{self.speaker or self.name}/{self.label}"


def manifest_row(name: str, source: Path, motion: Motion, has_audio: bool) -> dict[str, str | int | float]:
    """The row of one fitted clip, with `COLUMNS`; those that only the source knows are empty.

    Args:
        name: of the clip; its motion is `<name>.npz`.
        source: the video.
        motion: the fit.
        has_audio: whether `<name>.wav` was written.
    """
    width, height = motion.camera.image_size if motion.camera is not None else (0, 0)
    return dict.fromkeys(COLUMNS, "") | {
        "name": name,
        "source": str(source),
        "duration_s": round(motion.num_frames / FPS, 3),
        "num_frames": motion.num_frames,
        "source_fps": round(motion.source_fps, 3),
        "width": width,
        "height": height,
        "has_audio": int(has_audio),
        "face_frames_ratio": round(face_frames_ratio(motion), 4),
        "fit_error": round(mean_fit_error(motion), 5),
    }


def write_rows(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> None:
    """Write a CSV table with a header."""
    with (
        replacing(path) as temporary,
        temporary.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file,
    ):
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def read_rows(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV table with a header; none if the file does not exist.

    Raises:
        FacetalkError: the file is not a table in UTF-8, a row has more or fewer fields than the header, or the name of
            a clip leads out of the folder.
    """
    if not path.is_file():
        return []
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except (UnicodeDecodeError, csv.Error) as error:
        raise FacetalkError(f"{path} is not a CSV table in UTF-8 ({error})") from None
    for number, row in enumerate(rows, 1):
        if None in row or None in row.values():
            raise FacetalkError(f"{path}: row {number} does not have as many fields as the header")
        if "name" in row:
            checked_name(row["name"], path)
    return rows


def read_manifest(folder: Path) -> tuple[Clip, ...]:
    """The clips of a dataset folder that `facetalk fit` wrote, in the order of the manifest."""
    path = folder / MANIFEST
    if not path.is_file():
        raise FacetalkError(f"{folder} is not a dataset: it has no {MANIFEST}; make one with facetalk fit VIDEO... -o")
    rows = read_rows(path)
    if not rows:
        raise FacetalkError(f"{path} lists no clips")
    if "name" not in rows[0]:
        raise FacetalkError(f"{path} has no column 'name'; found: {', '.join(rows[0])}")
    clips = []
    for row in rows:
        notes = {key: row.get(key) or "" for key in ("speaker", "label", "source", "text")}
        av_corr, av_offset_ms = _number(row, "av_corr", path), _number(row, "av_offset_ms", path) or 0.0
        duration_s = _number(row, "duration_s", path)
        clips.append(
            Clip(folder, row["name"], av_corr=av_corr, av_offset_ms=av_offset_ms, duration_s=duration_s, **notes)
        )
    return tuple(clips)


def _number(row: Mapping[str, str], column: str, path: Path) -> float | None:
    """The number in a column; None if it is empty or missing."""
    text = row.get(column)
    try:
        value = float(text) if text else None
        if value is not None and not math.isfinite(value):
            raise ValueError
    except ValueError:
        raise FacetalkError(f"{path}: {column} of {row['name']} is {text!r:.80}, not a number") from None
    return value


def read_clips(folder: Path | None, method: str) -> tuple[Clip, ...]:
    """The clips that a recipe is trained on; raises UsageError where no folder was given."""
    if folder is None:
        raise UsageError(f"{method} is trained on clips: give --data DIR, which facetalk fit VIDEO... -o DIR writes")
    return read_manifest(folder)


def split_by_speaker(items: Iterable[Spoken], validation_speakers: Sequence[str]) -> tuple[list[Spoken], list[Spoken]]:
    """Items to train on, and items for validation: those of speakers that match one of the patterns (`GRID:*`)."""
    train: list[Spoken] = []
    validation: list[Spoken] = []
    for item in items:
        (validation if matches_any(item.speaker, validation_speakers) else train).append(item)
    return train, validation
