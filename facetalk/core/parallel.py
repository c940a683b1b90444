"""Many inputs at the same time, each in a process of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from typing import TypeVar

from facetalk.core.threads import usable_cores, use_one_core

Item = TypeVar("Item")
Result = TypeVar("Result")


def each_in_parallel(
    work: Callable[[Item], Result], items: Sequence[Item], jobs: int | None
) -> Iterator[tuple[Item, Result]]:
    """Process items in parallel; yields each item and its result in order of completion.

    Args:
        work: a module-level function, which other processes can import; its first exception ends the iteration.
        items: its arguments.
        jobs: number of processes; None for the number of processors. With 1, everything runs in this process.
    """
    workers = min(jobs or usable_cores(), len(items))
    if workers <= 1:
        for item in items:
            yield item, work(item)
        return
    # Spawned, because MediaPipe's threads do not survive a fork.
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=use_one_core)
    try:
        running = {pool.submit(work, item): item for item in items}
        for future in as_completed(running):
            yield running[future], future.result()
    finally:
        pool.shutdown(cancel_futures=True)
