"""What a worker of `each_in_parallel` does and answers. It loads torch only once it watches its parent."""

from __future__ import annotations

import logging
import pickle
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any, NamedTuple
from uuid import uuid4

from facetalk.core.child import obey
from facetalk.core.errors import USER_ERRORS, FacetalkError, user_error
from facetalk.core.leftovers import working_on
from facetalk.core.light_torch import defer_parts_of_torch

MOST_RETRIES = 3
"""Of an item whose worker or machine died."""


def serve(jobs: Connection, parent: Connection) -> None:
    """Answer each item with `reply`, until there are no more.

    Args:
        jobs: gives the pickled function and then its arguments, one by one, each with a name; takes the replies.
        parent: see `obey`.
    """
    obey(parent)
    defer_parts_of_torch()
    logging.getLogger("facetalk.core.kernels").setLevel(logging.ERROR)  # the parent has said so
    try:
        work = pickle.loads(jobs.recv_bytes())
        from facetalk.core.threads import use_one_core

        use_one_core()
        while True:
            # Pickled here: a connection would share the memory of tensors, which ends with this process.
            jobs.send_bytes(pickle.dumps(reply(work, *pickle.loads(jobs.recv_bytes()))))
    except (EOFError, ConnectionError):
        return


class Reply(NamedTuple):
    """What a worker answers."""

    state: str
    """`done`, `failed` or `broken`."""
    value: Any
    """The result; message and exit code of a user's error; or the traceback."""
    warnings: list[tuple[str, int, str]]
    """What was logged: names, levels and messages."""


def item_names(count: int) -> list[str]:
    """Names of the items of a run, which no other run has; they begin those of temporary files."""
    run = uuid4().hex[:8]
    return [f"{run}.{number}" for number in range(count)]


def reply(work: Callable[[Any], Any], name: str, item: Any) -> Reply:
    """What becomes of an item, for `result_of` in the process that asks; another try at it has the same name."""
    with _noted_warnings() as warnings, working_on(name):
        try:
            return Reply("done", work(item), warnings)
        except USER_ERRORS as error:
            told = user_error(error)
            return Reply("failed", (str(told), told.exit_code), warnings)
        except Exception:
            return Reply("broken", traceback.format_exc(), warnings)


def result_of(item: Any, answer: Reply) -> Any:
    """The result of an item or the user's error, with warnings logged as if it had been processed here.

    Raises:
        RuntimeError: the program has made a mistake.
    """
    for name, level, message in answer.warnings:
        logging.getLogger(name).log(level, "%s", message)
    if answer.state == "broken":
        raise RuntimeError(f"a worker failed on {item}:\n{answer.value}")
    if answer.state == "failed":
        error = FacetalkError(answer.value[0])
        error.exit_code = answer.value[1]
        return error
    return answer.value


@contextmanager
def _noted_warnings() -> Iterator[list[tuple[str, int, str]]]:
    """What is logged in the block, which this process does not show."""
    noted: list[tuple[str, int, str]] = []

    class Notes(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            noted.append((record.name, record.levelno, record.getMessage()))

    logger, notes = logging.getLogger("facetalk"), Notes(logging.WARNING)
    logger.addHandler(notes)
    propagate, logger.propagate = logger.propagate, False
    try:
        yield noted
    finally:
        logger.removeHandler(notes)
        logger.propagate = propagate
