"""From videos of an actor to a talker with emotions, as the page on EmoTalk says."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from typer.testing import CliRunner

from facetalk.cli.app import app
from facetalk.core.emotions import EMOTIONS, parse_emotions
from facetalk.io.audio import read_waveform
from facetalk.pipelines.train import train
from facetalk.talkers.base import Direction
from facetalk.talkers.emotion import speak_with_emotion
from facetalk.talkers.registry import load_talker

pytestmark = [pytest.mark.data, pytest.mark.slow]

TAKES = {"01-01-01": "neutral", "01-01-08": "surprised"}
SENTENCES = {"01-02-01": "kids", "02-02-01": "dogs"}

FEW = ("num_steps=3", "log_every=1")
SMALL = (
    "optim.restart_step=1",
    "data.batch_size=2",
    "data.num_pairs=1",
    "data.num_voices=4",
    "voice_head.num_sounds=2",
)


def test_curated_clips_of_one_sentence_in_two_emotions_train_a_talker(data_dir: Path, tmp_path: Path) -> None:
    rows = [
        (data_dir / f"video/ravdess_av/01-{take[3:]}-01-{sentence}_0000.mp4", label, text)
        for take, label in TAKES.items()
        for sentence, text in SENTENCES.items()
    ]
    with (tmp_path / "speakers.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(
            [("path", "speaker", "label", "text"), *((path, "ada", label, text) for path, label, text in rows)]
        )
    clips = tmp_path / "CLIPS"
    options = ("--curate", "--about", tmp_path / "speakers.csv", "--set", "length.min_s=2", "--jobs", 1, "-o", clips)
    result = CliRunner().invoke(app, ["fit", *map(str, (*(path for path, *_ in rows), *options))])
    assert result.exit_code == 0, result.output
    with (clips / "manifest.csv").open(newline="", encoding="utf-8") as file:
        found = [(row["speaker"], row["label"], row["text"]) for row in csv.DictReader(file)]
    assert sorted(found) == sorted(("ada", label, text) for _, label, text in rows)
    run = train("emotalk", clips, tmp_path / "RUN", settings=[*(f"loop.{value}" for value in FEW), *SMALL])
    with (run.run_dir / "log.csv").open(newline="", encoding="utf-8") as file:
        last = list(csv.DictReader(file))[-1]
    assert float(last["cross"]) > 0 and float(last["self"]) > 0
    talker = load_talker(str(run.run_dir))
    motion = speak_with_emotion(talker, read_waveform(rows[0][0]), Direction(emotion=parse_emotions("surprised:2")))
    assert motion.emotion is not None and float(motion.emotion[:, EMOTIONS.index("surprised")].min()) == 2.0
