"""Shows a page to this computer's browsers, and to nobody else.

The server answers at the loopback address alone, knows one page and no files, and its path holds a secret, so that
other users of the computer do not find it. The header `Host` has to name the address: a web site that lets its own name
point to this computer (DNS rebinding) gets nothing.
"""

from __future__ import annotations

import os
import secrets
import webbrowser
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

from facetalk.core.errors import FacetalkError

HOST = "127.0.0.1"
_IDLE_S = 10.0
"""A connection that sends nothing for so long is closed."""
_HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class PageServer(ThreadingHTTPServer):
    """A server of one page; `serve_forever` runs it."""

    daemon_threads = True

    def __init__(self, page: str, port: int = 0) -> None:
        """Open the port.

        Args:
            page: HTML.
            port: number of the port; 0 for any free one.

        Raises:
            FacetalkError: the port is taken, or not for everybody.
        """
        self.page = page.encode("utf-8", "replace")
        self.path = f"/{secrets.token_urlsafe(12)}/"
        try:
            super().__init__((HOST, port), _Handler)
        except OSError as error:
            reason = error.strerror or str(error)
            raise FacetalkError(f"port {port} cannot be opened: {reason}; give another --port, or none") from None

    @property
    def address(self) -> str:
        """Where the page is."""
        return f"http://{HOST}:{self.server_port}{self.path}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing about browsers that hang up."""


class _Handler(BaseHTTPRequestHandler):
    timeout = _IDLE_S
    server_version, sys_version = "facetalk", ""

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def _answer(self, with_body: bool) -> None:
        server = cast(PageServer, self.server)
        port = server.server_port
        if self.headers.get("Host") not in (f"{HOST}:{port}", f"localhost:{port}"):
            self.send_error(HTTPStatus.MISDIRECTED_REQUEST)
        elif self.path != server.path:
            self.send_error(HTTPStatus.NOT_FOUND)
        else:
            self.send_response(HTTPStatus.OK)
            for name, value in _HEADERS.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(server.page)))
            self.end_headers()
            if with_body:
                self.wfile.write(server.page)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Say nothing about requests."""


def open_browser(address: str) -> bool:
    """Open an address where there is a screen; a browser in the terminal would block the program."""
    has_screen = any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
    return has_screen and webbrowser.open(address)
