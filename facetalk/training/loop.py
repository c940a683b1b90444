"""The training loop that all recipes share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from facetalk.core.config import check_ranges
from facetalk.core.errors import FacetalkError, UsageError
from facetalk.core.progress import TrainingProgress, no_training_progress
from facetalk.io.weights import CHECKPOINT_FILE
from facetalk.training.checkpoint import TrainingState, load_checkpoint, save_checkpoint
from facetalk.training.device import CPU, choose_device, to_device
from facetalk.training.log import TrainingLog, write_metrics
from facetalk.training.optim import OptimConfig, WeightAverage, learning_rate, make_optimizer, set_learning_rate
from facetalk.training.processes import ALONE, Processes

OTHER_LOSSES = ("total", "critic")
"""Columns of the log beside the terms of a task: their weighted sum, and the critic's own loss."""


@dataclass(frozen=True)
class LoopConfig:
    """Length of a run, its device, and how often it writes."""

    num_steps: int = 1000
    batches_per_step: int = 0
    """Batches whose gradients are averaged in each step, shared by the processes of the run; 0 for one per process."""
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
        check_ranges(self, num_threads=(0, 1024), batches_per_step=(0, 1_000_000))


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
        """Loss of the critic on the batch of the last `loss_terms`; None if it judged nothing there."""
        ...


def run(
    task: Task,
    config: LoopConfig,
    optim: OptimConfig,
    run_dir: Path,
    identity: str = "",
    resume: bool = False,
    progress: TrainingProgress = no_training_progress,
    processes: Processes = ALONE,
) -> dict[str, float]:
    """Train the model of a task, write it to `run_dir` and return its last metrics.

    Args:
        task: model, batches and losses; the model has its initial weights, the same in all processes.
        config: length, device and intervals.
        optim: the optimizer.
        run_dir: gets `checkpoint.pt`, `log.csv`, `metrics.json` and what the task exports.
        identity: names the configuration; a run is only resumed under the same one.
        resume: continue from the checkpoint in `run_dir`, with the same steps as an uninterrupted run.
        progress: called after every step.
        processes: that train together; only the first one validates, writes and returns metrics.
    """
    state = initial_state(task, config, optim)
    checkpoint_path = run_dir / CHECKPOINT_FILE
    if resume:
        load_checkpoint(checkpoint_path, state, identity)
        processes.wait()
    metrics: dict[str, float] = {}
    log = TrainingLog(run_dir, config.num_steps, state.step, config.log_every, progress)
    while state.step < config.num_steps:
        step_size = learning_rate(optim, state.step, config.num_steps)
        terms = train_step(task, state, optim, step_size, batches_per_step(config, processes), processes)
        state.step += 1
        if not processes.is_first:
            continue
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
    if processes.is_first:
        metrics = metrics or task.validate()
        task.export(run_dir)
        write_metrics(run_dir, {"steps": state.step, "seed": config.seed} | metrics)
    processes.wait()
    return metrics


def batches_per_step(config: LoopConfig, processes: Processes) -> int:
    """Batches of one step, of all processes together.

    Raises:
        UsageError: they cannot be shared evenly.
    """
    count = config.batches_per_step or processes.count
    if count % processes.count:
        raise UsageError(
            f"loop.batches_per_step={count} cannot be shared by {processes.count} processes; give a multiple, or 0"
        )
    return count


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


def train_step(
    task: Task, state: TrainingState, optim: OptimConfig, step_size: float, num_batches: int, processes: Processes
) -> dict[str, float]:
    """Update the weights once; returns the losses before the update, means over the batches."""
    task.model.train()
    for _, optimizer in state.trained():
        optimizer.zero_grad(set_to_none=True)
    sums: dict[str, Tensor] = {}
    for seed in processes.own(batch_seeds(state.generator, num_batches)):
        losses = add_gradients(task, state, seed, processes.count / num_batches)
        sums = {name: sums.get(name, 0) + value for name, value in losses.items()}
    processes.average(sums.values())
    if not torch.isfinite(sums["total"]):
        raise FacetalkError(f"the loss is not finite at step {state.step}; lower optim.learning_rate")
    for network, optimizer in state.trained():
        processes.average_gradients(network)
        torch.nn.utils.clip_grad_norm_(network.parameters(), optim.clip_norm)
        set_learning_rate(optimizer, step_size)
        optimizer.step()
    state.average.update(task.model)
    return {name: value.item() for name, value in sums.items()}


def batch_seeds(generator: torch.Generator, num_batches: int) -> list[int | None]:
    """Seeds of the batches of a step, so that each is the same whichever process computes it.

    A single batch has none, and continues the random numbers of the run.
    """
    if num_batches == 1:
        return [None]
    return torch.randint(2**62, (num_batches,), generator=generator).tolist()


def add_gradients(task: Task, state: TrainingState, seed: int | None, share: float) -> dict[str, Tensor]:
    """Add the gradients of one batch, times its share of them, to those of the networks; returns that of its losses."""
    generator = state.generator
    if seed is not None:
        torch.manual_seed(seed)  # of dropout
        generator = torch.Generator().manual_seed(seed)
    terms = task.loss_terms(state.step, to_device(task.sample(generator), state.device))
    terms = {name: share * term.to(state.device) for name, term in terms.items()}
    total = torch.stack([task.loss_weights[name] * term for name, term in terms.items()]).sum()
    _add_gradients(total, state.model)
    losses = terms | {"total": total}
    if state.critic is not None and isinstance(task, AdversarialTask) and (loss := task.critic_loss()) is not None:
        losses["critic"] = share * loss
        _add_gradients(losses["critic"], state.critic)
    return {name: loss.detach() for name, loss in losses.items()}


def _add_gradients(loss: Tensor, network: nn.Module) -> None:
    """Of this network alone: model and critic reach each other's weights."""
    torch.autograd.backward(loss, inputs=[value for value in network.parameters() if value.requires_grad])


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
