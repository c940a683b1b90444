"""Training in several processes; the slow tests start them, with torch's own launcher."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from facetalk.core.errors import FacetalkError, MissingAssetError, UsageError
from facetalk.pipelines.train import train
from facetalk.training.loop import batch_seeds, batches_per_step, run
from facetalk.training.processes import ALONE, Processes, joined
from tests.recipes.toy import write_dataset
from tests.training.test_loop import OPTIM, ContestTask, LineTask, config, weights


@pytest.fixture(autouse=True)
def no_launcher(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WORLD_SIZE", "ACCELERATE_MIXED_PRECISION", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)


def test_a_program_that_nothing_has_started_several_times_is_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "accelerate", None)
    assert joined("auto") is ALONE and ALONE.is_first
    monkeypatch.setenv("WORLD_SIZE", "1")
    assert joined("cuda:3") is ALONE
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(MissingAssetError, match=r"pip install 'facetalk\[accelerate\]'"):
        joined("cpu")
    with pytest.raises(UsageError, match="'cuda:3' is one device, but 2 processes train; give auto, cuda or cpu"):
        joined("cuda:3")


def test_a_launcher_that_started_one_process_for_several_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "no")
    assert joined("cpu") is ALONE
    monkeypatch.setenv("MASTER_PORT", "29500")
    with pytest.raises(UsageError, match="on CPUs use: torchrun --nproc-per-node N -m facetalk train"):
        joined("cpu")


def test_each_batch_of_a_step_belongs_to_one_process() -> None:
    seeds = batch_seeds(torch.Generator().manual_seed(0), 6)
    owned = [seed for index in range(3) for seed in Processes(index, 3).own(seeds)]
    assert sorted(owned, key=str) == sorted(seeds, key=str) and len(set(owned)) == 6
    assert batch_seeds(torch.Generator(), 1) == [None]
    assert batches_per_step(config(), Processes(0, 3)) == 3 and batches_per_step(config(), ALONE) == 1
    with pytest.raises(UsageError, match="batches_per_step=4 cannot be shared by 3 processes; give a multiple, or 0"):
        batches_per_step(replace(config(), batches_per_step=4), Processes(0, 3))


def test_several_batches_a_step_are_another_run_which_is_resumed_exactly(tmp_path: Path) -> None:
    several = replace(config(), batches_per_step=3)
    for name in ("one", "whole", "broken"):
        (tmp_path / name).mkdir()
    run(LineTask(), config(), OPTIM, tmp_path / "one")
    run(LineTask(), several, OPTIM, tmp_path / "whole")
    task = LineTask()
    task.stop_at = 37
    with pytest.raises(KeyboardInterrupt):
        run(task, several, OPTIM, tmp_path / "broken")
    run(LineTask(), several, OPTIM, tmp_path / "broken", resume=True)
    for name, value in weights(tmp_path / "whole").items():
        assert torch.equal(value, weights(tmp_path / "broken")[name])
        assert not torch.equal(value, weights(tmp_path / "one")[name])


def start(count: int, *words: str | Path) -> subprocess.CompletedProcess[str]:
    launcher = (sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={count}", "-m")
    return subprocess.run([*launcher, *map(str, words)], capture_output=True, text=True)


def losses(run_dir: Path) -> torch.Tensor:
    rows = csv.DictReader((run_dir / "log.csv").read_text().splitlines())
    return torch.tensor([[float(value or 0) for value in row.values()] for row in rows])


@pytest.mark.slow
def test_two_processes_reproduce_the_run_of_one_and_are_resumed(tmp_path: Path) -> None:
    pytest.importorskip("accelerate")
    (tmp_path / "one").mkdir()
    metrics = run(ContestTask(), replace(config(), batches_per_step=2), OPTIM, tmp_path / "one")
    started = start(2, "tests.training.several", tmp_path)
    assert started.returncode == 0, started.stderr
    expected = weights(tmp_path / "one")
    for name in ("whole", "resumed"):
        torch.testing.assert_close(losses(tmp_path / name), losses(tmp_path / "one"), rtol=1e-4, atol=1e-5)
        assert json.loads((tmp_path / name / "metrics.json").read_text())["error"] == pytest.approx(metrics["error"])
        for key, value in weights(tmp_path / name).items():
            torch.testing.assert_close(value, expected[key], rtol=1e-4, atol=1e-5)
    one = torch.load(tmp_path / "whole" / "checkpoint.pt", weights_only=True)
    other = torch.load(tmp_path / "resumed" / "checkpoint.pt", weights_only=True)
    assert all(torch.equal(value, other["model"][name]) for name, value in one["model"].items())


@pytest.mark.slow
def test_the_command_trains_in_two_processes_and_one_of_them_speaks(tmp_path: Path) -> None:
    pytest.importorskip("accelerate")
    options = {"loop.num_steps": 8, "loop.log_every": 1, "loop.validate_every": 4, "loop.device": "cpu"}
    options |= {"min_style_frames": 10, "data.length": 16, "data.batch_size": 4, "optim.warmup_steps": 2}
    settings = [word for name, value in options.items() for word in ("--set", f"{name}={value}")]
    data = write_dataset(tmp_path / "data", (2.0, 2.0))
    command = ("facetalk", "train", "style-critic", "--data", data, *settings, "--json", "--progress", "none")
    both = start(2, *command, "-o", tmp_path / "two")
    assert both.returncode == 0, both.stderr
    alone = (sys.executable, "-m", *command, "-o", tmp_path / "one", "--set", "loop.batches_per_step=2")
    one = subprocess.run(list(map(str, alone)), capture_output=True, text=True, check=True)
    figures = [json.loads(output)["figures"] for output in (both.stdout, one.stdout)]
    assert figures[0] == pytest.approx(figures[1])
    torch.testing.assert_close(losses(tmp_path / "two"), losses(tmp_path / "one"), rtol=1e-3, atol=1e-4)
    written = [(tmp_path / name / "training.yaml").read_text() for name in ("two", "one")]
    assert written[0] == written[1] and "batches_per_step: 2" in written[0]
    train(tmp_path / "two" / "training.yaml", data, tmp_path / "two", resume=True)  # by one process


def test_a_loss_that_is_not_finite_anywhere_stops_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def average(self: Processes, tensors: Any) -> None:
        for tensor in tensors:
            tensor.fill_(float("nan"))  # of the other process

    monkeypatch.setattr(Processes, "average", average)
    with pytest.raises(FacetalkError, match="the loss is not finite"):
        run(LineTask(), config(), OPTIM, tmp_path, processes=Processes(0, 2))
