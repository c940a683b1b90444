"""What a benchmark is, and how its figures are measured."""

from __future__ import annotations

import resource
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
"""A recording and a reference video."""


@dataclass(frozen=True)
class Options:
    """How much is measured."""

    seconds: tuple[float, ...] = (5.0, 60.0, 600.0)
    """Lengths of the recordings."""
    frames: int = 60
    """Frames that are rendered and encoded."""
    repeats: int = 3
    """Runs of each alternative, of which the fastest counts."""


@dataclass(frozen=True)
class Comparison:
    """The cost of alternatives that do the same work, or the same work on inputs of several sizes."""

    unit: str
    """What is counted, such as a frame."""
    processor_ms: Mapping[str, float]
    """Milliseconds of processor time per unit, of all threads and child processes; the first alternative is the
    reference."""
    others: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Other figures of the alternatives, by names that end in their unit, such as `memory_mb`."""

    def document(self) -> dict[str, Any]:
        """Return the figures and their ratios to the reference, as JSON values."""
        reference = next(iter(self.processor_ms.values()))
        return {
            "unit": self.unit,
            "processor_ms": {name: round(value, 3) for name, value in self.processor_ms.items()},
            "ratio": {name: round(value / reference, 3) for name, value in self.processor_ms.items()},
            **{figure: dict(values) for figure, values in self.others.items()},
        }


class Benchmark(Protocol):
    """Compares alternatives within one run: raw times of different machines and days cannot be compared."""

    def __call__(self, options: Options) -> Comparison:
        """Measure."""
        ...


def in_turns(work: Mapping[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Least processor time of each alternative in seconds; they run in turns, after one run each that does not count.

    Args:
        work: alternatives by name.
        repeats: number of runs that count.
    """
    least = dict.fromkeys(work, float("inf"))
    for turn in range(repeats + 1):
        for name, run in work.items():
            start = processor_s()
            run()
            if turn > 0:
                least[name] = min(least[name], processor_s() - start)
    return least


def processor_s() -> float:
    """Processor time of this process and its children that have ended, seconds."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)
