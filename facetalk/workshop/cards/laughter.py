"""`python -m facetalk.workshop.cards.laughter PACK OUT.csv`: the cross-validation in the laughter detector's card.

There are few recorded laughs, so each source is left out in turn: the detector is trained on the others and evaluated
on the one, against speech of speakers that no fold is trained on. The baselines are 0.5 and the rule of
`audio/bursts.py`.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from facetalk.audio.activity import speech_activity
from facetalk.audio.bursts import burst_share
from facetalk.data.laughter import LaughterExample, read_laughter_pack
from facetalk.data.manifest import split_by_speaker
from facetalk.io.files import replacing
from facetalk.metrics.detection import roc_auc
from facetalk.networks.laughter_detector import LaughterDetector
from facetalk.recipes.evaluation.laughter import clip_score
from facetalk.recipes.laughter import RECIPE, LaughterTask, LaughterTrainingConfig
from facetalk.recipes.registry import read_training_config
from facetalk.training.loop import run

Scorer = Callable[[Float[Tensor, " samples"]], Float[Tensor, " frames"]]
"""Waveform -> score of laughter per frame."""

Row = dict[str, str | float]


class Scores(NamedTuple):
    """Scores and labels of all audible frames, and of the clips."""

    frames: Float[Tensor, " frames"]
    laughing: Bool[Tensor, " frames"]
    clips: Float[Tensor, " clips"]
    laughs: Bool[Tensor, " clips"]

    def figures(self, name: str) -> Row:
        """Areas under the ROC curve, and the rates at a threshold of 0.5; the keys start with `name`."""
        return {
            f"{name}_frame_auc": round(roc_auc(self.frames, self.laughing), 4),
            f"{name}_clip_auc": round(roc_auc(self.clips, self.laughs), 4),
            f"{name}_found": round(float((self.frames[self.laughing] > 0.5).float().mean()), 4),
            f"{name}_false_alarms": round(float((self.frames[~self.laughing] > 0.5).float().mean()), 4),
        }


def cross_validate(pack_dir: Path, out_path: Path) -> list[Row]:
    """One row per left-out source and one for all; also written to `out_path`, with the runs in a folder beside it."""
    options = read_training_config("laughter")
    options.pop("method")
    config = RECIPE.read_config(options)
    torch.set_num_threads(max(1, config.loop.num_threads))
    examples = read_laughter_pack(pack_dir, config.data.patterns, config.data.times)
    train, validation = split_by_speaker(examples, config.data.held_out)
    speech = [example for example in validation if not example.laughs]
    pooled: dict[str, list[Scores]] = {"detector": [], "rule": []}
    rows: list[Row] = []
    for source in sorted({example.speaker for example in train if example.laughs}):
        left_out = [example for example in train if example.laughs and example.speaker == source]
        others = [example for example in train if example not in left_out]
        detector = _train(config, others, out_path.with_suffix("") / source.replace(":", "_"))
        row: Row = {"left_out": source}
        for name, scorer in (("detector", detector.probability), ("rule", burst_share)):
            scores = _score(scorer, [*left_out, *speech])
            pooled[name].append(scores)
            row |= scores.figures(name)
        rows.append(row)
        _write(out_path, rows)
    together: Row = {"left_out": "all"}
    for name, folds in pooled.items():
        together |= Scores(*(torch.cat(part) for part in zip(*folds, strict=True))).figures(name)
    rows.append(together)
    _write(out_path, rows)
    return rows


def _train(config: LaughterTrainingConfig, examples: Sequence[LaughterExample], run_dir: Path) -> LaughterDetector:
    torch.manual_seed(config.loop.seed)
    detector = LaughterDetector(config.detector)
    run_dir.mkdir(parents=True, exist_ok=True)
    run(LaughterTask(config, detector, examples, ()), config.loop, config.optim, run_dir)
    return detector.eval()


@torch.no_grad()
def _score(scorer: Scorer, examples: Sequence[LaughterExample]) -> Scores:
    frames, laughing, clips = [], [], []
    for example in examples:
        waveform = example.waveform.float()
        values = scorer(waveform)
        audible = speech_activity(waveform)
        frames.append(values[audible])
        laughing.append(example.laughing[audible])
        clips.append(clip_score(values))
    laughs = torch.tensor([example.laughs for example in examples])
    return Scores(torch.cat(frames), torch.cat(laughing), torch.stack(clips), laughs)


def _write(path: Path, rows: Sequence[Row]) -> None:
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python -m facetalk.workshop.cards.laughter PACK OUT.csv")
    for result in cross_validate(Path(sys.argv[1]), Path(sys.argv[2])):
        print(result)
