"""The offset between audio and video, on motions made from what the speech encoder expects."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
import torch

from facetalk.core.errors import FacetalkError
from facetalk.core.landmarks import IBUG_LOWER_INNER_LIP, IBUG_UPPER_INNER_LIP
from facetalk.core.motion import Motion, still_motion
from facetalk.head.channels import ARKIT_NAMES
from facetalk.head.model import HeadModel
from facetalk.io.streamed_audio import StreamedAudio
from facetalk.io.video_writer import VideoWriter
from facetalk.metrics.av_offset import AvOffset
from facetalk.motion.heads import load_head
from facetalk.pipelines import av_sync
from facetalk.pipelines.av_sync import (
    audio_beside,
    av_offset_of,
    expected_mouth,
    measure_av_offset,
    offset_figures,
    offsets_by_folder,
    tracked_mouth,
    warn_if_out_of_sync,
    with_av_offset,
)

EXAMPLE = Path(__file__).parents[2] / "examples/ref.mp4"


@pytest.fixture(scope="module")
def head() -> HeadModel:
    return load_head()


def voice(seconds: float) -> torch.Tensor:
    """Noise whose loudness follows syllables."""
    times = torch.arange(round(seconds * 16_000)) / 16_000
    noise = torch.randn(len(times), generator=torch.Generator().manual_seed(0))
    return (
        0.1 * noise * (1 + torch.sin(2 * torch.pi * 2.3 * times) + torch.sin(2 * torch.pi * 3.7 * times)).clamp_min(0)
    )


def mouth(head: HeadModel, opening: torch.Tensor, turned: bool = False) -> Motion:
    expression = torch.zeros(len(opening), len(ARKIT_NAMES))
    expression[:, ARKIT_NAMES.index("jawOpen")] = opening
    motion = still_motion(head.name, expression, ARKIT_NAMES, 30.0, head.num_betas)
    turn = torch.linspace(0, 0.5, len(opening))[:, None].expand(-1, 3)
    return motion.replace(neck_pose=turn, transl=turn) if turned else motion


@pytest.mark.parametrize("frames", [-4, 0, 3])
def test_the_offset_of_a_motion_is_how_late_its_mouth_is(head: HeadModel, frames: int) -> None:
    audio = voice(6)
    opening = expected_mouth(audio, 180)[:, 0].sigmoid().roll(frames)
    found = measure_av_offset(mouth(head, opening), head, expected_mouth(audio, 180))
    assert found is not None and found.ms == pytest.approx(frames / 30 * 1000, abs=8) and found.is_certain


def test_the_tracked_mouth_does_not_depend_on_the_pose(head: HeadModel) -> None:
    opening = torch.rand(300, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(
        tracked_mouth(mouth(head, opening, True), head), tracked_mouth(mouth(head, opening), head)
    )
    gap = tracked_mouth(mouth(head, torch.tensor([0.0, 1.0])), head)[:, 0]
    assert 0.005 < float(gap[1] - gap[0]) < 0.05


def test_the_tracked_mouth_is_that_of_the_whole_head() -> None:
    head = load_head()
    opening = torch.rand(5, generator=torch.Generator().manual_seed(0))
    moving = mouth(head, opening).replace(jaw_pose=0.3 * opening[:, None].expand(-1, 3))
    points = head.pose(moving).landmarks
    gap = points[:, list(IBUG_UPPER_INNER_LIP), 1].mean(1) - points[:, list(IBUG_LOWER_INNER_LIP), 1].mean(1)
    torch.testing.assert_close(tracked_mouth(moving, head)[:, 0], gap, atol=1e-6, rtol=0)


def test_the_audio_is_decoded_beside_other_work(tmp_path: Path) -> None:
    silent, broken = tmp_path / "silent.mp4", tmp_path / "text.mp4"
    with VideoWriter(silent, (32, 32), 25.0) as writer:
        writer.write(np.zeros((32, 32, 3), np.uint8))
    with audio_beside(silent) as audio:
        assert audio is None
    with audio_beside(EXAMPLE) as audio:
        assert audio is not None
        audio.listen(60)
        with StreamedAudio(EXAMPLE) as alone:
            torch.testing.assert_close(audio.waveform()[:16_000], alone[:16_000], atol=0, rtol=0)
            for num_frames in (60, 50):  # the other one was not announced
                torch.testing.assert_close(audio.expected_mouth(num_frames), expected_mouth(alone, num_frames))
    with pytest.raises(ValueError, match="closed"):
        audio.waveform()[:10]
    broken.write_text("no video")
    with pytest.raises(FacetalkError, match="not an audio or video file"), audio_beside(broken):
        pass


def test_the_offset_is_kept_in_the_metadata(head: HeadModel) -> None:
    audio = voice(4)
    motion = mouth(head, expected_mouth(audio, 120)[:, 0].sigmoid())
    expected = expected_mouth(audio, 120)
    measured = with_av_offset(motion.replace(meta={"command": "fit"}), head, expected)
    assert measured.meta["command"] == "fit" and av_offset_of(measured) is not None
    assert av_offset_of(motion) is None
    assert "av_offset" not in with_av_offset(motion.cut(0, 30), head, expected[:30]).meta  # too short
    for odd in ("late", {"ms": "x"}, {"ms": 1.0}, [1]):
        assert av_offset_of(motion.replace(meta={"av_offset": odd})) is None


@pytest.mark.parametrize(("sd_ms", "corr", "certain"), [(8.0, 0.6, True), (285.0, 0.6, False), (8.0, 0.1, False)])
def test_a_report_says_whether_the_offset_is_certain(head: HeadModel, sd_ms: float, corr: float, certain: bool) -> None:
    stored = {"ms": -120.0, "sd_ms": sd_ms, "corr": corr}
    motion = mouth(head, torch.zeros(60))
    assert offset_figures(motion) is None
    assert offset_figures(motion.replace(meta={"av_offset": stored})) == {**stored, "certain": certain}


@pytest.mark.parametrize(
    ("ms", "sd_ms", "warning"), [(90.0, 8.0, "early"), (-90.0, 8.0, "late"), (50.0, 8.0, ""), (90.0, 60.0, "")]
)
def test_a_clip_that_is_clearly_out_of_sync_is_reported(
    head: HeadModel, caplog: pytest.LogCaptureFixture, ms: float, sd_ms: float, warning: str
) -> None:
    motion = mouth(head, torch.zeros(60)).replace(meta={"av_offset": {"ms": ms, "sd_ms": sd_ms, "corr": 0.6}})
    with caplog.at_level(logging.WARNING, av_sync.__name__):
        warn_if_out_of_sync(motion, Path("a.mp4"))
    assert bool(caplog.messages) == bool(warning)
    assert not warning or ("a.mp4" in caplog.text and f"90 ms {warning}" in caplog.text)


def test_the_videos_of_a_folder_support_each_other_and_no_others() -> None:
    sure, unsure = AvOffset(-80.0, 8.0, 0.7), AvOffset(60.0, 150.0, 0.2)
    found = {Path(f"a/{index}.mp4"): sure for index in range(4)} | {Path("a/x.mp4"): unsure, Path("b/y.mp4"): sure}
    offsets = offsets_by_folder({**found, Path("b/z.mp4"): None, Path("c/z.mp4"): None})
    assert offsets[Path("a/x.mp4")] == pytest.approx(-80, abs=10)
    assert offsets[Path("b/z.mp4")] == pytest.approx(-80, abs=15)
    assert Path("c/z.mp4") not in offsets
