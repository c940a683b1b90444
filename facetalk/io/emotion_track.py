"""Emotion as a user gives it: a text, a CSV file with emotions over time, or `auto`, from the voice."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import torch

from facetalk.core.emotions import DEFAULT_LEVEL, EmotionTrack, emotion_named, level_row, parse_emotions
from facetalk.core.errors import FacetalkError, UsageError
from facetalk.core.text_values import parse_number
from facetalk.io.media import checked_file

AUTO = "auto"
"""The emotion of the voice."""

COLUMNS = ("seconds", "emotion", "level")

_MOST_BYTES = 16 << 20
_MOST_ROWS = 200_000
_MOST_S = 24 * 3600.0


def emotion_track(asked: str | Path | EmotionTrack) -> EmotionTrack | None:
    """What is asked for; None for `auto`.

    Args:
        asked: see `facetalk.core.emotions.parse_emotions`, or a CSV file, see `read_emotion_track`.

    Raises:
        UsageError: the text names no emotion.
        FacetalkError: the file cannot be read.
    """
    if isinstance(asked, EmotionTrack):
        return asked
    if isinstance(asked, Path) or is_track_file(asked):
        return read_emotion_track(Path(asked))
    return None if is_auto(asked) else parse_emotions(asked)


def is_auto(asked: object) -> bool:
    """Whether the voice is to decide."""
    return isinstance(asked, str) and asked.strip().lower() == AUTO


def is_track_file(asked: str) -> bool:
    """Whether a text names a file rather than emotions."""
    return asked.lower().endswith(".csv")


def read_emotion_track(path: Path) -> EmotionTrack:
    """Emotions over time from a CSV file with the columns `seconds`, `emotion` and `level`.

    Rows with the same time are a mixture; emotions that are not named at a time are 0 there. Between two times levels
    change linearly. A row without a level has the default one.

    Args:
        path: in UTF-8, separated by commas, semicolons or tabs; the columns may come in any order.

    Raises:
        FacetalkError: the file is missing, or not such a table; with the line that is wrong.
    """
    points: dict[float, dict[str, float]] = {}
    for number, seconds, name, level in _entries(path):
        where = f"{path}, line {number}"
        if points and seconds < next(reversed(points)):
            raise FacetalkError(f"{where}: {seconds:g} s comes after a later time; sort the rows by their seconds")
        mixture = points.setdefault(seconds, {})
        if name in mixture:
            raise FacetalkError(f"{where}: {name} occurs twice at {seconds:g} s")
        mixture[name] = level
        if sum(mixture.values()) > 0:
            _checked(mixture, where)
    if not points:
        raise FacetalkError(f"{path} has no rows")
    levels = torch.stack([level_row(mixture) for mixture in points.values()])
    return EmotionTrack(torch.tensor(list(points), dtype=torch.float64), levels)


def _entries(path: Path) -> Iterator[tuple[int, float, str, float]]:
    """Number of the line, seconds, emotion and level of each row."""
    rows = _rows(path)
    number, header = next(rows, (1, []))
    columns = [name.strip().lower() for name in header]
    if sorted(columns) not in (sorted(COLUMNS), sorted(COLUMNS[:2])):
        raise FacetalkError(
            f"{path} has the columns {', '.join(columns)[:80] or '(none)'}; it must have {', '.join(COLUMNS)}"
        )
    for number, row in rows:
        where = f"{path}, line {number}"
        if len(row) != len(columns):
            raise FacetalkError(f"{where}: {len(row)} fields, not {len(columns)}")
        cells = {column: cell.strip() for column, cell in zip(columns, row, strict=True)}
        seconds = parse_number(cells["seconds"], f"{where}: seconds")
        if not 0 <= seconds <= _MOST_S:
            raise FacetalkError(f"{where}: {seconds:g} s; times are from 0 to {_MOST_S:g} s")
        text = cells.get("level", "")
        level = parse_number(text, f"{where}: level") if text else DEFAULT_LEVEL
        try:
            name = emotion_named(cells["emotion"])
        except UsageError as error:
            raise FacetalkError(f"{where}: {error}") from None
        _checked({name: level}, where)
        yield number, seconds, name, level


def _checked(levels: dict[str, float], where: str) -> None:
    try:
        level_row(levels)
    except UsageError as error:
        raise FacetalkError(f"{where}: {error}") from None


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Number and fields of each line that is not empty."""
    checked_file(path, "a track of emotions")
    if path.stat().st_size > _MOST_BYTES:
        raise FacetalkError(f"{path} has {path.stat().st_size} bytes; a track of emotions has at most {_MOST_BYTES}")
    try:
        lines = path.read_text("utf-8-sig").split("\n")
        if len(lines) > _MOST_ROWS:
            raise FacetalkError(f"{path} has {len(lines)} lines; at most {_MOST_ROWS} are read")
        separator = ""
        for number, line in enumerate(lines, 1):
            if line.strip(" ,;\t\r"):
                separator = separator or max(",;\t", key=line.count)
                (fields,) = csv.reader([line.rstrip("\r")], delimiter=separator, strict=True)
                yield number, fields
    except (UnicodeDecodeError, csv.Error, ValueError) as error:
        raise FacetalkError(f"{path} is not a CSV table in UTF-8 ({error})") from None
