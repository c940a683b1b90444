"""Values as USD text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np


def shift(place: np.ndarray) -> str:
    """A translation as USD writes matrices: row by row, with points as rows."""
    x, y, z = (f"{value:.7g}" for value in place)
    return f"( (1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), ({x}, {y}, {z}, 1) )"


def tuples(rows: np.ndarray, digits: int = 6) -> str:
    """Rows of numbers as a list of tuples."""
    one = "(" + ", ".join([f"%.{digits}g"] * rows.shape[1]) + ")"
    return "[" + ", ".join([one] * len(rows)) % tuple(rows.ravel().tolist()) + "]"


def numbers(values: np.ndarray) -> str:
    """A list of integers or floats."""
    if values.dtype.kind in "iu":
        return "[" + ", ".join(map(str, values.tolist())) + "]"
    return "[" + ", ".join(f"{value:.6g}" for value in values.tolist()) + "]"


def texts(values: Sequence[str]) -> str:
    """A list of strings without quotes in them."""
    return "[" + ", ".join(f'"{value}"' for value in values) + "]"


def quoted(value: str) -> str:
    """Any string as a literal."""
    shown = "".join(c for c in value if c.isprintable()).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{shown}"'


def asset(path: str) -> str:
    """A path to a file; names may hold the usual delimiter."""
    return "@@@" + path.replace("@@@", "\\@@@") + "@@@"


def samples(attribute: str, frames: np.ndarray, values: Iterator[str]) -> Iterator[str]:
    """An animated attribute: a value for each of some frames."""
    yield f"            {attribute}.timeSamples = {{\n"
    for frame, value in zip(frames.tolist(), values, strict=True):
        yield f"                {frame}: {value},\n"
    yield "            }\n"
