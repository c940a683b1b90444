"""Downloads: over https, of limited size, completely or not at all."""

from __future__ import annotations

import ipaddress
import re
import urllib.error
import urllib.request
from http.client import HTTPException, HTTPMessage
from pathlib import Path
from typing import IO, Any
from urllib.parse import unquote, urlsplit

from facetalk.core.errors import FacetalkError, MissingAssetError
from facetalk.core.progress import Progress, no_progress
from facetalk.core.version import __version__
from facetalk.io.files import replacing

MOST_BYTES = 2 << 30
"""Four times the largest published head model with all its OBJ files."""
_TIMEOUT_S = 30.0
_BLOCK = 1 << 20


def download(address: str, folder: Path, *, most_bytes: int = MOST_BYTES, progress: Progress = no_progress) -> Path:
    """Download a file into a folder, named after the end of the address; nothing is left behind after an error.

    Args:
        address: https, or http on this machine.
        folder: destination.
        most_bytes: larger files are refused.
        progress: called with the numbers of downloaded and expected bytes.
    """
    _check(address)
    handlers: list[Any] = [_CheckedRedirects()]
    if _is_loopback(urlsplit(address).hostname or ""):
        handlers.append(urllib.request.ProxyHandler({}))
    request = urllib.request.Request(address, headers={"User-Agent": f"facetalk/{__version__}"})
    out_path = folder / _name(address)
    try:
        with urllib.request.build_opener(*handlers).open(request, timeout=_TIMEOUT_S) as answer:
            expected = int(answer.headers.get("Content-Length") or 0)
            with replacing(out_path) as temporary, temporary.open("wb") as file:
                _copy(address, answer, file, expected, most_bytes, progress)
    except urllib.error.HTTPError as error:
        raise MissingAssetError(
            f"{address} cannot be downloaded: the server says {error.code} {error.reason}; {_HELP}"
        ) from None
    except (urllib.error.URLError, OSError, HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise MissingAssetError(f"{address} cannot be downloaded: {reason}; check the network, or {_HELP}") from None
    return out_path


_HELP = "download it yourself and give the path"


def _copy(address: str, answer: Any, file: IO[bytes], expected: int, most_bytes: int, progress: Progress) -> None:
    if expected > most_bytes:
        raise FacetalkError(f"{address} has {expected >> 20} MiB, more than the {most_bytes >> 20} MiB of a head model")
    done = 0
    while block := answer.read(_BLOCK):
        done += len(block)
        if done > most_bytes:
            raise FacetalkError(f"{address} has more than the {most_bytes >> 20} MiB of a head model")
        file.write(block)
        progress(f"downloading {_name(address)}", done, max(expected, done))
    if done < expected:
        raise MissingAssetError(f"{address} ended after {done} of {expected} bytes; try again, or {_HELP}")


class _CheckedRedirects(urllib.request.HTTPRedirectHandler):
    """Follows a redirect only to an address that is allowed too."""

    def redirect_request(
        self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> urllib.request.Request | None:
        """See `HTTPRedirectHandler`."""
        _check(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _check(address: str) -> None:
    parts = urlsplit(address)
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(parts.hostname or "")):
        raise FacetalkError(f"{address} is not downloaded: only https addresses are; {_HELP}")


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _name(address: str) -> str:
    last = unquote(urlsplit(address).path).rstrip("/").rpartition("/")[2]
    return re.sub(r"[^A-Za-z0-9._-]", "_", last).lstrip(".") or "download"
