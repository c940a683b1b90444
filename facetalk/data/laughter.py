"""Recordings with the times at which somebody laughs: the examples of the laughter detector.

A recording pack is a folder with `MANIFEST.csv` (columns path, kind, speaker, has_audio). Recordings of the kind
`laughter` are laughter wherever they can be heard, unless times are given; all others hold none.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from facetalk.audio.activity import speech_activity
from facetalk.core.errors import FacetalkError, UsageError
from facetalk.core.timing import FPS, SAMPLE_RATE, frames_for
from facetalk.io.audio import read_waveform

PACK_MANIFEST = "MANIFEST.csv"
LAUGHTER = "laughter"


@dataclass(frozen=True, eq=False)
class LaughterExample:
    """One recording in memory; sound in half precision."""

    path: str
    speaker: str
    laughs: bool
    """Whether it holds laughter at all."""
    waveform: Float[Tensor, " samples"]
    laughing: Bool[Tensor, " frames"]
    """Which video frames are laughter, 30 a second."""

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return len(self.waveform) / SAMPLE_RATE


def read_laughter_pack(
    folder: Path, patterns: Sequence[str], times: Mapping[str, Sequence[Sequence[float]]]
) -> list[LaughterExample]:
    """The recordings of a pack, in the manifest's order.

    Args:
        folder: the pack.
        patterns: of the paths that are read, with * and ?.
        times: start and end of each laugh in seconds, by path, for recordings that hold more than laughter.
    """
    path = folder / PACK_MANIFEST
    if not path.is_file():
        raise UsageError(f"{folder} is not a recording pack: it has no {PACK_MANIFEST} (facetalk/data/laughter.py)")
    with path.open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row.get("has_audio") == "1"]
    chosen = [row for row in rows if any(fnmatchcase(row["path"], pattern) for pattern in patterns)]
    if not any(row["kind"] == LAUGHTER for row in chosen):
        raise FacetalkError(f"{path}: none of the {len(chosen)} chosen recordings is of the kind {LAUGHTER!r}")
    return [_read(folder, row, times.get(row["path"])) for row in chosen]


def _read(folder: Path, row: Mapping[str, str], times: Sequence[Sequence[float]] | None) -> LaughterExample:
    waveform = read_waveform(folder / row["path"])
    laughs = row["kind"] == LAUGHTER
    return LaughterExample(
        row["path"], row["speaker"], laughs, waveform.half(), laughing_frames(waveform, times if laughs else ())
    )


def laughing_frames(
    waveform: Float[Tensor, " samples"], times: Sequence[Sequence[float]] | None
) -> Bool[Tensor, " frames"]:
    """Which video frames are laughter.

    Args:
        waveform: 16 kHz sound.
        times: start and end of each laugh in seconds; None where all that can be heard is laughter.
    """
    heard = speech_activity(waveform)
    if times is None:
        return heard
    middles = (torch.arange(frames_for(len(waveform) / SAMPLE_RATE)) + 0.5) / FPS
    inside = torch.zeros_like(heard)
    for start_s, end_s in times:
        inside |= (middles >= start_s) & (middles <= end_s)
    return inside & heard
