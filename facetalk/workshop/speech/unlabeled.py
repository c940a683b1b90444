"""`python -m facetalk.workshop.speech.unlabeled CORPUS NAME FOLDER [PATTERN]`: speech with its sound alone.

Every sound file under FOLDER whose name fits PATTERN (all, if not given) is added to the speech folder CORPUS
(`data/speech.py`) as NAME's speech. Short ones of one folder are strung together: a word alone is no example. Such
recordings have no phonemes; a teacher (`workshop/speech/teacher.py`) says what is to be learned from them.
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
from facetalk.data.speech import enlist, require_corpus
from facetalk.io.audio import read_waveform, write_wav

PIECE_S = 10.0
"""Sounds are strung together until they last at least so long."""
LONGEST_S = 60.0
"""Longer sounds are music more often than speech."""
QUIETEST = 0.01
"""Sounds whose peak is below this are silence."""


def add_unlabelled(corpus_dir: Path, name: str, folder: Path, pattern: str = "*") -> float:
    """Add the sounds of a folder to a speech folder; returns how many seconds. What NAME had before is replaced."""
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
        raise FacetalkError(f"{folder} holds no sound that fits {pattern!r}")
    enlist(corpus_dir, f"{name}__", name, names)
    return seconds


def _pieces(paths: Iterator[Path]) -> Iterator[Tensor]:
    """The sounds, strung together to pieces of at least `PIECE_S`."""
    parts: list[Tensor] = []
    for path in paths:
        try:
            waveform = read_waveform(path)
        except FacetalkError as error:
            print(f"left out: {error}", file=sys.stderr)
            continue
        if len(waveform) > LONGEST_S * SAMPLE_RATE or waveform.abs().max() < QUIETEST:
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
    length_s = add_unlabelled(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), *sys.argv[4:])
    print(f"{length_s / 60:.1f} minutes")
