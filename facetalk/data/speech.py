"""Recordings with phonemes, mouth curves and a teacher's features: the examples of the speech encoder.

A speech folder has `manifest.csv` with the columns `name`, `speaker` and `av_corr` (may be empty), optionally `label`
(an emotion, or `laughter` where there is nothing else), and for each name

* `NAME.wav`: the audio;
* `NAME.phones.csv`, optional: `symbol,start_s,end_s,trust`, one row per phoneme; trust is the reliability of the
  labels, 0 to 1;
* `NAME.mouth.csv`, optional: `time_s` and the `MOUTH_CURVES`, one row per video frame, in any unit;
* `NAME.TEACHER.npy`, optional, for each of `TEACHERS`: features of a larger network (`workshop/speech/teachers.py`).
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from facetalk.audio.articulation import MOUTH_CURVES, articulation
from facetalk.audio.phonemes import PHONEME_IDS, Phoneme, frame_labels
from facetalk.core.errors import FacetalkError, UsageError
from facetalk.core.timing import SAMPLE_RATE, frame_times, resample
from facetalk.data.manifest import MANIFEST, Clip, read_manifest
from facetalk.io.audio import read_waveform
from facetalk.io.files import replacing
from facetalk.io.npy import ArrayFileError, read_npy

LABEL_RATE = 100.0
"""Rows of phoneme labels and articulation per second."""

LAUGHTER_LABEL = "laughter"
"""Label of recordings that are nothing but laughter."""

MOUTH_RATE = 30.0
"""Rows of mouth curves per second."""


class TeacherRate(NamedTuple):
    """Which sample each row of a teacher's features describes."""

    hop: int
    """Samples between two rows."""
    first: float
    """Middle of the samples that the first row describes."""


TEACHERS: Mapping[str, TeacherRate] = {"moonshine": TeacherRate(384, 447.5), "whisper": TeacherRate(320, 0.0)}
"""Larger networks whose features the speech encoder may predict, by name."""


@dataclass(frozen=True, eq=False)
class SpeechExample:
    """One recording in memory."""

    clip: Clip
    waveform: Float[Tensor, " samples"]
    """16 kHz, in half precision."""
    labels: Int64[Tensor, " moments"]
    """Phoneme ids, `LABEL_RATE` a second."""
    articulation: Float[Tensor, "moments articulators"]
    trust: float
    """Weight of the phonemes; 0 where there are none."""
    mouth: Float[Tensor, "rows curves"]
    """Z-scored, 30 rows a second from 0 s on; no rows where the mouth was not measured."""
    teachers: Mapping[str, Float[Tensor, "_ _"]]
    """Features by teacher, in half precision; a teacher without features of the recording is missing."""

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return len(self.waveform) / SAMPLE_RATE


def require_corpus(folder: Path) -> None:
    """Raise UsageError if a folder is not a speech folder."""
    if not (folder / MANIFEST).is_file():
        raise UsageError(f"{folder} has no {MANIFEST}; make the folder with facetalk.workshop.speech.corpus first")


def read_recordings(folder: Path) -> tuple[Clip, ...]:
    """The recordings that the option `data.recordings` of a recipe names, all of which exist.

    Raises:
        FacetalkError: the folder or one of its recordings is missing, or its manifest cannot be read.
    """
    where = f"data.recordings={folder}"
    if not (folder / MANIFEST).is_file():
        found = f"it has no {MANIFEST}" if folder.is_dir() else "there is no such folder"
        raise FacetalkError(
            f"{where}: {found}; give a folder of WAV files with a {MANIFEST} that has the columns name, speaker, label "
            "and text"
        )
    recordings = read_manifest(folder)
    missing = [clip.audio_path for clip in recordings if not clip.has_audio]
    if missing:
        raise FacetalkError(f"{where}: {len(missing)} of {len(recordings)} recordings are missing, like {missing[0]}")
    return recordings


def add_to_manifest(folder: Path, prefix: str, speaker: str, names: Sequence[str]) -> None:
    """Add a speaker's recordings to the manifest of a speech folder.

    Args:
        folder: the speech folder.
        prefix: recordings whose names start with it are removed from the manifest first.
        speaker: who speaks.
        names: the recordings.
    """
    require_corpus(folder)
    with (folder / MANIFEST).open(newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    kept = [row for row in rows if not row[0].startswith(prefix)]
    unknown = [""] * (len(header) - 2)
    _write_rows(folder / MANIFEST, header, [*kept, *((name, speaker, *unknown) for name in names)])


def read_speech(clip: Clip) -> SpeechExample:
    """One recording of a speech folder with all its labels."""
    waveform = read_waveform(clip.audio_path)
    phones_path = clip.folder / f"{clip.name}.phones.csv"
    mouth_path = clip.folder / f"{clip.name}.mouth.csv"
    phonemes, trust = read_phonemes(phones_path) if phones_path.is_file() else ([], 0.0)
    num_moments = int(len(waveform) / SAMPLE_RATE * LABEL_RATE) + 1
    times = (frame_times(num_moments, LABEL_RATE) + 0.5 / LABEL_RATE).float()
    return SpeechExample(
        clip=clip,
        waveform=waveform.half(),
        labels=frame_labels(phonemes, num_moments, LABEL_RATE),
        articulation=articulation(phonemes, times),
        trust=trust,
        mouth=read_mouth(mouth_path) if mouth_path.is_file() else torch.zeros(0, len(MOUTH_CURVES)),
        teachers={name: read_teacher(path) for name in TEACHERS if (path := teacher_path(clip, name)).is_file()},
    )


def teacher_path(clip: Clip, teacher: str) -> Path:
    """The file with a teacher's features of a recording."""
    return clip.folder / f"{clip.name}.{teacher}.npy"


def read_teacher(path: Path) -> Float[Tensor, "steps components"]:
    """Features of a teacher, in half precision."""
    try:
        rows = read_npy(path)
    except ArrayFileError as error:
        raise FacetalkError(
            f"{path} is not a numpy file: {error}; run facetalk.workshop.speech.teachers again"
        ) from None
    if rows.ndim != 2:
        raise FacetalkError(
            f"{path} holds an array of shape {rows.shape}, not rows; run facetalk.workshop.speech.teachers again"
        )
    return torch.from_numpy(rows).half()


def write_teacher(path: Path, rows: Float[Tensor, "steps components"]) -> None:
    """Write a teacher's features of a recording."""
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.save(file, rows.half().numpy())


def teacher_at(
    rows: Float[Tensor, "steps components"], rate: TeacherRate, times: Float[Tensor, " moments"]
) -> Float[Tensor, "moments components"]:
    """Features of a teacher at times in seconds, linear in between."""
    middles = (torch.arange(len(rows)) * rate.hop + rate.first) / SAMPLE_RATE
    return resample(rows.float(), middles, times)


def teachers_at(
    example: SpeechExample, names: Sequence[str], times: Float[Tensor, " moments"]
) -> Float[Tensor, "moments components"] | None:
    """Features of several teachers at times in seconds, side by side; None if one of them is missing."""
    if any(name not in example.teachers for name in names):
        return None
    return torch.cat([teacher_at(example.teachers[name], TEACHERS[name], times) for name in names], 1)


def read_phonemes(path: Path) -> tuple[list[Phoneme], float]:
    """The phonemes of a `.phones.csv` file, and their mean trust."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    try:
        phonemes = [Phoneme(row["symbol"], float(row["start_s"]), float(row["end_s"])) for row in rows]
        trust = sum(float(row["trust"]) for row in rows) / max(1, len(rows))
        unknown = {phoneme.symbol for phoneme in phonemes} - PHONEME_IDS.keys()
    except (KeyError, ValueError, TypeError) as error:
        raise FacetalkError(f"{path} is not a table of symbol, start_s, end_s, trust: {error}") from None
    if unknown:
        raise FacetalkError(f"{path} contains unknown phonemes: {', '.join(sorted(unknown))}")
    return phonemes, trust


def write_phonemes(path: Path, phonemes: Sequence[Phoneme], trust: float) -> None:
    """Write a `.phones.csv` file."""
    rows = [(p.symbol, f"{p.start_s:.4f}", f"{p.end_s:.4f}", f"{trust:g}") for p in phonemes]
    _write_rows(path, ("symbol", "start_s", "end_s", "trust"), rows)


def read_mouth(path: Path) -> Float[Tensor, "rows curves"]:
    """Mouth curves of a `.mouth.csv` file at 30 rows a second, z-scored."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    try:
        values = torch.tensor([[float(row[name]) for name in ("time_s", *MOUTH_CURVES)] for row in rows])
    except (KeyError, ValueError, TypeError) as error:
        raise FacetalkError(f"{path} is not a table of time_s, {', '.join(MOUTH_CURVES)}: {error}") from None
    if len(values) < 2:
        raise FacetalkError(f"{path} has {len(values)} rows; a clip needs at least two")
    times = values[:, 0]
    curves = resample(values[:, 1:], times, frame_times(int(float(times[-1]) * MOUTH_RATE) + 1, MOUTH_RATE))
    return (curves - curves.mean(0)) / curves.std(0, correction=0).clamp_min(1e-6)


def write_mouth(path: Path, times: Float[Tensor, " rows"], curves: Float[Tensor, "rows curves"]) -> None:
    """Write a `.mouth.csv` file."""
    rows = [(f"{time:.4f}", *(f"{value:.6f}" for value in row)) for time, row in zip(times, curves, strict=True)]
    _write_rows(path, ("time_s", *MOUTH_CURVES), rows)


def _write_rows(path: Path, names: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(names)
        writer.writerows(rows)
