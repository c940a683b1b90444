"""Ctrl-C, SIGTERM and SIGHUP end a run in the same way: clean up, report, leave within two seconds."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from facetalk.core.leftovers import discard_leftovers

GRACE_S = 1.5
"""How long a run may take to end by itself; a thread or a library that does not return is then left behind."""

INTERRUPTED = 130
"""Exit code after Ctrl-C; shells expect 128 plus the number of the signal: 143 after SIGTERM, 129 after SIGHUP."""


class Interruption(KeyboardInterrupt):
    """Raised in the main thread by one of the signals."""


_received: list[int] = []
_before_leaving: list[Callable[[], None]] = []


def handle_signals() -> None:
    """Let the signals interrupt the main thread; call once, at the start of the program."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as under nohup, or in the background of a script
            signal.signal(number, _interrupt)
    sys.unraisablehook = _without_interruptions(sys.unraisablehook)


def was_interrupted() -> bool:
    """Whether one of the signals has arrived."""
    return bool(_received)


def interruption_code() -> int:
    """Exit code of the interruption."""
    return 128 + _received[0] if _received else INTERRUPTED


def before_leaving(action: Callable[[], None]) -> None:
    """Call this also where the run does not end by itself in time, such as to print what was done."""
    _before_leaving.append(action)


def leave(code: int) -> None:
    """End the process now, without waiting for threads."""
    discard_leftovers()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


def _interrupt(number: int, frame: object) -> None:
    if _received:
        return  # it is being dealt with
    _received.append(number)
    threading.Thread(target=_leave_in_time, daemon=True).start()
    raise Interruption


def _leave_in_time() -> None:
    time.sleep(GRACE_S)
    for action in _before_leaving:
        action()
    leave(interruption_code())


def _without_interruptions(show: Callable[[Any], Any]) -> Callable[[Any], None]:
    """A hook for exceptions that cannot be raised, such as in destructors, that is silent about interruptions."""

    def hook(unraisable: Any) -> None:
        if not issubclass(unraisable.exc_type, KeyboardInterrupt):
            show(unraisable)

    return hook
