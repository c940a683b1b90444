"""Beat: whether the head turns in the rhythm of the speech and of the reference's head.

`beat_speech` is the beat alignment of the head's turning points with the onsets of syllables, as AIST++ (Li et al.
2021) measures dance and SadTalker (Zhang et al. 2023) heads; `beat_reference` that with the turning points of the
reference's head (DiffPoseTalk, Sun et al. 2024). Beside each is the score of beats that are shifted against each other.
"""

from __future__ import annotations

from facetalk.metrics.base import Evidence, Measured, NotOfferedError
from facetalk.metrics.beats import beat_alignment, chance_alignment, movement_beats, speech_beats
from facetalk.metrics.head_pose import angular_speed


def measure(clips: Evidence) -> Measured:
    """See `Metric.measure`."""
    angles = clips.head_angles()
    speeds = [angular_speed(rows, clips.fps) for rows in angles]
    ours, theirs = (movement_beats(speed, clips.fps) for speed in speeds)
    length_s = len(angles.predicted) / clips.fps
    figures = {
        "beat_reference": beat_alignment(ours, theirs),
        "beat_reference_chance": chance_alignment(ours, theirs, length_s),
    }
    try:
        spoken = speech_beats(clips.loudness(), clips.fps)
    except NotOfferedError:
        return Measured(figures, {"head_speed_deg_s": speeds[0]})
    figures |= {
        "beat_speech": beat_alignment(ours, spoken),
        "beat_speech_chance": chance_alignment(ours, spoken, length_s),
    }
    return Measured(figures, {"head_speed_deg_s": speeds[0]})
