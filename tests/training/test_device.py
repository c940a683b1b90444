"""Choosing a device, moving values to it, and bfloat16 on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from facetalk.core.errors import UsageError
from facetalk.training.device import autocast, choose_device, to_device

META = torch.device("meta")
"""A device without data: enough to see where tensors go."""


class Pair(NamedTuple):
    first: Tensor
    second: Tensor | None


@dataclass(frozen=True, eq=False)
class Excerpt:
    rows: Tensor
    pair: Pair
    style_ids: tuple[str, ...]


def test_auto_takes_cuda_only_where_there_is_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("auto").type == "cpu"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choose_device("auto").type == "cuda"


def test_devices_that_are_not_there_are_refused_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert choose_device("cuda:1") == torch.device("cuda", 1)
    for name, message in (
        ("cuda:2", "2 CUDA devices were found"),
        ("gpu", "is not a device; give auto, cpu, cuda"),
        ("mps", "is not supported"),
    ):
        with pytest.raises(UsageError, match=message):
            choose_device(name)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UsageError, match=r"give loop\.device=cpu"):
        choose_device("cuda")


def test_every_tensor_of_a_batch_is_moved_and_everything_else_stays() -> None:
    excerpt = Excerpt(torch.zeros(2), Pair(torch.zeros(3), None), ("a", "b"))
    moved = to_device({"clips": [excerpt], "step": 3}, META)
    (found,) = moved["clips"]
    assert found.rows.is_meta and found.pair.first.is_meta
    assert isinstance(found.pair, Pair) and found.pair.second is None
    assert found.style_ids == ("a", "b") and moved["step"] == 3
    assert not excerpt.rows.is_meta


def test_networks_run_in_bfloat16_only_inside_an_enabled_context(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("facetalk.training.device._processor_has_bfloat16", lambda: True)
    layer, x = torch.nn.Linear(2, 2), torch.ones(1, 2)
    with autocast(torch.device("cpu"), True):
        assert layer(x).dtype == torch.bfloat16
    with autocast(torch.device("cpu"), False):
        assert layer(x).dtype == torch.float32


def test_a_processor_that_is_slow_in_bfloat16_computes_in_single_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    for check in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.setattr(torch.cpu, check, lambda: False, raising=False)
    with autocast(torch.device("cpu"), True):
        assert torch.nn.Linear(2, 2)(torch.ones(1, 2)).dtype == torch.float32
