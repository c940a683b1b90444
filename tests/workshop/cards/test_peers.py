from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from facetalk.core.errors import FacetalkError
from facetalk.io.video import VideoReader
from facetalk.io.video_writer import VideoWriter
from facetalk.metrics.seen_mouths import MouthAgreement
from facetalk.pipelines.evaluation.faces import see_face
from facetalk.workshop.cards.peers import (
    by_sentence,
    compared,
    crop_panel,
    markdown_table,
    mean_figures,
    peer_figures,
)

TRUTH = MouthAgreement(
    r_open=0.5, r_wide=0.25, r_open_aligned=None, r_wide_aligned=None, gain_open=1.0, gain_wide=1.0, lag_s=-0.04,
    mlmd=0.02, mlmd_still=0.03,
)  # fmt: skip


def test_videos_are_grouped_by_sentence_and_system() -> None:
    names = (
        "VOCA_FaceTalk_1_24_TA-sentence02-0.mp4", "GT_FaceTalk_1_24_TA-sentence02.mp4",
        "end2end_AU_speech_FaceTalk_1_24_TA-sentence02.mp4", "SAiD_FaceTalk_1_24_TA-sentence01-0-vocaset.mp4",
        "GT_FaceTalk_1_24_TA-sentence01.mp4", "VOCA_FaceTalk_9_9_TA-sentence07-0.mp4", "notes.mp4",
    )  # fmt: skip
    groups = by_sentence(Path("videos") / name for name in names)
    assert {sentence: sorted(videos) for sentence, videos in groups.items()} == {
        "FaceTalk_1_24_TA-sentence01": ["GT", "SAiD"],
        "FaceTalk_1_24_TA-sentence02": ["GT", "VOCA", "end2end_AU_speech"],
    }
    assert groups["FaceTalk_1_24_TA-sentence01"]["SAiD"] == Path("videos") / names[3]


def test_a_folder_without_these_videos_is_named(tmp_path: Path) -> None:
    with pytest.raises(FacetalkError, match="said_vocaset: 0 sentences with ground truth"):
        peer_figures(tmp_path)


def test_means_are_over_the_clips_that_have_a_figure() -> None:
    longer = MouthAgreement(0.7, 0.75, 0.8, 0.9, 2.0, 1.0, None, 0.04, 0.03)
    means = mean_figures([{"A": TRUTH}, {"A": longer}])["A"]
    assert (means["r_open"], means["r_wide"], means["gain_open"]) == pytest.approx((0.6, 0.5, 1.5))
    assert (means["r_open_aligned"], means["lag_s"]) == (0.8, -0.04)
    assert mean_figures([{"A": TRUTH}])["A"]["r_open_aligned"] is None


def test_a_table_has_a_row_for_each_system_and_leaves_out_what_is_not_known() -> None:
    assert markdown_table(mean_figures([{"VOCA": TRUTH}])).splitlines() == [
        "| | r mouth open | r mouth wide | r open, aligned | lag | amplitude | M-LMD |",
        "|---|---|---|---|---|---|---|",
        "| VOCA | 0.50 | 0.25 | | -0.04 s | 1.00 | 0.0200 |",
    ]


def test_a_panel_is_one_half_of_the_frame(tmp_path: Path) -> None:
    frame = np.zeros((64, 128, 3), np.uint8)
    frame[:, 64:] = 200
    with VideoWriter(tmp_path / "grid.mp4", (128, 64), 25.0) as video:
        for _ in range(5):
            video.write(frame)
    for side, color in ((0, 0), (1, 200)):
        with VideoReader(crop_panel(tmp_path / "grid.mp4", tmp_path / f"{side}.mp4", side)) as video:
            images = [image for _, image in video]
        assert len(images) == 5 and images[0].shape == (64, 64, 3)
        assert abs(float(images[2].mean()) - color) < 3


@pytest.mark.data
@pytest.mark.slow
def test_a_published_video_agrees_with_its_ground_truth(data_dir: Path, landmark_networks: None) -> None:
    sentences = by_sentence((data_dir / "outputs" / "said_vocaset").glob("*.mp4"))
    videos = sentences["FaceTalk_170809_00138_TA-sentence02"]
    figures = compared(see_face(videos["GT"]), {"FaceFormer": see_face(videos["FaceFormer"])})
    # Computed by an independent program.
    assert figures["FaceFormer"].r_open == pytest.approx(0.726, abs=0.01)
    assert figures["FaceFormer"].mlmd < figures["still face"].mlmd
