"""The optimizer, its learning rate over a run, and the average of the weights."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

import torch
from torch import nn

from facetalk.core.config import check_ranges


@dataclass(frozen=True)
class OptimConfig:
    """AdamW with a linear warm-up and a cosine decay to `final_share` of the learning rate.

    A run that ends before its cosine decays linearly to zero at its end.
    """

    learning_rate: float = 1e-3
    weight_decay: float = 0.01
    warmup_steps: int = 100
    final_share: float = 0.02
    schedule_steps: int = 0
    """Length of the cosine decay; 0 takes that of the run."""
    cooldown_steps: int = 0
    """Length of the linear decay at the end of the run; 0 for none."""
    clip_norm: float = 1.0
    """Largest norm of the gradient; longer ones are scaled down to it."""
    restart_step: int = 0
    """Step at which warm-up and decay begin anew, for runs in two stages; 0 for none."""
    rates: Mapping[str, float] = field(default_factory=dict)
    """Factor on the learning rate of parameters; the first pattern with * and ? that matches the name counts."""
    average: float = 0.999
    """Decay of the running mean of the weights, which is validated and exported; 0 keeps the last weights."""

    def __post_init__(self) -> None:
        if self.learning_rate <= 0:
            raise ValueError(f"learning_rate={self.learning_rate} must be positive")
        if not 0 <= self.average < 1:
            raise ValueError(f"average={self.average} must lie in [0, 1)")
        check_ranges(self, learning_rate=(0, 10), weight_decay=(0, 10), final_share=(0, 1), clip_norm=(1e-9, 1e9))


def make_optimizer(model: nn.Module, config: OptimConfig) -> torch.optim.Optimizer:
    """AdamW over the trainable parameters of a network; biases and other vectors have no weight decay."""
    groups: dict[tuple[float, float], list[nn.Parameter]] = defaultdict(list)
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            decay = config.weight_decay if parameter.ndim > 1 else 0.0
            rate = next((factor for pattern, factor in config.rates.items() if fnmatchcase(name, pattern)), 1.0)
            groups[decay, rate].append(parameter)
    return torch.optim.AdamW(
        [{"params": members, "weight_decay": decay, "rate": rate} for (decay, rate), members in groups.items()],
        lr=config.learning_rate,
    )


def set_learning_rate(optimizer: torch.optim.Optimizer, value: float) -> None:
    """Set the learning rate of all parameters, each with its own factor."""
    for group in optimizer.param_groups:
        group["lr"] = value * group.get("rate", 1.0)


def learning_rate(config: OptimConfig, step: int, num_steps: int) -> float:
    """Learning rate at one step of a run."""
    if 0 < config.restart_step <= step:
        step, num_steps = step - config.restart_step, num_steps - config.restart_step
    elif config.restart_step:
        num_steps = min(num_steps, config.restart_step)
    if step < config.warmup_steps:
        return config.learning_rate * (step + 1) / config.warmup_steps
    done = (step - config.warmup_steps) / max(1, (config.schedule_steps or num_steps) - config.warmup_steps)
    cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, done)))
    ending = min(1.0, (num_steps - step) / config.cooldown_steps) if config.cooldown_steps else 1.0
    return config.learning_rate * ending * (config.final_share + (1 - config.final_share) * cosine)


class WeightAverage:
    """Running mean of a model's floating-point state, over a shorter history in the first steps."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.num_updates = 0
        self.state = {name: value.detach().clone() for name, value in model.state_dict().items()}

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Add the weights after one step."""
        self.num_updates += 1
        decay = min(self.decay, (1 + self.num_updates) / (10 + self.num_updates)) if self.decay else 0.0
        for name, value in model.state_dict().items():
            if value.is_floating_point():
                self.state[name].lerp_(value, 1 - decay)
            else:
                self.state[name].copy_(value)
