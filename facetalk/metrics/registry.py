"""The metrics of `facetalk evaluate`, by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from jaxtyping import Float, Int64
from torch import Tensor

from facetalk.core.landmarks import IBUG_MOUTH, NUM_IBUG
from facetalk.metrics.landmarks import landmark_distance_mm
from facetalk.metrics.lips import lip_vertex_error_mm, lip_vertex_error_mm2, mean_vertex_error_mm
from facetalk.metrics.upper_face import dynamics_difference_mm2


@dataclass(frozen=True, eq=False)
class FacePair:
    """A predicted and a reference clip as the same head, without the motion of the head as a whole; in meters."""

    predicted: Float[Tensor, "frames vertices 3"]
    reference: Float[Tensor, "frames vertices 3"]
    template: Float[Tensor, "vertices 3"]
    """The reference's identity at rest."""
    predicted_landmarks: Float[Tensor, "frames 68 3"]
    reference_landmarks: Float[Tensor, "frames 68 3"]
    lips: Int64[Tensor, " lip_vertices"]
    upper_face: Int64[Tensor, " upper_vertices"]


def _lve(pair: FacePair) -> dict[str, float]:
    return {
        "lve_mm": lip_vertex_error_mm(pair.predicted, pair.reference, pair.lips).mean().item(),
        "lve_mm2": lip_vertex_error_mm2(pair.predicted, pair.reference, pair.lips).mean().item(),
    }


def _mve(pair: FacePair) -> dict[str, float]:
    return {"mve_mm": mean_vertex_error_mm(pair.predicted, pair.reference).mean().item()}


def _fdd(pair: FacePair) -> dict[str, float]:
    difference = dynamics_difference_mm2(pair.predicted, pair.reference, pair.template, pair.upper_face)
    return {"fdd_mm2": difference.item()}


def _lmd(pair: FacePair) -> dict[str, float]:
    predicted, reference = pair.predicted_landmarks, pair.reference_landmarks
    return {
        "lmd_face_mm": landmark_distance_mm(predicted, reference, tuple(range(NUM_IBUG))).mean().item(),
        "lmd_mouth_mm": landmark_distance_mm(predicted, reference, IBUG_MOUTH).mean().item(),
    }


METRICS: dict[str, Callable[[FacePair], dict[str, float]]] = {"lve": _lve, "mve": _mve, "fdd": _fdd, "lmd": _lmd}
"""What computes each metric: one or more figures per pair, with the unit in their names."""
