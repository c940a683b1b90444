"""The import of MediaPipe loads what detects faces, and the rest when it is asked for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from facetalk.vision.mediapipe_import import _loading_on_use


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


def test_a_module_loads_when_it_is_used_and_only_if_it_was_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("late_one", "early_one"):
        (tmp_path / f"{name}.py").write_text(f"import sys\nsys.loaded.append('{name}')\nx = 1\n")
    monkeypatch.setattr(sys, "loaded", [], raising=False)
    finders = list(sys.meta_path)
    with _loading_on_use(["late_one", "absent_one"]):
        import early_one  # type: ignore[import-not-found]
        import late_one  # type: ignore[import-not-found]

        with pytest.raises(ModuleNotFoundError):
            import absent_one  # type: ignore[import-not-found]  # noqa: F401
    assert sys.meta_path == finders
    assert sys.loaded == ["early_one"]  # type: ignore[attr-defined]
    assert late_one.x == early_one.x == 1
    assert sys.loaded == ["early_one", "late_one"]  # type: ignore[attr-defined]
    for name in ("late_one", "early_one"):
        del sys.modules[name]
