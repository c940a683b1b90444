"""Import of MediaPipe without the parts that nothing here uses."""

from __future__ import annotations

import os
from functools import cache
from typing import Any

from facetalk.core.deferred_imports import Deferral, defer_imports
from facetalk.core.folders import use_plot_dir

_UNUSED = (
    "mediapipe.python.solutions.drawing_styles",
    "mediapipe.python.solutions.drawing_utils",
    "mediapipe.python.solutions.hands",
    "mediapipe.python.solutions.holistic",
    "mediapipe.python.solutions.objectron",
    "mediapipe.python.solutions.pose",
    "mediapipe.tasks.python.genai",
    "mediapipe.tasks.python.audio",
    "mediapipe.tasks.python.text",
    "mediapipe.tasks.python.vision.drawing_styles",
    "mediapipe.tasks.python.vision.drawing_utils",
)
"""They take most of the import: matplotlib, for drawings, half a second, and a library for microphones."""


def import_mediapipe() -> Any:
    """The package; parts that draw or record load when they are first used.

    Raises:
        ImportError: it is not installed.
    """
    os.environ.setdefault("GLOG_minloglevel", "3")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    use_plot_dir()
    _leave_out_unused()
    import mediapipe

    return mediapipe


@cache
def _leave_out_unused() -> None:
    defer_imports({name: Deferral() for name in _UNUSED})
