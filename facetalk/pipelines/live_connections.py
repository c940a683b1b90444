"""Connections that bring no request: they are closed before they use up what the server has, and fill no log."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any

from aiohttp import web
from aiohttp.http import HttpProcessingError

_EVERY_S = 0.5


class Connections:
    """Watches over all connections of a server; requests are let in by `LiveServer`."""

    def __init__(self, most: int, request_s: float) -> None:
        """Nobody is connected.

        Args:
            most: open at a time.
            request_s: time until the first request.
        """
        self._most, self._request_s = most, request_s
        self._heard: set[web.RequestHandler] = set()
        """Connections that have brought a request."""

    def heard(self, connection: web.RequestHandler) -> None:
        """Take note of a connection (`web.Request.protocol`) that has brought a request."""
        self._heard.add(connection)

    async def watch(self, runner: web.AppRunner) -> None:
        """Close those that bring no request in time, and of too many those that have not brought one yet."""
        since: dict[web.RequestHandler, float] = {}
        while True:
            await asyncio.sleep(_EVERY_S)
            connections = [] if runner.server is None else runner.server.connections
            now = time.monotonic()
            since = {connection: since.get(connection, now) for connection in connections}
            self._heard &= set(connections)
            waiting = [connection for connection in since if connection not in self._heard]
            late = [connection for connection in waiting if now - since[connection] > self._request_s]
            excess = len(connections) - self._most
            for connection in {*late, *waiting[: max(0, excess)]}:
                if connection.transport is not None:
                    connection.transport.abort()


class MaskedFrames:
    """Passes what a client sends to the reader of its WebSocket, and refuses frames that are not masked.

    Aiohttp accepts both; a server must not (RFC 6455, section 5.1), because masks keep a page in a browser from writing
    bytes of its choice to proxies.
    """

    def __init__(self, reader: Any) -> None:
        """Take the place of a reader."""
        self._reader = reader
        self._header, self._left = b"", 0
        """What is known of the frame that begins, and the bytes of the frame at work that have not come."""

    @classmethod
    def watch(cls, request: web.Request) -> None:
        """Watch over a connection that has become a WebSocket; aiohttp offers no other place."""
        protocol: Any = request.protocol
        protocol._payload_parser = cls(protocol._payload_parser)

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        """Pass on whole headers and any part of what follows them."""
        data, place = self._header + data, 0
        self._header = b""
        while place < len(data):
            if self._left:
                place, self._left = min(len(data), place + self._left), max(0, self._left - (len(data) - place))
                continue
            size = _header_bytes(data[place : place + 2])
            if size is None:
                return self._reader.feed_data(data[:place] + _MALFORMED)
            if len(data) - place < size:
                data, self._header = data[:place], data[place:]
                break
            self._left = _payload_bytes(data[place : place + size])
            place += size
        return self._reader.feed_data(data)

    def feed_eof(self) -> None:
        """Pass on the end."""
        self._reader.feed_eof()


_MALFORMED = b"\x70\x80"
"""The beginning of a frame with reserved bits, for which the reader closes with 1002, a protocol error."""
_LENGTHS = {126: 2, 127: 8}
_MASK_BYTES = 4


def _header_bytes(begin: bytes) -> int | None:
    """Bytes of the header that begins so, at least two; None if it has no mask."""
    if len(begin) < 2:
        return 2
    return 2 + _LENGTHS.get(begin[1] & 0x7F, 0) + _MASK_BYTES if begin[1] & 0x80 else None


def _payload_bytes(header: bytes) -> int:
    """Bytes that follow a header."""
    short = header[1] & 0x7F
    return int.from_bytes(header[2 : 2 + _LENGTHS[short]], "big") if short in _LENGTHS else short


def request_log() -> logging.Logger:
    """A log of what goes wrong in requests, without what only their senders can mend."""
    log = logging.getLogger("facetalk.requests")
    if not any(isinstance(one, _OwnFaults) for one in log.filters):
        log.addFilter(_OwnFaults())
    return log


class _OwnFaults(logging.Filter):
    """Leaves out malformed requests, and connections that were lost."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a record is logged."""
        error = record.exc_info[1] if record.exc_info else None
        return not isinstance(error, HttpProcessingError | web.RequestPayloadError | ConnectionError)
