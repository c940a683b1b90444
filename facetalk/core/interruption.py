"""Ctrl-C, SIGTERM and SIGHUP end a run in the same way: clean up, report, leave within two seconds.

The program loads this module before all others and handles signals from then on, so it imports as little as possible.
"""

from __future__ import annotations

import os
import signal
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

GRACE_S = 1.5
"""How long a run may take to end by itself; a thread or a library that does not return is then left behind."""

INTERRUPTED = 130
"""Exit code after Ctrl-C; shells expect 128 plus the number of the signal: 143 after SIGTERM, 129 after SIGHUP."""


class Interruption(KeyboardInterrupt):
    """Raised in the main thread by one of the signals."""


_received: list[int] = []
_acknowledged: list[bool] = []
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


def acknowledge() -> bool:
    """Note that the user has been told about the interruption; returns whether that was so before."""
    known = bool(_acknowledged)
    _acknowledged.append(True)
    return known


def before_leaving(action: Callable[[], None]) -> None:
    """Call this also where the run does not end by itself in time, such as to print what was done; the last first."""
    _before_leaving.append(action)


def leave(code: int) -> None:
    """End the process now, without waiting for threads."""
    from facetalk.core.leftovers import discard_leftovers

    discard_leftovers()
    for stream in (sys.stdout, sys.stderr):
        try:  # noqa: SIM105
            stream.flush()
        except (OSError, ValueError):
            pass
    os._exit(code)


def _interrupt(number: int, frame: object) -> None:
    if _received:
        return  # it is being dealt with
    _received.append(number)
    import threading

    threading.Thread(target=_leave_in_time, daemon=True).start()
    raise Interruption


def _leave_in_time() -> None:
    time.sleep(GRACE_S)
    for action in reversed(_before_leaving):
        action()
    leave(interruption_code())


def _without_interruptions(show: Callable[[Any], Any]) -> Callable[[Any], None]:
    """A hook for exceptions that cannot be raised, such as in destructors, that is silent about interruptions."""

    def hook(unraisable: Any) -> None:
        if not issubclass(unraisable.exc_type, KeyboardInterrupt):
            show(unraisable)

    return hook
