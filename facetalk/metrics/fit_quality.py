"""How well a face was seen and fitted, one number per clip."""

from __future__ import annotations

from facetalk.core.motion import Motion


def face_frames_ratio(motion: Motion) -> float:
    """Share of the frames in which a face was found; 1 for a motion that was not fitted."""
    if motion.confidence is None:
        return 1.0
    return float((motion.confidence > 0).float().mean())


def mean_fit_error(motion: Motion) -> float:
    """Mean landmark distance in inter-ocular units over the frames with a face; 0 for a motion that was not fitted."""
    if motion.fit_error is None:
        return 0.0
    return float(motion.fit_error.nanmean())
