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
    """Every item with what `work` makes of it, in the order in which they end.

    Args:
        work: a function of a module, which other processes can import; one that fails ends everything.
        items: what it is given, one at a time.
        jobs: processes; as many as there are processors if not given. With one, everything happens in this process.
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
