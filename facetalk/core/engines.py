"""Where the inputs of a batch are processed, by the name that a user gives."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from functools import partial
from typing import Any

from facetalk.core.errors import UsageError
from facetalk.core.parallel import each_in_parallel

LOCAL = "local"
"""Processes of this machine."""

Each = Callable[[Callable[[Any], Any], Sequence[Any], "int | None"], Generator[tuple[Any, Any], None, None]]
"""Takes work, items and the number of jobs, and yields items with their results; see `each_in_parallel`."""


def each_with(engine: str) -> Each:
    """The function that processes many inputs: `local`, `ray`, or `ray:ADDRESS` for a cluster that runs already.

    Raises:
        UsageError: there is no such engine.
        MissingAssetError: ray is not installed.
    """
    name, _, address = str(engine).partition(":")
    if engine == LOCAL:
        return each_in_parallel
    if name != "ray" or engine == "ray:":
        raise UsageError(f"unknown engine {engine!r:.100}; there are: {LOCAL}, ray, ray:ADDRESS")
    from facetalk.core.cluster import HERE, check_ray, each_on_ray

    check_ray()
    return partial(each_on_ray, address=address or HERE)


def runs_elsewhere(engine: str, jobs: int | None) -> bool:
    """Whether work leaves this process."""
    return engine != LOCAL or jobs != 1
