"""A headless Chromium that plays a character in three.js and tells what it saw."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.chromium import OPTIONS, chromium

PAGE = Path(__file__).with_name("player.html")
_TIMEOUT_S = 240


def three_folder() -> Path:
    """The unpacked npm package `three`; the test skips without it."""
    folder = Path(os.environ.get("FACETALK_THREE", "/nowhere"))
    if not (folder / "build/three.module.js").is_file():
        pytest.skip("no three.js: unpack its npm package (npm pack three) and name the folder in FACETALK_THREE")
    return folder


def played(
    avatar: Path, times: Sequence[float], shown: float, view: Sequence[Sequence[float]], size: int = 480
) -> dict[str, Any]:
    """What three.js makes of a character's first animation.

    Args:
        avatar: `.glb` file.
        times: seconds at which weights and rotations are read.
        shown: second that the image shows.
        view: lowest and highest corner of what the image shows, in the file's world.
        size: side of the image, pixels.

    Returns:
        `revision` of three.js, `frames` with `weights` and `rotations` (x, y, z, w) by node, and `image`, a data URI.
    """
    three, program = three_folder(), chromium()
    wanted = {"times": list(times), "shown": shown, "view": [list(corner) for corner in view], "size": size}
    answers: dict[str, Any] = {}
    done = threading.Event()

    class Handler(SimpleHTTPRequestHandler):
        def translate_path(self, path: str) -> str:
            path = path.partition("?")[0]
            if path.startswith("/three/"):
                return str(three / path.removeprefix("/three/"))
            return str({"/avatar.glb": avatar, "/": PAGE}.get(path, Path("/nowhere")))

        def do_GET(self) -> None:
            if self.path != "/wanted.json":
                super().do_GET()
                return
            body = json.dumps(wanted).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            answers[self.path] = json.loads(body)
            self.send_response(204)
            self.end_headers()
            done.set()

        def guess_type(self, path: Any) -> str:
            return {"html": "text/html", "js": "text/javascript", "wasm": "application/wasm"}.get(
                str(path).rpartition(".")[2], "application/octet-stream"
            )

        def log_message(self, format: str, *arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as profile:
        command = [program, *OPTIONS, f"--user-data-dir={profile}", f"http://127.0.0.1:{server.server_port}/"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            assert done.wait(_TIMEOUT_S), "the browser did not answer"
        finally:
            process.terminate()
            process.wait(20)
            server.shutdown()
            server.server_close()
    assert "/error" not in answers, answers["/error"]
    return answers["/result"]
