"""How far each pixel of an image shows a person rather than the background: MediaPipe's selfie segmentation.

Its model is part of mediapipe 0.10.21's wheel. Later releases have none, and no model is downloaded: there, facetalk's
own network takes its place, whose teacher it was.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32, UInt8

from facetalk.vision.face_landmarker_model import requested_model
from facetalk.vision.mediapipe_import import import_mediapipe
from facetalk.vision.native_log import muted


def person_matte(image: UInt8[np.ndarray, "height width 3"]) -> Float32[np.ndarray, "height width"] | None:
    """Opacity of the person, in [0, 1]; None where the installed MediaPipe has no model for it.

    Args:
        image: RGB; head and shoulders of a person, about square: the network sees it on 256 x 256 pixels.
    """
    try:
        mediapipe = import_mediapipe()
    except ImportError:
        return None
    solutions = getattr(mediapipe, "solutions", None)
    if solutions is None or requested_model() is not None:
        return None
    with muted, solutions.selfie_segmentation.SelfieSegmentation(model_selection=0) as network:
        return np.asarray(network.process(np.ascontiguousarray(image)).segmentation_mask, np.float32)
