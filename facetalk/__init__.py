"""facetalk: speech in, a talking 3D head out.

The public names load on first use, so that `import facetalk` is instant.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from facetalk.core.version import __version__

if TYPE_CHECKING:
    from facetalk.core.camera import Camera
    from facetalk.core.errors import FacetalkError
    from facetalk.core.motion import Motion
    from facetalk.head.looks import Look
    from facetalk.head.model import HeadModel
    from facetalk.io.audio import read_waveform
    from facetalk.io.motion import read_motion, write_motion
    from facetalk.motion.heads import load_head
    from facetalk.pipelines.animate import animate, animate_all
    from facetalk.pipelines.evaluate import evaluate
    from facetalk.pipelines.fit import fit, fit_videos
    from facetalk.pipelines.render import render
    from facetalk.pipelines.train import train
    from facetalk.talkers.registry import load_talker

_HOMES = {
    "Camera": "core.camera",
    "FacetalkError": "core.errors",
    "HeadModel": "head.model",
    "Look": "head.looks",
    "Motion": "core.motion",
    "animate": "pipelines.animate",
    "animate_all": "pipelines.animate",
    "evaluate": "pipelines.evaluate",
    "fit": "pipelines.fit",
    "fit_videos": "pipelines.fit",
    "load_head": "motion.heads",
    "load_talker": "talkers.registry",
    "read_motion": "io.motion",
    "read_waveform": "io.audio",
    "render": "pipelines.render",
    "train": "pipelines.train",
    "write_motion": "io.motion",
}

__all__ = [
    "Camera",
    "FacetalkError",
    "HeadModel",
    "Look",
    "Motion",
    "__version__",
    "animate",
    "animate_all",
    "evaluate",
    "fit",
    "fit_videos",
    "load_head",
    "load_talker",
    "read_motion",
    "read_waveform",
    "render",
    "train",
    "write_motion",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'facetalk' has no attribute {name!r}")
    return getattr(import_module(f"facetalk.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
