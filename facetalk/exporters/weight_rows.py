"""Weights of many frames as JSON, written block by block."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from jaxtyping import Float
from torch import Tensor

from facetalk.io.files import replacing

_DECIMALS = 4


def write_json(path: Path, notes: Mapping[str, Any], key: str, blocks: Iterable[Float[Tensor, "_ weights"]]) -> None:
    """Write an object of some notes and, as its last entry, a list with a list of weights for each frame.

    Args:
        path: replaced if it exists.
        notes: what comes first.
        key: name of the list.
        blocks: consecutive rows.
    """
    opening = json.dumps(dict(notes), ensure_ascii=True, separators=(",", ":"))[:-1]
    with replacing(path) as temporary, temporary.open("w", encoding="ascii") as file:
        file.write(f"{opening},{json.dumps(key)}:[")
        separator = "\n"
        for block in blocks:
            rows = block.double().mul(10**_DECIMALS).round().div(10**_DECIMALS).tolist()
            file.write(separator + ",\n".join(json.dumps(row, separators=(",", ":")) for row in rows))
            separator = ",\n"
        file.write("\n]}\n")
