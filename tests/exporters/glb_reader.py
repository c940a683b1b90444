"""A reader of binary glTF that is independent of the exporters."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np


def read_glb(path: Path) -> dict[str, Any]:
    """The JSON of a file, whose chunks and lengths have to be right; its binary part is under `bin`."""
    data = path.read_bytes()
    magic, version, length = struct.unpack_from("<4sII", data)
    assert (magic, version, length) == (b"glTF", 2, len(data))
    size, kind = struct.unpack_from("<I4s", data, 12)
    assert kind == b"JSON" and size % 4 == 0
    document = json.loads(data[20 : 20 + size])
    binary_size, kind = struct.unpack_from("<I4s", data, 20 + size)
    assert kind == b"BIN\0" and 28 + size + binary_size == len(data)
    assert document["buffers"][0]["byteLength"] == binary_size
    return {**document, "bin": data[28 + size :]}


def floats(document: dict[str, Any], number: int) -> np.ndarray:
    """Values of an accessor of floats."""
    accessor = document["accessors"][number]
    assert accessor["componentType"] == 5126
    view = document["bufferViews"][accessor["bufferView"]]
    width = {"SCALAR": 1, "VEC3": 3, "VEC4": 4}[accessor["type"]]
    values = np.frombuffer(document["bin"], "<f4", accessor["count"] * width, view["byteOffset"]).reshape(-1, width)
    np.testing.assert_allclose(values.min(0), accessor["min"])
    np.testing.assert_allclose(values.max(0), accessor["max"])
    return values
