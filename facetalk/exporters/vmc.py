"""Frames as messages of the Virtual Motion Capture protocol (protocol.vmc.info), which VRM programs receive over OSC.

Each frame sends the 52 weights as blend shapes with the names of "Perfect Sync" (`JawOpen`), and then applies them.
Bones are not sent: with the turn of a bone, receivers take over its place, which only the character's file knows.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence

from facetalk.core.motion import Motion

PORT = 39_539

LONGEST = 1400
"""Bytes of a datagram, so that networks pass it on in one piece."""

_IMMEDIATELY = struct.pack(">Q", 1)


def datagrams(motion: Motion, first: int) -> Iterator[bytes]:
    """Yield the datagrams of each frame: OSC bundles.

    Args:
        motion: with ARKit's channels.
        first: number of its first frame, whose time is sent along.
    """
    names = [name[0].upper() + name[1:] for name in motion.expression_names]
    for index, row in enumerate(motion.expression.tolist()):
        messages = [message("/VMC/Ext/Blend/Val", name, value) for name, value in zip(names, row, strict=True)]
        messages.append(message("/VMC/Ext/Blend/Apply"))
        messages += [message("/VMC/Ext/T", (first + index) / motion.fps), message("/VMC/Ext/OK", 1)]
        yield from _bundles(messages)


def message(address: str, *values: str | float | int) -> bytes:
    """An OSC 1.0 message.

    Args:
        address: of what is set.
        values: texts, floats and integers.
    """
    tags, data = ",", b""
    for value in values:
        if isinstance(value, str):
            tags, data = tags + "s", data + _padded(value)
        elif isinstance(value, int):
            tags, data = tags + "i", data + struct.pack(">i", value)
        else:
            tags, data = tags + "f", data + struct.pack(">f", value)
    return _padded(address) + _padded(tags) + data


def _padded(text: str) -> bytes:
    """A text with one to four zeros, up to a multiple of four bytes."""
    data = text.encode("ascii")
    return data + bytes(4 - len(data) % 4)


def _bundles(messages: Sequence[bytes]) -> Iterator[bytes]:
    bundle = opening = b"#bundle\0" + _IMMEDIATELY
    for part in messages:
        if len(bundle) + 4 + len(part) > LONGEST:
            yield bundle
            bundle = opening
        bundle += struct.pack(">i", len(part)) + part
    yield bundle
