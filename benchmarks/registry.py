"""Benchmarks by name."""

from __future__ import annotations

from pkgutil import resolve_name

from benchmarks.base import Benchmark

BENCHMARKS = {
    "encoding": "benchmarks.encoding:measure",
    "first-motion": "benchmarks.first_motion:measure",
    "head": "benchmarks.head:measure",
    "renderers": "benchmarks.renderers:measure",
    "soak": "benchmarks.soak:measure",
    "start-up": "benchmarks.start_up:measure",
    "streaming": "benchmarks.streaming:measure",
    "talkers": "benchmarks.talkers:measure",
    "tracking": "benchmarks.tracking:measure",
}
"""Function of each benchmark; its module is imported on first use."""


def load_benchmark(name: str) -> Benchmark:
    """The benchmark of that name."""
    return resolve_name(BENCHMARKS[name])
