"""A table of lines to animate: one recording with its options a row, as CSV."""

from __future__ import annotations

import csv
import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from facetalk.core.audio_part import AudioPart
from facetalk.core.errors import USER_ERRORS, FacetalkError, UsageError, user_error
from facetalk.core.text_values import parse_number
from facetalk.data.sources import output_name
from facetalk.io.media import checked_file
from facetalk.io.voices import DEFAULT_VOICE, SpokenText
from facetalk.motion.regions import RegionalControl
from facetalk.pipelines.animate_jobs import AnimateOptions

SAID = ("text", "transcript", "voice", "voice_speed")
NUMBERS = ("style_strength", "head_motion", "blinks", "gaze", "eye_contact", "fps")
WHOLE_NUMBERS = ("size", "seed")
LOOK = ("skin", "eyes", "hair")
CONTROL = ("gain", "offset", "only")
PART = ("channel", "from", "to")
COLUMNS = (
    "file", "name", *SAID, "style", "emotion", "person", "talker", "head", "format", "gestures", "look_at", *NUMBERS,
    *WHOLE_NUMBERS, *LOOK, *CONTROL, *PART,
)  # fmt: skip
"""`file` or `text` is needed; `name` is that of the outputs; the others are options of `facetalk animate`."""

MOST_BYTES = 16 << 20
MOST_LINES = 100_000
LONGEST_NAME = 200
"""Bytes; with the endings of the outputs it is the name of a file."""


@dataclass(frozen=True)
class Line:
    """One row of the table."""

    number: int
    """Line of the file, from 1."""
    speech: Path
    """The folder of the table where a voice says a text."""
    name: str
    options: AnimateOptions


@dataclass(frozen=True)
class BrokenLine:
    """One row that cannot be used."""

    number: int
    error: FacetalkError


def read_lines(path: Path, defaults: AnimateOptions) -> list[Line | BrokenLine]:
    """Read a table; a row that cannot be used does not stop the others.

    Args:
        path: CSV in UTF-8 with a header, separated by commas, semicolons or tabs; a cell does not go over several
            lines. Files are named relative to the folder of the table.
        defaults: for cells that are empty and columns that are not there.

    Raises:
        UsageError: the table has no rows, neither a column `file` nor `text`, or a column that is not known.
        FacetalkError: the file is missing or not such a table.
    """
    rows = _rows(path)
    first = next(rows, None)
    if first is None:
        raise UsageError(f"{path} has no header; its first line names columns: {', '.join(COLUMNS)}")
    header_number, header = first
    if isinstance(header, FacetalkError):
        raise FacetalkError(f"{path}, line {header_number}: {header}")
    columns = [column.strip().lower().replace("-", "_") for column in header]
    _check_columns(path, header_number, columns)
    lines: list[Line | BrokenLine] = []
    owners: dict[str, int] = {}
    for number, row in rows:
        try:
            if isinstance(row, FacetalkError):
                raise row
            line = _line(number, _cells(columns, row), path.parent, defaults)
            owner = owners.setdefault(line.name, number)
            if owner != number:
                raise FacetalkError(f"its outputs would replace those of line {owner}; give it another name")
            lines.append(line)
        except USER_ERRORS as error:  # a name may be too long for the file system
            lines.append(BrokenLine(number, in_line(path, number, user_error(error))))
    if not lines:
        raise UsageError(f"{path} lists no lines")
    return lines


def in_line(path: Path, number: int, error: FacetalkError) -> FacetalkError:
    """An error with the line that it is about; what is wrong in a file is no wrong usage."""
    result = FacetalkError(f"{path}, line {number}: {error}")
    result.exit_code = FacetalkError.exit_code if isinstance(error, UsageError) else error.exit_code
    return result


def _rows(path: Path) -> Iterator[tuple[int, list[str] | FacetalkError]]:
    """Line number and fields of each line that is not empty. Each is read by itself, so that a quotation mark that is
    not closed takes no other line with it."""
    checked_file(path, "a table of lines")
    if path.stat().st_size > MOST_BYTES:
        raise FacetalkError(f"{path} has {path.stat().st_size} bytes; a table of lines has at most {MOST_BYTES}")
    try:
        texts = path.read_text("utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise FacetalkError(f"{path} is not a CSV table in UTF-8 ({error.reason} at byte {error.start})") from None
    if len(texts) > MOST_LINES:
        raise FacetalkError(f"{path} has {len(texts)} lines; at most {MOST_LINES} are read")
    separator = ""
    for number, text in enumerate(texts, 1):
        if not text.strip(" ,;\t"):
            continue
        separator = separator or max(",;\t", key=text.count)
        try:
            (fields,) = csv.reader([text], delimiter=separator, strict=True)
            yield number, fields
        except (csv.Error, ValueError) as error:
            what = "it is not a line of a CSV table"
            yield number, FacetalkError(f"{what} ({error}); a field in quotation marks ends on the same line")


def _check_columns(path: Path, number: int, columns: list[str]) -> None:
    for column in columns:
        if column not in COLUMNS:
            near = difflib.get_close_matches(column[:80], COLUMNS, 1)
            hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(COLUMNS)}"
            raise UsageError(f"{path}, line {number}: unknown column {column[:80]!r}; {hint}")
        if columns.count(column) > 1:
            raise UsageError(f"{path}, line {number}: the column {column!r} occurs twice")
    if "file" not in columns and "text" not in columns:
        raise UsageError(f"{path}, line {number}: there is no column 'file' or 'text'; found: {', '.join(columns)}")


def _cells(columns: list[str], row: list[str]) -> dict[str, str]:
    """The cells that are not empty, by column."""
    if len(row) != len(columns):
        raise FacetalkError(f"{len(row)} fields for {len(columns)} columns; quote a field that holds a separator")
    cells = {column: cell.strip() for column, cell in zip(columns, row, strict=True)}
    for column, cell in cells.items():
        if not cell.isprintable():
            raise FacetalkError(f"{column} holds characters that cannot be printed: {cell[:40]!r}")
    return {column: cell for column, cell in cells.items() if cell}


def _line(number: int, cells: Mapping[str, str], folder: Path, defaults: AnimateOptions) -> Line:
    if ("file" in cells) == ("text" in cells):
        raise FacetalkError("there is no file" if "file" not in cells else "give a file, or a text that a voice says")
    spoken = _spoken(cells)
    speech = folder / cells.get("file", "")
    name = cells.get("name") or (output_name(speech) if spoken is None else spoken.name)
    if Path(name).name != name or name in (".", "..") or len(name.encode()) > LONGEST_NAME:
        raise FacetalkError(f"{name[:80]!r} cannot name its outputs; give a name that is no path")
    changes: dict[str, Any] = {column: parse_number(cells[column], column) for column in NUMBERS if column in cells} | {
        column: _whole(cells[column], column) for column in WHOLE_NUMBERS if column in cells
    }
    changes |= {column: cells[column] for column in ("talker", "person", "head", "gestures") if column in cells}
    for column in ("style", "emotion", "look_at"):
        if column in cells:
            beside = folder / cells[column]
            changes[column] = beside if beside.is_file() else cells[column]
    if "format" in cells:
        changes["formats"] = [name.strip() for name in cells["format"].split(",")]
    if "transcript" in cells:
        changes["transcript"] = folder / cells["transcript"]
    looks = {column: cells[column] for column in LOOK if column in cells}
    control = {**defaults.control.described(), **{column: cells[column] for column in CONTROL if column in cells}}
    return Line(
        number,
        speech,
        name,
        replace(
            defaults,
            look=replace(defaults.look, **looks),
            control=RegionalControl.parsed(**control),
            part=_part(cells, defaults.part),
            spoken=spoken,
            **changes,
        ),
    )


def _spoken(cells: Mapping[str, str]) -> SpokenText | None:
    if "text" not in cells:
        return None
    speed = parse_number(cells.get("voice_speed", "1"), "voice_speed")
    return SpokenText(cells["text"], cells.get("voice", DEFAULT_VOICE), speed)


def _part(cells: Mapping[str, str], default: AudioPart) -> AudioPart:
    given = AudioPart.parsed(cells.get("channel"), cells.get("from"), cells.get("to"))
    return AudioPart(
        given.channel if "channel" in cells else default.channel,
        given.start_s if "from" in cells else default.start_s,
        given.end_s if "to" in cells else default.end_s,
    )


def _whole(text: str, column: str) -> int:
    value = parse_number(text, column)
    if value != int(value) or abs(value) > 1 << 53:
        raise FacetalkError(f"{column} is {text[:40]!r}, not a whole number")
    return int(value)
