"""Weights of published lip readers and expression networks: their parameter names -> ours, checked strictly."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

import torch
from torch import Tensor, nn

from facetalk.core.errors import FacetalkError
from facetalk.networks.expression_net import PublishedExpressionNet
from facetalk.networks.growth import at_most
from facetalk.networks.lip_reader import LipFrontEnd

Network = TypeVar("Network", bound=nn.Module)

_LIP_PREFIXES = ("module.", "model.", "encoder.", "frontend.")
"""Prefixes of `frontend3D` and `trunk` in the released readers, in any number and order."""

_EMOTION_PREFIXES = ("module.", "model.", "backbone.", "resnet.", "net.", "encoder.")


def published_lip_reader(tensors: Mapping[str, Tensor]) -> LipFrontEnd:
    """The visual front end of a published lip reader: a 3D convolution and a ResNet-18.

    Conformers, decoders and language models in the same file are ignored: SPECTRE's loss uses the per-frame features.
    """
    kept = {}
    for name, value in tensors.items():
        bare = _without(name, _LIP_PREFIXES)
        if bare.startswith(("frontend3D.", "trunk.")):
            kept[bare] = value
    stem = kept.get("frontend3D.0.weight")
    if stem is None or stem.ndim != 5 or 0 in stem.shape:
        raise FacetalkError(
            "these weights are not a lip reader: no five-dimensional frontend3D.0.weight among "
            f"{len(tensors)} tensors such as {_some(tensors)}"
        )
    if any(name.endswith((".relu1.weight", ".relu2.weight")) or name == "frontend3D.2.weight" for name in kept):
        raise FacetalkError("this lip reader uses PReLU; give one of the releases with Swish or ReLU")
    return _filled(lambda: LipFrontEnd(stem.shape[0], "swish"), kept, "lip reader")


def published_expression_net(tensors: Mapping[str, Tensor]) -> PublishedExpressionNet:
    """The backbone of a published ResNet-50 emotion network, without its classifier."""
    parts = ("conv1.", "bn1.", "layer1.", "layer2.", "layer3.", "layer4.")
    kept = {}
    for name, value in tensors.items():
        bare = _without(name, _EMOTION_PREFIXES)
        if bare.startswith(parts):
            kept[f"backbone.{bare}"] = value
    stem = kept.get("backbone.conv1.weight")
    if stem is None or stem.ndim != 4 or 0 in stem.shape or "backbone.layer1.0.conv3.weight" not in kept:
        raise FacetalkError(
            "these weights are not a ResNet-50: no conv1 and layer1.0.conv3 among "
            f"{len(tensors)} tensors such as {_some(tensors)}"
        )
    first, second, third, fourth = (1 + max(_block(name, stage) for name in kept) for stage in range(1, 5))
    return _filled(
        lambda: PublishedExpressionNet(stem.shape[0], (first, second, third, fourth)), kept, "emotion network"
    )


def _block(name: str, stage: int) -> int:
    """Index of the block that a parameter belongs to; -1 if it is in another stage."""
    number = name.removeprefix(f"backbone.layer{stage}.").split(".")[0]
    return int(number) if number.isdecimal() and len(number) < 4 else -1


def _without(name: str, prefixes: tuple[str, ...]) -> str:
    """The name without prefixes, however many it has."""
    while True:
        shorter = next((name[len(prefix) :] for prefix in prefixes if name.startswith(prefix)), None)
        if shorter is None:
            return name
        name = shorter


def _filled(build: Callable[[], Network], kept: dict[str, Tensor], what: str) -> Network:
    """The network with these weights; every tensor must have its place."""
    try:
        # Room for tensors that are missing, which are named below.
        with at_most(2 * sum(value.numel() for value in kept.values()) + 1_000_000):
            network = build()
    except (ValueError, RuntimeError, ArithmeticError) as error:
        raise FacetalkError(f"the {what} does not have the published layout: {str(error)[:200]}") from None
    wanted = network.state_dict()
    counters = {name: torch.tensor(0) for name in wanted if name.endswith("num_batches_tracked")}
    missing, extra = sorted(wanted.keys() - kept.keys() - counters.keys()), sorted(kept.keys() - wanted.keys())
    if missing or extra:
        raise FacetalkError(
            f"the {what} does not have the published layout: {len(missing)} tensors missing ({_some(missing)}), "
            f"{len(extra)} unknown ({_some(extra)})"
        )
    try:
        network.load_state_dict(counters | kept)
    except RuntimeError as error:
        raise FacetalkError(f"the {what} has tensors of another shape: {str(error).splitlines()[-1].strip()}") from None
    return network.eval()


def _some(names: Iterable[str]) -> str:
    return ", ".join(list(names)[:3]) or "none"
