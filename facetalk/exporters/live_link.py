"""Frames as datagrams of Epic's Live Link Face, which Unreal Engine and others receive on UDP port 11111.

A datagram has big-endian numbers: version 6 (one byte); the device's name and the subject's, each as a length of four
bytes and UTF-8; the number of the frame in the day, a part of a frame (float), numerator and denominator of the frame
rate; the number of values (one byte) and the values: 52 weights in Apple's order, then yaw, pitch and roll of the head
and of both eyes in radians.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

import torch

from facetalk.core.motion import Motion
from facetalk.exporters.csv import angles

PORT = 11_111

VERSION = 6

_DEVICE = "00000000-0000-0000-0000-66616365746b"
"""Receivers tell devices apart by a name of this form."""
_TIME = struct.Struct(">ifii")
_DAY_S = 24 * 3600


def datagrams(motion: Motion, first: int, subject: str = "facetalk") -> Iterator[bytes]:
    """Yield a datagram for each frame.

    Args:
        motion: with ARKit's channels.
        first: number of its first frame, whose time counts from the beginning of a day.
        subject: name under which the receiver shows the face.
    """
    rows = torch.cat([motion.expression, angles(motion)], 1).tolist()
    opening = bytes([VERSION]) + _text(_DEVICE) + _text(subject)
    rate = round(motion.fps)
    for index, row in enumerate(rows):
        time = _TIME.pack((first + index) % (_DAY_S * rate), 0.0, rate, 1)
        yield opening + time + struct.pack(f">B{len(row)}f", len(row), *row)


def _text(text: str) -> bytes:
    data = text.encode()
    return struct.pack(">i", len(data)) + data
