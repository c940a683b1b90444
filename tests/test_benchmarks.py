"""Benchmarks run, and compare within one run; nothing here depends on how fast the machine is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import benchmarks
from benchmarks.__main__ import main
from benchmarks.base import Comparison, in_turns
from benchmarks.registry import BENCHMARKS, load_benchmark

SMALL = ["--seconds", "1", "--frames", "3", "--repeats", "1"]


def test_alternatives_run_in_turns_and_the_first_turn_does_not_count() -> None:
    order: list[str] = []
    spent = in_turns({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, repeats=2)
    assert order == ["a", "b"] * 3
    assert list(spent) == ["a", "b"] and all(0 <= value < 1 for value in spent.values())


def test_ratios_are_relative_to_the_first_alternative() -> None:
    document = Comparison("frame", {"now": 2.0, "before": 5.0}).document()
    assert document["ratio"] == {"now": 1.0, "before": 2.5}


def test_every_benchmark_has_a_module_of_its_name() -> None:
    for name in BENCHMARKS:
        assert callable(load_benchmark(name))
    modules = {path.stem for path in Path(benchmarks.__file__).parent.glob("[!_]*.py")} - {"base", "registry"}
    assert modules == {name.replace("-", "_") for name in BENCHMARKS}


def test_an_unknown_benchmark_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["nonsense"])
    assert "unknown: nonsense; there are: encoding" in capsys.readouterr().err


def test_the_head_is_measured_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    main(["head", *SMALL])
    figures = json.loads(capsys.readouterr().out)["head"]
    assert figures["unit"] == "frame" and figures["ratio"]["blocks as in use"] == 1
    assert all(value >= 0 for value in figures["processor_ms"].values())


@pytest.mark.slow
@pytest.mark.usefixtures("landmark_networks")
@pytest.mark.parametrize("name", sorted(set(BENCHMARKS) - {"head"}))
def test_every_benchmark_runs(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    main([name, *SMALL])
    assert len(json.loads(capsys.readouterr().out)[name]["ratio"]) > 1
