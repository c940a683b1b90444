"""Emotion as a user gives it: a text, a CSV file with emotions over time, or `auto`, from the voice."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from jaxtyping import Int64
from torch import Tensor

from facetalk.core.emotions import (
    DEFAULT_LEVEL,
    EMOTIONS,
    MAX_LEVEL,
    NEUTRAL,
    EmotionTrack,
    emotion_named,
    level_row,
    parse_emotions,
)
from facetalk.core.errors import FacetalkError, UsageError
from facetalk.core.text_values import parse_number
from facetalk.io.media import checked_file

AUTO = "auto"
"""The emotion of the voice."""

COLUMNS = ("seconds", "emotion", "level")

_MOST_BYTES = 16 << 20
_MOST_ROWS = 200_000
_MOST_S = 24 * 3600.0
_SLACK = 1e-5


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
    if is_auto(asked):
        return None
    try:
        return parse_emotions(asked)
    except UsageError:
        _refuse_files(asked)
        raise


def _refuse_files(asked: str) -> None:
    """Say what is wrong with a text that names no emotion but looks like `auto`, a file or a folder."""
    if AUTO in (part.partition(":")[0].strip().lower() for part in asked.split(",")):
        raise UsageError(f"cannot read the emotion {asked[:80]!r}; {AUTO} stands alone: the voice sets the levels too")
    ends_like_a_file = re.fullmatch(r"\.[A-Za-z][A-Za-z0-9]{0,5}", Path(asked).suffix) is not None
    # Not Path.exists and Path.is_dir, which raise where a name is too long.
    if os.path.exists(asked) or os.sep in asked or ends_like_a_file:  # noqa: PTH110
        kind = "a folder" if os.path.isdir(asked) else "neither an emotion nor a file that ends in .csv"  # noqa: PTH112
        raise UsageError(
            f"{asked[:200]!r} is {kind}; a track of emotions is a CSV file with the columns {', '.join(COLUMNS)}"
        )


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
    entries = list(_entries(path))
    if not entries:
        raise FacetalkError(f"{path} has no rows")
    lines, seconds, emotions, levels = zip(*entries, strict=True)
    rows = torch.tensor(seconds, dtype=torch.float64)
    back = torch.nonzero(rows.diff() < 0)
    if len(back):
        late = int(back[0]) + 1
        raise FacetalkError(
            f"{path}, line {lines[late]}: {seconds[late]:g} s comes after a later time; sort the rows by their seconds"
        )
    times, places = torch.unique_consecutive(rows, return_inverse=True)
    cells = places * len(EMOTIONS) + torch.tensor(emotions)
    twice = _repeated(cells)
    if twice is not None:
        raise FacetalkError(
            f"{path}, line {lines[twice]}: {EMOTIONS[emotions[twice]]} occurs twice at {seconds[twice]:g} s"
        )
    table = torch.zeros(len(times) * len(EMOTIONS)).index_put((cells,), torch.tensor(levels)).view(len(times), -1)
    table[:, EMOTIONS.index(NEUTRAL)] = 0
    sums = table.sum(1)
    over = torch.nonzero(sums > MAX_LEVEL + _SLACK)
    if len(over):
        last = int(torch.nonzero(places == over[0])[-1])
        raise FacetalkError(
            f"{path}, line {lines[last]}: the levels of the emotions sum to {float(sums[over[0]]):g}; at most "
            f"{MAX_LEVEL:g} can be shown"
        )
    return EmotionTrack(times, table)


def _repeated(cells: Int64[Tensor, " rows"]) -> int | None:
    """The first row whose cell an earlier row has; None if there is none."""
    order = torch.argsort(cells, stable=True)
    same = order[1:][cells[order].diff() == 0]
    return int(same.min()) if len(same) else None


def _entries(path: Path) -> Iterator[tuple[int, float, int, float]]:
    """Number of the line, seconds, index of the emotion and level of each row."""
    rows = _rows(path)
    number, header = next(rows, (1, []))
    columns = [name.strip().lower() for name in header]
    if sorted(columns) not in (sorted(COLUMNS), sorted(COLUMNS[:2])):
        raise FacetalkError(
            f"{path} has the columns {', '.join(columns)[:80] or '(none)'}; it must have {', '.join(COLUMNS)}"
        )
    places = {name: columns.index(name) for name in columns}
    for number, row in rows:
        where = f"{path}, line {number}"
        if len(row) != len(columns):
            raise FacetalkError(f"{where}: {len(row)} fields, not {len(columns)}{_comma_hint(row)}")
        seconds = parse_number(row[places["seconds"]].strip(), f"{where}: seconds")
        if not 0 <= seconds <= _MOST_S:
            raise FacetalkError(f"{where}: {seconds:g} s; times are from 0 to {_MOST_S:g} s")
        text = row[places["level"]].strip() if "level" in places else ""
        level = parse_number(text, f"{where}: level") if text else DEFAULT_LEVEL
        try:
            name = emotion_named(row[places["emotion"]])
            if not 0 <= level <= MAX_LEVEL:
                level_row({name: level})
        except UsageError as error:
            raise FacetalkError(f"{where}: {error}") from None
        yield number, seconds, EMOTIONS.index(name), level


def _comma_hint(row: Sequence[str]) -> str:
    """Advice for a row with more numbers than there are columns for."""
    numbers = sum(cell.strip().isdecimal() for cell in row)
    return "; write decimals with a point" if numbers > 2 else ""


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
