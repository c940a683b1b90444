"""A long stream over `facetalk serve`, in real time: memory and delay must not grow. Reads `/proc`, which Linux has."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from time import clock_gettime, perf_counter

import aiohttp
from torch import Tensor

from benchmarks.base import Comparison, Options
from benchmarks.talkers import spoken
from facetalk.core.timing import FPS, SAMPLE_RATE
from facetalk.pipelines.live import LOOK_AHEAD_S
from facetalk.pipelines.live_server import STREAM
from facetalk.talkers.sessions import STEP, STEP_S

PARTS = 10
"""Of the stream, which are compared."""
LEAST_PIECES = round(LOOK_AHEAD_S / STEP_S) + 2
"""In a part: the first frames come within the first one."""


@dataclass
class Part:
    """What a part of the stream took."""

    name: str
    processor_s: float = 0.0
    """Of the server."""
    delays_s: list[float] = field(default_factory=list)
    """From when each tenth of a second of audio was sent to its frames."""
    memory_mb: float = 0.0
    """Of the server at the end of the part."""


def measure(options: Options) -> Comparison:
    """Compare the parts of one stream, as long as the longest recording."""
    waveform = spoken(max(options.seconds))
    with server() as (address, process):
        parts = asyncio.run(streamed(waveform, address, process))
    return Comparison(
        f"{STEP_S:g} s of audio",
        {part.name: 1000 * part.processor_s / len(part.delays_s) for part in parts},
        {
            "delay_median_ms": {part.name: round(1000 * median(part.delays_s), 1) for part in parts},
            "delay_p99_ms": {part.name: round(1000 * late(part.delays_s), 1) for part in parts},
            "memory_mb": {part.name: round(part.memory_mb, 1) for part in parts},
        },
    )


@contextmanager
def server() -> Iterator[tuple[str, Path]]:
    """Address of a server, and the folder in `/proc` that describes its process."""
    command = [sys.executable, "-m", "facetalk", "serve", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as program:
        try:
            assert program.stdout is not None
            yield program.stdout.readline().strip(), Path("/proc") / str(program.pid)
        finally:
            program.terminate()


async def streamed(waveform: Tensor, address: str, process: Path) -> list[Part]:
    """Send speech at the pace at which it is spoken, and wait for the frames of each tenth of a second.

    Where frames come later than the next tenth is spoken, that is sent when they are there: on a busy machine, delays
    would otherwise add up to minutes, and hide how long the server takes.
    """
    pieces = waveform.split(STEP)
    size = max(-(-len(pieces) // PARTS), LEAST_PIECES)
    parts: list[Part] = []
    async with (
        aiohttp.ClientSession() as client,
        client.ws_connect(f"{address}{STREAM}?audio={SAMPLE_RATE}:f32le:1") as stream,
    ):
        await stream.receive_json()
        began, frames, spent_s = perf_counter(), 0, processor_s(process)
        for index, piece in enumerate(pieces):
            if index % size == 0:
                parts.append(Part(f"up to {min(index + size, len(pieces)) * STEP_S:g} s"))
            await asyncio.sleep(max(0.0, began + (index + 1) * STEP_S - perf_counter()))
            sent = perf_counter()
            await stream.send_bytes(piece.numpy().astype("<f4").tobytes())
            known = round((index + 1) * STEP_S * FPS) - round(LOOK_AHEAD_S * FPS)
            while frames < known:
                assert (await stream.receive_json())["frame"] == frames
                frames += 1
            parts[-1].delays_s.append(perf_counter() - sent)
            before_s, spent_s = spent_s, processor_s(process)
            parts[-1].processor_s += spent_s - before_s
            parts[-1].memory_mb = memory_mb(process)
        await stream.send_str('{"event": "end"}')
        *_, end = [message.json() async for message in stream]
    assert end["frames"] == round(len(pieces) * STEP_S * FPS), end
    return parts


def late(delays_s: list[float]) -> float:
    """The delay that a hundredth of the frames exceed."""
    return sorted(delays_s)[len(delays_s) * 99 // 100]


def processor_s(process: Path) -> float:
    """Processor time that a process has taken; `stat` has it too, but in hundredths of a second."""
    # Linux numbers the clock of a process so (`MAKE_PROCESS_CPUCLOCK` with `CPUCLOCK_SCHED`).
    return clock_gettime(~int(process.name) << 3 | 2)


def memory_mb(process: Path) -> float:
    """Memory of a process that is resident."""
    return int((process / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
