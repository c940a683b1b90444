"""The processes that train one network together: only this one, unless `accelerate launch` or `torchrun` began several.

Each has the whole network and a part of the batches of every step; gradients are averaged, so that all take the same
step. The first one validates and writes.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import torch
from torch import Tensor, nn

from facetalk.core.errors import MissingAssetError, UsageError
from facetalk.core.launchers import num_launched
from facetalk.training.device import choose_device

Item = TypeVar("Item")

LONGEST_WAIT = timedelta(hours=24)
"""For each other, such as for the first one to validate or to fit the videos of a person."""


@dataclass(frozen=True)
class Processes:
    """The processes of a run, seen from one of them."""

    index: int = 0
    count: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this is the process that writes."""
        return self.index == 0

    def own(self, items: Sequence[Item]) -> Sequence[Item]:
        """Those of some items, as many for each process, that are this one's."""
        return items[self.index :: self.count]

    def wait(self) -> None:
        """Wait until all processes are here."""
        if self.count > 1:
            from accelerate.utils import wait_for_everyone

            wait_for_everyone()

    def average(self, tensors: Iterable[Tensor]) -> None:
        """Set tensors to their means over the processes."""
        tensors = list(tensors)
        if self.count == 1 or not tensors:
            return
        from accelerate.utils import reduce

        means = reduce(torch.cat([tensor.flatten() for tensor in tensors]), "mean")
        assert isinstance(means, Tensor)
        for tensor, mean in zip(tensors, means.split([tensor.numel() for tensor in tensors]), strict=True):
            tensor.copy_(mean.view_as(tensor))

    @torch.no_grad()
    def average_gradients(self, network: nn.Module) -> None:
        """Average gradients, and statistics that layers gather; what is unused in all processes has no gradient."""
        if self.count == 1:
            return
        trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
        used = torch.tensor([float(parameter.grad is not None) for parameter in trained], device=trained[0].device)
        self.average([used])
        gradients = []
        for parameter, share in zip(trained, used.tolist(), strict=True):
            if share:
                parameter.grad = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
                gradients.append(parameter.grad)
        self.average([*gradients, *(buffer for buffer in network.buffers() if buffer.is_floating_point())])


ALONE = Processes()
"""A run of one process."""


def joined(device: str) -> Processes:
    """The processes of this run, connected to each other.

    Args:
        device: `loop.device` of the run.

    Raises:
        UsageError: several processes cannot share the device, or a launcher did not start what it was asked for.
        MissingAssetError: accelerate is not installed.
    """
    count = num_launched()
    if count == 1:
        # `accelerate launch --cpu --num_processes 2` prepares for two, and starts one.
        if "ACCELERATE_MIXED_PRECISION" in os.environ and "MASTER_PORT" in os.environ:
            raise UsageError(
                "accelerate launch starts several processes on GPUs only; on CPUs use: "
                "torchrun --nproc-per-node N -m facetalk train ..."
            )
        return ALONE
    if device.startswith("cuda:"):
        raise UsageError(f"loop.device={device!r} is one device, but {count} processes train; give auto, cuda or cpu")
    try:
        from accelerate import PartialState
    except ImportError:
        raise MissingAssetError(
            "training in several processes needs Accelerate; install it with: pip install 'facetalk[accelerate]'"
        ) from None
    state = PartialState(cpu=choose_device(device).type == "cpu", timeout=LONGEST_WAIT)
    if state.process_index:
        logging.getLogger("facetalk").setLevel(logging.ERROR)  # the first process says it
    return Processes(state.process_index, state.num_processes)
