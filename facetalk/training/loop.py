"""The training loop that all recipes share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from facetalk.core.config import check_ranges
from facetalk.core.errors import FacetalkError
from facetalk.core.progress import TrainingProgress, no_training_progress
from facetalk.io.weights import CHECKPOINT_FILE
from facetalk.training.checkpoint import TrainingState, load_checkpoint, save_checkpoint
from facetalk.training.device import CPU, choose_device, to_device
from facetalk.training.log import TrainingLog, write_metrics
from facetalk.training.optim import OptimConfig, WeightAverage, learning_rate, make_optimizer, set_learning_rate

OTHER_LOSSES = ("total", "critic")
"""Columns of the log beside the terms of a task: their weighted sum, and the critic's own loss."""


@dataclass(frozen=True)
class LoopConfig:
    """Length of a run, its device, and how often it writes."""

    num_steps: int = 1000
    seed: int = 0
    device: str = "auto"
    """`auto`, `cpu`, `cuda` or `cuda:N`; see `choose_device`."""
    log_every: int = 50
    validate_every: int = 500
    save_every: int = 500
    num_threads: int = 0
    """Threads of torch on the CPU; 0 keeps torch's own choice. The same number gives the same weights bit for bit."""

    def __post_init__(self) -> None:
        for name in ("num_steps", "log_every", "validate_every", "save_every"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)} must be at least 1")
        check_ranges(self, num_threads=(0, 1024))


@runtime_checkable
class Task(Protocol):
    """What one recipe adds to the loop: a model, its batches and its losses."""

    @property
    def model(self) -> nn.Module:
        """The network that is trained."""
        ...

    @property
    def fixed_modules(self) -> Sequence[nn.Module]:
        """Modules that the losses use and that are not trained; they are kept on the device of the model."""
        ...

    @property
    def loss_weights(self) -> Mapping[str, float]:
        """Weight of every loss term."""
        ...

    def sample(self, generator: torch.Generator) -> Any:
        """One batch, on the CPU; the same state of the generator gives the same batch."""
        ...

    def loss_terms(self, step: int, batch: Any) -> dict[str, Tensor]:
        """Loss terms of the model on a batch that is on the model's device, one scalar each."""
        ...

    def validate(self) -> dict[str, float]:
        """Metrics on validation data, computed on the CPU with the model in eval mode."""
        ...

    def export(self, run_dir: Path) -> None:
        """Write the model as a folder that `networks.registry.load` reads."""
        ...


@runtime_checkable
class AdversarialTask(Task, Protocol):
    """A task with a critic that learns to tell real from generated motion, one step per step of the model."""

    @property
    def critic(self) -> nn.Module | None:
        """The critic; None in runs without one."""
        ...

    def critic_loss(self) -> Tensor | None:
        """Loss of the critic on the batch of the last `loss_terms`; None if it judged nothing there.

        No gradient reaches the model.
        """
        ...


def run(
    task: Task,
    config: LoopConfig,
    optim: OptimConfig,
    run_dir: Path,
    identity: str = "",
    resume: bool = False,
    progress: TrainingProgress = no_training_progress,
) -> dict[str, float]:
    """Train the model of a task, write it to `run_dir` and return its last metrics.

    Args:
        task: model, batches and losses; the model has its initial weights.
        config: length, device and intervals.
        optim: the optimizer.
        run_dir: gets `checkpoint.pt`, `log.csv`, `metrics.json` and what the task exports.
        identity: names the configuration; a run is only resumed under the same one.
        resume: continue from the checkpoint in `run_dir`, with the same steps as an uninterrupted run.
        progress: called after every step.
    """
    state = initial_state(task, config, optim)
    checkpoint_path = run_dir / CHECKPOINT_FILE
    if resume:
        load_checkpoint(checkpoint_path, state, identity)
    metrics: dict[str, float] = {}
    log = TrainingLog(run_dir, config.num_steps, state.step, config.log_every, progress)
    while state.step < config.num_steps:
        terms = train_step(task, state, optim, learning_rate(optim, state.step, config.num_steps))
        state.step += 1
        log.step(state.step, terms)
        last = state.step == config.num_steps
        if last or state.step % config.validate_every == 0:
            metrics = validate(task, state)
            log.row(state.step, metrics)
        if last or state.step % config.save_every == 0:
            save_checkpoint(checkpoint_path, state, identity)
    task.model.load_state_dict(state.average.state)
    place(task, CPU)
    task.model.eval()
    metrics = metrics or task.validate()
    task.export(run_dir)
    write_metrics(run_dir, {"steps": state.step, "seed": config.seed} | metrics)
    return metrics


def initial_state(task: Task, config: LoopConfig, optim: OptimConfig) -> TrainingState:
    """The state of a run before its first step, with the task on the device of the run."""
    device = choose_device(config.device)
    place(task, device)
    optimizer = make_optimizer(task.model, optim)
    generator = torch.Generator().manual_seed(config.seed)
    state = TrainingState(task.model, optimizer, WeightAverage(task.model, optim.average), generator, device)
    if isinstance(task, AdversarialTask) and task.critic is not None:
        state.critic, state.critic_optimizer = task.critic, make_optimizer(task.critic, optim)
    return state


def place(task: Task, device: torch.device) -> None:
    """Move the modules of a task, in place: optimizers keep their parameters."""
    modules = [task.model, *task.fixed_modules]
    if isinstance(task, AdversarialTask) and task.critic is not None:
        modules.append(task.critic)
    for module in modules:
        module.to(device)


def train_step(task: Task, state: TrainingState, optim: OptimConfig, step_size: float) -> dict[str, float]:
    """Update the weights once; returns the loss terms before the update."""
    task.model.train()
    batch = to_device(task.sample(state.generator), state.device)
    terms = task.loss_terms(state.step, batch)
    total = torch.stack([task.loss_weights[name] * term.to(state.device) for name, term in terms.items()]).sum()
    if not torch.isfinite(total):
        raise FacetalkError(f"the loss is not finite at step {state.step}; lower optim.learning_rate")
    set_learning_rate(state.optimizer, step_size)
    state.optimizer.zero_grad(set_to_none=True)
    total.backward()
    torch.nn.utils.clip_grad_norm_(task.model.parameters(), optim.clip_norm)
    state.optimizer.step()
    state.average.update(task.model)
    values = {name: term.item() for name, term in terms.items()} | {"total": total.item()}
    return values | critic_step(task, state, optim, step_size)


def critic_step(task: Task, state: TrainingState, optim: OptimConfig, step_size: float) -> dict[str, float]:
    """Update the weights of the critic once, if there is one; returns its loss before the update."""
    if state.critic is None or state.critic_optimizer is None or not isinstance(task, AdversarialTask):
        return {}
    # The model's own step left gradients in the critic.
    state.critic_optimizer.zero_grad(set_to_none=True)
    loss = task.critic_loss()
    if loss is None:
        return {}
    set_learning_rate(state.critic_optimizer, step_size)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(state.critic.parameters(), optim.clip_norm)
    state.critic_optimizer.step()
    return {"critic": loss.item()}


def validate(task: Task, state: TrainingState) -> dict[str, float]:
    """Metrics of the averaged weights; weights and generators of the run stay as they were.

    They are computed on the CPU whatever the device of the run, so that evaluation code needs to know no device.
    """
    training_weights = {name: value.clone() for name, value in task.model.state_dict().items()}
    torch_rng = torch.get_rng_state()
    task.model.load_state_dict(state.average.state)
    place(task, CPU)
    task.model.eval()
    with torch.no_grad():
        metrics = task.validate()
    place(task, state.device)
    task.model.load_state_dict(training_weights)
    torch.set_rng_state(torch_rng)
    return metrics
