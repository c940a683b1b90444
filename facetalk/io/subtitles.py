"""SubRip and WebVTT: what is said in each cue, without markup and descriptions of sounds."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from facetalk.audio.transcript import SaidText, Transcript
from facetalk.core.errors import FacetalkError

_TIME = r"(?:(\d{1,3}):)?(\d{1,2}):(\d{1,2})[,.](\d{1,3})"
_TIMES = re.compile(rf"\s*{_TIME}\s*-->\s*{_TIME}(?:\s.*)?$")
_MARKUP = re.compile(r"<[^<>]{0,200}>|\{\\[^{}]{0,200}\}")
_SOUNDS = re.compile(r"\[[^\[\]]{0,200}\]")
_ASIDES = re.compile(r"\([^()]{0,200}\)|[♪♫#*]")


def parse_subtitles(text: str, where: str) -> Transcript:
    """The texts of the cues with their times; cues that overlap are one.

    Args:
        text: with `\\n` at the ends of lines.
        where: name of the file, for errors.

    Raises:
        FacetalkError: there are no cues, or one ends before it begins.
    """
    cues = sorted(_cues(text, where), key=lambda cue: cue.start_s)
    if not cues:
        raise FacetalkError(f"{where} has no subtitles; before each is a line such as 00:00:01,000 --> 00:00:02,500")
    return Transcript(tuple(_merged(cues)))


def without_markup(text: str) -> str:
    """Text without tags and without what is between square brackets, such as `[laughs]`."""
    return _SOUNDS.sub(" ", _MARKUP.sub("", html.unescape(text)))


def _cues(text: str, where: str) -> Iterator[SaidText]:
    span: tuple[float, float] | None = None
    lines: list[str] = []
    for number, line in enumerate([*text.split("\n"), ""], 1):
        match = _TIMES.match(line) if "-->" in line else None
        if match is not None or not line.strip():
            if span is not None:
                yield SaidText(_ASIDES.sub(" ", without_markup("\n".join(lines))), *span)
            span, lines = None, []
        if match is not None:
            span = _seconds(*match.groups()[:4]), _seconds(*match.groups()[4:])
            if span[1] <= span[0]:
                raise FacetalkError(f"{where}, line {number}: the subtitle ends before it begins")
        elif span is not None:
            lines.append(line)


def _seconds(hours: str | None, minutes: str, seconds: str, fraction: str) -> float:
    return int(hours or 0) * 3600 + int(minutes) * 60 + int(seconds) + int(fraction) / 10 ** len(fraction)


def _merged(cues: Iterable[SaidText]) -> Iterator[SaidText]:
    held: SaidText | None = None
    for cue in cues:
        if held is not None and cue.start_s < held.end_s:
            held = replace(held, text=f"{held.text}\n{cue.text}", end_s=max(held.end_s, cue.end_s))
            continue
        if held is not None:
            yield held
        held = cue
    if held is not None:
        yield held
