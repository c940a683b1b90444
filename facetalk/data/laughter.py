"""Recordings with the times at which somebody laughs: the examples of the laughter detector.

A recording pack is a folder with `MANIFEST.csv` (columns path, kind, speaker, has_audio). In recordings of the kinds
`laughter` and `laughing_video` everything audible is laughter, unless times are given; all others contain none.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from facetalk.audio.activity import speech_activity
from facetalk.core.errors import FacetalkError, UsageError
from facetalk.core.timing import FPS, SAMPLE_RATE, frames_for
from facetalk.data.patterns import matches_any
from facetalk.io.audio import read_waveform

PACK_MANIFEST = "MANIFEST.csv"
LAUGHTER = ("laughter", "laughing_video")
"""Kinds of recordings with laughter."""


@dataclass(frozen=True, eq=False)
class LaughterExample:
    """One recording in memory."""

    path: str
    speaker: str
    laughs: bool
    """Whether it contains laughter."""
    waveform: Float[Tensor, " samples"]
    """16 kHz, in half precision."""
    laughing: Bool[Tensor, " frames"]
    """Which video frames are laughter, 30 a second."""

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return len(self.waveform) / SAMPLE_RATE


def read_laughter_pack(
    folder: Path, patterns: Sequence[str], times: Mapping[str, Sequence[Sequence[float]]]
) -> list[LaughterExample]:
    """The recordings of a pack, in the order of its manifest.

    Args:
        folder: the pack.
        patterns: paths of the recordings to read, with * and ?.
        times: start and end of each laugh in seconds, by path, for recordings that contain other sounds too.
    """
    path = folder / PACK_MANIFEST
    if not path.is_file():
        raise UsageError(f"{folder} is not a recording pack: it has no {PACK_MANIFEST} (see facetalk/data/laughter.py)")
    with path.open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row.get("has_audio") == "1"]
    chosen = [row for row in rows if matches_any(row["path"], patterns)]
    if not any(row["kind"] in LAUGHTER for row in chosen):
        raise FacetalkError(
            f"{path}: none of the {len(chosen)} chosen recordings is of the kind {' or '.join(LAUGHTER)}"
        )
    return [_read(folder, row, times.get(row["path"])) for row in chosen]


def _read(folder: Path, row: Mapping[str, str], times: Sequence[Sequence[float]] | None) -> LaughterExample:
    waveform = read_waveform(folder / row["path"])
    laughs = row["kind"] in LAUGHTER
    return LaughterExample(
        row["path"], row["speaker"], laughs, waveform.half(), laughing_frames(waveform, times if laughs else ())
    )


def laughing_frames(
    waveform: Float[Tensor, " samples"], times: Sequence[Sequence[float]] | None
) -> Bool[Tensor, " frames"]:
    """Which video frames are laughter.

    Args:
        waveform: 16 kHz.
        times: start and end of each laugh in seconds; None where everything audible is laughter.
    """
    audible = speech_activity(waveform)
    if times is None:
        return audible
    middles = (torch.arange(frames_for(len(waveform) / SAMPLE_RATE)) + 0.5) / FPS
    inside = torch.zeros_like(audible)
    for start_s, end_s in times:
        inside |= (middles >= start_s) & (middles <= end_s)
    return inside & audible
