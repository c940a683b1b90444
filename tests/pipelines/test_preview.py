from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from facetalk.head.model import HeadModel
from facetalk.io.video import VideoReader
from facetalk.pipelines import preview
from facetalk.pipelines.preview import render_preview
from facetalk.pipelines.render import render
from tests.pipelines.test_render import fitted, frames, toy_motion, write_clip


@pytest.fixture(autouse=True)
def arkit_channels(monkeypatch: pytest.MonkeyPatch) -> None:
    """The toy head cannot be retargeted; its channels are ARKit's already."""
    monkeypatch.setattr(preview, "to_arkit", lambda motion, head: motion)


def test_original_overlay_and_curves_are_synchronous(tmp_path: Path, toy_head: HeadModel) -> None:
    source = write_clip(tmp_path / "source.mp4", 10, size=(240, 240))
    motion = fitted(toy_motion(12), size=(240, 240))
    path = render_preview(motion, source, tmp_path / "preview.mp4", head=toy_head)
    with VideoReader(path) as video:
        assert (video.size, video.fps, video.has_audio) == ((720, 240), 25.0, True)
    shown = frames(path)
    np.testing.assert_allclose(shown[:, :, :230].mean((1, 2, 3)), 20 + 20 * np.arange(10), atol=3)
    over = render(motion, tmp_path / "a.mp4", head=toy_head, camera="tracked", over=source)
    assert np.abs(shown[:, :, 240:480] - frames(over)).mean() < 2
    assert shown[:, :, 480:].max() > 150


@pytest.mark.parametrize(
    ("size", "whole"), [((1600, 900), (1440, 836)), ((80, 60), (480, 324)), ((120, 240), (480, 240))]
)
def test_videos_of_every_shape_fit(
    tmp_path: Path, toy_head: HeadModel, size: tuple[int, int], whole: tuple[int, int]
) -> None:
    source = write_clip(tmp_path / "source.mp4", 2, size=size)
    path = render_preview(fitted(toy_motion(3), size=size), source, tmp_path / "p.mp4", head=toy_head)
    assert VideoReader(path).size == whole
