"""Pose: how far and how fast the head moves, whether its spectrum is natural, and whether it follows the speech.

Mean over yaw, pitch and roll of the standard deviation and of the range of both heads, the mean angular speed, the
log-spectral distance of the heads (Gray and Markel 1976), and the multiple correlation of the loudness with the angles
and their speeds (Busso et al. 2007) beside its value for shifted speech; see `head_pose`.
"""

from __future__ import annotations

from facetalk.metrics.base import Evidence, Measured, NotOfferedError
from facetalk.metrics.head_pose import (
    AXES,
    angular_speed,
    pose_range,
    pose_spread,
    spectral_distance_db,
    speech_correlation,
)


def measure(clips: Evidence) -> Measured:
    """See `Metric.measure`."""
    angles = clips.head_angles()
    figures: dict[str, float] = {}
    for name, rows in zip(("pose", "pose_reference"), angles, strict=True):
        speed = angular_speed(rows, clips.fps)
        figures |= {
            f"{name}_spread_deg": float(pose_spread(rows).mean()),
            f"{name}_range_deg": float(pose_range(rows).mean()),
            f"{name}_speed_deg_s": float(speed.mean()) if len(speed) else float("nan"),
        }
    enough = len(angles.predicted) > 1
    figures["pose_spectral_distance_db"] = spectral_distance_db(*angles, clips.fps) if enough else float("nan")
    curves = {f"{axis}_deg": angles.predicted[:, column] for column, axis in enumerate(AXES)}
    try:
        loudness = clips.loudness()
    except NotOfferedError:
        return Measured(figures, curves)
    num_frames = min(len(loudness), len(angles.predicted))
    actual, chance = speech_correlation(angles.predicted[:num_frames], loudness[:num_frames], clips.fps)
    return Measured(figures | {"pose_speech_r": actual, "pose_speech_r_chance": chance}, curves)
