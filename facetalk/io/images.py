"""Single frames of a video."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from facetalk.core.errors import FacetalkError
from facetalk.io.ffmpeg import TURNS, last_line, read_output, source


def read_image(
    path: Path | str, time_s: float, size: tuple[int, int], turn: int = 0
) -> UInt8[np.ndarray, "height width 3"]:
    """The frame that a video shows at a time, resized.

    Args:
        path: any video that ffmpeg reads.
        time_s: seconds from the start.
        size: width and height in pixels; another aspect ratio than the video's stretches the image.
        turn: counterclockwise quarter turns to apply first.
    """
    width, height = size
    filters = ",".join([*TURNS[turn % 4], f"scale={width}:{height}"])
    code, data, messages = read_output(
        ["-ss", f"{max(time_s, 0):.3f}", *source(path), "-frames:v", "1", "-vf", filters,
         "-f", "rawvideo", "-pix_fmt", "rgb24", "pipe:1"]
    )  # fmt: skip
    if code != 0 or len(data) != width * height * 3:
        reason = last_line(messages) if messages else "the video ends before"
        raise FacetalkError(f"{path}: no frame at {time_s:.2f} s ({reason})")
    return np.frombuffer(data, np.uint8).reshape(height, width, 3)
