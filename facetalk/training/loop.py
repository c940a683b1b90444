"""The training loop that every method uses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from facetalk.core.errors import FacetalkError
from facetalk.training.checkpoint import TrainingState, load_checkpoint, save_checkpoint
from facetalk.training.log import TrainingLog, write_metrics
from facetalk.training.optim import OptimConfig, WeightAverage, learning_rate, make_optimizer


@dataclass(frozen=True)
class LoopConfig:
    """How long a run is and how often it writes."""

    num_steps: int = 1000
    seed: int = 0
    log_every: int = 50
    validate_every: int = 500
    save_every: int = 500
    num_threads: int = 0
    """Threads of torch; 0 leaves torch's own choice. The same number gives the same weights to the last bit."""

    def __post_init__(self) -> None:
        for name in ("num_steps", "log_every", "validate_every", "save_every"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)} must be at least 1")


@runtime_checkable
class Task(Protocol):
    """What one method adds to the loop: a model, its examples and its losses."""

    @property
    def model(self) -> nn.Module:
        """The network that learns."""
        ...

    @property
    def loss_weights(self) -> Mapping[str, float]:
        """Weight of every loss term."""
        ...

    def loss_terms(self, step: int, chance: torch.Generator) -> dict[str, Tensor]:
        """Draw a batch from `chance` and judge the model on it; one scalar per term."""
        ...

    def validate(self) -> dict[str, float]:
        """Figures of the model, in eval mode, on data that it does not learn from."""
        ...

    def export(self, run_dir: Path) -> None:
        """Write the model as a folder that can be loaded."""
        ...


@runtime_checkable
class AdversarialTask(Task, Protocol):
    """A task with a critic that learns to tell the model's results from real ones, one step for each of the model's."""

    @property
    def critic(self) -> nn.Module | None:
        """The critic; None where the run does without."""
        ...

    def critic_loss(self) -> Tensor:
        """What the critic minimises on the batch that `loss_terms` drew last; no gradient reaches the model."""
        ...


def run(
    task: Task, config: LoopConfig, optim: OptimConfig, run_dir: Path, identity: str = "", resume: bool = False
) -> dict[str, float]:
    """Train a task's model, write it to `run_dir` and return its last figures.

    Args:
        task: model, examples and losses; its weights are set before this is called.
        config: length and intervals.
        optim: the optimiser.
        run_dir: gets `checkpoint.pt`, `log.csv`, `metrics.json` and what the task exports.
        identity: names the configuration; a run is resumed only under the same one.
        resume: go on from `run_dir`'s checkpoint, step for step as if nothing had happened.
    """
    optimizer = make_optimizer(task.model.parameters(), optim)
    chance = torch.Generator().manual_seed(config.seed)
    state = TrainingState(task.model, optimizer, WeightAverage(task.model, optim.average), chance)
    if isinstance(task, AdversarialTask) and task.critic is not None:
        state.critic, state.critic_optimizer = task.critic, make_optimizer(task.critic.parameters(), optim)
    checkpoint_path = run_dir / "checkpoint.pt"
    if resume:
        load_checkpoint(checkpoint_path, state, identity)
    figures: dict[str, float] = {}
    with TrainingLog(run_dir, config.num_steps, state.step, config.log_every) as log:
        while state.step < config.num_steps:
            terms = train_step(task, state, optim, learning_rate(optim, state.step, config.num_steps))
            state.step += 1
            log.step(state.step, terms)
            last = state.step == config.num_steps
            if last or state.step % config.validate_every == 0:
                figures = validate(task, state)
                log.row(state.step, figures)
            if last or state.step % config.save_every == 0:
                save_checkpoint(checkpoint_path, state, identity)
    task.model.load_state_dict(state.average.state)
    task.model.eval()
    figures = figures or task.validate()
    task.export(run_dir)
    write_metrics(run_dir, {"steps": state.step, "seed": config.seed} | figures)
    return figures


def train_step(task: Task, state: TrainingState, optim: OptimConfig, step_size: float) -> dict[str, float]:
    """One change of the weights; returns the loss terms before it."""
    task.model.train()
    terms = task.loss_terms(state.step, state.chance)
    total = torch.stack([task.loss_weights[name] * term for name, term in terms.items()]).sum()
    if not torch.isfinite(total):
        raise FacetalkError(f"the loss is no longer a number at step {state.step}; lower optim.learning_rate")
    for group in state.optimizer.param_groups:
        group["lr"] = step_size
    state.optimizer.zero_grad(set_to_none=True)
    total.backward()
    torch.nn.utils.clip_grad_norm_(task.model.parameters(), optim.clip_norm)
    state.optimizer.step()
    state.average.update(task.model)
    values = {name: term.item() for name, term in terms.items()} | {"total": total.item()}
    return values | critic_step(task, state, optim, step_size)


def critic_step(task: Task, state: TrainingState, optim: OptimConfig, step_size: float) -> dict[str, float]:
    """One change of the critic's weights, where there is a critic; returns its loss before it."""
    if state.critic is None or state.critic_optimizer is None or not isinstance(task, AdversarialTask):
        return {}
    for group in state.critic_optimizer.param_groups:
        group["lr"] = step_size
    # The model's own step left gradients behind in the critic.
    state.critic_optimizer.zero_grad(set_to_none=True)
    loss = task.critic_loss()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(state.critic.parameters(), optim.clip_norm)
    state.critic_optimizer.step()
    return {"critic": loss.item()}


def validate(task: Task, state: TrainingState) -> dict[str, float]:
    """Figures of the averaged weights; the run's own weights and chance are left as they were."""
    learning = {name: value.clone() for name, value in task.model.state_dict().items()}
    randomness = torch.get_rng_state()
    task.model.load_state_dict(state.average.state)
    task.model.eval()
    with torch.no_grad():
        figures = task.validate()
    task.model.load_state_dict(learning)
    torch.set_rng_state(randomness)
    return figures
