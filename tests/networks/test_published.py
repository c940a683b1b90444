"""Conversion of published weights, on synthetic state dicts that carry the published names."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import torch

from facetalk.core.errors import FacetalkError, MissingAssetError
from facetalk.io.published import read_published
from facetalk.networks.experts import ExpressionReader, LipReader
from facetalk.networks.published import published_expression_net, published_lip_reader
from facetalk.networks.registry import load_expression_net, load_lip_reader

WIDTH = 4


def tensors_of(shapes: dict[str, tuple[int, ...]], seed: int = 0) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {
        name: torch.rand(shape, generator=generator) + 0.1 if name.endswith("running_var") else
        0.2 * torch.randn(shape, generator=generator)
        for name, shape in shapes.items()
    }  # fmt: skip


def norm(name: str, width: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.{part}": (width,) for part in ("weight", "bias", "running_mean", "running_var")}


def published_reader(prefix: str) -> dict[str, torch.Tensor]:
    """Names of the released lip readers: a 3D stem and a ResNet-18, and beside it a conformer that is not wanted."""
    shapes: dict[str, tuple[int, ...]] = {"frontend3D.0.weight": (WIDTH, 1, 5, 7, 7), **norm("frontend3D.1", WIDTH)}
    width_in = WIDTH
    for stage in range(4):
        width = WIDTH << stage
        for block in range(2):
            name = f"trunk.layer{stage + 1}.{block}"
            shapes |= {f"{name}.conv1.weight": (width, width_in, 3, 3), f"{name}.conv2.weight": (width, width, 3, 3)}
            shapes |= norm(f"{name}.bn1", width) | norm(f"{name}.bn2", width)
            if width != width_in:
                shapes |= {f"{name}.downsample.0.weight": (width, width_in, 1, 1)} | norm(f"{name}.downsample.1", width)
            width_in = width
    named = {prefix + name: value for name, value in tensors_of(shapes).items()}
    return named | {
        "encoder.encoders.0.self_attn.linear_q.weight": torch.zeros(3, 3),
        "decoder.embed.0.weight": torch.ones(2),
    }


def published_resnet50(prefix: str) -> dict[str, torch.Tensor]:
    """Names of torchvision's ResNet-50, one block a stage, with a classifier that is not wanted."""
    shapes: dict[str, tuple[int, ...]] = {"conv1.weight": (WIDTH, 3, 7, 7), **norm("bn1", WIDTH)}
    width_in = WIDTH
    for stage in range(4):
        width = WIDTH << stage
        name = f"layer{stage + 1}.0"
        shapes |= {f"{name}.conv1.weight": (width, width_in, 1, 1), f"{name}.conv2.weight": (width, width, 3, 3)}
        shapes |= {
            f"{name}.conv3.weight": (4 * width, width, 1, 1),
            f"{name}.downsample.0.weight": (4 * width, width_in, 1, 1),
        }
        shapes |= norm(f"{name}.bn1", width) | norm(f"{name}.bn2", width) | norm(f"{name}.bn3", 4 * width)
        shapes |= norm(f"{name}.downsample.1", 4 * width)
        width_in = 4 * width
    named = {prefix + name: value for name, value in tensors_of(shapes).items()}
    return named | {"linear.0.weight": torch.zeros(8, width_in), "fc.weight": torch.zeros(8, width_in)}


@pytest.mark.parametrize("prefix", ["encoder.frontend.", "module.encoder.frontend.", "frontend.", ""])
def test_a_published_lip_reader_is_found_under_its_prefixes(prefix: str) -> None:
    reader = published_lip_reader(published_reader(prefix))
    assert isinstance(reader, LipReader)
    features = reader.features(torch.rand(1, 3, 88, 88))
    assert features.shape == (1, 3, 8 * WIDTH)
    weight = reader.get_parameter("trunk.layer2.0.conv1.weight")
    torch.testing.assert_close(weight, published_reader("")["trunk.layer2.0.conv1.weight"])


def test_a_published_emotion_network_gives_features_before_its_classifier() -> None:
    net = published_expression_net(published_resnet50("backbone."))
    assert isinstance(net, ExpressionReader) and net.image_size == 224
    assert net.features(torch.rand(2, 3, 64, 64)).shape == (2, 32 * WIDTH)


def test_weights_that_do_not_fit_are_refused_with_what_is_wrong() -> None:
    with pytest.raises(FacetalkError, match="are not a lip reader"):
        published_lip_reader({"conv1.weight": torch.ones(1)})
    short = published_reader("")
    del short["trunk.layer3.1.bn2.bias"]
    with pytest.raises(FacetalkError, match=r"1 tensors missing \(trunk.layer3.1.bn2.bias\)"):
        published_lip_reader(short)
    with pytest.raises(FacetalkError, match="PReLU"):
        published_lip_reader(published_reader("") | {"trunk.layer1.0.relu1.weight": torch.ones(WIDTH)})
    with pytest.raises(FacetalkError, match="are not a ResNet-50"):
        published_expression_net(published_reader(""))


def test_weights_that_describe_a_larger_network_are_refused_before_it_is_built() -> None:
    wide = published_reader("") | {"frontend3D.0.weight": torch.zeros(1024, 1, 1, 1, 1)}
    with pytest.raises(FacetalkError, match="describes more than"):
        published_lip_reader(wide)
    deep = published_resnet50("") | {f"layer3.{number}.conv1.weight": torch.zeros(1) for number in (99, 10**9)}
    deep["conv1.weight"] = torch.zeros(512, 3, 7, 7)
    with pytest.raises(FacetalkError, match="describes more than"):
        published_expression_net(deep)
    for stem in (torch.zeros(()), torch.zeros(0, 3, 7, 7)):
        with pytest.raises(FacetalkError) as caught:
            published_expression_net(published_resnet50("") | {"conv1.weight": stem})
        assert "\n" not in str(caught.value)


def test_files_are_read_through_the_restricted_reader(tmp_path: Path) -> None:
    torch.save({"state_dict": published_reader("encoder.frontend."), "epoch": 3}, tmp_path / "reader.pth")
    assert load_lip_reader(str(tmp_path / "reader.pth")).features(torch.rand(1, 2, 88, 88)).shape == (1, 2, 32)
    torch.save(published_resnet50(""), tmp_path / "emotion.pt")
    assert load_expression_net(str(tmp_path / "emotion.pt")).image_size == 224
    (tmp_path / "evil.pth").write_bytes(pickle.dumps(Path, protocol=2))
    with pytest.raises(FacetalkError, match="cannot be read as plain weights"):
        read_published(tmp_path / "evil.pth")
    with pytest.raises(MissingAssetError, match="no weights at"):
        read_published(tmp_path / "none.pth")
