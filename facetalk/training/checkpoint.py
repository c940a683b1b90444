"""Everything that a run needs to continue as if it had not stopped."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from facetalk.core.errors import FacetalkError
from facetalk.io.files import replacing
from facetalk.training.device import CPU, to_device
from facetalk.training.optim import WeightAverage


@dataclass(eq=False)
class TrainingState:
    """What changes during a run."""

    model: nn.Module
    optimizer: torch.optim.Optimizer
    average: WeightAverage
    generator: torch.Generator
    """Samples the batches, on the CPU; dropout uses torch's own generator of the device."""
    device: torch.device = CPU
    step: int = 0
    critic: nn.Module | None = None
    """A network that is trained against the model; most runs have none."""
    critic_optimizer: torch.optim.Optimizer | None = None

    def trained(self) -> Iterator[tuple[nn.Module, torch.optim.Optimizer]]:
        """The networks that are trained, with their optimizers."""
        yield self.model, self.optimizer
        if self.critic is not None and self.critic_optimizer is not None:
            yield self.critic, self.critic_optimizer


def save_checkpoint(path: Path, state: TrainingState, identity: str) -> None:
    """Write the state of a run; `identity` names the configuration under which it may be resumed."""
    values: dict[str, Any] = {
        "identity": identity,
        "step": state.step,
        "model": state.model.state_dict(),
        "optimizer": state.optimizer.state_dict(),
        "average": state.average.state,
        "num_updates": state.average.num_updates,
        "generator": state.generator.get_state(),
        "torch_rng": torch.get_rng_state(),
    }
    if state.device.type == "cuda":
        values["cuda_rng"] = torch.cuda.get_rng_state(state.device)
    if state.critic is not None and state.critic_optimizer is not None:
        values["critic"] = state.critic.state_dict()
        values["critic_optimizer"] = state.critic_optimizer.state_dict()
    with replacing(path) as temporary:
        torch.save(values, temporary)


def load_checkpoint(path: Path, state: TrainingState, identity: str) -> None:
    """Fill a fresh state with a saved one, which may have been saved on another device."""
    values = _read(path)
    if values["identity"] != identity:
        raise FacetalkError(f"{path} belongs to a run with other options; use its training.yaml or a new folder")
    state.model.load_state_dict(values["model"])
    state.optimizer.load_state_dict(values["optimizer"])
    state.average.state = to_device(values["average"], state.device)
    state.average.num_updates = values["num_updates"]
    state.generator.set_state(values["generator"])
    torch.set_rng_state(values["torch_rng"])
    if state.device.type == "cuda" and "cuda_rng" in values:
        torch.cuda.set_rng_state(values["cuda_rng"], state.device)
    state.step = values["step"]
    if state.critic is not None and state.critic_optimizer is not None:
        state.critic.load_state_dict(values["critic"])
        state.critic_optimizer.load_state_dict(values["critic_optimizer"])


def _read(path: Path) -> dict[str, Any]:
    """The values of a checkpoint, on the CPU: generator states must stay there, the rest is copied to its device."""
    if not path.is_file():
        raise FacetalkError(f"nothing to resume: no checkpoint at {path}; omit --resume to start a new run")
    try:
        return torch.load(path, map_location=CPU, weights_only=True)
    except (RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise FacetalkError(f"{path} is not a readable checkpoint ({str(error).splitlines()[0]})") from None
