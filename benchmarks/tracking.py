"""Video to motion, by stage."""

from __future__ import annotations

from benchmarks.base import EXAMPLES, Comparison, Options, in_turns
from facetalk.fitters.detect import Detections, detect_landmarks
from facetalk.fitters.landmarks import fit_detections
from facetalk.io.video import VideoReader
from facetalk.motion.heads import load_head

VIDEO = EXAMPLES / "ref.mp4"


def measure(options: Options) -> Comparison:
    """Compare what each stage adds, on the example video."""
    head, found = load_head("facetalk"), detect_landmarks(VIDEO)

    def decode() -> int:
        with VideoReader(VIDEO) as video:
            return sum(1 for _ in video)

    def detect() -> Detections:
        return detect_landmarks(VIDEO)

    def fit() -> object:
        return fit_detections(found, head, read_back=False, notes={})

    def read_back() -> object:
        return fit_detections(found, head, notes={})

    stages = {
        "decode": decode,
        "decode and detect": detect,
        "fit": fit,
        "fit, with the detector's bias on renders": read_back,
    }
    spent = in_turns(stages, options.repeats)
    return Comparison("frame", {name: 1000 * value / decode() for name, value in spent.items()})
