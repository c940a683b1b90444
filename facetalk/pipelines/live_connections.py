"""Connections that bring no request: they are closed before they use up what the server has, and fill no log."""

from __future__ import annotations

import asyncio
import logging
import time

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
