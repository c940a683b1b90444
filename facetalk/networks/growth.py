"""Networks that are described by a file are stopped before they grow beyond what the file holds."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn
from torch.nn.modules.module import register_module_parameter_registration_hook


@contextmanager
def at_most(num_values: int) -> Iterator[None]:
    """Stop a network that is built in this block once it has too many parameters, before memory is filled for them.

    A description of a hundred bytes may ask for a network of any size.

    Args:
        num_values: all parameters of the network together.

    Raises:
        ValueError: there are more.
    """
    thread, count = threading.get_ident(), 0

    def counted(module: nn.Module, name: str, parameter: nn.Parameter | None) -> None:
        nonlocal count
        if parameter is not None and threading.get_ident() == thread:
            count += parameter.numel()
            if count > num_values:
                raise ValueError(f"it describes more than the {num_values} values of its weights")

    hook = register_module_parameter_registration_hook(counted)
    try:
        yield
    finally:
        hook.remove()
