"""The recording that an animated motion was made from, for its video."""

from __future__ import annotations

import logging
from pathlib import Path

from facetalk.core.errors import FacetalkError
from facetalk.core.motion import Motion
from facetalk.core.text import one_line
from facetalk.core.timing import SAMPLE_RATE
from facetalk.io.streamed_audio import StreamedAudio
from facetalk.pipelines.records import fingerprint

_log = logging.getLogger(__name__)

_SAME_LENGTH_S = 0.1
"""Largest difference in length between a motion and its speech."""


def speech_of(motion: Motion, motion_path: Path) -> Path | None:
    """Find the recording of an animated motion, and log why if there is none.

    The motion states only a file name, and a file of this name is looked for next to the motion file and in the current
    folder. A motion file of unknown origin cannot name any other file, and a file with other content is not used.

    Args:
        motion: as read.
        motion_path: where it was read from.

    Returns:
        The recording; None if the motion is not an animated one, or the recording is not there.
    """
    if motion.meta.get("command") != "animate":
        return None
    name = motion.meta.get("speech")
    if not _is_bare_name(name):
        _log.warning("no audio: %s does not say what it was made from; --audio names a recording", motion_path)
        return None
    shown, other = one_line(str(name)), None
    for folder in dict.fromkeys((motion_path.parent, Path())):
        path = folder / str(name)
        if not path.is_file() or path.resolve().parent != folder.resolve():
            continue  # not there, or a link that leads elsewhere
        if _is_recording_of(motion, path):
            _log.info("audio: %s", path)
            return path
        other = path
    if other is not None:
        _log.warning("no audio: %s is another recording than the one of %s; --audio names it", other, motion_path)
    else:
        _log.warning(
            "no audio: %s is neither next to %s nor in the current folder; --audio names it", shown, motion_path
        )
    return None


def _is_bare_name(name: object) -> bool:
    return isinstance(name, str) and name not in ("", ".", "..") and Path(name).name == name and "\0" not in name


def _is_recording_of(motion: Motion, path: Path) -> bool:
    """Whether a file is what the motion was made from: by its content, or its length where that is all there is."""
    stated = motion.meta.get("speech_fingerprint")
    if isinstance(stated, str):
        return fingerprint(path) == stated
    try:
        with StreamedAudio(path) as audio:
            return abs(len(audio) / SAMPLE_RATE - motion.duration_s) <= _SAME_LENGTH_S
    except FacetalkError:
        return False
