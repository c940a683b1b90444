"""A server that animates audio: WebSocket for streams, REST for recordings.

See `docs/streaming.md` for the protocol. Networks run in threads, so that one stream does not hold up the others'
messages; a stream is read only as fast as it is animated.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from torch import Tensor

from facetalk.core.emotions import parse_emotions
from facetalk.core.errors import USER_ERRORS, FacetalkError, MissingAssetError, UsageError, user_error
from facetalk.core.motion import Motion
from facetalk.core.progress import Progress, no_progress
from facetalk.core.threads import one_torch_thread
from facetalk.core.timing import SAMPLE_RATE
from facetalk.core.version import __version__
from facetalk.exporters import json_frames
from facetalk.exporters.csv import heading, table_rows
from facetalk.io.motion import write_motion
from facetalk.io.pcm import PcmFormat, PcmStream
from facetalk.io.streamed_audio import StreamedAudio
from facetalk.pipelines.animate_jobs import AnimateOptions
from facetalk.pipelines.animator import Animator, load_animator, with_style
from facetalk.pipelines.live import LiveAnimator, check_live, live_animator
from facetalk.pipelines.live_access import Access
from facetalk.pipelines.live_outputs import LiveOutputs, OpenOutputs

try:
    from aiohttp import WSCloseCode, WSMsgType, web

    from facetalk.pipelines.live_connections import Connections, MaskedFrames, request_log
except ModuleNotFoundError:
    raise MissingAssetError("facetalk serve needs aiohttp; install it with: pip install 'facetalk[serve]'") from None

STREAM, MOTION = "/stream", "/motion"

_PART = 1 << 14
"""Bytes of a message that are decoded at once."""

_PIECE = SAMPLE_RATE // 2
"""Samples that are animated at once."""

Result = TypeVar("Result")

_REPLIES = {"json": "application/x-ndjson", "csv": "text/csv", "npz": "application/octet-stream"}


@dataclass(frozen=True)
class Limits:
    """How much a client may ask for."""

    sessions: int = 4
    """Streams at a time."""
    message_bytes: int = 1 << 20
    """Of audio in one message: half a minute at 16 kHz."""
    connections: int = 256
    """Open at a time, of all clients."""
    request_s: float = 10.0
    """A connection that has not sent a request for so long is closed."""
    upload_s: float = 300.0
    """Time to send one recording."""
    idle_s: float = 30.0
    """A stream that sends nothing for so long is closed."""
    stream_s: float = 4 * 3600.0
    """Audio of one stream."""
    upload_bytes: int = 128 << 20
    """Of one recording."""
    recording_s: float = 600.0
    """Audio of one recording."""


@dataclass(eq=False)
class LiveServer:
    """Answers requests."""

    live: LiveAnimator
    """For streams."""
    whole: Animator
    """For recordings."""
    access: Access = field(default_factory=Access)
    limits: Limits = field(default_factory=Limits)
    outputs: LiveOutputs = field(default_factory=LiveOutputs)

    def __post_init__(self) -> None:
        self._streams = self._uploads = 0
        self.connections = Connections(self.limits.connections, self.limits.request_s)
        self._recording = asyncio.Lock()  # one at a time: a recording takes a core for seconds

    def app(self) -> web.Application:
        """The application, to be run by aiohttp."""
        app = web.Application(client_max_size=self.limits.upload_bytes, middlewares=[self._guarded])
        app.router.add_get("/", self._info)
        app.router.add_get(STREAM, self._stream)
        app.router.add_post(MOTION, self._motion)
        return app

    @property
    def _guarded(self) -> Any:
        @web.middleware
        async def guard(
            request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
        ) -> web.StreamResponse:
            self.connections.heard(request.protocol)
            headers = {name.lower(): value for name, value in request.headers.items()}
            reason = self.access.refusal(headers, request.query)
            if reason is not None:
                return _closing(_error(403, reason))  # who may not use the server holds no connection either
            try:
                return await handler(request)
            except web.RequestPayloadError:
                return _closing(_error(400, "the body of the request cannot be decoded; send the audio file as it is"))
            except web.HTTPRequestEntityTooLarge:
                return _error(413, f"the recording has more than {self.limits.upload_bytes} bytes")
            except (asyncio.TimeoutError, TimeoutError):
                return _error(
                    408,
                    f"the request stopped for {self.limits.idle_s:g} s, or took {self.limits.upload_s:g} s",
                )
            except USER_ERRORS as error:
                return _error(400, str(user_error(error)))

        return guard

    async def _info(self, request: web.Request) -> web.Response:
        return web.json_response(
            {
                "name": "facetalk",
                "version": __version__,
                "stream": STREAM,
                "motion": MOTION,
                "fps": 30,
                "look_ahead_s": round(self.live.waited_s, 3),
                "sessions": self._streams,
                "most_sessions": self.limits.sessions,
            }
        )

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        """Animate a stream: binary messages with audio in, text messages with frames out."""
        animator = replace(self.live, **self._asked(request.query, self.live))
        form = _form_of(request.query)
        if self._streams >= self.limits.sessions:
            return _error(503, f"{self._streams} streams are open, which is the most; try again later")
        socket = web.WebSocketResponse(max_msg_size=2 * self.limits.message_bytes, heartbeat=20.0, compress=False)
        if not socket.can_prepare(request):
            return _error(426, f"{STREAM} is a WebSocket")
        self._streams += 1
        try:
            await socket.prepare(request)
            MaskedFrames.watch(request)
            await self._with_outputs(socket, animator, PcmStream(form))
        finally:
            self._streams -= 1
        return socket

    async def _with_outputs(self, socket: web.WebSocketResponse, animator: LiveAnimator, pcm: PcmStream) -> None:
        """Animate a stream, which has the receivers if they are free."""
        outputs, complete = self.outputs.take(), False
        try:
            complete = await self._animate(socket, animator, pcm, outputs)
        finally:
            if outputs is not None:  # to send what is waiting takes seconds
                await asyncio.shield(asyncio.to_thread(outputs.close, drop=not complete))

    async def _animate(
        self, socket: web.WebSocketResponse, animator: LiveAnimator, pcm: PcmStream, outputs: OpenOutputs | None
    ) -> bool:
        """Answer audio with frames, and return whether the stream came to its end."""
        session, done = await asyncio.to_thread(animator.start), 0

        async def send(motion: Motion) -> None:
            nonlocal done
            for frame in json_frames.frame_documents(motion, done):
                await socket.send_str(json_frames.compact(frame))
            if outputs is not None and motion.num_frames:
                await asyncio.to_thread(outputs.send, motion, done)
            done += motion.num_frames

        async def speak(samples: Tensor) -> None:
            # In pieces: a message may hold hours, whose client has long gone.
            for piece in samples.split(_PIECE):
                await send(await asyncio.to_thread(_alone, session.feed, piece))
                _check_open(socket)
                if pcm.samples > self.limits.stream_s * SAMPLE_RATE:
                    raise UsageError(f"the stream is longer than {self.limits.stream_s:g} s; open another one")

        try:
            start = json_frames.start_document(animator.seed, animator.waited_s)
            await socket.send_str(json_frames.compact({**start, "outputs": outputs is not None}))
            while (data := await self._audio(socket)) is not None:
                for part in range(0, len(data), _PART):
                    await speak(await asyncio.to_thread(_alone, pcm.feed, data[part : part + _PART]))
            _check_open(socket)
            await speak(await asyncio.to_thread(_alone, pcm.finish))
            await send(await asyncio.to_thread(_alone, session.finish))
            await socket.send_str(json_frames.compact(json_frames.end_document(done)))
            await socket.close()
            return True
        except ConnectionError:
            return False
        except USER_ERRORS as error:
            if not socket.closed:
                await socket.send_str(json_frames.compact({"event": "error", "error": str(user_error(error))}))
                await socket.close(code=WSCloseCode.POLICY_VIOLATION)
            return False

    async def _audio(self, socket: web.WebSocketResponse) -> bytes | None:
        """The audio of the next message; None at the end.

        Raises:
            UsageError: the client sends nothing, or something else.
        """
        try:
            message = await socket.receive(timeout=self.limits.idle_s)
        except (asyncio.TimeoutError, TimeoutError):
            raise UsageError(f"no audio came for {self.limits.idle_s:g} s; send silence, or the message end") from None
        if message.type is WSMsgType.BINARY:
            if len(message.data) > self.limits.message_bytes:
                raise UsageError(f"a message has more than {self.limits.message_bytes} bytes; send smaller pieces")
            return message.data
        if message.type is WSMsgType.TEXT:
            if _event_of(message.data) == "end":
                return None
            raise UsageError('a text message must be {"event": "end"}; audio comes in binary messages')
        return None  # the client has hung up, or sent what aiohttp refuses

    async def _motion(self, request: web.Request) -> web.StreamResponse:
        """Animate a recording: an audio file in, all frames out."""
        name = request.query.get("format", "json")
        if name not in _REPLIES:
            raise UsageError(f"unknown format {name!r:.40}; known: {', '.join(_REPLIES)}")
        options = self._asked(request.query, self.live)["options"]
        if self._uploads >= self.limits.sessions:
            return _error(503, f"{self._uploads} recordings are at work, which is the most; try again later")
        self._uploads += 1
        try:
            with tempfile.TemporaryDirectory(prefix="facetalk-") as folder:
                path = Path(folder) / "audio"
                await asyncio.wait_for(self._store(request, path), self.limits.upload_s)
                async with self._recording:
                    body = await asyncio.to_thread(self._spoken, path, options, name)
        finally:
            self._uploads -= 1
        return web.Response(body=body, content_type=_REPLIES[name])

    async def _store(self, request: web.Request, path: Path) -> None:
        """Write the body of a request to a file."""
        total = 0
        with path.open("wb") as file:
            while piece := await asyncio.wait_for(request.content.read(1 << 16), self.limits.idle_s):
                total += len(piece)
                if total > self.limits.upload_bytes:
                    raise web.HTTPRequestEntityTooLarge(self.limits.upload_bytes, total)
                file.write(piece)

    def _spoken(self, path: Path, options: AnimateOptions, name: str) -> bytes:
        """What is answered for a recording."""
        try:
            with one_torch_thread(), StreamedAudio(path) as audio:
                if len(audio) > self.limits.recording_s * SAMPLE_RATE:
                    raise UsageError(f"the recording is longer than {self.limits.recording_s:g} s; cut it into parts")
                motion = self.whole.motion(audio, options)
        except USER_ERRORS as error:  # the client knows no path of this computer
            raise FacetalkError(str(user_error(error)).replace(str(path), "the recording")) from None
        if name == "npz":
            write_motion(path.with_suffix(".npz"), motion)
            return path.with_suffix(".npz").read_bytes()
        if name == "csv":
            return "".join(f"{row}\n" for row in [heading(), *table_rows(motion)]).encode()
        start = json_frames.start_document(int(motion.meta["seed"]), 0.0)
        documents = [start, *json_frames.frame_documents(motion, 0), json_frames.end_document(motion.num_frames)]
        return "".join(json_frames.compact(document) + "\n" for document in documents).encode()

    def _asked(self, query: Mapping[str, str], live: LiveAnimator) -> dict[str, Any]:
        """What a request changes: nothing that names a file of this computer.

        Raises:
            UsageError: a value makes no sense.
        """
        options, direction, listener = live.options, live.direction, live.listener
        if "seed" in query:
            if not (query["seed"].isascii() and query["seed"].isdigit() and len(query["seed"]) < 19):
                raise UsageError(f"the seed is {query['seed']!r:.40}; it must be a whole number that is not negative")
            options = replace(options, seed=int(query["seed"]))
        if "emotion" in query:
            track = parse_emotions(query["emotion"])
            options, direction = replace(options, emotion=track), replace(direction, emotion=track)
            listener = None
        return {"options": options, "direction": direction, "listener": listener}


def load_server(
    options: AnimateOptions,
    look_ahead_s: float | None,
    access: Access,
    limits: Limits,
    outputs: LiveOutputs,
    progress: Progress = no_progress,
) -> LiveServer:
    """Load what a server needs.

    Args:
        options: how everything is animated, unless a request says otherwise.
        look_ahead_s: of streams; see `StreamingTalker.start`.
        access: who may use it.
        limits: how much of it.
        outputs: receivers of the frames besides the client.
        progress: called while a style is taken from a video.

    Raises:
        UsageError: an option makes no sense in a stream.
    """
    check_live(options)
    animator = load_animator(options, {})
    if options.style is not None:
        animator = with_style(animator, options, {}, progress)
    return LiveServer(live_animator(animator, options, look_ahead_s), animator, access, limits, outputs)


def _form_of(query: Mapping[str, str]) -> PcmFormat | None:
    """The format of the samples of a stream; None for a WAV file."""
    text = query.get("audio", "16000:s16le:1")
    return None if text == "wav" else PcmFormat.parsed(text)


def _event_of(text: str) -> object:
    try:
        value = json.loads(text) if len(text) < 1000 else None
    except (ValueError, RecursionError):
        return None
    return value.get("event") if isinstance(value, dict) else None


def _alone(work: Callable[..., Result], *arguments: Any) -> Result:
    """Work on one core, which leaves the others to other streams."""
    with one_torch_thread():
        return work(*arguments)


def _check_open(socket: web.WebSocketResponse) -> None:
    """Stop the work on a stream whose client has gone.

    Raises:
        ConnectionError: it has.
    """
    if socket.closed:
        raise ConnectionError


def _closing(response: web.Response) -> web.Response:
    """A response that ends the connection."""
    response.force_close()
    return response


def _error(status: int, reason: str) -> web.Response:
    return web.json_response({"error": reason}, status=status)


@asynccontextmanager
async def opened(server: LiveServer, port: int) -> AsyncIterator[str]:
    """A server that answers requests, as long as it is needed; its address.

    Args:
        server: what answers.
        port: number of the port; 0 for any free one.

    Raises:
        FacetalkError: the port is taken, or not for everybody.
    """
    runner = web.AppRunner(
        server.app(), access_log=None, logger=request_log(), handle_signals=False, shutdown_timeout=1.0
    )
    await runner.setup()
    watch = asyncio.create_task(server.connections.watch(runner))
    try:
        site = web.TCPSite(runner, server.access.host, port, reuse_address=True)
        try:
            await site.start()
        except OSError as error:
            reason = error.strerror or str(error)
            raise FacetalkError(f"port {port} cannot be opened: {reason}; give another --port") from None
        host, found = runner.addresses[0][:2]
        yield f"http://{f'[{host}]' if ':' in host else host}:{found}"
    finally:
        watch.cancel()
        await runner.cleanup()


def run(server: LiveServer, port: int, started: Callable[[str], None]) -> None:
    """Answer requests until Ctrl-C.

    Args:
        server: what answers.
        port: see `opened`.
        started: called with the address once the server can be reached.

    Raises:
        FacetalkError: see `opened`.
    """

    async def serve() -> None:
        async with opened(server, port) as address:
            started(address)
            await asyncio.Event().wait()

    asyncio.run(serve())
