from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from facetalk.core.errors import FacetalkError
from facetalk.training.device import choose_device
from facetalk.training.loop import LoopConfig, add_gradients, initial_state, place, run
from facetalk.training.optim import OptimConfig, learning_rate

OPTIM = OptimConfig(learning_rate=0.05, warmup_steps=5, average=0.5)


class LineTask:
    """Fits a line to noisy points, with dropout, so that every random number generator takes part."""

    fixed_modules: Sequence[nn.Module] = ()

    def __init__(self) -> None:
        torch.manual_seed(0)
        self.model = nn.Sequential(nn.Linear(2, 8), nn.Dropout(0.2), nn.Linear(8, 1))
        self.loss_weights = {"fit": 1.0, "size": 0.01}
        self.stop_at: int | None = None

    def sample(self, generator: torch.Generator) -> Tensor:
        return torch.randn(16, 2, generator=generator)

    def loss_terms(self, step: int, batch: Tensor) -> dict[str, Tensor]:
        if step == self.stop_at:
            raise KeyboardInterrupt
        x = batch
        error = (self.model(x)[:, 0] - x @ torch.tensor([2.0, -1.0])).square().mean()
        return {"fit": error, "size": sum(p.square().sum() for p in self.model.parameters())}  # type: ignore[dict-item]

    def validate(self) -> dict[str, float]:
        x = torch.eye(2)
        return {"error": float((self.model(x)[:, 0] - torch.tensor([2.0, -1.0])).abs().mean())}

    def export(self, run_dir: Path) -> None:
        torch.save(self.model.state_dict(), run_dir / "weights.pt")


def config(num_steps: int = 60) -> LoopConfig:
    return LoopConfig(num_steps=num_steps, log_every=10, validate_every=20, save_every=15)


def weights(run_dir: Path) -> dict[str, Tensor]:
    return torch.load(run_dir / "weights.pt", weights_only=True)


@pytest.mark.slow
def test_a_run_learns_and_writes_weights_log_and_figures(tmp_path: Path) -> None:
    figures = run(LineTask(), config(300), OPTIM, tmp_path)
    assert figures["error"] < 0.3
    rows = list(csv.DictReader((tmp_path / "log.csv").read_text().splitlines()))
    assert [int(row["step"]) for row in rows] == list(range(10, 301, 10))
    assert float(rows[-1]["fit"]) < float(rows[0]["fit"])
    assert rows[1]["error"]
    assert json.loads((tmp_path / "metrics.json").read_text())["error"] == figures["error"]


def test_the_same_seed_gives_the_same_weights(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        run(LineTask(), config(), OPTIM, tmp_path / name)
    for key, value in weights(tmp_path / "a").items():
        assert torch.equal(value, weights(tmp_path / "b")[key])


def test_a_resumed_run_ends_as_if_it_had_not_stopped(tmp_path: Path) -> None:
    for name in ("whole", "broken"):
        (tmp_path / name).mkdir()
    run(LineTask(), config(), OPTIM, tmp_path / "whole")
    task = LineTask()
    task.stop_at = 37
    with pytest.raises(KeyboardInterrupt):
        run(task, config(), OPTIM, tmp_path / "broken")
    torch.rand(100)
    run(LineTask(), config(), OPTIM, tmp_path / "broken", resume=True)
    for key, value in weights(tmp_path / "whole").items():
        assert torch.equal(value, weights(tmp_path / "broken")[key])
    steps = [int(row["step"]) for row in csv.DictReader((tmp_path / "broken" / "log.csv").read_text().splitlines())]
    assert steps == [10, 20, 30, 40, 50, 60]


def test_resuming_under_another_configuration_is_refused(tmp_path: Path) -> None:
    run(LineTask(), config(20), OPTIM, tmp_path, identity="one")
    with pytest.raises(FacetalkError, match="belongs to a run with other options"):
        run(LineTask(), config(20), OPTIM, tmp_path, identity="two", resume=True)


def test_resuming_without_a_checkpoint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FacetalkError, match="nothing to resume"):
        run(LineTask(), config(20), OPTIM, tmp_path, resume=True)


def test_a_loss_that_is_not_finite_stops_the_run(tmp_path: Path) -> None:
    task = LineTask()
    task.loss_weights = {"fit": float("nan"), "size": 1.0}
    with pytest.raises(FacetalkError, match="the loss is not finite"):
        run(task, config(20), OPTIM, tmp_path)


def test_the_step_size_warms_up_and_falls() -> None:
    rates = [learning_rate(OPTIM, step, 100) for step in range(100)]
    assert rates[0] == pytest.approx(0.01)
    assert max(rates) == rates[4] == pytest.approx(0.05)
    assert rates[5:] == sorted(rates[5:], reverse=True)
    assert rates[-1] < 0.002


def test_a_run_that_ends_early_follows_its_longer_one_and_then_cools_down() -> None:
    longer = [learning_rate(OPTIM, step, 100) for step in range(100)]
    early = replace(OPTIM, schedule_steps=100, cooldown_steps=10)
    rates = [learning_rate(early, step, 50) for step in range(50)]
    assert rates[:41] == longer[:41]
    assert rates[41:] == sorted(rates[41:], reverse=True) and rates[-1] == pytest.approx(longer[49] / 10)


class ContestTask(LineTask):
    """A line, and a critic that is trained to tell its results from true ones."""

    def __init__(self) -> None:
        super().__init__()
        self.critic = nn.Linear(1, 1)
        self.loss_weights = {"fit": 1.0, "size": 0.01, "contest": 0.1}

    def loss_terms(self, step: int, batch: Tensor) -> dict[str, Tensor]:
        terms = super().loss_terms(step, batch)
        x = batch.flip(0)
        made, true = self.model(x), (x @ torch.tensor([2.0, -1.0]))[:, None] + 3
        self.pair = true, made.detach()
        return terms | {"contest": -self.critic(made).mean()}

    def critic_loss(self) -> Tensor:
        true, made = (self.critic(values) for values in self.pair)
        return (1 - true).relu().mean() + (1 + made).relu().mean()

    def export(self, run_dir: Path) -> None:
        torch.save(self.model.state_dict() | self.critic.state_dict(prefix="critic."), run_dir / "weights.pt")


@pytest.mark.slow
def test_a_critic_learns_beside_the_model_and_is_resumed_with_it(tmp_path: Path) -> None:
    for name in ("whole", "broken"):
        (tmp_path / name).mkdir()
    before = ContestTask().critic.weight.clone()
    run(ContestTask(), config(), OPTIM, tmp_path / "whole")
    assert weights(tmp_path / "whole")["critic.weight"].item() > before.item() + 0.1
    assert "critic" in next(csv.DictReader((tmp_path / "whole" / "log.csv").read_text().splitlines()))
    task = ContestTask()
    task.stop_at = 37
    with pytest.raises(KeyboardInterrupt):
        run(task, config(), OPTIM, tmp_path / "broken")
    run(ContestTask(), config(), OPTIM, tmp_path / "broken", resume=True)
    for key, value in weights(tmp_path / "whole").items():
        assert torch.equal(value, weights(tmp_path / "broken")[key])


def test_model_and_critic_get_no_gradients_from_each_others_losses() -> None:
    task = ContestTask()
    state = initial_state(task, config(), OPTIM)
    add_gradients(task, state, seed=1, share=1.0)
    torch.manual_seed(1)
    terms = task.loss_terms(0, task.sample(torch.Generator().manual_seed(1)))
    total = torch.stack([task.loss_weights[name] * term for name, term in terms.items()]).sum()
    for network, loss in ((task.model, total), (task.critic, task.critic_loss())):
        parameters = list(network.parameters())
        for found, expected in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
            torch.testing.assert_close(found.grad, expected)


def test_the_gradient_of_a_step_is_the_mean_over_its_batches() -> None:
    gradients = []
    for seeds in ((1,), (2,), (1, 2)):
        task = ContestTask()
        state = initial_state(task, config(), OPTIM)
        for seed in seeds:
            add_gradients(task, state, seed, 1 / len(seeds))
        gradients.append([value.grad for network, _ in state.trained() for value in network.parameters()])
    for first, second, both in zip(*gradients, strict=True):
        torch.testing.assert_close(both, (first + second) / 2)


class DeviceTask(LineTask):
    """Notes the device of everything that it sees; a fixed module shifts the targets."""

    def __init__(self) -> None:
        super().__init__()
        self.shift = nn.Linear(2, 1)
        self.fixed_modules = (self.shift,)
        self.seen: list[tuple[str, torch.device]] = []

    def loss_terms(self, step: int, batch: Tensor) -> dict[str, Tensor]:
        self.seen += [("batch", batch.device), ("fixed", self.shift.weight.device)]
        return super().loss_terms(step, batch)

    def validate(self) -> dict[str, float]:
        self.seen += [("validation", next(self.model.parameters()).device)]
        self.seen += [("validation", self.shift.weight.device)]
        return super().validate()


@pytest.mark.parametrize("device", ["cpu", "auto"])
def test_batches_and_fixed_modules_are_on_the_device_of_the_run_and_validation_on_the_cpu(
    tmp_path: Path, device: str
) -> None:
    task = DeviceTask()
    run(task, replace(config(4), device=device, validate_every=2), OPTIM, tmp_path)
    expected = choose_device(device)
    assert {found.type for name, found in task.seen if name != "validation"} == {expected.type}
    assert {found.type for name, found in task.seen if name == "validation"} == {"cpu"}
    assert next(task.model.parameters()).device.type == "cpu"


def test_placing_a_task_moves_its_model_its_critic_and_its_fixed_modules() -> None:
    task = ContestTask()
    task.fixed_modules = (nn.Linear(2, 1),)
    place(task, torch.device("meta"))
    for module in (task.model, task.critic, *task.fixed_modules):
        assert all(parameter.is_meta for parameter in module.parameters())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_run_on_cuda_is_resumed_on_the_cpu(tmp_path: Path) -> None:
    task = LineTask()
    task.stop_at = 37
    with pytest.raises(KeyboardInterrupt):
        run(task, replace(config(), device="cuda"), OPTIM, tmp_path)
    figures = run(LineTask(), replace(config(), device="cpu"), OPTIM, tmp_path, resume=True)
    assert figures["error"] < 2.5
