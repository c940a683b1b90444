"""Many inputs at the same time on a Ray cluster: of this machine, or one that runs already."""

from __future__ import annotations

import os
import pickle
import signal
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

from facetalk.core.errors import FacetalkError, MissingAssetError
from facetalk.core.threads import usable_cores, use_one_core
from facetalk.core.worker import MOST_RETRIES, Reply, item_names, reply, result_of

Item = TypeVar("Item")
Result = TypeVar("Result")

HERE = "local"
"""Address of a cluster that is started on this machine, for this run only."""

_HINT = "; is it running, of the same version, and does it need RAY_AUTH_MODE=token?"


def each_on_ray(
    work: Callable[[Item], Result], items: Sequence[Item], jobs: int | None, address: str = HERE
) -> Generator[tuple[Item, Result | FacetalkError], None, None]:
    """Process items on a Ray cluster; yields as `each_in_parallel` does.

    An item whose worker dies is done again by another one, so `work` must not mind what a first try has left. All
    machines need facetalk, and the files under the same paths. Where the program is connected to a cluster already,
    that one is used.

    Args:
        work: see `each_in_parallel`; a copy stays loaded in each worker.
        items: its arguments.
        jobs: number of items at the same time; None for the number of the cluster's processors.
        address: of the cluster, as `ray.init` takes it, or `HERE`.

    Raises:
        MissingAssetError: ray is not installed.
        FacetalkError: there is no cluster at the address.
    """
    if not items:
        return
    ray = load_ray()
    with _connection(ray, address, jobs):
        count = min(jobs or max(1, int(ray.cluster_resources().get("CPU", 1))), len(items))
        task = ray.remote(num_cpus=1, max_retries=MOST_RETRIES)(_reply_there)
        loaded = uuid4().hex, ray.put(pickle.dumps(work)), str(Path.cwd())
        waiting = list(zip(item_names(len(items)), items, strict=True))[::-1]
        running: dict[Any, Item] = {}
        while waiting or running:
            while waiting and len(running) < count:
                name, item = waiting.pop()
                running[task.remote(*loaded, name, item)] = item
            for answer in ray.wait(list(running))[0]:
                item = running.pop(answer)
                try:
                    answered: Reply = ray.get(answer)
                except ray.exceptions.RayError as error:
                    reason = str(error).strip().splitlines() or [type(error).__name__]
                    yield item, FacetalkError(f"Ray gave up after {MOST_RETRIES} retries: {reason[0]}")
                    continue
                yield item, result_of(item, answered)


def load_ray() -> Any:
    """The package ray.

    Raises:
        MissingAssetError: it is not installed.
    """
    # A program that runs offline sends no statistics; ray reads this where it is imported, like the next one, which
    # spares a warning about graphics cards.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray  # pyright: ignore[reportMissingImports]
        import ray.exceptions  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise MissingAssetError("--engine ray needs Ray; install it with: pip install 'facetalk[ray]'") from None
    return ray


@contextmanager
def _connection(ray: Any, address: str, jobs: int | None) -> Iterator[None]:
    """The connection of the program, or one for the time of the block; a local cluster ends with it."""
    if ray.is_initialized():
        yield
        return
    size = {"num_cpus": jobs or usable_cores(), "include_dashboard": False} if address == HERE else {}
    with _own_signals():
        try:
            ray.init(address=address, logging_level="ERROR", log_to_driver=False, **size)
        except (OSError, RuntimeError, ValueError) as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
            raise FacetalkError(
                f"there is no Ray cluster at {address!r:.100} that can be used: {reason}{_HINT}"
            ) from None
    # Ray prints what it says about dead workers to stdout, which has the results, whatever `log_to_driver` is; what its
    # debugger uses is the only switch.
    printing = ray._private.worker
    printing._worker_logs_enabled = False
    try:
        yield
    finally:
        ray.shutdown()
        printing._worker_logs_enabled = True


@contextmanager
def _own_signals() -> Iterator[None]:
    """Keep what signals do, which ray changes when it connects."""
    numbers = (signal.SIGINT, signal.SIGTERM) if threading.current_thread() is threading.main_thread() else ()
    before = {number: signal.getsignal(number) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


_loaded: dict[str, Callable[[Any], Any]] = {}
"""In a worker: the work of the current run, with the models that it has loaded."""


def _reply_there(run: str, pickled: bytes, folder: str, name: str, item: Any) -> Reply:
    """In a worker: the reply to one item, with relative paths as where the run began."""
    os.chdir(folder)
    if run not in _loaded:
        use_one_core()
        _loaded.clear()
        _loaded[run] = pickle.loads(pickled)
    return reply(_loaded[run], name, item)
