"""Audio from a pipe -> frames as text, while it comes."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import soundfile

from facetalk.core.errors import FacetalkError, UsageError
from facetalk.core.motion import Motion
from facetalk.exporters import csv, json_frames
from facetalk.io.pcm import PcmFormat, PcmStream
from facetalk.pipelines.live import LiveAnimator, LiveSession

STREAM_FORMATS = ("jsonl", "csv")
"""What frames can be written as while they come."""

PIECE = 1 << 16
"""Bytes that are read at once, at most."""

MOST_STORED = 4 << 30
"""Bytes of an input that is stored, to be animated at its end."""

Read = Callable[[int], bytes]
"""Returns up to so many of the next bytes as soon as there are some, and none at the end."""

_log = logging.getLogger(__name__)


def check_stream_format(name: str) -> None:
    """Refuse formats that are complete only at the end.

    Raises:
        UsageError: names those that are not.
    """
    if name not in STREAM_FORMATS:
        raise UsageError(
            f"frames are written as {' or '.join(STREAM_FORMATS)} while they come, not as {name!r:.40}; "
            "other formats need -o"
        )


def animated_lines(animator: LiveAnimator, read: Read, form: PcmFormat | None, name: str) -> Iterator[list[str]]:
    """Yield lines for the frames of audio that comes from a pipe, as soon as they are known.

    Memory does not grow with the input, which may have no end.

    Args:
        animator: how it is animated.
        read: where the bytes come from.
        form: of raw samples; None for a WAV file.
        name: one of `STREAM_FORMATS`.

    Raises:
        FacetalkError: the bytes are no such audio; the frames before that were returned.
    """
    check_stream_format(name)
    pcm, session, done = PcmStream(form), animator.start(), 0

    def lines(motion: Motion) -> list[str]:
        if name == "csv":
            return list(csv.table_rows(motion, done))
        return [json_frames.compact(frame) for frame in json_frames.frame_documents(motion, done)]

    start = json_frames.start_document(animator.seed, animator.waited_s)
    yield [csv.heading() if name == "csv" else json_frames.compact(start)]
    for motion in _motions(pcm, session, read):
        if motion.num_frames:
            yield lines(motion)
            done += motion.num_frames
    if name == "jsonl":
        yield [json_frames.compact(json_frames.end_document(done))]


def _motions(pcm: PcmStream, session: LiveSession, read: Read) -> Iterator[Motion]:
    while data := read(PIECE):
        samples = pcm.feed(data)
        if len(samples):
            yield session.feed(samples)
    samples = pcm.finish()
    _warn_of(pcm.rest)
    if pcm.samples == 0:
        raise FacetalkError("the input holds no audio samples")
    yield session.feed(samples)
    yield session.finish()


def stored_input(read: Read, form: PcmFormat | None, folder: Path) -> Path:
    """Store an input in a folder, to be animated as a file.

    Args:
        read: where the bytes come from.
        form: of raw samples; None for any audio file.
        folder: gets the file.

    Raises:
        FacetalkError: there are no bytes, or too many.
    """
    path = folder / "stdin.wav"
    with path.open("wb") as file:
        if form is None:
            total = sum(file.write(data) for data in _limited(read))
        else:
            total = _write_samples(file, _limited(read), form)
    if total == 0:
        raise FacetalkError("the input is empty; audio was expected")
    return path


def _limited(read: Read) -> Iterator[bytes]:
    total = 0
    while data := read(PIECE):
        total += len(data)
        if total > MOST_STORED:
            raise FacetalkError(f"the input has more than {MOST_STORED >> 30} GB; cut it, or write frames without -o")
        yield data


def _write_samples(file: BinaryIO, pieces: Iterator[bytes], form: PcmFormat) -> int:
    """Write raw samples with a header; returns how many."""
    rest = b""
    with soundfile.SoundFile(file, "w", form.rate, form.channels, format="RF64", subtype="FLOAT") as sound:
        for data in pieces:
            data = rest + data
            whole = len(data) // form.frame_bytes * form.frame_bytes
            sound.write(form.decoded(data[:whole]).T.numpy())
            rest = data[whole:]
        total = sound.frames
    _warn_of(rest)
    return total


def _warn_of(rest: bytes) -> None:
    if len(rest):
        _log.warning("the input ends within a sample; its last %d bytes are not used", len(rest))
