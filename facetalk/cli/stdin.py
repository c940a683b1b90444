"""`facetalk animate -`: audio from stdin."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING, cast

from facetalk.cli.output import print_text
from facetalk.core.errors import FacetalkError, UsageError

if TYPE_CHECKING:
    from facetalk.pipelines.animate_jobs import AnimateOptions

_ALL = "all"
"""The look-ahead of a stream whose frames are those of the whole recording."""


def is_stdin(speeches: Sequence[Path]) -> bool:
    """Whether the audio comes from stdin.

    Raises:
        UsageError: and from files, too.
    """
    if Path("-") not in speeches:
        return False
    if len(speeches) > 1:
        raise UsageError("give - for stdin alone, or audio files")
    return True


def look_ahead_of(text: str | None) -> float | None:
    """What `--look-ahead` asks for, in seconds; None for all that counts."""
    from facetalk.core.text_values import parse_number
    from facetalk.pipelines.live import LOOK_AHEAD_S
    from facetalk.talkers.base import check_look_ahead

    if text is None:
        return LOOK_AHEAD_S
    if text == _ALL:
        return None
    try:
        seconds = parse_number(text, "--look-ahead")
    except FacetalkError as error:  # it was typed
        raise UsageError(str(error)) from None
    check_look_ahead(seconds)
    return seconds


def print_frames(options: AnimateOptions, raw: str | None, look_ahead: str | None, name: str) -> None:
    """Print frames while the audio comes.

    Args:
        options: how it is animated.
        raw: format of samples without a header; None for a WAV file.
        look_ahead: seconds that are waited for after each frame, or `all`; None for the default.
        name: of the format of the frames.
    """
    from facetalk.core.threads import one_torch_thread
    from facetalk.io.pcm import PcmFormat
    from facetalk.pipelines.live import load_live_animator
    from facetalk.pipelines.live_stream import animated_lines, check_stream_format

    form = None if raw is None else PcmFormat.parsed(raw)
    check_stream_format(name)
    with one_torch_thread():
        animator = load_live_animator(options, look_ahead_of(look_ahead))
        for lines in animated_lines(animator, _read, form, name):
            print_text("\n".join(lines))


@contextmanager
def stored_stdin(raw: str | None) -> Iterator[Path]:
    """A file with what comes from stdin, as long as it is needed."""
    import tempfile

    from facetalk.io.pcm import PcmFormat
    from facetalk.pipelines.live_stream import stored_input

    form = None if raw is None else PcmFormat.parsed(raw)
    with tempfile.TemporaryDirectory(prefix="facetalk-") as folder:
        yield stored_input(_read, form, Path(folder))


def _read(size: int) -> bytes:
    """The next bytes as soon as there are some."""
    return cast(BufferedReader, sys.stdin.buffer).read1(size)
