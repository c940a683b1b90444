"""Speech in, a talking 3D head out.

    import facetalk

    waveform = facetalk.read_waveform("speech.wav")
    motion = facetalk.load_talker().speak(waveform, facetalk.Direction(style="happy"))
    motion = facetalk.add_gestures(motion, waveform, seed=3)
    facetalk.export(motion, "speech.glb")
    facetalk.export(motion, "speech.mp4", audio="speech.wav")

`animate` does all of this for files. `fit` turns video into a `Motion`, `retarget` carries a motion to another head,
`render` and `export` write it, `evaluate` compares it, and `train` trains any of the networks.

The public names load on first use, so that `import facetalk` is instant.
"""

from __future__ import annotations

from importlib import import_module

from facetalk.core.version import __version__

TYPE_CHECKING = False  # as in typing, which takes its time to load
if TYPE_CHECKING:
    from typing import Any

    from facetalk.audio.transcript import Transcript
    from facetalk.core.audio_part import AudioPart
    from facetalk.core.camera import Camera
    from facetalk.core.edit_list import Edit, EditList
    from facetalk.core.emotions import EmotionTrack, parse_emotions
    from facetalk.core.errors import FacetalkError, MissingAssetError, UsageError
    from facetalk.core.events import Event
    from facetalk.core.motion import Motion
    from facetalk.head.looks import Look
    from facetalk.head.model import HeadModel
    from facetalk.importers.registry import import_motion
    from facetalk.io.audio import read_waveform
    from facetalk.io.edit_list import read_edit_list
    from facetalk.io.emotion_track import read_emotion_track
    from facetalk.io.motion import read_motion, write_motion
    from facetalk.io.transcript import read_transcript
    from facetalk.io.voices import SpokenText
    from facetalk.motion.curve_edits import edited
    from facetalk.motion.edits import joined, looped, retimed, trimmed
    from facetalk.motion.gestures.registry import add_gestures
    from facetalk.motion.heads import load_head
    from facetalk.motion.mirror import mirrored_motion
    from facetalk.motion.regions import RegionalControl, controlled
    from facetalk.motion.retarget import retarget
    from facetalk.motion.smoothing import smoothed
    from facetalk.networks.registry import load
    from facetalk.pipelines.animate import AnimateOptions, animate, animate_all
    from facetalk.pipelines.animate_table import animate_lines
    from facetalk.pipelines.diff import diff
    from facetalk.pipelines.edit import MotionEdits, edit_file
    from facetalk.pipelines.evaluate import evaluate
    from facetalk.pipelines.export import export
    from facetalk.pipelines.fit import fit, fit_videos
    from facetalk.pipelines.render import render
    from facetalk.pipelines.styles import list_styles, remove_style, resolve_style, save_style
    from facetalk.pipelines.train import train
    from facetalk.pipelines.view import view
    from facetalk.talkers.base import Direction, Talker
    from facetalk.talkers.emotion import speak_with_emotion
    from facetalk.talkers.registry import load_talker

_MODULES = {
    "AnimateOptions": "pipelines.animate",
    "AudioPart": "core.audio_part",
    "Camera": "core.camera",
    "Direction": "talkers.base",
    "Edit": "core.edit_list",
    "EditList": "core.edit_list",
    "EmotionTrack": "core.emotions",
    "Event": "core.events",
    "FacetalkError": "core.errors",
    "HeadModel": "head.model",
    "Look": "head.looks",
    "MissingAssetError": "core.errors",
    "Motion": "core.motion",
    "MotionEdits": "pipelines.edit",
    "RegionalControl": "motion.regions",
    "SpokenText": "io.voices",
    "Talker": "talkers.base",
    "Transcript": "audio.transcript",
    "UsageError": "core.errors",
    "add_gestures": "motion.gestures.registry",
    "animate": "pipelines.animate",
    "animate_all": "pipelines.animate",
    "animate_lines": "pipelines.animate_table",
    "controlled": "motion.regions",
    "diff": "pipelines.diff",
    "edit_file": "pipelines.edit",
    "edited": "motion.curve_edits",
    "evaluate": "pipelines.evaluate",
    "export": "pipelines.export",
    "fit": "pipelines.fit",
    "fit_videos": "pipelines.fit",
    "import_motion": "importers.registry",
    "joined": "motion.edits",
    "list_styles": "pipelines.styles",
    "load": "networks.registry",
    "load_head": "motion.heads",
    "load_talker": "talkers.registry",
    "looped": "motion.edits",
    "mirrored_motion": "motion.mirror",
    "parse_emotions": "core.emotions",
    "read_edit_list": "io.edit_list",
    "read_emotion_track": "io.emotion_track",
    "read_motion": "io.motion",
    "read_transcript": "io.transcript",
    "read_waveform": "io.audio",
    "remove_style": "pipelines.styles",
    "render": "pipelines.render",
    "resolve_style": "pipelines.styles",
    "retarget": "motion.retarget",
    "retimed": "motion.edits",
    "save_style": "pipelines.styles",
    "smoothed": "motion.smoothing",
    "speak_with_emotion": "talkers.emotion",
    "train": "pipelines.train",
    "trimmed": "motion.edits",
    "view": "pipelines.view",
    "write_motion": "io.motion",
}
"""The module below this package that each public name comes from."""

__all__ = [
    "AnimateOptions",
    "AudioPart",
    "Camera",
    "Direction",
    "Edit",
    "EditList",
    "EmotionTrack",
    "Event",
    "FacetalkError",
    "HeadModel",
    "Look",
    "MissingAssetError",
    "Motion",
    "MotionEdits",
    "RegionalControl",
    "SpokenText",
    "Talker",
    "Transcript",
    "UsageError",
    "__version__",
    "add_gestures",
    "animate",
    "animate_all",
    "animate_lines",
    "controlled",
    "diff",
    "edit_file",
    "edited",
    "evaluate",
    "export",
    "fit",
    "fit_videos",
    "import_motion",
    "joined",
    "list_styles",
    "load",
    "load_head",
    "load_talker",
    "looped",
    "mirrored_motion",
    "parse_emotions",
    "read_edit_list",
    "read_emotion_track",
    "read_motion",
    "read_transcript",
    "read_waveform",
    "remove_style",
    "render",
    "resolve_style",
    "retarget",
    "retimed",
    "save_style",
    "smoothed",
    "speak_with_emotion",
    "train",
    "trimmed",
    "view",
    "write_motion",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'facetalk' has no attribute {name!r}")
    return getattr(import_module(f"facetalk.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
