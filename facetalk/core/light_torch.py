"""torch without the parts that inference never touches, which are a third of its import."""

from __future__ import annotations

import sys
from functools import partial
from importlib import import_module
from typing import Any

from facetalk.core.deferred_imports import Deferral, defer_imports

META = "torch._meta_registrations"
"""Shapes of the results of a thousand operators, for tensors without data."""


def defer_parts_of_torch() -> None:
    """Let parts of torch load on first use; call it before torch is imported, at the start of a program.

    What they register with torch 2.6 to 2.13 is for tensors on the device `meta`, the first of which loads them, for
    their own operators (`torch.ops.prims`), or looked up in them. What else they do is done here.
    """
    if sys.platform == "darwin":
        return  # they also bring an operator for Apple's GPU
    defer_imports(
        {
            META: Deferral(_PARTS_OF_META, _see_to_meta_tensors),
            "torch.export": Deferral(("torch._custom_ops", "torch.fx.passes.infra")),
        }
    )


_PARTS_OF_META = (
    "torch._decomp",
    "torch._prims",
    "torch._prims_common.wrappers",
    "torch._refs",
    "torch.testing._internal.common_dtype",
    "torch.utils._content_store",
)

_CREATING = {"empty": "memory_format", "empty_strided": "default"}
"""Operators, with their overloads, that all others create tensors with."""


def _see_to_meta_tensors() -> None:
    """Load the shapes before the first tensor of the device `meta`."""
    import torch

    # As torch._prims does; without it, 2.13 makes no random generators.
    if hasattr(torch._C, "_set_generator_metaclass"):
        torch._C._set_generator_metaclass(import_module("torch._opaque_base").OpaqueBaseMeta)
    watch = torch.library.Library("aten", "IMPL", "Meta")

    def load_and_create(operator: Any, *arguments: Any, **options: Any) -> Any:
        watch._destroy()  # what was registered before, in C++, counts again
        with torch._C.DisableTorchFunction():  # a default device, for example
            dir(import_module(META))  # a use
        return operator(*arguments, **options)

    for name, overload in _CREATING.items():
        operator = getattr(getattr(torch.ops.aten, name), overload)
        watch.impl(operator, partial(load_and_create, operator))
