"""The speech that belongs to a pair of clips."""

from __future__ import annotations

from pathlib import Path

from facetalk.core.errors import FacetalkError
from facetalk.data.sources import AUDIO_SUFFIXES, VIDEO_SUFFIXES
from facetalk.io.audio import Waveform
from facetalk.io.audio_clip import AudioClip
from facetalk.io.streamed_audio import StreamedAudio
from facetalk.io.video import read_video_info
from facetalk.pipelines.evaluation.clips import Clip, MotionClip, VideoClip
from facetalk.pipelines.evaluation.pairing import TAKE
from facetalk.pipelines.speech_audio import speech_of


def speech_of_pair(name: str, predicted: Clip, reference: Clip, audio: Path | None) -> Waveform | None:
    """Audio of a pair: the one that is given; of the reference; of the prediction.

    Args:
        name: of the pair.
        predicted: a video with audio, a clip with an audio file of its name beside it, or an animated motion.
        reference: the same.
        audio: a file for all pairs, or a folder with a file of the name of each.

    Returns:
        None where there is no audio.

    Raises:
        FacetalkError: what is given is not there.
    """
    if audio is not None:
        found = audio if audio.is_file() else _named(audio, name) or _named(audio, name.rpartition(TAKE)[0])
        if found is None and not audio.is_dir():
            raise FacetalkError(f"no such file or folder: {audio}")
        return None if found is None else StreamedAudio(found)
    for clip in (reference, predicted):
        source = _own(clip)
        if source is not None:
            return StreamedAudio(source)
    return None


def _own(clip: Clip) -> Path | AudioClip | None:
    if isinstance(clip, VideoClip):
        return clip.path if read_video_info(clip.path).has_audio else None
    beside = _named(clip.path.parent, clip.path.stem, AUDIO_SUFFIXES)
    if beside is None and isinstance(clip, MotionClip):
        return speech_of(clip.motion, clip.path)
    return beside


def _named(folder: Path, name: str, suffixes: tuple[str, ...] = (*AUDIO_SUFFIXES, *VIDEO_SUFFIXES)) -> Path | None:
    """A file of that name in a folder."""
    files = [folder / f"{name}{suffix}" for suffix in suffixes] if name else []
    return next((file for file in files if file.is_file()), None)
