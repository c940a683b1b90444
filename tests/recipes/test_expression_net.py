"""The expression network learns from videos of the bundled head."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from facetalk.data.face_corpus import FaceCorpus
from facetalk.data.faces import FaceDataConfig, FaceExample, face_images
from facetalk.data.tracked_renderer import TrackedRenderer
from facetalk.head.model import HeadModel
from facetalk.motion.heads import load_head
from facetalk.networks.expression_net import ExpressionNet, ExpressionNetConfig
from facetalk.networks.registry import load_expression_net
from facetalk.recipes.expression_net import ExpressionNetTask, ExpressionTrainingConfig
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


def kept(example: FaceExample, folder: Path) -> FaceExample:
    """The example as one of a dataset in a folder."""
    (folder / "crops").mkdir(exist_ok=True)
    return replace(example, clip=replace(example.clip, folder=folder))


def test_the_expression_network_learns_and_comes_back(tmp_path: Path, head: HeadModel, example: FaceExample) -> None:
    sizes = ExpressionNetConfig(width=8)
    config = ExpressionTrainingConfig(data=replace(SHORT, batch_size=4), net=sizes, bfloat16=False)
    torch.manual_seed(0)
    corpus = FaceCorpus([kept(example, tmp_path), kept(video_clip(head, 10, seed=1), tmp_path)], [example])
    task = ExpressionNetTask(config, ExpressionNet(sizes), TrackedRenderer(head), corpus)
    figures = run(task, LoopConfig(num_steps=3), QUICK, tmp_path)
    assert figures["clips_judged"] == 1 and figures["prior_recall"] == 1
    images = face_images(example.crops.faces[:2])
    with torch.no_grad():
        expected = task.model.eval().features(images)
    torch.testing.assert_close(load_expression_net(str(tmp_path)).features(images), expected, atol=0.02, rtol=0.02)
