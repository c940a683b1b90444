"""`python -m facetalk.workshop.speech.unlabeled CORPUS NAME FOLDER [PATTERN]`: speech without labels.

Every audio file below FOLDER whose name matches PATTERN (all if omitted) is added to the speech folder CORPUS
(`data/speech.py`) as speech of the speaker NAME. Short files of one folder are concatenated: a single word is too short
for an example. These recordings have no phonemes; they are used with the teachers (`workshop/speech/teachers.py`).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import torch
from torch import Tensor

from facetalk.core.errors import FacetalkError
from facetalk.core.timing import SAMPLE_RATE
from facetalk.data.speech import add_to_manifest, require_corpus
from facetalk.io.audio import read_waveform, write_wav

PIECE_S = 10.0
"""Files are concatenated up to at least this length."""
MAX_S = 60.0
"""Longer files are music more often than speech."""
MIN_PEAK = 0.01
"""Files with a lower peak are silence."""


def add_unlabeled(corpus_dir: Path, name: str, folder: Path, pattern: str = "*") -> float:
    """Add the audio of a folder as a speaker's speech, replacing earlier audio; returns its length in seconds."""
    require_corpus(corpus_dir)
    paths = sorted(path for path in folder.rglob(pattern) if path.is_file())
    names: list[str] = []
    seconds = 0.0
    for _, members in groupby(paths, key=lambda path: path.parent):
        for piece in _pieces(members):
            names.append(f"{name}__{len(names):05d}")
            write_wav(corpus_dir / f"{names[-1]}.wav", piece)
            seconds += len(piece) / SAMPLE_RATE
    if not names:
        raise FacetalkError(f"{folder} contains no audio that matches {pattern!r}")
    add_to_manifest(corpus_dir, f"{name}__", name, names)
    return seconds


def _pieces(paths: Iterator[Path]) -> Iterator[Tensor]:
    """The waveforms, concatenated to pieces of at least `PIECE_S`."""
    parts: list[Tensor] = []
    for path in paths:
        try:
            waveform = read_waveform(path)
        except FacetalkError as error:
            print(f"skipped: {error}", file=sys.stderr)
            continue
        if len(waveform) > MAX_S * SAMPLE_RATE or waveform.abs().max() < MIN_PEAK:
            continue
        parts.append(waveform)
        if sum(map(len, parts)) >= PIECE_S * SAMPLE_RATE:
            yield torch.cat(parts)
            parts = []
    if parts:
        yield torch.cat(parts)


if __name__ == "__main__":
    if len(sys.argv) not in (4, 5):
        sys.exit("usage: python -m facetalk.workshop.speech.unlabeled CORPUS NAME FOLDER [PATTERN]")
    length_s = add_unlabeled(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), *sys.argv[4:])
    print(f"{length_s / 60:.1f} minutes")
