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
    is_default: bool = False
    """Whether it is computed when no metric is named: those that take no longer than posing the head."""
    higher: tuple[str, ...] = ()
    """Figures of which more is better; less is better, or nothing is, for the others."""


METRICS = {
    "lve": Entry("lve", "largest error of a lip vertex, mm", True),
    "lve-sq": Entry("lve_sq", "the same squared, mm2", True),
    "mve": Entry("mve", "mean error of all vertices, mm", True),
    "fve": Entry("fve", "largest error of a vertex of the face, mm", True),
    "eve": Entry("eve", "largest error of a vertex of the upper face, mm", True),
    "fdd": Entry("fdd", "how much less the upper face moves, mm2", True),
    "fdd-abs": Entry("fdd_abs", "the same without sign, mm2", True),
    "mod": Entry("mod", "difference of the mouth's opening", True),
    "m-lmd": Entry("m_lmd", "distance of the mouth's landmarks", True),
    "f-lmd": Entry("f_lmd", "distance of all landmarks", True),
    "ssim": Entry("ssim", "structural similarity of video frames", higher=("ssim",)),
    "psnr": Entry("psnr", "signal-to-noise ratio of video frames, dB", higher=("psnr_db",)),
    "cpbd": Entry("cpbd", "sharpness of video frames", higher=("cpbd",)),
    "flicker": Entry("flicker", "flicker of the still parts of video frames, gray levels"),
    "sync": Entry("sync", "confidence and offset of mouth and speech", higher=("sync_confidence",)),
    "lip-closure": Entry(
        "lip_closure", "closures on P, B and M: recall, precision", higher=("closure_recall", "closure_precision")
    ),
    "beat": Entry("beat", "rhythm of the head, by speech and reference", higher=("beat_speech", "beat_reference")),
    "blink": Entry("blink", "rate, duration and interval of blinks"),
    "gaze": Entry("gaze", "fixations, saccades and eye contact"),
    "pose": Entry("pose", "range, speed and spectrum of the head", higher=("pose_speech_r",)),
    "jitter": Entry("jitter", "acceleration of the landmarks"),
    "emotion-distance": Entry("emotion_distance", "distance of an expression network's features"),
    "lip-reading": Entry("lip_reading", "phoneme and viseme error rate of a lip reader"),
    "diversity": Entry("diversity", "distance of takes of the same speech, mm", higher=("diversity_mm",)),
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
