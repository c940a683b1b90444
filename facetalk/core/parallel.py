"""Many inputs at the same time, each in a process of its own."""

from __future__ import annotations

import pickle
import signal
from collections.abc import Callable, Generator, Sequence
from multiprocessing import get_context, resource_tracker
from multiprocessing.connection import Connection, wait
from typing import Any, Generic, TypeVar

from facetalk.core.errors import USER_ERRORS, FacetalkError, user_error
from facetalk.core.threads import usable_cores
from facetalk.core.worker import result_of, serve

Item = TypeVar("Item")
Result = TypeVar("Result")

END_S = 1.0
"""How long a worker may take to remove its temporary files."""


def each_in_parallel(
    work: Callable[[Item], Result], items: Sequence[Item], jobs: int | None
) -> Generator[tuple[Item, Result | FacetalkError], None, None]:
    """Process items in parallel; yields each item and its result, or what is wrong with it, in order of completion.

    A worker that dies, because memory runs out for example, costs the item that it had. All workers end with this
    process, in whatever way it ends.

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
    waiting = list(reversed(items))
    workers: list[_Worker[Item]] = []
    try:
        while waiting or any(worker.is_busy for worker in workers):
            while waiting and len(workers) < count:
                workers.append(_Worker(work))
            for worker in workers:
                if waiting and not worker.is_busy:
                    worker.give(waiting.pop())
            answers = wait([worker.jobs for worker in workers if worker.is_busy])
            for worker in [worker for worker in workers if worker.jobs in answers]:
                item, result = worker.take()
                if not worker.is_alive:
                    worker.end()
                    workers.remove(worker)
                yield item, result
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


class _Worker(Generic[Item]):
    """One process and the item that it works on."""

    def __init__(self, work: Callable[[Item], Any]) -> None:
        # Spawned, because MediaPipe's threads do not survive a fork.
        context = get_context("spawn")
        self.jobs, its_jobs = context.Pipe()
        its_parent, self._stop = context.Pipe(duplex=False)
        self._process = context.Process(target=serve, args=(its_jobs, its_parent), daemon=True)
        # Ctrl-C reaches all processes of a terminal; this one decides what becomes of the others. The tracker of
        # multiprocessing, which the first process would start, unblocks the signal.
        resource_tracker.ensure_running()
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            self._process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        # Closed here, so that this side notices when the process has died.
        its_jobs.close()
        its_parent.close()
        self.is_alive = True
        self._item: Item | None = None
        self.is_busy = False
        _send(self.jobs, pickle.dumps(work))

    def give(self, item: Item) -> None:
        self._item, self.is_busy = item, True
        _send(self.jobs, pickle.dumps(item))

    def take(self) -> tuple[Item, Any]:
        """The item, and its result or what is wrong with it."""
        item, self._item, self.is_busy = self._item, None, False
        assert item is not None
        try:
            answer = pickle.loads(self.jobs.recv_bytes())
        except (EOFError, OSError):
            self.is_alive = False
            self._process.join(END_S)
            return item, FacetalkError(_last_words(self._process.exitcode))
        return item, result_of(item, answer)

    def ask_to_end(self) -> None:
        self._stop.close()
        self.jobs.close()

    def end(self) -> None:
        self.ask_to_end()
        self._process.join(END_S)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self._process.close()


def _send(connection: Connection, data: bytes) -> None:
    """Send, unless the other process has died, which is noticed where its answer is read."""
    try:
        connection.send_bytes(data)
    except OSError:
        return


def _last_words(code: int | None) -> str:
    if code is not None and code < 0:
        name = signal.Signals(-code).name
        hint = "; memory may have run out: try fewer --jobs" if name == "SIGKILL" else ""
        return f"the process that worked on it was ended by {name}{hint}"
    return f"the process that worked on it ended with code {code}"
