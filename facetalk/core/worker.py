"""Main function of the processes of `each_in_parallel`. It loads torch only once it watches its parent."""

from __future__ import annotations

import logging
import os
import pickle
import signal
import threading
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from facetalk.core.errors import USER_ERRORS, user_error
from facetalk.core.leftovers import discard_leftovers

STOPPED = 143
"""Exit code of a worker that was stopped."""


def serve(jobs: Connection, parent: Connection) -> None:
    """Answer each item with `reply`, until there are no more.

    Args:
        jobs: gives the pickled function and then its arguments, one by one; takes the replies.
        parent: carries nothing; its other end is closed when this process is to end, and when the parent has died.
    """
    signal.signal(signal.SIGTERM, lambda *_: _stop())
    threading.Thread(target=_stop_after, args=(parent,), daemon=True).start()
    logging.getLogger("facetalk.core.kernels").setLevel(logging.ERROR)  # the parent has said so
    try:
        work = pickle.loads(jobs.recv_bytes())
        from facetalk.core.threads import use_one_core

        use_one_core()
        while True:
            jobs.send(reply(work, jobs.recv()))
    except (EOFError, ConnectionError):
        return


def reply(work: Callable[[Any], Any], item: Any) -> tuple[str, Any]:
    """`done` and the result, `failed` with message and exit code of a user's error, or `broken` and the traceback."""
    try:
        return "done", work(item)
    except USER_ERRORS as error:
        told = user_error(error)
        return "failed", (str(told), told.exit_code)
    except Exception:
        return "broken", traceback.format_exc()


def _stop_after(parent: Connection) -> None:
    """Also where the main thread does not return to the interpreter for a long time."""
    try:
        parent.recv_bytes()
    except (EOFError, OSError):
        _stop()


def _stop() -> None:
    discard_leftovers()
    os._exit(STOPPED)
