"""Recordings of the Live Link Face app: a CSV row per frame with a timecode, curves and angles.

The phone drops frames, and its timecodes say when: rows are placed by their times and resampled to an even rate. Rows
without values, where the app lost the face, count as dropped. Columns may be named as the app does (`EyeBlinkLeft`) or
as ARKit does (`eyeBlink_L`).
"""

from __future__ import annotations

import csv
import re
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.core.errors import FacetalkError
from facetalk.core.motion import Motion
from facetalk.core.rotations import from_yaw_pitch_roll, matrix_to_axis_angle
from facetalk.core.timing import frame_times, resample
from facetalk.core.words import words
from facetalk.importers.base import ImportOptions, arkit_motion
from facetalk.importers.curves import arkit_table
from facetalk.io.media import checked_file

_MOST_BYTES = 1 << 30
_LONGEST_LINE = 1 << 16
_TIMECODE = re.compile(r"(\d{1,3}):(\d{1,2}):(\d{1,2})[:;](\d{1,4}(?:\.\d{1,9})?)")
_RATES = (24, 25, 30, 48, 50, 60, 90, 100, 120, 240)
"""Frames that timecodes count in a second."""
_COMMON = (24000 / 1001, 30000 / 1001, 60000 / 1001)
_SAME_RATE = 3e-4
"""Largest relative difference of a measured rate from one that it stands for."""
_ANGLES = ("yaw", "pitch", "roll")
_PARTS = {"neck_pose": ("head",), "leye_pose": ("left", "eye"), "reye_pose": ("right", "eye")}
_DAY_S = 86_400
_BACK_S, _MOST_BACK = 0.5, 0.05
"""Share of the rows that may lie this much behind an earlier one, as when a clock is set."""
_MOST_DROPPED = 10
"""Frames for each row, beyond the first minute: more would be gaps between recordings."""


class _Time(NamedTuple):
    seconds: int
    frames: float


def read(path: Path, options: ImportOptions) -> Motion:
    """Read a recording, see `Importer`; the timecodes tell the frame rate."""
    checked_file(path, "a recording")
    if path.stat().st_size > _MOST_BYTES:
        raise FacetalkError(f"{path} has {path.stat().st_size >> 20} MiB; at most {_MOST_BYTES >> 20} are read")
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = csv.reader(_lines(path, file))
            header = [name.strip() for name in next(rows, [])]
            times, table = _table(path, header, rows)
    except UnicodeDecodeError:
        raise FacetalkError(f"{path} is not a CSV file: it is not text") from None
    except csv.Error as error:
        raise FacetalkError(f"{path} is not a CSV file: {error}") from None
    seconds, fps = _even(path, times, options.fps)
    latest = np.maximum.accumulate(seconds)
    if (latest - seconds > _BACK_S).mean() > _MOST_BACK:
        raise FacetalkError(f"{path}: its timecode goes back; the rows are out of order, or it is several takes")
    kept = np.concatenate([[True], np.diff(latest) > 0])
    places, values = torch.from_numpy(seconds[kept] - seconds[0]), torch.from_numpy(table[kept])
    count = round(float(places[-1]) * fps) + 1
    if count > _MOST_DROPPED * len(places) + 60 * fps:
        raise FacetalkError(
            f"{path} has {len(places)} frames of {count}; the rest were dropped, or it is several takes"
        )
    even = resample(values, places, frame_times(count, fps))
    names = header[_first_curve(header) :]
    return arkit_motion(arkit_table(even, names, path), path, fps, "live-link-face", **_poses(names, even))


def _table(path: Path, header: Sequence[str], rows: Iterator[list[str]]) -> tuple[list[_Time], np.ndarray]:
    """Times and values of all rows that have values."""
    if len(header) < 3 or words(header[0]) not in (("timecode",), ("time", "code")):
        shown = ", ".join(f"'{name:.30}'" for name in header[:4])
        raise FacetalkError(f"{path} is not a recording of Live Link Face: its columns are {shown or 'none'}")
    times: list[_Time] = []
    values, first = array("f"), _first_curve(header)
    for number, row in enumerate(rows, 2):
        if not any(cell.strip() for cell in row[first:]):
            continue
        match = _TIMECODE.fullmatch(row[0].strip())
        if match is None:
            raise FacetalkError(f"{path}, row {number}: {row[0][:40]!r} is not a timecode such as 01:02:03:04.567")
        if len(row) != len(header):
            raise FacetalkError(f"{path}, row {number} has {len(row)} columns, the first row {len(header)}")
        try:
            values.extend(map(float, row[first:]))
        except (ValueError, OverflowError):
            raise FacetalkError(f"{path}, row {number} holds what is not a number") from None
        hours, minutes, seconds = (int(part) for part in match.groups()[:3])
        times.append(_Time(hours * 3600 + minutes * 60 + seconds, float(match[4])))
    if not times:
        raise FacetalkError(f"{path} has no row with values")
    table = np.frombuffer(values, np.float32).reshape(len(times), -1)
    if not np.isfinite(table).all():
        raise FacetalkError(f"{path} holds values that are not finite")
    return times, table


def _lines(path: Path, file: IO[str]) -> Iterator[str]:
    while line := file.readline(_LONGEST_LINE):
        if len(line) == _LONGEST_LINE:
            raise FacetalkError(f"{path} is not a table of curves: a line is longer than {_LONGEST_LINE} characters")
        yield line


def _first_curve(header: Sequence[str]) -> int:
    """The first column after the timecode and, where there is one, the number of curves."""
    return 2 if words(header[1])[-1:] == ("count",) else 1


def _even(path: Path, times: Sequence[_Time], wanted: float | None) -> tuple[Float[np.ndarray, " rows"], float]:
    """Seconds of each row, and the frame rate.

    The frames of a timecode count from 0 in every second; how many there are is the timecode's own rate, and how far
    neighbors are apart the camera's.
    """
    frames = np.array([time.frames for time in times])
    whole = np.array([time.seconds for time in times], np.float64)
    whole += _DAY_S * np.cumsum(np.concatenate([[0], np.diff(whole) < -_DAY_S / 2]))  # past midnight
    counted = next((rate for rate in _RATES if rate > frames.max()), None)
    if counted is None:
        raise FacetalkError(f"{path}: a timecode counts {frames.max():g} frames in a second")
    if len(np.unique(whole)) == 1:  # too short to show how far its frames count
        counted = max(counted, round(wanted) if wanted else 30)
    seconds = whole + frames / counted
    steps = np.diff(seconds)
    steps = steps[steps > 1e-6]
    if len(steps) == 0:
        return seconds, wanted or float(counted)
    usual = float(np.median(steps))
    measured = 1 / float(steps[steps < 1.5 * usual].mean())
    exact = next((rate for rate in (*_COMMON, *_RATES) if abs(measured - rate) < _SAME_RATE * rate), None)
    if exact is None:
        exact = min(max(measured, 1.0), float(_RATES[-1]))
    return seconds, float(exact)


def _poses(header: Sequence[str], table: Float[Tensor, "frames columns"]) -> dict[str, Tensor]:
    """Rotations of the head and the eyeballs that the recording has; angles without any motion count as missing."""
    named = {words(name): column for column, name in enumerate(header)}
    poses = {}
    for pose, part in _PARTS.items():
        columns = [named.get((*part, angle)) for angle in _ANGLES]
        if None in columns or not bool(table[:, columns].any()):
            continue
        poses[pose] = matrix_to_axis_angle(from_yaw_pitch_roll(table[:, columns]))
    return poses
