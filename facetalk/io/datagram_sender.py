"""Datagrams to another program, frame by frame at the frame rate."""

from __future__ import annotations

import contextlib
import queue
import socket
import threading
import time
from collections.abc import Sequence
from types import TracebackType

from facetalk.core.errors import FacetalkError, UsageError

_MOST_WAITING = 300
"""Frames that wait for their time, ten seconds; who sends more waits with them."""


def address_of(text: str, port: int) -> tuple[str, int]:
    """Read `HOST` or `HOST:PORT`.

    Args:
        text: as it was typed.
        port: where none is given.

    Raises:
        UsageError: it is none.
    """
    host, colon, number = text.rpartition(":") if text.count(":") == 1 else (text, "", "")
    if not host or (colon and not (number.isascii() and number.isdigit() and 0 < int(number[:6]) < 65_536)):
        raise UsageError(f"{text[:80]!r} is no address; write it as HOST:PORT, such as 127.0.0.1:{port}")
    return host, int(number) if number else port


class DatagramSender:
    """Sends the datagrams of each frame when it is its turn: frames come in groups, and receivers show what they get.

    A receiver that is not there is no error: UDP does not tell.
    """

    def __init__(self, address: tuple[str, int], fps: float) -> None:
        """Open a socket.

        Args:
            address: host and port of the receiver.
            fps: frames a second.

        Raises:
            FacetalkError: the host is unknown.
        """
        try:
            family, kind, _, _, self._address = socket.getaddrinfo(*address, type=socket.SOCK_DGRAM)[0]
        except OSError as error:
            raise FacetalkError(f"the host {address[0]!r:.80} is unknown: {error.strerror or error}") from None
        self._socket = socket.socket(family, kind)
        self._step_s = 1 / fps
        self._waiting: queue.Queue[Sequence[bytes] | None] = queue.Queue(_MOST_WAITING)
        self._thread = threading.Thread(target=self._send, daemon=True)
        self._thread.start()

    def put(self, frame: Sequence[bytes]) -> None:
        """Take the datagrams of the next frame; waits where many are waiting."""
        self._waiting.put(frame)

    def close(self) -> None:
        """Send what is waiting, and close the socket."""
        self._waiting.put(None)
        self._thread.join()
        self._socket.close()

    def _send(self) -> None:
        due = time.monotonic()
        while (frame := self._waiting.get()) is not None:
            now = time.monotonic()
            if now < due:
                time.sleep(due - now)
            # After a pause, the next frame starts a new beat; a frame that is a little late does not shift the others.
            due = max(due, now - self._step_s) + self._step_s
            for datagram in frame:
                with contextlib.suppress(OSError):
                    self._socket.sendto(datagram, self._address)

    def __enter__(self) -> DatagramSender:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
