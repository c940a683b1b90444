"""Tables of the user that describe videos: who speaks, with which emotion, and where somebody laughs."""

from __future__ import annotations

import logging
import math
import unicodedata
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Generic, TypeVar

from facetalk.core.errors import UsageError
from facetalk.data.manifest import read_rows

NOTE_COLUMNS = ("speaker", "label", "text", "av_corr", "av_lag_ms")
"""Columns of a table of videos that are copied to the manifest."""

_LISTED = 3
"""Videos that a warning names."""

Note = TypeVar("Note")
Parts = tuple[str, ...]

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class MatchedNotes(Generic[Note]):
    """The note of each video that a table describes."""

    notes: dict[Path, Note]
    missing: list[Path]
    """Videos that the table does not describe."""
    by_name: dict[Path, str]
    """The listed path of those whose folders have other names in the table."""

    @property
    def num_videos(self) -> int:
        """Number of videos, described or not."""
        return len(self.notes) + len(self.missing)


def read_notes(path: Path | str) -> dict[str, dict[str, str]]:
    """Rows of a CSV file that describes videos, by its column `path`.

    Raises:
        UsageError: there is no such file or column, no column that a manifest takes, or a path has two different rows.
        FacetalkError: the file is not a CSV table in UTF-8.
    """
    rows = _rows(path, "speakers and labels")
    found = ", ".join(rows[0]) if rows else "nothing"
    if not rows or "path" not in rows[0]:
        raise UsageError(f"{path} needs a column 'path'; found: {found}")
    if not set(NOTE_COLUMNS) & set(rows[0]):
        raise UsageError(f"{path} has none of the columns {', '.join(NOTE_COLUMNS)}; found: {found}")
    notes: dict[str, dict[str, str]] = {}
    for row in rows:
        before = notes.setdefault(row["path"], row)
        if any(before.get(key) != row.get(key) for key in NOTE_COLUMNS):
            raise UsageError(f"{path} describes {row['path']} twice, in different words; keep one row")
    return notes


def read_laugh_times(path: Path | str) -> dict[str, list[tuple[float, float]]]:
    """Start and end of laughs in seconds from a CSV file, by its column `path`."""
    times: dict[str, list[tuple[float, float]]] = {}
    try:
        for row in _rows(path, "laughs"):
            start_s, end_s = float(row["start_s"]), float(row["end_s"])
            if not (0 <= start_s < end_s < math.inf):
                raise ValueError(f"a laugh from {start_s} to {end_s} s")
            times.setdefault(row["path"], []).append((start_s, end_s))
    except (KeyError, ValueError) as error:
        raise UsageError(f"{path} is not a table of path, start_s, end_s: {error}") from None
    return times


def _rows(path: Path | str, wanted: str) -> list[dict[str, str]]:
    if not Path(path).is_file():
        raise UsageError(f"no file {path} to read {wanted} from")
    return read_rows(Path(path))


def match_notes(videos: Sequence[Path], notes: Mapping[str, Note]) -> MatchedNotes[Note]:
    """Find the note of each video.

    Of the listed paths that the path of a video ends with, the longest counts. Where there is none, because a folder
    was renamed or the video has another suffix, the note with the same file name counts whose path agrees with the
    video's in the most folders, counted from the file, if it is the only one and describes no other video.

    Args:
        videos: paths of the videos.
        notes: by path, with slashes or backslashes, absolute or below any folder.
    """
    listed = {_parts(path): note for path, note in notes.items()}
    paths = {video: _parts(video.absolute().as_posix()) for video in videos}
    exact = {video: found for video, parts in paths.items() if (found := _longest_tail(parts, listed)) is not None}
    used = set(exact.values())
    named = _by_name(
        {video: parts for video, parts in paths.items() if video not in exact},
        [parts for parts in listed if parts not in used],
    )
    matched = exact | named
    return MatchedNotes(
        notes={video: listed[matched[video]] for video in videos if video in matched},
        missing=[video for video in videos if video not in matched],
        by_name={video: "/".join(parts) for video, parts in named.items()},
    )


def checked_match(videos: Sequence[Path], notes: Mapping[str, Note], table: Path | str) -> MatchedNotes[Note]:
    """Find the note of each video, see `match_notes`; warns of videos without one, and of renamed folders.

    Args:
        videos: paths of the videos.
        notes: by path.
        table: the file that the notes come from, for the messages.

    Raises:
        UsageError: no video has a note.
    """
    found = match_notes(videos, notes)
    if not found.notes:
        raise UsageError(
            f"{table} describes none of the {found.num_videos} videos: it lists {next(iter(notes), '')!r}, a video is "
            f"{str(next(iter(videos), ''))!r}; give paths whose last parts agree"
        )
    if found.by_name:
        video, listed = next(iter(found.by_name.items()))
        _log.warning(
            "%s: %d videos are in folders of another name and were matched by their own, such as %s with %s",
            table, len(found.by_name), video, listed,
        )  # fmt: skip
    if found.missing:
        names = ", ".join(map(str, found.missing[:_LISTED])) + (", ..." if len(found.missing) > _LISTED else "")
        _log.warning("%s describes %d of %d videos, but not %s", table, len(found.notes), found.num_videos, names)
    return found


def _parts(path: str) -> Parts:
    """Parts of a path without its root; letters with accents are written in one way."""
    return PurePosixPath(unicodedata.normalize("NFC", path).replace("\\", "/")).parts[path.startswith("/") :]


def _longest_tail(parts: Parts, listed: Mapping[Parts, object]) -> Parts | None:
    return next((parts[start:] for start in range(len(parts)) if parts[start:] in listed), None)


def _by_name(videos: Mapping[Path, Parts], listed: Sequence[Parts]) -> dict[Path, Parts]:
    """The listed path of each video with the same file name, where one agrees best and both choose each other."""
    stems: dict[str, list[Parts]] = defaultdict(list)
    for parts in listed:
        if parts:
            stems[PurePosixPath(parts[-1]).stem].append(parts)
    chosen: dict[Path, Parts] = {}
    rivals: dict[Parts, list[tuple[int, Path]]] = defaultdict(list)
    for video, parts in videos.items():
        scores = [(_shared_tail(parts, other), other) for other in stems[PurePosixPath(parts[-1]).stem]]
        most = max((score for score, _ in scores), default=0)
        best = [other for score, other in scores if score == most]
        if len(best) == 1:
            chosen[video] = best[0]
            rivals[best[0]].append((most, video))
    return {
        video: parts
        for video, parts in chosen.items()
        if [video] == [v for score, v in rivals[parts] if score == max(rivals[parts])[0]]
    }


def _shared_tail(first: Parts, second: Parts) -> int:
    """Number of folders that two paths share, counted from the file."""
    count = 0
    for one, other in zip(reversed(first[:-1]), reversed(second[:-1]), strict=False):
        if one != other:
            break
        count += 1
    return count
