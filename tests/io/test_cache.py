"""What was computed is remembered for exactly the same inputs and the same code."""

from __future__ import annotations

import types
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from facetalk.head.assets import HeadAssets
from facetalk.io import cache
from facetalk.io.cache import arrays_in, cached_arrays


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "facetalk"


def count(parts: list[np.ndarray], code: tuple[types.ModuleType, ...] = ()) -> int:
    """How often something is computed for the parts."""
    made = []
    cached_arrays("test", parts, lambda: made.append(1) or {"a": np.arange(3)}, code)
    return len(made)


def test_the_same_parts_are_computed_once(folder: Path) -> None:
    parts = [np.arange(6.0), np.array("name")]
    assert count(parts) == 1 and count(parts) == 0
    assert count([np.arange(6.0).reshape(2, 3), np.array("name")]) == 1, "another shape"
    assert count([np.arange(6.0), np.array("other")]) == 1
    next(iter(folder.glob("test-*.npz"))).write_bytes(b"broken")
    assert sum(count(p) for p in (parts, [np.arange(6.0).reshape(2, 3), np.array("name")])) <= 2


def test_changed_code_counts_as_new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("work")
    module.__file__ = str(tmp_path / "work.py")
    Path(module.__file__).write_text("one = 1")
    assert count([], (module,)) == 1 and count([], (module,)) == 0
    Path(module.__file__).write_text("one = 2")
    assert count([], (module,)) == 1
    monkeypatch.setattr(cache, "__version__", "99")
    assert count([], (module,)) == 1


def test_every_part_of_a_head_counts(toy_assets: HeadAssets) -> None:
    parts = list(arrays_in(toy_assets))
    assert count(parts) == 1 and count(list(arrays_in(toy_assets))) == 0
    changed = [
        replace(toy_assets, shape=replace(toy_assets.shape, expression_dirs=toy_assets.shape.expression_dirs + 1e-6)),
        replace(
            toy_assets,
            points=replace(
                toy_assets.points,
                mediapipe=toy_assets.points.mediapipe._replace(barycentric=toy_assets.points.mediapipe.barycentric * 2),
            ),
        ),
        replace(
            toy_assets,
            points=replace(toy_assets.points, regions={**toy_assets.points.regions, "lips": torch.arange(2)}),
        ),
        replace(toy_assets, meta={"sha256": "another file"}),
        replace(toy_assets, shape=replace(toy_assets.shape, pose_dirs=torch.zeros(36, 40, 3))),
    ]
    assert [count(list(arrays_in(head))) for head in changed] == [1] * len(changed)
