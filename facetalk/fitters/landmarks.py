"""Video -> landmarks -> motion of a head."""

from __future__ import annotations

from pathlib import Path

from facetalk.core.progress import Progress, silent
from facetalk.core.threads import one_torch_thread
from facetalk.core.types import Motion
from facetalk.core.version import __version__
from facetalk.fitters.detect import Detections as Detections
from facetalk.fitters.detect import detect_landmarks as detect_landmarks
from facetalk.fitters.read_back import RenderedReader
from facetalk.head.model import HeadModel
from facetalk.motion.heads import load_head
from facetalk.motion.retarget import arkit_view, from_view
from facetalk.tracking.fit import fit_landmarks
from facetalk.tracking.settings import FitSettings
from facetalk.vision.landmark_detector import LandmarkDetector, detector_name


def fit_video(
    path: Path | str,
    *,
    head: HeadModel | str = "facetalk",
    settings: FitSettings | None = None,
    detector: LandmarkDetector | None = None,
    face: int | None = None,
    progress: Progress = silent,
) -> Motion:
    """The motion of a head that does what the face in a video does, seen by an estimate of the video's camera.

    Args:
        path: any video that ffmpeg reads.
        head: a head, or the name of one.
        settings: weights of the fit.
        detector: see `detect_landmarks`.
        face: see `detect_landmarks`.
        progress: see `detect_landmarks`.
    """
    model = load_head(head) if isinstance(head, str) else head
    found = detect_landmarks(path, detector=detector, face=face, progress=progress)
    with one_torch_thread():
        motion = fit_landmarks(
            found.points,
            found.times,
            found.image_size,
            arkit_view(model),  # the tracker solves for ARKit's channels, of any head
            settings=settings,
            visible=found.visible,
            read_back=RenderedReader(model) if detector is None else None,
            source=str(path),
            source_fps=found.fps,
            meta={"facetalk": __version__, "command": "fit", "detector": detector_name()},
        )
    return from_view(motion, model)
