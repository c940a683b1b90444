"""The import of MediaPipe loads what detects faces, and the rest when it is asked for."""

from __future__ import annotations

import subprocess
import sys

import pytest


def test_mediapipe_is_imported_without_what_draws_and_records() -> None:
    pytest.importorskip("mediapipe")
    code = """
import sys
from facetalk.vision.mediapipe_import import import_mediapipe
mediapipe = import_mediapipe()
print(*sorted({"cv2", "matplotlib", "sounddevice"} & set(sys.modules)))
solutions = getattr(mediapipe, "solutions", None)
drawing = (mediapipe.tasks.vision if solutions is None else solutions).drawing_utils
print(drawing.DrawingSpec().thickness, "matplotlib" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["", "2 True"]
