"""Reading other people's files in a process of its own, with limits on memory and time.

Which reader needs it was decided by what bounds it:

* `.npy`, `.npz`, motions, YAML and JSON are read in this process: their size is known before memory is filled, see
  `io.npy` and `core.text_values`.
* Pickles, network weights of other projects and archives are not. A pickle is a program of its own whose nine bytes can
  ask for gigabytes or end the interpreter's stack, and an archive's headers may be of any length. They are read by
  a child process, `run_confined`.

The child is a new interpreter (a fork would copy other threads' locks), which loads the module of the reader and
nothing else. It needs no temporary files: what it reads comes back through a pipe, as JSON with the arrays' bytes after
it, so that even a child that was taken over could only send plain values.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import math
import os
import struct
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from facetalk.core.errors import FacetalkError
from facetalk.core.leftovers import started

_PACKAGES = Path(__file__).resolve().parent.parent.parent
_START = "import json,sys; sys.path[:]=json.loads(sys.argv[1]); from facetalk.io.sandbox import serve; serve()"
_LENGTH = struct.Struct("<Q")
_MOST_TEXT_BYTES = 128 << 20
_KINDS = "biufcSU"
_HINT = "fetch it again from its publisher"


@dataclass(frozen=True)
class Limits:
    """What a child process may use."""

    memory_bytes: int = 768 << 20
    """Beyond the memory of the interpreter."""
    processor_s: int = 10
    """Computing time."""
    wall_s: float = 60.0
    """Time on the clock; a busy machine needs more of it than of computing time."""


DEFAULT = Limits()


def run_confined(reader: Callable[..., Any], path: Path, *arguments: Any, limits: Limits = DEFAULT) -> Any:
    """The result of `reader(path, *arguments)`, called in a process of its own.

    Args:
        reader: a function of a module of facetalk; it should import little.
        path: the file to read.
        arguments: further plain values.
        limits: memory and time.

    Returns:
        Mappings with texts as keys, lists, texts, bytes, numbers and NumPy arrays.

    Raises:
        FacetalkError: the reader's own error, or that it exceeded the limits, in one line.
    """
    paths = [str(_PACKAGES), *(entry for entry in sys.path if isinstance(entry, str) and entry)]
    order = {
        "reader": [reader.__module__, reader.__qualname__],
        "path": os.fsencode(path).hex(),
        "arguments": arguments,
        "limits": asdict(limits),
    }
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    # Isolated from the current folder and from the modules of the user's that only the full interpreter loads.
    command = [sys.executable, "-I", "-S", "-c", _START, json.dumps(paths), json.dumps(order)]
    try:
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
        )
    except OSError as error:
        raise FacetalkError(f"{path} cannot be read: no process can be started for it ({error.strerror})") from None
    with started(child) as process:
        watchdog = threading.Timer(limits.wall_s, process.kill)
        watchdog.start()
        try:
            assert process.stdout is not None
            answer = _receive(process.stdout)
            if answer is None:
                process.wait()
        finally:
            timed_out = not watchdog.is_alive()
            watchdog.cancel()
            process.kill()
    if answer is None:
        reason = f"reading takes more than {limits.wall_s:.0f} s" if timed_out else _death(process.returncode)
        raise FacetalkError(f"{path} cannot be read: {reason}; {_HINT}")
    if "error" in answer:
        raise FacetalkError(str(answer["error"]))
    return answer["value"]


def _death(code: int | None) -> str:
    # The processor limit ends a process by SIGXCPU (24) or SIGKILL (9), a full stack by SIGSEGV (11).
    if code in (-24, -9):
        return "reading takes too much time or memory"
    if code is not None and code < 0:
        return "its structure is too deep for a file with arrays"
    return "the process that reads it did not start" if code == 1 else "reading ended early"


def serve() -> None:
    """Do what the command line orders and write the result to standard output; runs in the child."""
    order = json.loads(sys.argv[2])
    module, name = order["reader"]
    reader = getattr(importlib.import_module(module), name)
    path = Path(os.fsdecode(bytes.fromhex(order["path"])))
    _limit(Limits(**order["limits"]))
    arrays: list[Any] = []
    try:
        value = _encoded(reader(path, *order["arguments"]), arrays)
        text = json.dumps({"value": value}).encode()
    except FacetalkError as error:
        arrays, text = [], _error(str(error))
    except MemoryError:
        arrays, text = [], _error(f"{path} cannot be read: it takes more memory than a file of its kind; {_HINT}")
    except Exception as error:  # whatever a reader runs into, the file is the reason
        from facetalk.io.reasons import reason_of

        arrays, text = [], _error(f"{path} cannot be read ({reason_of(error)}); {_HINT}")
    output = sys.stdout.buffer
    output.write(_LENGTH.pack(len(text)) + text)
    for array in arrays:
        output.write(array.data)
    output.flush()
    os._exit(0)  # without freeing a deep structure, which may end the stack


def _error(message: str) -> bytes:
    return json.dumps({"error": message}).encode()


def _limit(limits: Limits) -> None:
    try:
        import resource
    except ImportError:  # no such limits on Windows; the parent's clock remains
        return
    try:
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    except OSError:
        used = 512 << 20
    for kind, amount in (
        (resource.RLIMIT_AS, used + limits.memory_bytes),
        (resource.RLIMIT_CPU, limits.processor_s),
        (resource.RLIMIT_CORE, 0),
    ):
        highest = resource.getrlimit(kind)[1]
        amount = amount if highest == resource.RLIM_INFINITY else min(amount, highest)
        with contextlib.suppress(ValueError, OSError):  # a system may not have this limit
            resource.setrlimit(kind, (amount, amount))


def _encoded(value: Any, arrays: list[Any]) -> Any:
    """The value as JSON can hold it; arrays and bytes are collected and replaced by their description."""
    if value is None or isinstance(value, bool | str | float):
        return float(value) if isinstance(value, float) else value
    if isinstance(value, int):
        if abs(value) >= 1 << 64:
            raise ValueError("an integer of more than 64 bits")
        return value
    if isinstance(value, list | tuple | set):
        return [_encoded(item, arrays) for item in value]
    if isinstance(value, dict):
        return {"dict": [[str(key), _encoded(inner, arrays)] for key, inner in value.items()]}
    import numpy as np  # only readers of arrays load it

    kind = "bytes" if isinstance(value, bytes | bytearray) else "scalar" if isinstance(value, np.generic) else "array"
    array = np.frombuffer(value, np.uint8) if kind == "bytes" else np.asarray(value)
    if array.dtype.kind not in _KINDS or not isinstance(value, bytes | bytearray | np.generic | np.ndarray):
        raise ValueError(f"{type(value).__name__} in place of an array")
    arrays.append(np.ascontiguousarray(array).reshape(-1).view(np.uint8))
    return {kind: [array.dtype.str, list(array.shape)]}


def _receive(stream: IO[bytes]) -> dict[str, Any] | None:
    """What the child sent; None if it ended before."""
    start = stream.read(_LENGTH.size)
    if len(start) < _LENGTH.size:
        return None
    (length,) = _LENGTH.unpack(start)
    text = stream.read(length) if length <= _MOST_TEXT_BYTES else b""
    if len(text) < length:
        return None
    try:
        answer = json.loads(text)
        return answer if "error" in answer else {"value": _decoded(answer["value"], stream)}
    except (EOFError, ValueError, RecursionError, LookupError, TypeError, AttributeError, MemoryError):
        return None


def _decoded(value: Any, stream: IO[bytes]) -> Any:
    """The value that `_encoded` described; arrays follow in the order of their descriptions."""
    if isinstance(value, list):
        return [_decoded(item, stream) for item in value]
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    if kind == "dict":
        return {key: _decoded(inner, stream) for key, inner in content}
    import numpy as np

    dtype = np.dtype(content[0])
    if dtype.kind not in _KINDS:
        raise ValueError(f"an array of {dtype}")
    memory = np.empty(math.prod(content[1]) * dtype.itemsize, np.uint8)
    if stream.readinto(memory.data) != len(memory):  # type: ignore[attr-defined]
        raise EOFError
    array = memory.view(dtype).reshape(content[1])
    return memory.tobytes() if kind == "bytes" else array[()] if kind == "scalar" else array
