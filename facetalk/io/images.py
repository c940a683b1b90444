"""Single pictures out of a video."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from facetalk.core.errors import FacetalkError
from facetalk.io.ffmpeg import ffmpeg_program, last_line


def read_image(path: Path | str, time_s: float, size: tuple[int, int]) -> UInt8[np.ndarray, "height width 3"]:
    """The picture that a video shows at a moment, made `size` (width, height) large.

    Args:
        path: any video that ffmpeg reads.
        time_s: seconds from the start.
        size: in pixels; the shape of the video as shown, or the picture is stretched.
    """
    width, height = size
    command = [
        ffmpeg_program(), "-v", "error", "-nostdin", "-ss", f"{max(time_s, 0):.3f}", "-i", f"file:{path}",
        "-frames:v", "1", "-vf", f"scale={width}:{height}", "-f", "rawvideo", "-pix_fmt", "rgb24", "pipe:1",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode != 0 or len(done.stdout) != width * height * 3:
        reason = last_line(done.stderr.decode(errors="replace")) or "the video ends before"
        raise FacetalkError(f"{path}: no picture at {time_s:.2f} s ({reason})")
    return np.frombuffer(done.stdout, np.uint8).reshape(height, width, 3)
