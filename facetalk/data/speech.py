"""Recordings with what is said and how the mouth moved: the examples of the speech encoder.

A speech folder has `manifest.csv` with the columns `name`, `speaker` and `av_corr` (may be empty), and for each name

* `NAME.wav`: the sound;
* `NAME.phones.csv`, optional: `symbol,start_s,end_s,trust`, one row per phoneme; trust 0 to 1 says how far the labels
  can be believed;
* `NAME.mouth.csv`, optional: `time_s` and the `MOUTH_CURVES`, one row per video frame, in any unit;
* `NAME.taught.npy`, optional: what a teacher hears (`workshop/speech/teacher.py`), one row for `TAUGHT_HOP` samples.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from facetalk.audio.articulation import MOUTH_CURVES, articulation
from facetalk.audio.phonemes import PHONEME_IDS, Phoneme, frame_labels
from facetalk.core.errors import FacetalkError, UsageError
from facetalk.core.timing import SAMPLE_RATE, frame_times, resample
from facetalk.data.manifest import MANIFEST, Clip
from facetalk.io.audio import read_waveform
from facetalk.io.files import replacing

LABEL_RATE = 100.0
"""Phoneme labels and articulation a second."""

MOUTH_RATE = 30.0

TAUGHT_HOP = 384
"""Samples from one of the teacher's rows to the next; row k describes the sound around sample 384 k + 448."""
_TAUGHT_MIDDLE = 447.5


@dataclass(frozen=True, eq=False)
class SpeechExample:
    """One recording in memory; sound in half precision."""

    clip: Clip
    waveform: Float[Tensor, " samples"]
    labels: Int64[Tensor, " moments"]
    articulation: Float[Tensor, "moments articulators"]
    trust: float
    """How much the phonemes count; 0 where there are none."""
    mouth: Float[Tensor, "rows curves"]
    """Z-scored, 30 rows a second from 0 s on; no rows where the mouth was not seen."""
    taught: Float[Tensor, "steps components"]
    """What a teacher hears, in half precision; no rows where there is none."""

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return len(self.waveform) / SAMPLE_RATE


def require_corpus(folder: Path) -> None:
    """Check that a folder is a speech folder to which more can be added."""
    if not (folder / MANIFEST).is_file():
        raise UsageError(f"{folder} has no {MANIFEST}; make the folder with facetalk.workshop.speech.corpus first")


def enlist(folder: Path, prefix: str, speaker: str, names: Sequence[str]) -> None:
    """Name a speaker's recordings in the manifest of a speech folder.

    Args:
        folder: the speech folder.
        prefix: recordings whose names begin so are taken out of the manifest first.
        speaker: of the recordings.
        names: of the recordings.
    """
    require_corpus(folder)
    with (folder / MANIFEST).open(newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    kept = [row for row in rows if not row[0].startswith(prefix)]
    _write_rows(folder / MANIFEST, header, [*kept, *((name, speaker, "") for name in names)])


def read_speech(clip: Clip) -> SpeechExample:
    """One recording of a speech folder with all that is known about it."""
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
        taught=read_taught(taught_path(clip)),
    )


def taught_path(clip: Clip) -> Path:
    """Where what the teacher hears in a recording is kept."""
    return clip.folder / f"{clip.name}.taught.npy"


def read_taught(path: Path) -> Float[Tensor, "steps components"]:
    """What the teacher hears, in half precision; no rows where there is no such file."""
    if not path.is_file():
        return torch.zeros(0, 0, dtype=torch.float16)
    try:
        rows = np.load(path, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise FacetalkError(
            f"{path} is not a numpy file: {error}; run facetalk.workshop.speech.teacher again"
        ) from None
    if rows.ndim != 2:
        raise FacetalkError(
            f"{path} holds an array of shape {rows.shape}, not rows; run facetalk.workshop.speech.teacher"
        )
    return torch.from_numpy(rows).half()


def write_taught(path: Path, rows: Float[Tensor, "steps components"]) -> None:
    """Write what the teacher hears."""
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.save(file, rows.half().numpy())


def taught_at(
    rows: Float[Tensor, "steps components"], times: Float[Tensor, " moments"]
) -> Float[Tensor, "moments components"]:
    """What the teacher hears at moments of the recording (seconds), linear in between."""
    middles = (torch.arange(len(rows)) * TAUGHT_HOP + _TAUGHT_MIDDLE) / SAMPLE_RATE
    return resample(rows.float(), middles, times)


def read_phonemes(path: Path) -> tuple[list[Phoneme], float]:
    """The phonemes in a `.phones.csv` file, and their mean trust."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    try:
        phonemes = [Phoneme(row["symbol"], float(row["start_s"]), float(row["end_s"])) for row in rows]
        trust = sum(float(row["trust"]) for row in rows) / max(1, len(rows))
        unknown = {phoneme.symbol for phoneme in phonemes} - PHONEME_IDS.keys()
    except (KeyError, ValueError, TypeError) as error:
        raise FacetalkError(f"{path} is not a table of symbol, start_s, end_s, trust: {error}") from None
    if unknown:
        raise FacetalkError(f"{path} holds unknown phonemes: {', '.join(sorted(unknown))}")
    return phonemes, trust


def write_phonemes(path: Path, phonemes: Sequence[Phoneme], trust: float) -> None:
    """Write a `.phones.csv` file."""
    rows = [(p.symbol, f"{p.start_s:.4f}", f"{p.end_s:.4f}", f"{trust:g}") for p in phonemes]
    _write_rows(path, ("symbol", "start_s", "end_s", "trust"), rows)


def read_mouth(path: Path) -> Float[Tensor, "rows curves"]:
    """Mouth curves of a `.mouth.csv` file at 30 rows a second, each with mean 0 and standard deviation 1."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    try:
        values = torch.tensor([[float(row[name]) for name in ("time_s", *MOUTH_CURVES)] for row in rows])
    except (KeyError, ValueError, TypeError) as error:
        raise FacetalkError(f"{path} is not a table of time_s, {', '.join(MOUTH_CURVES)}: {error}") from None
    if len(values) < 2:
        raise FacetalkError(f"{path} holds {len(values)} rows; a clip needs at least two")
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
