"""The landmark fitter: detected points of a video -> least-squares fit of a head."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch

from facetalk.core.landmarks import NUM_MESH_POINTS
from facetalk.core.motion import Motion
from facetalk.core.progress import Progress, no_progress
from facetalk.core.threads import one_torch_thread
from facetalk.core.version import __version__
from facetalk.fitters.base import LengthListener, no_listener
from facetalk.fitters.detect import Detections, detect_landmarks, source_notes
from facetalk.fitters.read_back import RenderedReader
from facetalk.head.model import HeadModel
from facetalk.motion.arkit_view import arkit_view, from_view
from facetalk.tracking.bounded_solver import solve_bounded
from facetalk.tracking.fit import fit_landmarks
from facetalk.tracking.observation import even_times
from facetalk.tracking.settings import FitSettings
from facetalk.vision.landmark_detector import LandmarkDetector, detector_name


class LandmarkFitter:
    """Fits a head to MediaPipe's points: camera and identity of a clip, then pose, gaze and channels of its frames."""

    def __init__(self, settings: FitSettings | None = None, detector: LandmarkDetector | None = None) -> None:
        """Choose the settings.

        Args:
            settings: weights of the fit.
            detector: MediaPipe if None; another one is never shown renders of the head.
        """
        self._settings, self._detector = settings, detector

    def fit(
        self,
        video: Path,
        head: HeadModel,
        *,
        face: int | None = None,
        progress: Progress = no_progress,
        on_length: LengthListener = no_listener,
    ) -> Motion:
        """See `Fitter.fit`."""
        with ThreadPoolExecutor(1) as helper:
            helper.submit(load_kernels, head)
            found = detect_landmarks(video, detector=self._detector, face=face, progress=progress)
            on_length(len(even_times(found.times)))
        with one_torch_thread():
            return fit_detections(
                found, head, settings=self._settings, read_back=self._detector is None, source=str(video), notes={}
            )


def fit_detections(
    found: Detections,
    head: HeadModel,
    *,
    settings: FitSettings | None = None,
    read_back: bool = True,
    source: str = "",
    notes: Mapping[str, Any],
) -> Motion:
    """Fit a head to the detected points of one face.

    Args:
        found: the points.
        head: the head to move.
        settings: weights of the fit.
        read_back: render fitted frames and detect them again, to correct the bias of MediaPipe on this clip.
        source: path of the video, stored in the motion.
        notes: additional metadata of the motion.
    """
    motion = fit_landmarks(
        found.points,
        found.times,
        found.image_size,
        arkit_view(head),  # the solver knows ARKit's channels only
        settings=settings,
        visible=found.visible,
        read_back=RenderedReader(head) if read_back else None,
        source=source,
        source_fps=found.fps,
        meta={"facetalk": __version__, "command": "fit", "detector": detector_name(), **source_notes(found), **notes},
    )
    return from_view(motion, head)


def load_kernels(head: HeadModel) -> None:
    """Load the compiled loops, which takes half a second, in the first fit of a process: fit and render one frame."""
    if solve_bounded.signatures:
        return
    view = arkit_view(head)
    points = torch.zeros(1, NUM_MESH_POINTS, 3)
    points[:, view.points.mediapipe_ids] = view.points.mediapipe.on(view.template) * torch.tensor([1e3, -1e3, -1e3])
    with one_torch_thread():
        RenderedReader(head).render(fit_landmarks(points, torch.zeros(1), (512, 512), view))
