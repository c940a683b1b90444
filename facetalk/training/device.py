"""The device that a run uses, and how batches get there."""

from __future__ import annotations

import dataclasses
from contextlib import AbstractContextManager
from typing import Any, TypeVar

import torch
from torch import Tensor

from facetalk.core.errors import UsageError

CPU = torch.device("cpu")

Value = TypeVar("Value")


def choose_device(name: str) -> torch.device:
    """The device of that name: `cpu`, `cuda` or `cuda:N`; `auto` takes CUDA where there is a GPU, else the CPU."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise UsageError(f"loop.device={name!r} is not a device; give auto, cpu, cuda or cuda:N") from None
    if device.type == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if (device.index or 0) >= count:
            raise UsageError(f"loop.device={name!r}, but {count} CUDA devices were found; give loop.device=cpu or auto")
    elif device.type != "cpu":
        raise UsageError(f"loop.device={name!r} is not supported; give auto, cpu, cuda or cuda:N")
    return device


def autocast(device: torch.device, enabled: bool) -> AbstractContextManager[Any]:
    """Compute networks in bfloat16 inside this context, where `enabled` and where the device is fast at it."""
    fast = torch.cuda.is_bf16_supported() if device.type == "cuda" else _processor_has_bfloat16()
    return torch.autocast(device.type, torch.bfloat16, enabled=enabled and fast)


def _processor_has_bfloat16() -> bool:
    """Whether this processor computes in bfloat16; one that converts every value takes fifteen times as long."""
    checks = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, check, lambda: False)() for check in checks)


def to_device(value: Value, device: torch.device) -> Value:
    """A value with all tensors in it on a device: tensors, tuples, lists, mappings and dataclasses of them."""
    if isinstance(value, Tensor):
        return value.to(device)  # type: ignore[return-value]
    if isinstance(value, tuple):
        parts = [to_device(part, device) for part in value]
        return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)  # type: ignore[return-value]
    if isinstance(value, list):
        return [to_device(part, device) for part in value]  # type: ignore[return-value]
    if isinstance(value, dict):
        return {key: to_device(part, device) for key, part in value.items()}  # type: ignore[return-value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        moved = {f.name: to_device(getattr(value, f.name), device) for f in dataclasses.fields(value) if f.init}
        return dataclasses.replace(value, **moved)  # type: ignore[return-value]
    return value
