"""Many inputs at the same time on a Ray cluster: of this machine, or one that runs already.

A process of its own talks to the cluster: where Ray ends that process, as it does when its server on this machine is
lost, the inputs that are left fail, and signals are obeyed while Ray connects.
"""

from __future__ import annotations

import os
import pickle
import shutil
import socket
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from importlib.util import find_spec
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from uuid import uuid4

from facetalk.core.child import Child, obey
from facetalk.core.errors import FacetalkError, MissingAssetError
from facetalk.core.threads import usable_cores, use_one_core
from facetalk.core.worker import MOST_RETRIES, Reply, item_names, reply, result_of

Item = TypeVar("Item")
Result = TypeVar("Result")

HERE = "local"
"""Address of a cluster that is started on this machine, for this run only."""

_HINT = "; is it running, of the same version, and does it need RAY_AUTH_MODE=token?"

_ANSWERS_WITHIN_S = 5.0
"""A computer at an address; Ray itself would wait for a minute."""


def check_ray() -> None:
    """Raise a MissingAssetError where ray is not installed."""
    try:
        found = find_spec("ray")
    except ValueError:  # a test has hidden it
        found = None
    if found is None:
        raise MissingAssetError("--engine ray needs Ray; install it with: pip install 'facetalk[ray]'")


def each_on_ray(
    work: Callable[[Item], Result], items: Sequence[Item], jobs: int | None, address: str = HERE
) -> Generator[tuple[Item, Result | FacetalkError], None, None]:
    """Process items on a Ray cluster; yields as `each_in_parallel` does.

    An item whose worker dies is done again by another one, so `work` must not mind what a first try has left. All
    machines need facetalk, and the files under the same paths.

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
    check_ray()
    _check_address(address)
    child = Child(_relay)
    left, log = dict(enumerate(items)), None
    try:
        tasks = [pickle.dumps(item) for item in items]
        child.send(pickle.dumps(_Order(pickle.dumps(work), tasks, jobs, address, str(Path.cwd()))))
        while left:
            answer = child.receive()
            if answer is None:
                reason = (
                    f"the process that spoke with the Ray cluster {child.last_words()}, as when the cluster is lost"
                )
                for item in left.values():
                    yield item, FacetalkError(reason)
                return
            about, said = pickle.loads(answer)
            if about == _LOG:
                log = said
            elif about == _ERROR:
                raise result_of(None, said)
            else:
                item = left.pop(about)
                yield item, result_of(item, said)
        child.receive()  # that it has disconnected
    finally:
        child.end()
        if log is not None:
            shutil.rmtree(log, ignore_errors=True)


def _check_address(address: str) -> None:
    """Refuse an address with a port at which nothing answers."""
    host, colon, port = address.rpartition("://")[2].rpartition(":")
    if not colon or not port.isdecimal():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), _ANSWERS_WITHIN_S).close()
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise FacetalkError(f"there is no Ray cluster at {address!r:.100}: {reason}{_HINT}") from None


_LOG, _ERROR = "log", "error"
"""What a message is about that is not about an item."""


class _Order(NamedTuple):
    """What the process that talks to the cluster is to do."""

    work: bytes
    """Pickled, like the items: this process needs none of the packages behind them."""
    items: Sequence[bytes]
    jobs: int | None
    address: str
    folder: str
    """Where relative paths begin."""


def _relay(orders: Connection, parent: Connection) -> None:
    """In the process that talks to the cluster: send the number and the reply of each item, then a last message.

    The folder with the log of a cluster of this run comes first, or what is wrong with the cluster.
    """
    obey(parent)
    # Ray prints what it says about its connection and about dead workers to both, whatever it is told.
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    os.dup2(nothing, 2)
    with suppress(EOFError, OSError):
        order: _Order = pickle.loads(orders.recv_bytes())
        try:
            with closing(_answers(order)) as answers:
                for message in answers:
                    orders.send_bytes(pickle.dumps(message))
            orders.send_bytes(b"")
        except FacetalkError as error:
            orders.send_bytes(pickle.dumps((_ERROR, Reply("failed", (str(error), error.exit_code), []))))


def _answers(order: _Order) -> Generator[tuple[int | str, Any], None, None]:
    # A program that runs offline sends no statistics; ray reads this where it is imported, like the next one, which
    # spares a warning about graphics cards.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    import ray  # pyright: ignore[reportMissingImports]
    import ray.exceptions  # pyright: ignore[reportMissingImports]

    with _connection(ray, order.address, order.jobs):
        if order.address == HERE:
            yield _LOG, ray._private.worker._global_node.get_session_dir_path()  # pyright: ignore
        total = len(order.items)
        count = min(order.jobs or max(1, int(ray.cluster_resources().get("CPU", 1))), total)
        task = ray.remote(num_cpus=1, max_retries=MOST_RETRIES)(_reply_there)
        loaded = uuid4().hex, ray.put(order.work), order.folder
        waiting = list(zip(range(total), item_names(total), order.items, strict=True))[::-1]
        running: dict[Any, int] = {}
        while waiting or running:
            while waiting and len(running) < count:
                number, name, item = waiting.pop()
                running[task.remote(*loaded, name, item)] = number
            for answer in ray.wait(list(running))[0]:
                number = running.pop(answer)
                try:
                    yield number, ray.get(answer)
                except ray.exceptions.RayError as error:
                    reason = str(error).strip().splitlines() or [type(error).__name__]
                    why = f"Ray gave up after {MOST_RETRIES} retries: {reason[0]}"
                    yield number, Reply("failed", (why, FacetalkError.exit_code), [])


@contextmanager
def _connection(ray: Any, address: str, jobs: int | None) -> Iterator[None]:
    """Connect for the time of the block; a local cluster ends with it."""
    size = {"num_cpus": jobs or usable_cores(), "include_dashboard": False} if address == HERE else {}
    try:
        ray.init(address=address, logging_level="ERROR", log_to_driver=False, **size)
    except (OSError, RuntimeError, ValueError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
        raise FacetalkError(f"there is no Ray cluster at {address!r:.100} that can be used: {reason}{_HINT}") from None
    try:
        yield
    finally:
        ray.shutdown()


_loaded: dict[str, Callable[[Any], Any]] = {}
"""In a worker: the work of the current run, with the models that it has loaded."""


def _reply_there(run: str, pickled: bytes, folder: str, name: str, item: bytes) -> Reply:
    """In a worker: the reply to one item, with relative paths as where the run began."""
    os.chdir(folder)
    if run not in _loaded:
        use_one_core()
        _loaded.clear()
        _loaded[run] = pickle.loads(pickled)
    return reply(_loaded[run], name, pickle.loads(item))
