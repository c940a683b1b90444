from __future__ import annotations

from pathlib import Path

import numpy as np

from facetalk.workshop.head.landmarks import chosen_videos
from facetalk.workshop.head.measuring import signed_like


def test_up_to_three_videos_of_each_speaker_are_looked_at_some_forty_times(tmp_path: Path) -> None:
    rows = [f"video/a/{index}.mp4,video,a,8.0,25.0" for index in range(9)]
    rows += ["style/b.mp4,style_video,b,,", "speech/b.wav,speech,b,9,"]
    manifest = tmp_path / "MANIFEST.csv"
    manifest.write_text("\n".join(("path,kind,speaker,duration_s,fps", *rows)), encoding="utf-8")
    chosen = chosen_videos(manifest)
    assert chosen == {"video/a/0.mp4": 5, "video/a/3.mp4": 5, "video/a/6.mp4": 5, "style/b.mp4": 1}


def test_modes_keep_the_signs_of_earlier_ones() -> None:
    earlier = np.random.default_rng(0).normal(size=(3, 478, 3))
    signs = np.array([1.0, -1.0, -1.0])[:, None, None]
    np.testing.assert_array_equal(signed_like(earlier * signs, earlier), earlier)
