"""Long takes need little more memory than the motion itself."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest

from facetalk.exporters.base import ExportOptions
from facetalk.exporters.registry import FORMATS, load_exporter
from facetalk.head.model import HeadModel
from tests.exporters.motions import lively_motion

SHORT, LONG = 1_000, 9_000
GROWTH = {"csv": 0.1, "glb": 2.5, "usd": 2.0, "a2f": 0.1, "bvh": 0.1, "vertices": 0.1}
"""Memory that a format may need, relative to that of the motion."""


@pytest.mark.slow
@pytest.mark.parametrize(("name", "times_motion"), GROWTH.items())
def test_memory_grows_with_the_motion_and_not_with_the_file(
    tmp_path: Path, toy_head: HeadModel, name: str, times_motion: float
) -> None:
    peaks, sizes = [], []
    for num_frames in (SHORT, LONG):
        motion = lively_motion(toy_head.assets, num_frames)
        rows = (motion.expression, motion.poses, motion.transl)
        sizes.append(sum(values.numel() * values.element_size() for values in rows))
        path = tmp_path / f"{num_frames}{FORMATS[name].suffix}"
        load_exporter(name).write(path, motion, toy_head, ExportOptions())  # textures and compiled code are made once
        tracemalloc.start()
        load_exporter(name).write(path, motion, toy_head, ExportOptions())
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] - peaks[0] < times_motion * (sizes[1] - sizes[0])
