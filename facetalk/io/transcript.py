"""Transcripts: plain text, SubRip and WebVTT subtitles, and Praat TextGrids."""

from __future__ import annotations

import logging
from pathlib import Path

from facetalk.audio.transcript import Transcript
from facetalk.core.errors import FacetalkError
from facetalk.io.media import checked_file
from facetalk.io.subtitles import parse_subtitles, without_markup
from facetalk.io.textgrid import MAGIC, parse_textgrid

MOST_BYTES = 8 << 20
"""An hour of speech has 60 kB of text, and a TextGrid of its phonemes 5 MB."""

_MARKS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe\x00\x00", "utf-32"), (b"\x00\x00\xfe\xff", "utf-32"),
          (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))  # fmt: skip
"""Byte order marks, the longer ones first."""
_log = logging.getLogger(__name__)


def read_transcript(path: Path | str) -> Transcript:
    """Read what is said in a recording.

    The suffix `.srt`, `.vtt` or `.TextGrid`, or the first line, tells the format; everything else is plain text. The
    times of a TextGrid are taken as they are, and words within a subtitle are looked for within its times.

    Args:
        path: of the file.

    Raises:
        FacetalkError: the file is missing, too large, damaged or no text, or there are no words in it.
    """
    path = checked_file(Path(path), "a transcript")
    size = path.stat().st_size
    if size > MOST_BYTES:
        raise FacetalkError(f"{path} has {size} bytes; a transcript has at most {MOST_BYTES}")
    text = _decoded(path).replace("\r\n", "\n").replace("\r", "\n")
    kind = path.suffix.lower()
    if kind == ".textgrid" or MAGIC in text[:200]:
        transcript = parse_textgrid(text, str(path))
    elif kind in (".srt", ".vtt") or text.startswith("WEBVTT"):
        transcript = parse_subtitles(text, str(path))
    else:
        transcript = Transcript.of_text(without_markup(text))
    if not transcript.events and transcript.num_words == 0:
        raise FacetalkError(f"{path} holds no words; a transcript holds what is said")
    return transcript


def _decoded(path: Path) -> str:
    """The text of a file, whose encoding its first bytes tell, or which is UTF-8, or that of Western Windows."""
    content = path.read_bytes()
    encoding = next((name for mark, name in _MARKS if content.startswith(mark)), "")
    try:
        text = content.decode(encoding or "utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        if encoding or b"\0" in content:
            raise FacetalkError(f"{path} is not a text file ({error.reason} at byte {error.start})") from None
        _log.warning("%s is not in UTF-8 (byte %d) and is read as Windows-1252", path, error.start)
        text = content.decode("cp1252", "replace")
    if "\0" in text:
        raise FacetalkError(f"{path} is not a text file; it holds zero bytes: save it as UTF-8")
    return text
