"""How long an audio file says it is, which is more than it holds if it was cut off.

libsndfile takes the size of the file for that of the audio where a file of samples was cut, so the size that the header
states is read here.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import soundfile


@dataclass(frozen=True)
class _Chunks:
    """How a format names its parts and states their sizes."""

    start: int
    """Bytes before the first chunk."""
    id_bytes: int
    size: struct.Struct
    padding: int
    """Chunks start at multiples of this."""
    counts_header: bool = False
    """Whether the size of a chunk includes its own header."""


_LAYOUTS = {
    b"RIFF": _Chunks(12, 4, struct.Struct("<I"), 2),
    b"RIFX": _Chunks(12, 4, struct.Struct(">I"), 2),
    b"RF64": _Chunks(12, 4, struct.Struct("<I"), 2),
    b"FORM": _Chunks(12, 4, struct.Struct(">I"), 2),
    b"caff": _Chunks(8, 4, struct.Struct(">Q"), 1),
    b"riff": _Chunks(40, 16, struct.Struct("<Q"), 8, counts_header=True),
}
_AU, _FLAC = b".snd", b"fLaC"
_AU_SIZES = struct.Struct(">4sII")
_LARGE_SIZE = struct.Struct("<Q")
_LARGE_SIZE_AT = 28
"""Where RF64 states the size of the samples."""
_OPEN_SIZES = range(0x7FFF_0000, 1 << 32)
"""Sizes that programs write which do not know the length yet; none of a real file is distinguished from them."""
_MOST_CHUNKS = 1000


def is_sample_file(path: Path) -> bool:
    """Whether the first bytes are those of WAV, RF64, W64, AIFF, AU, CAF or FLAC."""
    with path.open("rb") as file:
        start = file.read(12)
    if start[:4] in (b"RIFF", b"RIFX", b"RF64"):
        return start[8:] == b"WAVE"
    return start[:4] in _LAYOUTS or start[:4] in (_AU, _FLAC)


def stated_seconds(path: Path) -> float:
    """Length that the header of a file states which soundfile reads; its actual length if it states none.

    Args:
        path: see `is_sample_file`.
    """
    with path.open("rb") as file, soundfile.SoundFile(file.fileno(), closefd=False) as opened:
        seconds = opened.frames / opened.samplerate
    return seconds * cut_factor(path)


def cut_factor(path: Path) -> float:
    """By how much the samples that a header states outnumber those in the file: 1 if the file was not cut.

    Args:
        path: see `is_sample_file`.
    """
    with path.open("rb") as file:
        stated, start = _stated_bytes(file)
    available = path.stat().st_size - start
    return max(1.0, stated / available) if available > 0 else 1.0


def _stated_bytes(file: IO[bytes]) -> tuple[int, int]:
    """Size of the encoded samples as stated, 0 if it is open, and where they start."""
    file.seek(0)
    kind = file.read(4)
    if kind == _AU:
        file.seek(0)
        _, start, size = _AU_SIZES.unpack(file.read(_AU_SIZES.size))
        return (0 if size in _OPEN_SIZES else size), start
    layout = _LAYOUTS.get(kind)
    if layout is None:
        return 0, 0
    at, header = layout.start, layout.id_bytes + layout.size.size
    for _ in range(_MOST_CHUNKS):
        file.seek(at)
        raw = file.read(header)
        if len(raw) < header:
            break
        (size,) = layout.size.unpack(raw[layout.id_bytes :])
        size -= header if layout.counts_header else 0
        if raw[:4] in (b"data", b"SSND"):
            if kind == b"RF64" and size in _OPEN_SIZES:
                file.seek(_LARGE_SIZE_AT)
                (size,) = _LARGE_SIZE.unpack(file.read(_LARGE_SIZE.size))
            return (0 if size < 0 or size in _OPEN_SIZES or size >= 1 << 62 else size), at + header
        if size < 0:
            break
        at += header + size
        at += -at % layout.padding
    return 0, 0
