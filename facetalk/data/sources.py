"""The videos that a dataset is made from: found in folders, named, and described by tables of the user."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from facetalk.core.errors import UsageError

VIDEO_SUFFIXES = (".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v", ".mpg", ".mpeg", ".flv", ".ts", ".wmv")

Note = TypeVar("Note")


def find_videos(paths: Iterable[Path | str]) -> list[Path]:
    """The given videos, and those in the given folders and their subfolders, sorted by path."""
    found = []
    for path in map(Path, paths):
        inside = sorted(p for p in path.rglob("*") if p.suffix.lower() in VIDEO_SUFFIXES) if path.is_dir() else [path]
        if not inside:
            raise UsageError(f"the folder {path} contains no videos ({', '.join(VIDEO_SUFFIXES)})")
        found += inside
    return list(dict.fromkeys(found))


def clip_names(videos: Sequence[Path]) -> dict[Path, str]:
    """A unique name for each video: its stem, after as many folder names as it takes to be unique."""
    absolute = {video: video.absolute().with_suffix("").parts for video in videos}
    names = {video: parts[-1] for video, parts in absolute.items()}
    for depth in range(2, max((len(parts) for parts in absolute.values()), default=0) + 1):
        taken = list(names.values())
        ambiguous = [video for video, name in names.items() if taken.count(name) > 1]
        for video in ambiguous:
            names[video] = "__".join(part.strip("/") for part in absolute[video][-depth:])
    for video in [video for video, name in names.items() if list(names.values()).count(name) > 1]:
        names[video] += video.suffix.replace(".", "_")
    return names


def read_notes(path: Path | str) -> dict[str, dict[str, str]]:
    """Rows of a CSV file that describes videos, by its column `path`."""
    path = Path(path)
    if not path.is_file():
        raise UsageError(f"no file {path} to read speakers and labels from")
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    if not rows or "path" not in rows[0]:
        raise UsageError(f"{path} needs a column 'path'; found: {', '.join(rows[0]) if rows else 'nothing'}")
    return {row["path"]: row for row in rows}


def read_laugh_times(path: Path | str) -> dict[str, list[tuple[float, float]]]:
    """Start and end of laughs in seconds from a CSV file, by its column `path`."""
    path = Path(path)
    if not path.is_file():
        raise UsageError(f"no file {path} to read laughs from")
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    times: dict[str, list[tuple[float, float]]] = {}
    try:
        for row in rows:
            times.setdefault(row["path"], []).append((float(row["start_s"]), float(row["end_s"])))
    except (KeyError, ValueError, TypeError) as error:
        raise UsageError(f"{path} is not a table of path, start_s, end_s: {error}") from None
    return times


def find_note(video: Path, notes: Mapping[str, Note]) -> Note | None:
    """The note of a video: of the listed paths that its path ends with, the longest counts."""
    parts = video.absolute().parts
    for start in range(len(parts)):
        note = notes.get("/".join(parts[start:]))
        if note is not None:
            return note
    return None
