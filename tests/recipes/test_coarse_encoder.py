"""The coarse encoder learns from a video of the bundled head."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from facetalk.data.faces import FaceDataConfig, FaceExample, face_images
from facetalk.data.tracked_renderer import TrackedRenderer
from facetalk.head.model import HeadModel
from facetalk.losses.geometry import LipGeometry
from facetalk.motion.heads import load_head
from facetalk.networks.face_encoder import CoarseEncoder, FaceEncoderConfig
from facetalk.networks.registry import load
from facetalk.recipes.coarse_encoder import (
    CoarseEncoderTask,
    CoarseTrainingConfig,
    labeled_face,
)
from facetalk.training.loop import LoopConfig, run
from facetalk.training.optim import OptimConfig
from tests.recipes.toy_faces import video_clip

QUICK = OptimConfig(learning_rate=5e-3, warmup_steps=2, average=0.0)


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


@pytest.mark.slow
def test_the_coarse_encoder_learns_and_comes_back(tmp_path: Path, head: HeadModel, example: FaceExample) -> None:
    face = labeled_face(kept(example, tmp_path), TrackedRenderer(head))
    sizes = FaceEncoderConfig(num_betas=head.num_betas, coarse_width=8, coarse_hidden=16)
    config = CoarseTrainingConfig(
        data=FaceDataConfig(batch_size=8), encoder=sizes, bfloat16=False, without_landmarks=0.2
    )
    torch.manual_seed(0)
    task = CoarseEncoderTask(config, CoarseEncoder(sizes), LipGeometry(head.assets), [face], [face])
    with torch.no_grad():
        first = task.loss_terms(0, task.sample(torch.Generator().manual_seed(0)))
    figures = run(task, LoopConfig(num_steps=120), QUICK, tmp_path)
    task.model.train()
    with torch.no_grad():
        last = task.loss_terms(0, task.sample(torch.Generator().manual_seed(0)))
    assert float(last["lips"] + last["camera"]) < 0.7 * float(first["lips"] + first["camera"])
    assert set(figures) >= {"expression", "mean_expression", "picture_expression", "gap", "mean_gap"}
    again = load("coarse-encoder", tmp_path)
    images = face_images(example.crops.faces[:2])
    with torch.no_grad():
        expected = task.model.eval()(images, face.landmarks[:2])
        torch.testing.assert_close(again(images, face.landmarks[:2]), expected, atol=0.02, rtol=0.02)
        without = again(images, torch.full((2, 68, 2), torch.nan))
    assert torch.isfinite(without).all() and not torch.equal(without, expected)
