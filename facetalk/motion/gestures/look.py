"""Where a face looks: the camera, a place, or a track of places over time."""

from __future__ import annotations

import csv
from itertools import pairwise
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.core.errors import FacetalkError, UsageError
from facetalk.core.text_values import parse_number
from facetalk.core.timing import FPS, frame_times, resample
from facetalk.io.media import checked_file

CAMERA = "camera"
COLUMNS = ("seconds", "x", "y", "z")

_NEAREST, _FARTHEST = 0.1, 1000.0
"""Of a place, meters."""
_MOST_ROWS = 1_000_000
_MOST_S = 24 * 3600.0


def look_target(look: str | Path | None) -> Float[Tensor, "frames 3"] | None:
    """Places to look at, one for all frames or one for each at 30 fps.

    Args:
        look: `camera`, a place `X,Y,Z`, or a CSV file with the columns of `COLUMNS`. Meters from the point between the
            eyes: x to the subject's left, y up, z to the front.

    Returns:
        None for the camera.

    Raises:
        UsageError: the text is none of these, or the place cannot be looked at.
        FacetalkError: the file cannot be read.
    """
    if look is None or str(look) == CAMERA:
        return None
    if str(look).lower().endswith(".csv"):
        return read_look_track(Path(look))
    parts = str(look).split(",")
    if len(parts) != 3:
        raise UsageError(f"cannot look at {str(look)[:80]!r}; give {CAMERA}, a place X,Y,Z in meters, or a .csv file")
    try:
        place = [parse_number(part.strip(), "look") for part in parts]
        _check(place)
    except FacetalkError as error:
        raise UsageError(str(error)) from None
    return torch.tensor([place])


def read_look_track(path: Path) -> Float[Tensor, "frames 3"]:
    """Places at 30 fps from a CSV file with the columns of `COLUMNS`: straight lines between its rows."""
    checked_file(path, "a track of places to look at")
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = csv.reader(file)
            header = [name.strip().lower() for name in next(rows, [])]
            if sorted(header) != sorted(COLUMNS):
                raise FacetalkError(
                    f"{path} has the columns {', '.join(header)[:80]}; it must have {', '.join(COLUMNS)}"
                )
            order = [header.index(name) for name in COLUMNS]
            found = [_place(path, number, row, order) for number, row in enumerate(rows, 2) if any(row)]
    except (UnicodeDecodeError, csv.Error) as error:
        raise FacetalkError(f"{path} is not a CSV table in UTF-8 ({error})") from None
    if not found:
        raise FacetalkError(f"{path} has no rows")
    if any(second[0] <= first[0] for first, second in pairwise(found)):
        raise FacetalkError(f"{path}: the seconds must increase from row to row")
    table = torch.tensor(found, dtype=torch.float64)
    num_frames = max(1, round(float(table[-1, 0]) * FPS) + 1)
    return resample(table[:, 1:], table[:, 0], frame_times(num_frames)).float()


def _place(path: Path, number: int, row: list[str], order: list[int]) -> list[float]:
    if number > _MOST_ROWS:
        raise FacetalkError(f"{path} has more than {_MOST_ROWS} rows")
    if len(row) != len(order):
        raise FacetalkError(f"{path}, line {number}: {len(row)} fields, not {len(order)}")
    where = f"{path}, line {number}"
    values = [parse_number(row[column].strip(), where) for column in order]
    if not 0 <= values[0] <= _MOST_S:
        raise FacetalkError(f"{where}: {values[0]:g} s; times are from 0 to {_MOST_S:g} s")
    try:
        _check(values[1:])
    except FacetalkError as error:
        raise FacetalkError(f"{where}: {error}") from None
    return values


def _check(place: list[float]) -> None:
    """Refuse places inside of the head, behind it, or beyond any room."""
    distance = sum(value * value for value in place) ** 0.5
    if not _NEAREST <= distance <= _FARTHEST or place[2] <= 0:
        text = ",".join(f"{value:g}" for value in place)
        limits = f"{_NEAREST:g} to {_FARTHEST:g} m away and in front of the face (z above 0)"
        raise FacetalkError(f"cannot look at {text}: a place is {limits}")
