"""The table of metrics: what each one is, and the module that computes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, cast

from facetalk.core.errors import UsageError

if TYPE_CHECKING:
    from facetalk.metrics.base import Metric


@dataclass(frozen=True)
class Entry:
    """One metric."""

    module: str
    """Module of `facetalk.metrics.members`; imported on first use."""
    what: str
    """What it is, in a few words."""
    figures: tuple[str, ...]
    """Names of all that it may find, in any unit."""
    is_default: bool = False
    """Whether it is computed when no metric is named: those that take no longer than posing the head."""
    higher: tuple[str, ...] = ()
    """Figures of which more is better; less is better, or nothing is, for the others."""


METRICS = {
    "lve": Entry("lve", "largest error of a lip vertex, mm", ("lve_mm",), is_default=True),
    "lve-sq": Entry("lve_sq", "the same squared, mm2", ("lve_mm2",), is_default=True),
    "mve": Entry("mve", "mean error of all vertices, mm", ("mve_mm",), is_default=True),
    "fve": Entry("fve", "largest error of a vertex of the face, mm", ("fve_mm",), is_default=True),
    "eve": Entry("eve", "largest error of a vertex of the upper face, mm", ("eve_mm",), is_default=True),
    "fdd": Entry("fdd", "how much less the upper face moves, mm2", ("fdd_mm2",), is_default=True),
    "fdd-abs": Entry("fdd_abs", "the same without sign, mm2", ("fdd_abs_mm2",), is_default=True),
    "mod": Entry("mod", "difference of the mouth's opening", ("mod_mm", "mod_iod"), is_default=True),
    "m-lmd": Entry("m_lmd", "distance of the mouth's landmarks", ("m_lmd_mm", "m_lmd_iod"), is_default=True),
    "f-lmd": Entry("f_lmd", "distance of all landmarks", ("f_lmd_mm", "f_lmd_iod"), is_default=True),
    "ssim": Entry("ssim", "structural similarity of video frames", ("ssim",), higher=("ssim",)),
    "psnr": Entry("psnr", "signal-to-noise ratio of video frames, dB", ("psnr_db",), higher=("psnr_db",)),
    "cpbd": Entry("cpbd", "sharpness of video frames", ("cpbd", "cpbd_reference"), higher=("cpbd",)),
    "flicker": Entry(
        "flicker",
        "flicker of the still parts of video frames, gray levels",
        ("flicker_levels", "flicker_reference_levels"),
    ),
    "sync": Entry(
        "sync",
        "confidence and offset of mouth and speech",
        ("sync_confidence", "sync_offset_ms", "sync_reference_confidence", "sync_reference_offset_ms"),
        higher=("sync_confidence",),
    ),
    "lip-closure": Entry(
        "lip_closure",
        "closures on P, B and M: recall, precision",
        ("closure_recall", "closure_precision"),
        higher=("closure_recall", "closure_precision"),
    ),
    "beat": Entry(
        "beat",
        "rhythm of the head, by speech and reference",
        ("beat_reference", "beat_reference_chance", "beat_speech", "beat_speech_chance"),
        higher=("beat_speech", "beat_reference"),
    ),
    "blink": Entry(
        "blink",
        "rate, duration and interval of blinks",
        (
            "blink_rate_hz",
            "blink_duration_s",
            "blink_interval_s",
            "blink_reference_rate_hz",
            "blink_reference_duration_s",
            "blink_reference_interval_s",
            "blink_duration_distance_s",
            "blink_interval_distance_s",
        ),
    ),
    "gaze": Entry(
        "gaze",
        "fixations, saccades and eye contact",
        (
            "gaze_fixation_s",
            "gaze_saccade_rate_hz",
            "gaze_saccade_deg",
            "gaze_contact",
            "gaze_reference_fixation_s",
            "gaze_reference_saccade_rate_hz",
            "gaze_reference_saccade_deg",
            "gaze_reference_contact",
            "gaze_fixation_distance_s",
            "gaze_saccade_distance_deg",
        ),
    ),
    "pose": Entry(
        "pose",
        "range, speed and spectrum of the head",
        (
            "pose_spread_deg",
            "pose_range_deg",
            "pose_speed_deg_s",
            "pose_reference_spread_deg",
            "pose_reference_range_deg",
            "pose_reference_speed_deg_s",
            "pose_spectral_distance_db",
            "pose_speech_r",
            "pose_speech_r_chance",
        ),
        higher=("pose_speech_r",),
    ),
    "jitter": Entry(
        "jitter",
        "acceleration of the landmarks",
        ("jitter_mm_s2", "jitter_iod_s2", "jitter_reference_mm_s2", "jitter_reference_iod_s2"),
    ),
    "emotion-distance": Entry(
        "emotion_distance", "distance of an expression network's features", ("emotion_distance",)
    ),
    "lip-reading": Entry(
        "lip_reading",
        "phoneme and viseme error rate of a lip reader",
        ("phoneme_error_rate", "viseme_error_rate", "phoneme_error_rate_reference", "viseme_error_rate_reference"),
    ),
    "diversity": Entry(
        "diversity", "distance of takes of the same speech, mm", ("diversity_mm",), higher=("diversity_mm",)
    ),
}
"""Metrics by name."""

ALL = "all"
"""Stands for all metrics that the clips allow."""

DEFAULT = tuple(name for name, entry in METRICS.items() if entry.is_default)

HIGHER_IS_BETTER = frozenset(figure for entry in METRICS.values() for figure in entry.higher)


def chosen_metrics(names: Sequence[str]) -> tuple[str, ...]:
    """The metrics that are meant, each once: the defaults if none is named.

    Raises:
        UsageError: a name is unknown.
    """
    for name in names:
        if name not in METRICS and name != ALL:
            raise UsageError(f"unknown metric {name!r}; known metrics: {', '.join(METRICS)}, {ALL}")
    if ALL in names:
        return tuple(METRICS)
    return tuple(dict.fromkeys(names)) or DEFAULT


def load_metric(name: str) -> Metric:
    """The module that computes a metric of the table."""
    if name not in METRICS:
        raise UsageError(f"unknown metric {name!r}; known metrics: {', '.join(METRICS)}")
    return cast("Metric", import_module(f"facetalk.metrics.members.{METRICS[name].module}"))
