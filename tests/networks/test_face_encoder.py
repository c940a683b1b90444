from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
import torch

from facetalk.head.channels import ARKIT_NAMES
from facetalk.networks.face_encoder import (
    CHUNK,
    MARKS_WIDTH,
    OVERLAP,
    REACH,
    FaceCode,
    FaceEncoder,
    FaceEncoderConfig,
    chunks,
    code_width,
)
from facetalk.networks.registry import load_expression_net, load_face_encoder, load_lip_reader

TINY = FaceEncoderConfig(
    num_betas=3,
    coarse_width=2,
    coarse_hidden=8,
    perceptual="mobilenet",
    perceptual_width=0.1,
    perceptual_features=16,
    perceptual_hidden=8,
)


@pytest.fixture(scope="module")
def encoder() -> FaceEncoder:
    torch.manual_seed(0)
    return FaceEncoder(TINY).eval()


def images(num_frames: int, size: int = 32) -> torch.Tensor:
    return torch.rand(num_frames, 3, size, size, generator=torch.Generator().manual_seed(0))


def marks(num_frames: int) -> torch.Tensor:
    return 2 * torch.rand(num_frames, 68, 2, generator=torch.Generator().manual_seed(1)) - 1


@pytest.mark.parametrize("num_frames", [1, 2, 46, 47, 48, 50, 51, 97])
def test_as_many_frames_come_out_as_went_in(num_frames: int) -> None:
    rows = [row for part, keep in chunks(range(num_frames)) for row in part[keep]]
    assert rows == [0] * REACH + list(range(num_frames)) + [num_frames - 1] * REACH


def test_chunks_are_fifty_frames_and_share_four() -> None:
    parts = [part for part, _ in chunks(range(97))]
    assert [len(part) for part in parts[:-1]] == [CHUNK, CHUNK]
    assert all(first[-OVERLAP:] == second[:OVERLAP] for first, second in itertools.pairwise(parts))


@pytest.mark.parametrize("num_frames", [48, 50, 51, 97])
def test_chunks_join_without_a_seam(encoder: FaceEncoder, num_frames: int) -> None:
    clip, landmarks = images(num_frames), marks(num_frames)
    code = encoder.encode(clip, landmarks)
    assert len(code.expression) == num_frames
    whole, around = (torch.cat([rows[:1], rows[:1], rows, rows[-1:], rows[-1:]]) for rows in (clip, landmarks))
    with torch.no_grad():
        expected, _ = encoder(whole, around)
    torch.testing.assert_close(code.joined(), expected.joined()[2:-2], atol=1e-5, rtol=1e-4)


def test_training_begins_at_the_coarse_expression(encoder: FaceEncoder) -> None:
    with torch.no_grad():
        code, coarse = encoder(images(6), marks(6))
    assert (code.expression - coarse).abs().max() < 0.01


def test_the_jaw_is_only_ever_opened_further() -> None:
    torch.manual_seed(1)
    encoder = FaceEncoder(TINY).eval()
    encoder.perceptual.layers.bias.data -= 5.0
    with torch.no_grad():
        added = encoder.perceptual(images(4), encoder.coarse.landmark_row(marks(4)))
    jaw = ARKIT_NAMES.index("jawOpen")
    assert (added[:, jaw] == 0).all()
    assert (added[:, torch.arange(52) != jaw] < 0).all()


def test_a_code_comes_apart_as_it_was_joined() -> None:
    rows = torch.randn(4, code_width(3), generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(FaceCode.split(rows, 3).joined(), rows)


def test_a_frozen_coarse_encoder_stays_in_eval_mode() -> None:
    encoder = FaceEncoder(TINY).freeze_coarse().train()
    assert not encoder.coarse.training and encoder.perceptual.training
    assert not any(parameter.requires_grad for parameter in encoder.coarse.parameters())


@pytest.mark.parametrize("backbone", ["mobilenet", "resnet"])
def test_normalisations_are_measured_once_and_then_kept(backbone: str) -> None:
    torch.manual_seed(0)
    encoder = FaceEncoder(replace(TINY, perceptual=backbone)).perceptual.train()
    assert not any(module.training for module in encoder.modules() if isinstance(module, torch.nn.BatchNorm1d))
    row = torch.rand(6, MARKS_WIDTH)
    encoder.measure_statistics([(images(6), row), (0.5 * images(6), row)])
    rows = {name: value.clone() for name, value in encoder.state_dict().items()}
    encoder.train()(images(6), row)
    assert all(torch.equal(value, rows[name]) for name, value in encoder.state_dict().items())
    assert rows["temporal.1.running_mean"].abs().max() > 0


def test_an_unknown_backbone_is_refused() -> None:
    with pytest.raises(ValueError, match="perceptual='vit' must be mobilenet or resnet"):
        FaceEncoderConfig(perceptual="vit")


def test_the_bundled_networks_see_a_face() -> None:
    code = load_face_encoder().encode(images(3, 112), marks(3))
    assert code.expression.shape == (3, 52) and torch.isfinite(code.joined()).all()
    assert load_lip_reader().features(torch.rand(1, 2, 88, 88)).shape == (1, 2, 192)
    net = load_expression_net()
    assert net.features(images(2, net.image_size)).shape == (2, 112)


def test_landmarks_that_are_not_known_say_nothing(encoder: FaceEncoder) -> None:
    landmarks = marks(4)
    landmarks[1, 7] = torch.nan
    row = encoder.coarse.landmark_row(landmarks)
    assert (row[1] == 0).all() and row[[0, 2, 3], -1].eq(1).all()
    with torch.no_grad():
        seen = encoder.coarse(images(4), landmarks)
        without_landmarks = encoder.coarse(images(4), torch.full((4, 68, 2), torch.nan))
    torch.testing.assert_close(seen[1], without_landmarks[1])
    assert not torch.allclose(seen[0], without_landmarks[0])
