"""The lip reader learns from a video of the bundled head."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from facetalk.audio.articulation import ARTICULATORS
from facetalk.audio.phonemes import PHONEMES
from facetalk.data.faces import FaceDataConfig, FaceExample
from facetalk.head.model import HeadModel
from facetalk.motion.heads import load_head
from facetalk.networks.lip_reader import LipReaderConfig, PhonemeLipReader
from facetalk.networks.registry import load_lip_reader
from facetalk.recipes.evaluation.lip_reader import LabeledMouth
from facetalk.recipes.lip_reader import (
    LipReaderTask,
    LipReaderTrainingConfig,
    lip_distances,
)
from facetalk.training.loop import LoopConfig, run
from facetalk.training.optim import OptimConfig
from tests.recipes.toy_faces import video_clip

QUICK = OptimConfig(learning_rate=5e-3, warmup_steps=2, average=0.0)
SHORT = FaceDataConfig(clip_frames=8, batch_size=2)


@pytest.fixture(scope="module")
def head() -> HeadModel:
    return load_head()


@pytest.fixture(scope="module")
def example(head: HeadModel) -> FaceExample:
    return video_clip(head)


def labeled(example: FaceExample) -> LabeledMouth:
    """An open mouth is labeled AA, a closed one M."""
    posteriors = torch.zeros(example.num_frames, len(PHONEMES))
    wide = example.expression.amax(1) > 0.3
    posteriors[wide, PHONEMES.index("AA")], posteriors[~wide, PHONEMES.index("M")] = 1.0, 1.0
    moves = posteriors[:, [PHONEMES.index("AA")]].expand(-1, len(ARTICULATORS))
    mouths = example.crops.mouths
    return LabeledMouth("s0", mouths, posteriors, moves, lip_distances(example), example.trusted, mouths)


@pytest.mark.slow
def test_the_lip_reader_learns_and_comes_back(tmp_path: Path, example: FaceExample) -> None:
    sizes = LipReaderConfig(width=8, hidden=8, dilations=(1,), dropout=0.0)
    config = LipReaderTrainingConfig(reader=sizes, data=SHORT, bfloat16=False)
    torch.manual_seed(0)
    task = LipReaderTask(config, PhonemeLipReader(sizes), [labeled(example)], [labeled(example)])
    figures = run(task, LoopConfig(num_steps=40), QUICK, tmp_path)
    assert figures["closure_auc"] > 0.8 and figures["render_closure_auc"] > 0.8
    assert figures["phoneme"] >= figures["prior_phoneme"] - 0.05
    mouths = torch.rand(1, 4, 88, 88)
    with torch.no_grad():
        expected = task.model.eval().features(mouths)
    torch.testing.assert_close(load_lip_reader(str(tmp_path)).features(mouths), expected, atol=0.02, rtol=0.02)
