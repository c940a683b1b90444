"""Refinement of SPECTRE's networks on a video of the bundled head."""

from __future__ import annotations

import pytest
import torch

from facetalk.data.faces import FaceExample
from facetalk.fitters.refine import (
    RefineLossWeights,
    RefineSettings,
    _batches,
    refine_encoder,
    unsteadiness,
    with_lids,
)
from facetalk.head.channels import ARKIT_NAMES
from facetalk.head.model import HeadModel
from facetalk.motion.face_scene import FaceScene
from facetalk.motion.heads import load_head
from facetalk.networks.face_encoder import FaceEncoder
from facetalk.recipes.spectre import clip_of
from tests.recipes.toy_faces import tiny_encoder, video_clip


@pytest.fixture(scope="module")
def head() -> HeadModel:
    return load_head()


@pytest.fixture(scope="module")
def example(head: HeadModel) -> FaceExample:
    return video_clip(head)


@pytest.fixture(scope="module")
def scene(head: HeadModel) -> FaceScene:
    return FaceScene(head)


@pytest.mark.slow
def test_refinement_brings_the_landmarks_nearer_and_leaves_the_given_encoder_alone(
    head: HeadModel, scene: FaceScene, example: FaceExample
) -> None:
    encoder = tiny_encoder(head.num_betas)
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    clip = clip_of(example, slice(16))
    # The little network says random things: only the landmarks are worth following.
    weights = RefineLossWeights(landmarks=100.0, steadiness=0.0, relative=0.0, acceleration=0.0)
    settings = RefineSettings(passes=20, learning_rate=1e-3, loss_weights=weights)
    taught = refine_encoder(encoder, scene, None, clip, settings)

    def error(network: FaceEncoder) -> float:
        code = network.encode(clip.faces, clip.landmarks)
        betas = code.betas.mean(0)
        code = scene.anchored(code, betas, clip.views, clip.landmarks)
        return float((scene.seen(scene.points(code, betas, clip.views), clip.views) - clip.landmarks).abs().mean())

    assert error(taught) < 0.85 * error(encoder)
    assert all(torch.equal(value, before[name]) for name, value in encoder.state_dict().items())
    kept = [name for name in before if "running" in name or "num_batches" in name]
    assert kept and all(torch.equal(taught.state_dict()[name], before[name]) for name in kept)


def test_refinement_leaves_the_lids_alone() -> None:
    before, after = torch.zeros(2, 52), torch.ones(2, 52)
    kept = with_lids(after, before)
    assert (kept[:, ARKIT_NAMES.index("eyeBlinkLeft")] == 0).all() and (
        kept[:, ARKIT_NAMES.index("jawOpen")] == 1
    ).all()
    assert kept.sum() == 2 * sum(not name.startswith("eye") for name in ARKIT_NAMES)


@pytest.mark.parametrize("num_frames", [1, 7, 20, 45])
def test_a_pass_of_refinement_sees_every_frame_once(num_frames: int) -> None:
    batches = _batches(num_frames, 20, torch.Generator().manual_seed(3))
    seen = torch.cat([frames[2:-2] for frames in batches])
    assert sorted(seen.tolist()) == list(range(num_frames))


def test_a_rotation_that_flips_its_quaternion_is_steady() -> None:
    angles = torch.linspace(3.0, 3.3, 20)  # the quaternion changes sign at pi
    turns = torch.linalg.matrix_exp(angles[:, None, None] * torch.tensor([[0.0, -1, 0], [1, 0, 0], [0, 0, 0]]))
    assert float(unsteadiness(turns)[2:-2].max()) < 1e-3
    shaken = turns @ torch.linalg.matrix_exp(0.1 * torch.tensor([[0.0, 0, 1], [0, 0, 0], [-1, 0, 0]]))
    mixed = torch.where(torch.arange(20)[:, None, None] % 2 > 0, shaken, turns)
    assert float(unsteadiness(mixed).mean()) > 0.02
