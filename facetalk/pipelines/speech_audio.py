"""The recording that an animated motion was made from, for its video."""

from __future__ import annotations

import logging
from pathlib import Path

from facetalk.core.audio_part import AudioPart
from facetalk.core.errors import FacetalkError
from facetalk.core.motion import Motion
from facetalk.core.text import one_line
from facetalk.core.timing import SAMPLE_RATE
from facetalk.io.audio_clip import AudioClip
from facetalk.io.streamed_audio import StreamedAudio
from facetalk.pipelines.records import fingerprint

_log = logging.getLogger(__name__)

_SAME_LENGTH_S = 0.1
"""Largest difference in length between a motion and its speech."""


def speech_of(motion: Motion, motion_path: Path) -> Path | AudioClip | None:
    """Find the recording of an animated motion, and log why if there is none.

    The motion states only a file name, and a file of this name is looked for next to the motion file and in the current
    folder. A motion file of unknown origin cannot name any other file, and a file with other content is not used.

    Args:
        motion: as read.
        motion_path: where it was read from.

    Returns:
        The recording, or the part of it that the motion shows; None if the motion is not an animated one, or the
        recording is not there.

    Raises:
        FacetalkError: the motion names an impossible part.
    """
    if motion.meta.get("command") != "animate":
        return None
    part = AudioPart.of(motion.meta)
    name = motion.meta.get("speech")
    if not _is_bare_name(name):
        _log.warning("no audio: %s does not say what it was made from; --audio names a recording", motion_path)
        return None
    shown, other = one_line(str(name)), None
    for folder in dict.fromkeys((motion_path.parent, Path())):
        path = folder / str(name)
        if not path.is_file() or path.resolve().parent != folder.resolve():
            continue  # not there, or a link that leads elsewhere
        if _is_recording_of(motion, part, path):
            clip = AudioClip(path, part)
            _log.info("audio: %s", clip)
            return path if clip.is_whole else clip
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


def _is_recording_of(motion: Motion, part: AudioPart, path: Path) -> bool:
    """Whether a file is what the motion was made from: by its content, or its length where that is all there is."""
    stated = motion.meta.get("speech_fingerprint")
    if isinstance(stated, str):
        return fingerprint(path) == stated
    try:
        with StreamedAudio(path) as audio:
            seconds = len(audio) / SAMPLE_RATE
    except FacetalkError:
        return False
    shown = (min(part.end_s or seconds, seconds) - part.start_s) / part.tempo
    return abs(shown - motion.duration_s) <= _SAME_LENGTH_S
