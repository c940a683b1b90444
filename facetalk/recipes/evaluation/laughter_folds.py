"""`python -m facetalk.recipes.evaluation.laughter_folds PACK OUT.csv`: how well laughs are found that were never heard.

There are few recorded laughs, so each source is left out in turn: the detector is trained on the others and judged on
the one, against speech of speakers whom no fold hears. Beside it stand chance (0.5) and the rule of `audio/bursts.py`.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from facetalk.audio.activity import speech_activity
from facetalk.audio.bursts import burst_share
from facetalk.data.laughter import LaughterExample, read_laughter_pack
from facetalk.io.files import replacing
from facetalk.metrics.detection import roc_auc
from facetalk.networks.laughter_detector import LaughterDetector
from facetalk.recipes.laughter import LaughterTask, LaughterTrainingConfig, hold_out, read_task_config
from facetalk.recipes.registry import read_training_config
from facetalk.training.loop import run

CLIP_WINDOW = 15
"""A clip's score is its best mean over half a second."""

Scorer = Callable[[Float[Tensor, " samples"]], Float[Tensor, " frames"]]


def judge_folds(pack_dir: Path, out_path: Path) -> list[dict[str, object]]:
    """One row per left-out source and one for all, also written to `out_path`; runs go into a folder beside it."""
    options = read_training_config("laughter")
    options.pop("method")
    config = read_task_config(options)
    torch.set_num_threads(max(1, config.loop.num_threads))
    learn, judge = hold_out(read_laughter_pack(pack_dir, config.data.patterns, config.data.times), config.data.held_out)
    speech = [example for example in judge if not example.laughs]
    pools: dict[str, list[tuple[Tensor, Tensor, Tensor, Tensor]]] = {"detector": [], "rule": []}
    rows = []
    for source in sorted({example.speaker for example in learn if example.laughs}):
        left_out = [example for example in learn if example.laughs and example.speaker == source]
        others = [example for example in learn if example not in left_out]
        detector = _train(config, others, out_path.with_suffix("") / source.replace(":", "_"))
        row: dict[str, object] = {"left_out": source}
        for name, score in (("detector", detector.probability), ("rule", burst_share)):
            scored = _score(score, [*left_out, *speech])
            pools[name].append(scored)
            row |= _figures(name, *scored)
        rows.append(row)
        _write(out_path, rows)
    together: dict[str, object] = {"left_out": "all"}
    for name, scored in pools.items():
        together |= _figures(name, *(torch.cat(part) for part in zip(*scored, strict=True)))
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
def _score(
    score: Scorer, examples: Sequence[LaughterExample]
) -> tuple[Float[Tensor, " frames"], Bool[Tensor, " frames"], Float[Tensor, " clips"], Bool[Tensor, " clips"]]:
    """Scores and truth of all heard frames, and of the clips."""
    scores, truth, clips = [], [], []
    for example in examples:
        waveform = example.waveform.float()
        values = score(waveform)
        heard = speech_activity(waveform)
        scores.append(values[heard])
        truth.append(example.laughing[heard])
        clips.append(clip_score(values))
    laughs = torch.tensor([example.laughs for example in examples])
    return torch.cat(scores), torch.cat(truth), torch.stack(clips), laughs


def clip_score(values: Float[Tensor, " frames"]) -> Float[Tensor, ""]:
    """The best mean over half a second."""
    size = min(CLIP_WINDOW, len(values))
    return values.unfold(0, size, 1).mean(1).max()


def _figures(name: str, scores: Tensor, truth: Tensor, clips: Tensor, laughs: Tensor) -> dict[str, object]:
    return {
        f"{name}_frame_auc": round(roc_auc(scores, truth), 4),
        f"{name}_clip_auc": round(roc_auc(clips, laughs), 4),
        f"{name}_found": round(float((scores[truth] > 0.5).float().mean()), 4),
        f"{name}_false_alarms": round(float((scores[~truth] > 0.5).float().mean()), 4),
    }


def _write(path: Path, rows: Sequence[dict[str, object]]) -> None:
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python -m facetalk.recipes.evaluation.laughter_folds PACK OUT.csv")
    for result in judge_folds(Path(sys.argv[1]), Path(sys.argv[2])):
        print(result)
