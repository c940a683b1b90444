"""A process of its own that ends with this one."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from multiprocessing import get_context, resource_tracker
from multiprocessing.connection import Connection
from types import ModuleType

from facetalk.core.leftovers import discard_leftovers

STOPPED = 143
"""Exit code of a child that was stopped."""

END_S = 1.0
"""How long a child may take to remove its temporary files."""


class Child:
    """A spawned process, and a connection to it."""

    def __init__(self, run: Callable[[Connection, Connection], None]) -> None:
        """Start it.

        Args:
            run: a module-level function, which gets the other end of `connection`, and what `obey` takes.
        """
        # Spawned, because MediaPipe's threads do not survive a fork.
        context = get_context("spawn")
        self.connection, its_connection = context.Pipe()
        its_parent, self._stop = context.Pipe(duplex=False)
        self._process = context.Process(target=run, args=(its_connection, its_parent), daemon=True)
        # Ctrl-C reaches all processes of a terminal; this one decides what becomes of the others. The tracker of
        # multiprocessing, which the first process would start, unblocks the signal.
        resource_tracker.ensure_running()
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        # Otherwise the child would run the user's script once more, up to the point where it starts children. It needs
        # nothing of it.
        script, sys.modules["__main__"] = sys.modules["__main__"], ModuleType("__main__")
        try:
            self._process.start()
        finally:
            sys.modules["__main__"] = script
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        # Closed here, so that this side notices when the process has died.
        its_connection.close()
        its_parent.close()

    def send(self, data: bytes) -> None:
        """Send, unless the process has died, which is noticed where its answer is read."""
        try:
            self.connection.send_bytes(data)
        except OSError:
            return

    def receive(self) -> bytes | None:
        """What it sends; None if it has died."""
        try:
            return self.connection.recv_bytes()
        except (EOFError, OSError):
            return None

    def last_words(self) -> str:
        """How it died, after `receive` said that it did."""
        self._process.join(END_S)
        code = self._process.exitcode
        if code is not None and code < 0:
            name = signal.Signals(-code).name
            hint = " (memory may have run out: try fewer --jobs)" if name == "SIGKILL" else ""
            return f"was ended by {name}{hint}"
        return f"ended with code {code}"

    def ask_to_end(self) -> None:
        """Let it remove its temporary files and end."""
        self._stop.close()
        self.connection.close()

    def end(self) -> None:
        """Wait until it has ended, and kill it if that takes too long."""
        self.ask_to_end()
        self._process.join(END_S)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self._process.close()


def obey(parent: Connection) -> None:
    """In the child: end when the parent wants so or has died, and at SIGTERM.

    Args:
        parent: carries nothing; its other end is closed when this process is to end, and when the parent has died.
    """
    signal.signal(signal.SIGTERM, lambda *_: _exit())
    threading.Thread(target=_end_after, args=(parent,), daemon=True).start()


def _end_after(parent: Connection) -> None:
    """Also where the main thread does not return to the interpreter for a long time."""
    try:
        parent.recv_bytes()
    except (EOFError, OSError):
        _exit()


def _exit() -> None:
    discard_leftovers()
    os._exit(STOPPED)
