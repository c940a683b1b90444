"""Many inputs at the same time, each in a process of its own."""

from __future__ import annotations

import logging
import pickle
from collections.abc import Callable, Generator, Sequence
from multiprocessing.connection import wait
from typing import Any, NamedTuple, TypeVar

from facetalk.core.child import Child
from facetalk.core.errors import USER_ERRORS, FacetalkError, user_error
from facetalk.core.threads import usable_cores
from facetalk.core.worker import MOST_RETRIES, Reply, item_names, result_of, serve

Item = TypeVar("Item")
Result = TypeVar("Result")

_log = logging.getLogger(__name__)


def each_in_parallel(
    work: Callable[[Item], Result], items: Sequence[Item], jobs: int | None
) -> Generator[tuple[Item, Result | FacetalkError], None, None]:
    """Process items in parallel; yields each item and its result, or what is wrong with it, in order of completion.

    An item whose worker dies, because memory runs out for example, is done again by another one, so `work` must not
    mind what a first try has left. All workers end with this process, in whatever way it ends.

    Args:
        work: a module-level function, which other processes can import; an exception that is not a user's error ends
            the iteration.
        items: its arguments.
        jobs: number of processes; None for the number of processors. With 1, everything runs in this process.
    """
    count = min(jobs or usable_cores(), len(items))
    if count <= 1:
        for item in items:
            yield item, _here(work, item)
        return
    waiting = [_Task(name, item) for name, item in zip(item_names(len(items)), items, strict=True)][::-1]
    workers: list[_Worker] = []
    try:
        while waiting or any(worker.task for worker in workers):
            while waiting and len(workers) < count:
                workers.append(_Worker(work))
            for worker in workers:
                if waiting and worker.task is None:
                    worker.give(waiting.pop())
            answers = wait([worker.connection for worker in workers if worker.task])
            for worker in [worker for worker in workers if worker.connection in answers]:
                task, answer = worker.take()
                if answer is not None:
                    yield task.item, result_of(task.item, answer)
                    continue
                why = f"the process that worked on it {worker.last_words()}"
                worker.end()
                workers.remove(worker)
                if task.tries <= MOST_RETRIES:
                    _log.warning("%s; it is done again", why)
                    waiting.append(task._replace(tries=task.tries + 1))
                else:
                    yield task.item, FacetalkError(f"{why}, {task.tries} times")
    finally:
        for worker in workers:
            worker.ask_to_end()
        for worker in workers:
            worker.end()


def _here(work: Callable[[Item], Result], item: Item) -> Result | FacetalkError:
    try:
        return work(item)
    except USER_ERRORS as error:
        return user_error(error)


class _Task(NamedTuple):
    """An item with its name, and which try at it this is."""

    name: str
    item: Any
    tries: int = 1


class _Worker(Child):
    """A process that does one item after the other."""

    def __init__(self, work: Callable[[Any], Any]) -> None:
        super().__init__(serve)
        self.task: _Task | None = None
        self.send(pickle.dumps(work))

    def give(self, task: _Task) -> None:
        self.task = task
        self.send(pickle.dumps((task.name, task.item)))

    def take(self) -> tuple[_Task, Reply | None]:
        """What it worked on, and its reply; None if the process has died."""
        task, self.task = self.task, None
        assert task is not None
        answer = self.receive()
        return task, None if answer is None else pickle.loads(answer)
