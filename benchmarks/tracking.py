"""Video to motion, by stage."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.base import EXAMPLES, Comparison, Options, in_turns
from facetalk.fitters.detect import Detections, detect_landmarks
from facetalk.fitters.landmarks import fit_detections
from facetalk.io.video import VideoReader
from facetalk.motion.heads import load_head
from facetalk.pipelines.av_sync import audio_beside, with_av_offset

VIDEO = EXAMPLES / "ref.mp4"


def measure(options: Options) -> Comparison:
    """Compare the stages of a fit, the whole command, and what it takes without them, on the example video."""
    head, found = load_head("facetalk"), detect_landmarks(VIDEO)
    motion = fit_detections(found, head, read_back=False, notes={})

    def decode() -> int:
        with VideoReader(VIDEO) as video:
            return sum(1 for _ in video)

    def detect() -> Detections:
        return detect_landmarks(VIDEO)

    def fit() -> object:
        return fit_detections(found, head, read_back=False, notes={})

    def read_back() -> object:
        return fit_detections(found, head, notes={})

    def hear() -> object:
        with audio_beside(VIDEO) as audio:
            assert audio is not None
            return with_av_offset(motion, head, audio.expected_mouth(motion.num_frames))

    def run() -> None:
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-m", "facetalk", "fit", str(VIDEO), "-o", str(Path(folder) / "a.npz")]
            subprocess.run(command, check=True, capture_output=True)

    def start() -> None:
        subprocess.run([sys.executable, "-c", "import facetalk.pipelines.fit_command"], check=True)

    stages = {
        "decode": decode,
        "decode and detect": detect,
        "fit": fit,
        "fit, with the detector's bias on renders": read_back,
        "audio and its offset": hear,
        "the whole command": run,
        "its imports": start,
    }
    spent = in_turns(stages, options.repeats)
    return Comparison("frame", {name: 1000 * value / decode() for name, value in spent.items()})
