"""Everything a run needs to go on as if it had not stopped."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from facetalk.core.errors import FacetalkError
from facetalk.io.files import replacing
from facetalk.training.optim import WeightAverage


@dataclass(eq=False)
class TrainingState:
    """The moving parts of a run."""

    model: nn.Module
    optimizer: torch.optim.Optimizer
    average: WeightAverage
    chance: torch.Generator
    """Draws the examples; layers that drop out draw from torch's own generator."""
    step: int = 0
    critic: nn.Module | None = None
    """Learns to tell the model's results from real ones; most runs have none."""
    critic_optimizer: torch.optim.Optimizer | None = None


def save_checkpoint(path: Path, state: TrainingState, identity: str) -> None:
    """Write the state of a run; `identity` names what must be the same when it is resumed."""
    values: dict[str, Any] = {
        "identity": identity,
        "step": state.step,
        "model": state.model.state_dict(),
        "optimizer": state.optimizer.state_dict(),
        "average": state.average.state,
        "num_updates": state.average.num_updates,
        "chance": state.chance.get_state(),
        "torch_chance": torch.get_rng_state(),
    }
    if state.critic is not None and state.critic_optimizer is not None:
        values["critic"] = state.critic.state_dict()
        values["critic_optimizer"] = state.critic_optimizer.state_dict()
    with replacing(path) as temporary:
        torch.save(values, temporary)


def load_checkpoint(path: Path, state: TrainingState, identity: str) -> None:
    """Fill a freshly made state with a saved one."""
    if not path.is_file():
        raise FacetalkError(f"nothing to resume: no checkpoint at {path}; leave --resume away to start")
    try:
        values = torch.load(path, weights_only=True)
    except (RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise FacetalkError(f"{path} is not a readable checkpoint ({str(error).splitlines()[0]})") from None
    if values["identity"] != identity:
        raise FacetalkError(f"{path} belongs to a run with another configuration; use its config.yaml or a new folder")
    state.model.load_state_dict(values["model"])
    state.optimizer.load_state_dict(values["optimizer"])
    state.average.state = values["average"]
    state.average.num_updates = values["num_updates"]
    state.chance.set_state(values["chance"])
    torch.set_rng_state(values["torch_chance"])
    state.step = values["step"]
    if state.critic is not None and state.critic_optimizer is not None:
        state.critic.load_state_dict(values["critic"])
        state.critic_optimizer.load_state_dict(values["critic_optimizer"])
