"""Import of MediaPipe without the parts that nothing here uses."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import LazyLoader
from types import ModuleType
from typing import Any

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
    with _loading_on_use(_UNUSED):
        import mediapipe
    return mediapipe


@contextmanager
def _loading_on_use(names: Sequence[str]) -> Iterator[None]:
    """Modules of these names that are imported within the block load when an attribute of theirs is first read."""
    finder = _LazyFinder(names)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


class _LazyFinder:
    def __init__(self, names: Sequence[str]) -> None:
        self._names = names

    def find_spec(self, fullname: str, path: Any, target: ModuleType | None = None) -> ModuleSpec | None:
        """The usual specification of a module, with a loader that waits."""
        spec = PathFinder.find_spec(fullname, path, target) if fullname in self._names else None
        if spec is not None and spec.loader is not None:
            spec.loader = LazyLoader(spec.loader)
        return spec
