"""Files of torch, old and new, give the tensors that torch itself reads; nothing in them runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from facetalk.core.errors import FacetalkError
from facetalk.io.published import read_published


def tensors() -> dict[str, Any]:
    generator = torch.Generator().manual_seed(0)
    base = torch.rand(6, 4, generator=generator)
    return {
        "float": base, "double": base.double(), "half": base.half(), "bfloat16": base.bfloat16(),
        "view": base[1:4, ::2],
        "transposed": base.T, "shared": base[2], "bool": base > 0.5, "long": (base * 100).long(), "byte": base.byte(),
        "scalar": torch.tensor(3.5), "empty": torch.zeros(0, 3), "parameter": nn.Parameter(base[:2].clone()),
        "expanded": torch.ones(1).expand(5),
    }  # fmt: skip


@pytest.mark.parametrize("new", [True, False], ids=["zip", "stream"])
@pytest.mark.parametrize("wrapper", ["", "state_dict", "model"])
def test_every_kind_of_tensor_comes_back(tmp_path: Path, new: bool, wrapper: str) -> None:
    values = tensors()
    content = {wrapper: values, "epoch": 3, "config": {"lr": 0.1}} if wrapper else values
    torch.save(content, tmp_path / "a.pth", _use_new_zipfile_serialization=new)
    read = read_published(tmp_path / "a.pth")
    assert list(read) == list(values)
    for name, value in values.items():
        torch.testing.assert_close(read[name], value.float() if name == "bfloat16" else value.data, msg=name)


@pytest.mark.parametrize("new", [True, False], ids=["zip", "stream"])
def test_the_state_of_a_network_comes_back(tmp_path: Path, new: bool) -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Linear(2, 2))
    torch.save(network.state_dict(), tmp_path / "a.pt", _use_new_zipfile_serialization=new)
    network.load_state_dict(read_published(tmp_path / "a.pt"))
    for name, value in torch.load(tmp_path / "a.pt", weights_only=True).items():
        torch.testing.assert_close(read_published(tmp_path / "a.pt")[name], value)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (nn.Linear(2, 2), r"would run torch\.nn\.modules\.linear\.Linear"),
        ([torch.zeros(2)], "holds no named tensors"),
        ({"epoch": 3}, "holds no named tensors"),
        ({"a": torch.zeros(1).expand(2**40)}, "takes more memory"),
    ],
)
def test_anything_else_is_refused(tmp_path: Path, content: Any, reason: str) -> None:
    torch.save(content, tmp_path / "a.pth")
    with pytest.raises(FacetalkError, match=reason) as caught:
        read_published(tmp_path / "a.pth")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("new", [True, False], ids=["zip", "stream"])
def test_damaged_files_say_so(tmp_path: Path, new: bool) -> None:
    torch.save(tensors(), tmp_path / "a.pth", _use_new_zipfile_serialization=new)
    whole = (tmp_path / "a.pth").read_bytes()
    for data in (b"", whole[: len(whole) // 2], whole[:-8], b"x" * 100):
        (tmp_path / "a.pth").write_bytes(data)
        with pytest.raises(FacetalkError, match=r"a\.pth cannot be read"):
            read_published(tmp_path / "a.pth")
