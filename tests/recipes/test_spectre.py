"""The perceptual encoder learns from a video of the bundled head."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from facetalk.data.faces import FaceDataConfig, FaceExample
from facetalk.head.model import HeadModel
from facetalk.motion.face_scene import FaceScene
from facetalk.motion.heads import load_head
from facetalk.networks.expression_net import ExpressionNet, ExpressionNetConfig
from facetalk.networks.lip_reader import LipReaderConfig, PhonemeLipReader
from facetalk.recipes.spectre import Experts, SpectreTask, SpectreTrainingConfig, clip_of, spectre_terms
from facetalk.training.loop import LoopConfig, run
from facetalk.training.optim import OptimConfig
from tests.recipes.toy_faces import tiny_encoder, video_clip

QUICK = OptimConfig(learning_rate=5e-3, warmup_steps=2, average=0.0)


@pytest.fixture(scope="module")
def head() -> HeadModel:
    return load_head()


@pytest.fixture(scope="module")
def example(head: HeadModel) -> FaceExample:
    return video_clip(head)


@pytest.fixture(scope="module")
def scene(head: HeadModel) -> FaceScene:
    return FaceScene(head)


def test_only_terms_with_a_network_are_computed_and_only_the_perceptual_encoder_learns(
    head: HeadModel, scene: FaceScene, example: FaceExample
) -> None:
    encoder = tiny_encoder(head.num_betas).freeze_coarse()
    clip, spread = clip_of(example, slice(8)), torch.full((52,), 0.1)
    bare = spectre_terms(encoder, scene, Experts(None, None), clip, spread)
    assert set(bare) == {"landmarks", "relative", "correction", "jaw", "bounds"}
    torch.manual_seed(0)
    sizes = LipReaderConfig(width=8, hidden=8)
    experts = Experts(PhonemeLipReader(sizes).eval(), ExpressionNet(ExpressionNetConfig(width=8)).eval())
    terms = spectre_terms(encoder, scene, experts, clip, spread)
    assert set(terms) == {*bare, "lip_reading", "emotion"}
    (terms["lip_reading"] + terms["emotion"]).backward()
    gradient = encoder.perceptual.layers.weight.grad
    assert gradient is not None and gradient.abs().max() > 0
    assert all(parameter.grad is None for parameter in encoder.coarse.parameters())


@pytest.mark.slow
def test_the_perceptual_encoder_opens_the_mouth_like_the_video(
    tmp_path: Path, head: HeadModel, scene: FaceScene, example: FaceExample
) -> None:
    encoder = tiny_encoder(head.num_betas)
    config = SpectreTrainingConfig(data=FaceDataConfig(clip_frames=12, batch_size=1))
    task = SpectreTask(config, encoder, scene, Experts(None, None), [example], [])
    with torch.no_grad():
        first = task.loss_terms(0, task.sample(torch.Generator().manual_seed(0)))
    run(task, LoopConfig(num_steps=15), QUICK, tmp_path)
    with torch.no_grad():
        last = task.loss_terms(0, task.sample(torch.Generator().manual_seed(0)))
    assert float(last["relative"]) < 0.9 * float(first["relative"])
    assert (tmp_path / "model.safetensors").is_file() and (tmp_path / "config.yaml").is_file()
