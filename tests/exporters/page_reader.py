"""A plain reader of the viewer's page, written from the description of its format."""

from __future__ import annotations

import base64
import json
import re
import zlib
from pathlib import Path
from typing import Any

import numpy as np


def read_page(path: Path) -> dict[str, Any]:
    """The data of a page, with all arrays decoded to one row per channel, vertex axis or index."""
    data = json.loads(data_of(path.read_text("utf-8")))
    packed = zlib.decompress(base64.b64decode(data["arrays"]))

    def decoded(value: Any) -> Any:
        if isinstance(value, dict) and "at" in value:
            return array_of(packed, value)
        if isinstance(value, dict):
            return {key: decoded(inner) for key, inner in value.items()}
        return [decoded(inner) for inner in value] if isinstance(value, list) else value

    return decoded({key: value for key, value in data.items() if key != "arrays"})


def data_of(page: str) -> str:
    """The text of the JSON object in a page."""
    (text,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    return text


def array_of(packed: bytes, entry: dict[str, Any]) -> np.ndarray:
    """One array of `PackedArrays`, number by number."""
    count = int(np.prod(entry["shape"]))
    planes = [packed[entry["at"] + plane * count :][:count] for plane in range(entry["bytes"])]
    if "steps" not in entry:
        return np.array([int.from_bytes(bytes(plane[i] for plane in planes), "little") for i in range(count)], np.int64)
    whole = np.array([int.from_bytes(bytes((planes[0][i], planes[1][i])), "little", signed=True) for i in range(count)])
    rows = whole.reshape(entry["shape"])
    if entry["differences"]:
        rows = (np.cumsum(rows, axis=1) + 32768) % 65536 - 32768
    return rows * np.array(entry["steps"])[:, None]
