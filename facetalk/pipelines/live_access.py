"""Who may use the server: programs on this computer, and whoever has the token.

A browser sends requests to this computer for any web site that is open in it. Its pages are told apart by the header
`Origin`, and a site that lets its own name point to this computer (DNS rebinding) by the header `Host`.
"""

from __future__ import annotations

import hmac
import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from facetalk.core.errors import UsageError

TOKEN = "FACETALK_TOKEN"
"""Environment variable with the token: a command line can be read by other users of the computer."""

_SHORTEST_TOKEN = 16


@dataclass(frozen=True)
class Access:
    """Who may use a server."""

    host: str = "127.0.0.1"
    """Address that it listens at."""
    origins: tuple[str, ...] = ()
    """Web pages that may use it, such as `http://localhost:3000`."""
    token: str | None = None
    """What requests have to state; nothing if None."""

    def __post_init__(self) -> None:
        for origin in self.origins:
            parts = urlsplit(origin)
            if (
                parts.scheme not in ("http", "https")
                or not parts.netloc
                or origin != f"{parts.scheme}://{parts.netloc}"
            ):
                raise UsageError(f"{origin[:80]!r} is no origin; write it as http://localhost:3000")
        if self.token is not None and len(self.token) < _SHORTEST_TOKEN:
            raise UsageError(f"the token in {TOKEN} has {len(self.token)} characters; {_SHORTEST_TOKEN} are needed")
        if self.token is None and not is_local(self.host):
            raise UsageError(
                f"at {self.host[:80]} other computers can use the server; put a secret into the environment variable "
                f"{TOKEN}, or leave out --host"
            )

    @classmethod
    def of_environment(cls, host: str, origins: tuple[str, ...] = ()) -> Access:
        """Access with the token of the environment."""
        return cls(host.removeprefix("[").removesuffix("]"), origins, os.environ.get(TOKEN) or None)

    def refusal(self, headers: Mapping[str, str], query: Mapping[str, str]) -> str | None:
        """Why a request is refused; None if it is not.

        Args:
            headers: of the request, by lower-case names.
            query: of its address.
        """
        if is_local(self.host) and not is_local(_name_of(headers.get("host", ""))):
            return "the header Host does not name this computer"
        origin = headers.get("origin")
        if origin is not None and origin not in self.origins:
            return "the origin of the web page is not among those of --origin"
        if self.token is not None:
            scheme, _, credentials = headers.get("authorization", "").partition(" ")
            given = credentials.strip() if scheme.lower() == "bearer" else query.get("token", "")
            if not hmac.compare_digest(_bytes_of(given), _bytes_of(self.token)):
                return "the token is missing or wrong"
        return None


def is_local(host: str) -> bool:
    """Whether only this computer can reach an address."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _name_of(host: str) -> str:
    """The name in a header `Host`, without its port."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _bytes_of(text: str) -> bytes:
    """The bytes of a header or an environment variable, which may be no UTF-8."""
    return text.encode("utf-8", "surrogateescape")
