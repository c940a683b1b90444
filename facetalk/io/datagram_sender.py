"""Datagrams to another program, frame by frame at the frame rate."""

from __future__ import annotations

import contextlib
import ipaddress
import queue
import socket
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from facetalk.core.errors import UsageError

_MOST_WAITING = 300
"""Frames that wait for their time, ten seconds; who sends more waits with them."""


@dataclass(frozen=True)
class Receiver:
    """Where datagrams go: an address that has been looked up."""

    family: socket.AddressFamily
    address: tuple[Any, ...]
    """As `socket.sendto` takes it."""

    @classmethod
    def named(cls, text: str, port: int) -> Receiver:
        """Look up `HOST` or `HOST:PORT`.

        Args:
            text: as it was typed.
            port: where none is given.

        Raises:
            UsageError: it is no address, or the host is unknown.
        """
        host, port = address_of(text, port)
        try:
            family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        except (OSError, UnicodeError) as error:
            reason = getattr(error, "strerror", None) or error
            raise UsageError(f"the host {host!r:.80} is unknown: {reason}") from None
        return cls(family, address)


def address_of(text: str, port: int) -> tuple[str, int]:
    """Read `HOST` or `HOST:PORT`; an IPv6 address with a port stands in brackets.

    Args:
        text: as it was typed.
        port: where none is given.

    Raises:
        UsageError: it is none.
    """
    host, colon, number = text.rpartition(":") if text.count(":") == 1 or text.startswith("[") else (text, "", "")
    if text.endswith("]"):
        host, colon, number = text, "", ""
    bracketed = host.startswith("[") and host.endswith("]")
    host = host[1:-1] if bracketed else host
    wrong_port = colon and not (number.isascii() and number.isdigit() and 0 < int(number[:6]) < 65_536)
    if not host or wrong_port or set(host) & set("[]/") or ((":" in host or bracketed) and not _is_ipv6(host)):
        raise UsageError(f"{text[:80]!r} is no address; write it as HOST:PORT, as 127.0.0.1:{port} or [::1]:{port}")
    return host, int(number) if number else port


def _is_ipv6(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).version == 6
    except ValueError:
        return False


class DatagramSender:
    """Sends the datagrams of each frame when it is its turn: frames come in groups, and receivers show what they get.

    A receiver that is not there is no error: UDP does not tell.
    """

    def __init__(self, receiver: Receiver, fps: float) -> None:
        """Open a socket.

        Args:
            receiver: who gets them.
            fps: frames a second.
        """
        self._address = receiver.address
        self._socket = socket.socket(receiver.family, socket.SOCK_DGRAM)
        self._step_s = 1 / fps
        self._dropped = threading.Event()
        self._waiting: queue.Queue[Sequence[bytes] | None] = queue.Queue(_MOST_WAITING)
        self._thread = threading.Thread(target=self._send, daemon=True)
        self._thread.start()

    def put(self, frame: Sequence[bytes]) -> None:
        """Take the datagrams of the next frame; waits where many are waiting."""
        self._waiting.put(frame)

    def close(self, drop: bool = False) -> None:
        """Close the socket.

        Args:
            drop: what is waiting; otherwise it is sent before, each frame at its time.
        """
        if drop:
            self._dropped.set()
        self._waiting.put(None)
        self._thread.join()
        self._socket.close()

    def _send(self) -> None:
        due = time.monotonic()
        while (frame := self._waiting.get()) is not None:
            now = time.monotonic()
            if self._dropped.wait(max(0.0, due - now)):
                continue
            # After a pause, the next frame starts a new beat; a frame that is a little late does not shift the others.
            due = max(due, now - self._step_s) + self._step_s
            for datagram in frame:
                with contextlib.suppress(OSError):
                    self._socket.sendto(datagram, self._address)
