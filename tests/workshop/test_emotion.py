"""The table of what each emotion moves, made of clips."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from facetalk.core.emotions import EMOTIONS
from facetalk.core.motion import still_motion
from facetalk.core.timing import FPS
from facetalk.data.manifest import read_manifest, read_rows
from facetalk.head.channels import ARKIT_NAMES
from facetalk.io.motion import write_motion
from facetalk.motion.emotion.amounts import AMOUNTS_PATH, Amounts, both_sides
from facetalk.workshop import emotion as program


def clips(folder: Path, speakers: tuple[str, ...] = ("one", "two")) -> Path:
    """Clips of speakers who raise one channel for each emotion, and their lids for sadness and anger."""
    lines = ["name,source,speaker,label"]
    for speaker in speakers:
        for place, label in enumerate(EMOTIONS):
            rows = torch.full((20, 52), 0.1)
            rows[:, both_sides("mouthSmile")] += 0.85 if label == "happy" else 0.0
            rows[:, both_sides("cheekPuff")] += 0.3 if label == "fear" else 0.0
            rows[:, both_sides("eyeBlink")] += 0.5 if label in ("sad", "angry") else 0.0
            rows[:, ARKIT_NAMES.index("browOuterUpLeft")] += 0.5 if label == "contempt" else 0.0
            rows[:, ARKIT_NAMES.index("browOuterUpRight")] += 0.5 if label == "contempt" else 0.0
            motion = still_motion("facetalk", rows, ARKIT_NAMES, FPS, 3)
            unseen = torch.ones(20)
            unseen[10:] = 0.0
            rows[10:] = 0.9  # where no face was found
            write_motion(folder / f"{speaker}{place}.npz", motion.replace(confidence=unseen))
            lines.append(f"{speaker}{place},{speaker}.mp4,{speaker},{label}")
    (folder / "manifest.csv").write_text("\n".join(lines) + "\n", "utf-8")
    return folder


def test_amounts_are_what_is_tracked_and_at_least_what_is_published(tmp_path: Path) -> None:
    rows = program.table(program.differences(read_manifest(clips(tmp_path))))
    amounts = {(row["emotion"], row["channel"]): float(row["level3"]) for row in rows}
    assert amounts["happy", "mouthSmile"] == pytest.approx(0.85), "more than published"
    assert amounts["disgusted", "noseSneer"] == program.INTENSITIES["E"], "not seen by the tracker"
    assert amounts["fear", "cheekPuff"] == pytest.approx(0.3), "both speakers do it"
    assert amounts["sad", "eyeBlink"] == program.LIDS_AT_MOST, "no sleep"
    assert amounts["angry", "eyeSquint"] == pytest.approx(0.5) and ("angry", "eyeBlink") not in amounts
    assert amounts["contempt", "browOuterUpLeft"] == pytest.approx(0.5)
    assert amounts["contempt", "browOuterUpRight"] == pytest.approx(0.2), "one-sided"
    assert amounts["sad", "mouthSmile"] == -0.2
    assert bool((Amounts.of_rows(rows).steps.abs().diff(dim=1) >= 0).all())


def test_what_one_speaker_does_is_not_characteristic(tmp_path: Path) -> None:
    rows = program.table(program.differences(read_manifest(clips(tmp_path, ("one",)))))
    assert "cheekPuff" not in {row["channel"] for row in rows}


def test_speakers_that_no_network_is_trained_on_do_not_count(tmp_path: Path) -> None:
    folder = clips(tmp_path, ("MEAD:W040", "one", "two"))
    program.main(folder, tmp_path / "all.csv")
    for path in folder.glob("MEAD*.npz"):
        path.unlink()
    program.main(folder, tmp_path / "rest.csv")
    assert read_rows(tmp_path / "all.csv") == read_rows(tmp_path / "rest.csv")


@pytest.mark.data
def test_the_shipped_table_is_made_of_tracked_clips(data_dir: Path, tmp_path: Path) -> None:
    """An actor of MEAD is fitted anew: what is tracked is near the mean over actors in the table."""
    from facetalk.pipelines.fit import fit

    style = data_dir / "style/dreamtalk"
    shipped = {(row["emotion"], row["channel"]): float(row["tracked"]) for row in read_rows(AMOUNTS_PATH)}
    columns = both_sides("mouthSmile")
    neutral, happy = (
        fit(style / f"M030_front_{name}_001.mp4").expression[:, columns].mean()
        for name in ("neutral_level1", "happy_level3")
    )
    assert float(happy - neutral) == pytest.approx(shipped["happy", "mouthSmile"], abs=0.08)
