"""A headless Chromium, driven over the DevTools protocol through two pipes: no port, no driver, no package."""

from __future__ import annotations

import base64
import contextlib
import fcntl
import io
import itertools
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

OPTIONS = ("--headless=new", "--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--no-first-run",
           "--disable-extensions", "--autoplay-policy=no-user-gesture-required", "--hide-scrollbars",
           "--force-device-scale-factor=1", "--disable-audio-output", "--disable-renderer-backgrounding",
           "--disable-backgrounding-occluded-windows")  # fmt: skip
AFTER_A_FRAME = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(VALUE))))"
_TIMEOUT_S = 120

_ON_3_AND_4 = """
import os, sys
for given, wanted in zip(sys.argv[1:3], (3, 4)):
    os.dup2(int(given), wanted)
os.execv(sys.argv[3], sys.argv[3:])
"""
"""Starts a program that reads commands from descriptor 3 and writes answers to 4, as a browser does."""


def chromium() -> str:
    """The browser's program; the test skips without it."""
    found = next(
        (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
    )
    if found is None:
        pytest.skip("no Chromium on this machine")
    return found


class Tab:
    """One page of a browser."""

    def __init__(self, send: int, receive: int) -> None:
        self._send, self._receive, self._rest = send, receive, b""
        self._numbers = itertools.count(1)
        self.messages: list[str] = []
        """What the page wrote to its console, and what went wrong in it."""
        self.requests: list[str] = []
        """Addresses that the page loaded."""
        self._session = ""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.call("Page.bringToFront")  # pages in the background have a low priority

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """A command of the protocol, and its result."""
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._send, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return answer["result"]

    def open(self, address: str, size: tuple[int, int] = (900, 640), theme: str = "light") -> None:
        """Load a page, and wait until it says that it is ready."""
        self.messages.clear()
        self.requests.clear()
        screen = {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": False}
        self.call("Emulation.setDeviceMetricsOverride", **screen)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": theme}])
        self.call("Page.navigate", url=address)
        self.until("document.body?.dataset.ready")
        assert self.run("document.body.dataset.ready") == "yes", self.messages

    def run(self, script: str) -> Any:
        """The value of an expression in the page, as JSON has it."""
        result = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    def until(self, condition: str) -> None:
        """Wait for an expression to become true."""
        end = time.monotonic() + _TIMEOUT_S
        while not self.run(condition):
            assert time.monotonic() < end, f"{condition} did not become true; {self.messages}"
            time.sleep(0.05)

    def press(self, key: str, text: str = "") -> None:
        """Press and release a key."""
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, text=text if kind == "keyDown" else "")

    def picture(self, selector: str = "") -> np.ndarray:
        """What is seen of the page, or of an element: (height, width, 3) sRGB."""
        self.run(AFTER_A_FRAME.replace("VALUE", "0"))
        options: dict[str, Any] = {"format": "png"}
        if selector:
            box = self.run(f"document.querySelector('{selector}').getBoundingClientRect().toJSON()")
            options["clip"] = {side: box[side] for side in ("x", "y", "width", "height")} | {"scale": 1}
        data = base64.b64decode(self.call("Page.captureScreenshot", **options)["data"])
        return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._receive], [], [], _TIMEOUT_S)
            assert ready, "the browser did not answer"
            part = os.read(self._receive, 1 << 16)
            assert part, "the browser has ended"
            self._rest += part
        message, _, self._rest = self._rest.partition(b"\0")
        answer = json.loads(message)
        self._note(answer.get("method"), answer.get("params", {}))
        return answer

    def _note(self, method: str | None, parameters: dict[str, Any]) -> None:
        if method == "Log.entryAdded":
            self.messages.append(parameters["entry"]["text"])
        elif method == "Runtime.consoleAPICalled":
            self.messages.append(" ".join(str(value.get("value")) for value in parameters["args"]))
        elif method == "Runtime.exceptionThrown":
            details = parameters["exceptionDetails"]
            self.messages.append(details.get("exception", {}).get("description", details["text"]))
        elif method == "Network.requestWillBeSent" and not parameters["request"]["url"].startswith(("data:", "blob:")):
            self.requests.append(parameters["request"]["url"])


@contextlib.contextmanager
def browser() -> Iterator[Tab]:
    """A browser with one empty page."""
    program = chromium()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        their_in, our_out = _pipe()
        our_in, their_out = _pipe()
        command = [sys.executable, "-c", _ON_3_AND_4, str(their_in), str(their_out), program, *OPTIONS]
        process = subprocess.Popen(
            [*command, "--remote-debugging-pipe", f"--user-data-dir={profile}"],
            pass_fds=(their_in, their_out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(their_in)
        os.close(their_out)
        try:
            yield Tab(our_out, our_in)
        finally:
            process.terminate()
            process.wait(20)
            os.close(our_out)
            os.close(our_in)


def page_address(path: Path) -> str:
    """Address of a file."""
    return path.resolve().as_uri()


def _pipe() -> tuple[int, int]:
    """The reading and the writing end of a pipe, out of the way of descriptors 3 and 4."""
    ends = []
    for end in os.pipe():
        ends.append(fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 5))
        os.close(end)
    return ends[0], ends[1]
