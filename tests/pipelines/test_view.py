"""Motions become a page, and only this computer's browsers get it."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from facetalk.core.errors import FacetalkError, UsageError
from facetalk.core.motion import Motion, still_motion
from facetalk.head.channels import ARKIT_NAMES
from facetalk.head.model import HeadModel
from facetalk.io.audio import read_waveform
from facetalk.io.motion import write_motion
from facetalk.pipelines import view as pipeline
from facetalk.pipelines.page_server import PageServer, open_browser
from facetalk.pipelines.style_plane import style_plane
from facetalk.pipelines.view import view
from facetalk.talkers.base import Direction
from facetalk.talkers.registry import load_talker
from tests.exporters.page_reader import read_page


@pytest.fixture(autouse=True)
def toy_everywhere(toy_head: HeadModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "load_head", lambda name, look=None: toy_head)
    monkeypatch.setattr(pipeline, "style_plane", lambda motions: None)


def toy_motion(num_frames: int = 6) -> Motion:
    return still_motion("toy", torch.rand(num_frames, 52), ARKIT_NAMES, 30.0, 3)


def test_a_folder_is_shown_side_by_side(tmp_path: Path) -> None:
    for name in ("b", "a", "deep/a"):
        write_motion(tmp_path / f"in/{name}.npz", toy_motion())
    (tmp_path / "in/vertices.npz").write_bytes(b"no motion")
    soundfile.write(tmp_path / "in/b.wav", np.zeros(3200, np.float32), 16_000)
    page = read_page(view([tmp_path / "in"], tmp_path / "page.html"))
    assert page["title"] == "3 motions"
    assert [(clip["name"], clip["audio"] is not None) for clip in page["clips"]] == [
        ("in / a", False),
        ("b", True),
        ("deep / a", False),
    ]
    silent = read_page(view([tmp_path / "in/b.npz"], tmp_path / "b.html", with_audio=False))
    assert silent["title"] == "b" and silent["clips"][0]["audio"] is None


def test_what_cannot_be_shown_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    write_motion(path, toy_motion())
    with pytest.raises(UsageError, match=r"view writes \.html files, not a\.mp4; give a\.html"):
        view([path], tmp_path / "a.mp4")
    (tmp_path / "a.html").write_text("mine")
    with pytest.raises(FacetalkError, match="exists already"):
        view([path], tmp_path / "a.html")
    (tmp_path / "b.npz").write_bytes(b"no motion")
    with pytest.raises(FacetalkError, match=r"b\.npz is not a motion file"):
        view([path, tmp_path / "b.npz"], tmp_path / "b.html")
    (tmp_path / "only").mkdir()
    (tmp_path / "only/b.npz").write_bytes(b"no motion")
    with pytest.raises(FacetalkError, match=r"b\.npz is not a motion file"):
        view([tmp_path / "only"], tmp_path / "b.html")
    for number in range(16):
        write_motion(tmp_path / f"many/{number}.npz", toy_motion(1))
    with pytest.raises(UsageError, match="at most 16 motions, not 17; name those"):
        view([tmp_path / "many", path], tmp_path / "b.html")
    assert not (tmp_path / "b.html").exists()


@pytest.fixture(scope="module")
def server() -> Iterator[PageServer]:
    with PageServer("<p>page</p>") as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def status(server: PageServer, path: str, method: str = "GET", **headers: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    connection.putrequest(method, path, skip_host="Host" in headers)
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders()
    answer = connection.getresponse()
    return answer.status, answer.read()


def test_the_server_shows_its_page(server: PageServer) -> None:
    with urllib.request.urlopen(server.address, timeout=10) as answer:
        assert answer.read() == b"<p>page</p>"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "no-store"
    assert status(server, server.path, "HEAD") == (200, b"")
    assert status(server, server.path, Host=f"localhost:{server.server_port}")[0] == 200
    assert server.server_address[0] == "127.0.0.1"


@pytest.mark.parametrize("path", ["/", "/index.html", "/../../etc/passwd", "{}../", "{}x", "{}?a=1", "/%2e%2e/", "//"])
def test_the_server_has_no_other_path(server: PageServer, path: str) -> None:
    code, body = status(server, path.format(server.path))
    assert code == 404 and b"<p>page</p>" not in body


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT"])
def test_the_server_has_no_other_method(server: PageServer, method: str) -> None:
    assert status(server, server.path, method)[0] == 501


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "127.0.0.1", "127.0.0.1:1", "", "127.0.0.1.evil.example"]
)
def test_the_server_answers_to_its_own_name_only(server: PageServer, host: str) -> None:
    code, body = status(server, server.path, Host=host)
    assert code == 421 and b"<p>page</p>" not in body


def test_a_silent_connection_does_not_stop_the_server(server: PageServer) -> None:
    with socket.create_connection(("127.0.0.1", server.server_port)) as silent:
        silent.sendall(b"GET /")
        assert status(server, server.path)[0] == 200


def test_a_port_that_is_taken_is_named(server: PageServer) -> None:
    port = server.server_port
    with pytest.raises(FacetalkError, match=rf"^port {port} cannot be opened: .*; give another --port, or none$"):
        PageServer("<p>other</p>", port)


def test_no_browser_is_opened_without_a_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("webbrowser.open", lambda address: pytest.fail("a browser was opened"))
    assert not open_browser("http://127.0.0.1:1/")


@pytest.mark.slow
def test_the_command_serves_until_it_is_interrupted(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    write_motion(path, still_motion("facetalk", torch.zeros(3, 52), ARKIT_NAMES, 30.0, 33))
    command = [sys.executable, "-m", "facetalk", "view", str(path), "--no-browser", "--no-styles"]
    environment = {name: value for name, value in os.environ.items() if name != "DISPLAY"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        address = process.stdout.readline().strip()
        assert address.startswith("http://127.0.0.1:")
        with urllib.request.urlopen(address, timeout=10) as answer:
            assert b'id="stage"' in answer.read()
        process.send_signal(signal.SIGINT)
        start = time.monotonic()
        assert process.wait(20) == 130
        assert time.monotonic() - start < 10
        assert process.stderr.read().splitlines()[-1] == "interrupted"


@pytest.mark.slow
def test_a_motion_in_a_style_lies_near_it() -> None:
    waveform, talker = read_waveform(Path(__file__).parents[2] / "examples/speech.wav"), load_talker("styletalk")
    shown = ("neutral", "fear")
    found = style_plane([talker.speak(waveform, Direction(style=name)) for name in shown])
    assert found is not None and 0.3 < found["share"] <= 1
    places = torch.tensor(found["places"])
    neutral, afraid = (places[found["names"].index(name)] for name in shown)
    assert len(places) == len(found["names"]) + 2
    assert (places[-2] - neutral).norm() < (places[-2] - afraid).norm()
    assert (places[-1] - afraid).norm() < (places[-1] - neutral).norm()
    assert style_plane([still_motion("flame", torch.zeros(4, 3), ("a", "b", "c"), 30.0, 0)]) is None
