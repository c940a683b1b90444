"""The server over loopback, with toys in place of the released models."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import importlib
import io
import json
import socket
import struct
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import pytest
import soundfile
from pythonosc.osc_bundle import OscBundle
from pythonosc.osc_message import OscMessage

from facetalk.core.errors import MissingAssetError, UsageError
from facetalk.head.channels import ARKIT_NAMES
from facetalk.io.datagram_sender import address_of
from facetalk.io.motion import read_motion
from facetalk.pipelines import animator, live
from facetalk.pipelines.animate_jobs import AnimateOptions
from facetalk.pipelines.live_access import TOKEN, Access
from facetalk.pipelines.live_connections import MaskedFrames
from facetalk.pipelines.live_outputs import LiveOutputs
from facetalk.pipelines.live_server import Limits, LiveServer, load_server, opened
from tests.pipelines.performers import use_toys
from tests.pipelines.test_live import as_bytes, speech
from tests.talkers.toys import listening_emotalk, listening_talker

Use = Callable[[aiohttp.ClientSession, str], Awaitable[None]]


@pytest.fixture(autouse=True)
def toys(monkeypatch: pytest.MonkeyPatch) -> None:
    use_toys(monkeypatch)
    monkeypatch.setattr(animator, "load_talker", lambda name: listening_talker())


def server(
    access: Access | None = None, limits: Limits | None = None, outputs: LiveOutputs | None = None
) -> LiveServer:
    options = AnimateOptions(gestures="idle", laughter=0)
    return load_server(options, 0.3, access or Access(), limits or Limits(), outputs or LiveOutputs())


def serving(use: Use, live: LiveServer) -> None:
    """Let a client use a server."""

    async def run() -> None:
        async with opened(live, 0) as address, aiohttp.ClientSession() as client:
            await asyncio.wait_for(use(client, address), 60)

    asyncio.run(run())


async def received(stream: Any) -> list[dict[str, Any]]:
    """All messages up to the end."""
    return [json.loads(message.data) async for message in stream if message.type is aiohttp.WSMsgType.TEXT]


def test_audio_and_frames_go_in_step() -> None:
    async def use(client: aiohttp.ClientSession, address: str) -> None:
        async with client.ws_connect(f"{address}/stream?seed=7&emotion=happy:2") as stream:
            start = await stream.receive_json()
            assert (start["event"], start["seed"], start["outputs"]) == ("start", 7, False)
            await stream.send_bytes(as_bytes(speech(0.4)))
            frames = [await stream.receive_json(timeout=20) for _ in range(3)]
            assert [frame["frame"] for frame in frames] == [0, 1, 2], "before the stream has ended"
            await stream.send_bytes(as_bytes(speech(0.6)))
            await stream.send_str('{"event": "end"}')
            *frames, end = await received(stream)
        assert [frame["frame"] for frame in frames] == list(range(3, 30))
        assert end == {"event": "end", "frames": 30, "seconds": 1.0}

    serving(use, server())


def test_a_request_names_an_emotion_in_place_of_that_of_the_voice(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[float | None] = []
    hearing = listening_emotalk(happy=True)
    monkeypatch.setattr(animator, "listener", lambda talker: hearing)
    monkeypatch.setattr(live, "streamed_listener", lambda talker: hearing)
    start = hearing.start_hearing
    monkeypatch.setattr(
        type(hearing), "start_hearing", lambda self, look_ahead_s: asked.append(look_ahead_s) or start(look_ahead_s)
    )

    async def use(client: aiohttp.ClientSession, address: str) -> None:
        asked.clear()
        smiles = []
        for query in ("", "?emotion=sad:3"):
            async with client.ws_connect(f"{address}/stream{query}") as stream:
                await stream.send_bytes(as_bytes(speech(3.0)))
                await stream.send_str('{"event": "end"}')
                *_, last, _ = await received(stream)
            smiles.append(last["blendshapes"][ARKIT_NAMES.index("mouthSmileLeft")])
        assert len(asked) == 1 and asked[0] == pytest.approx(0.3)
        assert smiles[0] > smiles[1] + 0.2

    options = AnimateOptions(gestures="idle", laughter=0, emotion="auto")
    serving(use, load_server(options, 0.3, Access(), Limits(), LiveOutputs()))


def test_a_recording_becomes_frames_a_table_or_a_motion_file(tmp_path: Path) -> None:
    file = io.BytesIO()
    soundfile.write(file, speech(1.0).numpy(), 16_000, format="WAV")

    async def use(client: aiohttp.ClientSession, address: str) -> None:
        for name in ("json", "csv", "npz"):
            async with client.post(f"{address}/motion?format={name}&seed=2", data=file.getvalue()) as reply:
                assert reply.status == 200
                body = await reply.read()
            (tmp_path / name).write_bytes(body)
        async with client.get(f"{address}/") as reply:
            assert (await reply.json())["stream"] == "/stream"

    serving(use, server())
    lines = [json.loads(line) for line in (tmp_path / "json").read_text().splitlines()]
    assert (lines[0]["seed"], lines[-1]["frames"], len(lines)) == (2, 30, 32)
    assert len((tmp_path / "csv").read_text().splitlines()) == 31
    (tmp_path / "npz").rename(tmp_path / "a.npz")
    motion = read_motion(tmp_path / "a.npz")
    np.testing.assert_allclose(motion.expression[5], lines[6]["blendshapes"], atol=2e-5)


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/", {"Host": "evil.example"}, 403),
        ("/stream", {"Origin": "https://evil.example"}, 403),
        ("/motion", {"Origin": "null"}, 403),
        ("/", {"Origin": "http://localhost:3000"}, 200),
        ("/nothing", {}, 404),
        ("/stream", {}, 426),
        ("/motion", {}, 405),
    ],
)
def test_web_sites_and_wrong_requests_are_refused(path: str, headers: dict[str, str], status: int) -> None:
    async def use(client: aiohttp.ClientSession, address: str) -> None:
        async with client.get(address + path, headers=headers) as reply:
            assert reply.status == status

    serving(use, server(Access(origins=("http://localhost:3000",))))


def test_a_server_for_other_computers_wants_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="other computers"):
        Access(host="0.0.0.0")
    monkeypatch.setenv(TOKEN, "short")
    with pytest.raises(UsageError, match="16 are needed"):
        Access.of_environment("0.0.0.0")
    with pytest.raises(UsageError, match="is no origin"):
        Access(origins=("localhost:3000/page",))
    monkeypatch.setenv(TOKEN, "0123456789abcdef")
    access = Access.of_environment("0.0.0.0")
    assert access.refusal({"authorization": "Bearer 0123456789abcdef"}, {}) is None
    assert access.refusal({}, {"token": "0123456789abcdef"}) is None
    assert access.refusal({"authorization": "bearer  0123456789abcdef"}, {}) is None, "RFC 9110: case does not matter"
    for wrong in (
        "Bearer 0123456789abcdeg",
        "Bearer ü",
        "Bearer \udcff\udcfe",
        "0123456789abcdef",
        "Basic 0123456789abcdef",
    ):
        assert access.refusal({"authorization": wrong}, {}) == "the token is missing or wrong"
    assert access.refusal({}, {}) == "the token is missing or wrong"


@pytest.mark.parametrize("host", ["127.0.0.1:8077", "127.0.0.2:80", "localhost", "[::1]:8077"])
def test_all_names_of_this_computer_are_known(host: str) -> None:
    assert Access.of_environment("[::1]").refusal({"host": host}, {}) is None
    assert Access(host="127.0.0.2").refusal({"host": host}, {}) is None
    assert Access().refusal({"host": "evil.example"}, {}) is not None


def test_connections_that_bring_no_request_are_closed(caplog: pytest.LogCaptureFixture) -> None:
    async def use(client: aiohttp.ClientSession, address: str) -> None:
        where = address.removeprefix("http://").split(":")
        half = [await asyncio.open_connection(*where) for _ in range(6)]
        for _, writer in half:
            writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: ")
        async with client.ws_connect(f"{address}/stream") as stream:
            assert (await stream.receive_json())["event"] == "start"
            for reader, writer in half:
                with contextlib.suppress(ConnectionError):
                    assert await asyncio.wait_for(reader.read(), 10) == b""
                writer.close()
            await stream.send_bytes(as_bytes(speech(0.4)))
            assert (await stream.receive_json(timeout=20))["event"] == "frame", "who has sent one stays"
        for wrong in (b"\x16\x03\x01\x02\x00\r\n\r\n", b"GET / HTTP/1.1\r\nX: " + bytes(20_000) + b"\r\n\r\n"):
            reader, writer = await asyncio.open_connection(*where)
            writer.write(wrong)
            assert b"400" in await asyncio.wait_for(reader.read(200), 10)
            writer.close()

    for limits in (Limits(request_s=0.3), Limits(connections=1)):
        serving(use, server(limits=limits))
    assert not caplog.records, "strangers do not fill the log"


def test_the_work_on_a_stream_ends_when_its_client_has_gone() -> None:
    async def use(client: aiohttp.ClientSession, address: str) -> None:
        async with client.ws_connect(f"{address}/stream?audio=1000:u8") as stream:
            await stream.send_bytes(bytes([128, 90]) * 250_000)  # eight minutes
            first = [await stream.receive_json(timeout=20) for _ in range(40)]
            assert first[-1]["frame"] == 38, "frames come before the message is worked off"
        for _ in range(100):
            async with client.get(f"{address}/") as reply:
                if (await reply.json())["sessions"] == 0:
                    return
            await asyncio.sleep(0.1)
        pytest.fail("the stream goes on")

    serving(use, server())


def test_frames_that_wait_for_their_time_hold_up_nobody() -> None:
    with closing(_receiver()) as link:

        async def use(client: aiohttp.ClientSession, address: str) -> None:
            for complete in (False, True):
                async with client.ws_connect(f"{address}/stream") as stream:
                    await stream.send_bytes(as_bytes(speech(3.0)))
                    if complete:
                        await stream.send_str('{"event": "end"}')
                    start = await stream.receive_json(timeout=20)
                    assert start["outputs"], "the receiver is free again after the stream before"
                    frames = [await stream.receive_json(timeout=20) for _ in range(60)]
                    assert frames[-1]["frame"] == 59
                began = time.monotonic()
                async with client.get(f"{address}/") as reply:
                    assert reply.status == 200
                assert time.monotonic() - began < 1.0
                for _ in range(30 if complete else 10):  # a stream that was left drops what waits
                    async with client.get(f"{address}/") as reply:
                        if (await reply.json())["sessions"] == 0:
                            break
                    await asyncio.sleep(0.1)

        serving(use, server(outputs=LiveOutputs(f"127.0.0.1:{link.getsockname()[1]}", None)))


def test_hostile_input_is_an_error_message_and_the_server_goes_on() -> None:
    nan = np.full(900, np.nan, np.float32).tobytes()
    cases: list[tuple[str, bytes | str, str]] = [
        ("", "no json", "a text message must be"),
        ("", "[" * 900, "a text message must be"),
        ("", '{"event": "end"}', ""),
        ("?audio=wav", bytes(4000), "no WAV file"),
        ("?audio=16000:f32le", nan, "not numbers"),
    ]

    async def use(client: aiohttp.ClientSession, address: str) -> None:
        for query, data, reason in cases:
            async with client.ws_connect(f"{address}/stream{query}") as stream:
                await (stream.send_bytes(data) if isinstance(data, bytes) else stream.send_str(data))
                *_, last = await received(stream)
            assert reason in last.get("error", ""), query
        async with client.ws_connect(f"{address}/stream") as stream:
            await stream.send_bytes(bytes(4001))
            assert "more than 4000 bytes" in (await received(stream))[-1]["error"]
        async with client.ws_connect(f"{address}/stream") as stream:
            await stream.send_bytes(bytes(8001))
            assert [message["event"] for message in await received(stream)] == ["start"]
            assert stream.close_code == 1009
        async with client.ws_connect(f"{address}/stream") as stream:
            await stream.receive()
            await stream.close()  # in the middle
        for query in ("audio=x", "emotion=hungry", "seed=-1", "emotion=/etc/passwd"):
            async with client.get(f"{address}/stream?{query}") as reply:
                assert reply.status == 400 and "error" in await reply.json()
        for body, status in ((b"", 400), (bytes(999), 400), (bytes(5000), 413)):
            async with client.post(f"{address}/motion", data=body) as reply:
                assert reply.status == status, await reply.text()
                reason = (await reply.json())["error"]
                assert "the recording" in reason and "/" not in reason, "the client knows no path of this computer"
        async with client.post(f"{address}/motion", data=b"hello", headers={"Content-Encoding": "gzip"}) as reply:
            assert reply.status == 400 and "cannot be decoded" in (await reply.json())["error"]
        async with client.post(f"{address}/motion?format=exe", data=b"") as reply:
            assert reply.status == 400
        async with client.get(f"{address}/") as reply:
            assert (await reply.json())["sessions"] == 0

    serving(use, server(limits=Limits(upload_bytes=4000, message_bytes=4000)))


def test_there_are_so_many_streams_and_none_that_is_idle() -> None:
    async def use(client: aiohttp.ClientSession, address: str) -> None:
        async with client.ws_connect(f"{address}/stream") as stream:
            assert (await stream.receive_json())["event"] == "start"
            async with client.get(f"{address}/stream") as reply:
                assert reply.status == 503
            (last,) = await received(stream)
            assert "no audio came for 0.3 s" in last["error"]

    serving(use, server(limits=Limits(sessions=1, idle_s=0.3)))


def test_receivers_of_live_link_face_and_vmc_get_every_frame() -> None:
    with closing(_receiver()) as link, closing(_receiver()) as vmc:
        to_link, to_vmc = (f"127.0.0.1:{receiver.getsockname()[1]}" for receiver in (link, vmc))

        async def use(client: aiohttp.ClientSession, address: str) -> None:
            async with client.ws_connect(f"{address}/stream") as stream:
                await stream.send_bytes(as_bytes(speech(0.5)))
                await stream.send_str('{"event": "end"}')
                messages = await received(stream)
                assert messages[0]["outputs"] is True
                frames.extend(messages[1:-1])

        frames: list[dict[str, Any]] = []
        serving(use, server(outputs=LiveOutputs(to_link, to_vmc)))
        shown = [_live_link(link.recv(2000)) for _ in range(15)]
        messages: list[tuple[str, list[Any]]] = []
        while len(messages) < 15 * (52 + 3):
            messages += _osc(vmc)
    for number, (frame, (at, values)) in enumerate(zip(frames, shown, strict=True)):
        assert at == number
        np.testing.assert_allclose(values[:52], frame["blendshapes"], atol=1e-5)
        np.testing.assert_allclose(values[52:55], frame["head"], atol=1e-5)
    applied = [index for index, (address, _) in enumerate(messages) if address == "/VMC/Ext/Blend/Apply"]
    assert len(applied) == 15
    first = dict(parameters for address, parameters in messages[: applied[0]] if address == "/VMC/Ext/Blend/Val")
    assert first["JawOpen"] == pytest.approx(frames[0]["blendshapes"][ARKIT_NAMES.index("jawOpen")], abs=1e-5)
    assert len(first) == 52


class Reader:
    """Takes note of what is passed on to it."""

    def __init__(self) -> None:
        self.data = b""

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        self.data += data
        return False, b""


def masked(payload: bytes) -> bytes:
    """A binary frame of a client, whose mask is 0."""
    size = len(payload)
    long = b"" if size < 126 else size.to_bytes(2 if size < 1 << 16 else 8, "big")
    return b"\x82" + bytes([0x80 | {0: size, 2: 126, 8: 127}[len(long)]]) + long + bytes(4) + payload


@pytest.mark.parametrize("size", [1, 3, 1000, 10**6])
def test_masked_frames_are_passed_on_however_they_come(size: int) -> None:
    frames = b"".join(masked(b"\x02" * length) for length in (0, 5, 125, 126, 70_000, 0))
    reader = Reader()
    watching = MaskedFrames(reader)
    for start in range(0, len(frames), size):
        watching.feed_data(frames[start : start + size])
    assert reader.data == frames
    for byte in b"\x82\x05":
        watching.feed_data(bytes([byte]))
    assert reader.data == frames + b"\x70\x80"


def test_frames_without_a_mask_end_the_stream() -> None:
    async def use(client: aiohttp.ClientSession, address: str) -> None:
        port = int(address.rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        key = base64.b64encode(bytes(16)).decode()
        writer.write(
            f"GET /stream HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
        )
        await reader.readuntil(b"\r\n\r\n")
        writer.write(masked(bytes(3200)) + b"\x82\x04abcd")
        answer = await asyncio.wait_for(reader.read(), 20)
        writer.close()
        assert b'"event":"start"' in answer and b'"event":"end"' not in answer
        assert b"\x88\x02" + (1002).to_bytes(2, "big") in answer

    serving(use, server())


def _receiver() -> socket.socket:
    receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    receiver.bind(("127.0.0.1", 0))
    receiver.settimeout(5)
    return receiver


def _live_link(data: bytes) -> tuple[int, tuple[float, ...]]:
    """Number and values of a frame: what a receiver of Live Link Face reads."""
    assert data[0] == 6
    place = 1
    for _ in ("device", "subject"):
        (length,) = struct.unpack_from(">i", data, place)
        text = data[place + 4 : place + 4 + length].decode()
        place += 4 + length
    assert text == "facetalk"
    number, _, numerator, denominator, count = struct.unpack_from(">ifiiB", data, place)
    assert (numerator, denominator, count) == (30, 1, 61)
    return number, struct.unpack_from(">61f", data, place + 17)


def _osc(receiver: socket.socket) -> list[tuple[str, list[Any]]]:
    """The messages of the next bundle."""
    return [(part.address, part.params) for part in OscBundle(receiver.recv(2000)) if isinstance(part, OscMessage)]


def test_a_server_without_its_library_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "aiohttp", None)
    monkeypatch.delitem(sys.modules, "facetalk.pipelines.live_server")
    with pytest.raises(MissingAssetError, match=r"pip install 'facetalk\[serve\]'"):
        importlib.import_module("facetalk.pipelines.live_server")


def test_addresses_are_read() -> None:
    assert address_of("127.0.0.1:9000", 1) == ("127.0.0.1", 9000)
    assert address_of("host", 1) == ("host", 1)
    assert address_of("::1", 5) == ("::1", 5)
    assert address_of("[::1]", 5) == ("::1", 5)
    assert address_of("[::1]:6", 5) == ("::1", 6)
    for wrong in ("", ":80", "host:", "host:x", "host:70000", "host:0", "127.0.0.1:1:3", "[::1", "[::1]x", "[host]:5"):
        with pytest.raises(UsageError, match="is no address"):
            LiveOutputs(wrong)
    with pytest.raises(UsageError, match=r"the host .* is unknown"):
        LiveOutputs(None, "no.such.host.invalid")
