"""Predicted and reference motion -> how far they are apart, in numbers with units."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.core.errors import FacetalkError, UsageError
from facetalk.core.landmarks import IBUG_MOUTH, NUM_IBUG
from facetalk.core.motion import Motion
from facetalk.head.model import HeadModel
from facetalk.io.motion import read_motion
from facetalk.metrics.landmarks import landmark_distance_mm
from facetalk.metrics.lips import lip_vertex_error_mm, lip_vertex_error_mm2, mean_vertex_error_mm
from facetalk.metrics.upper_face import dynamics_difference_mm2
from facetalk.motion.heads import load_head

SUFFIXES = (".npz", ".npy")
"""Motion files, and vertex files `(frames, vertices, 3)` in metres."""

_LONGEST_MISMATCH = 0.1
"""Clips whose lengths differ by more than this share do not show the same speech."""


@dataclass(frozen=True, eq=False)
class Performance:
    """Two posed heads to compare, frame by frame, without the motion of the head as a whole."""

    predicted: Float[Tensor, "frames vertices 3"]
    reference: Float[Tensor, "frames vertices 3"]
    template: Float[Tensor, "vertices 3"]
    head: HeadModel

    def landmarks(self) -> tuple[Tensor, Tensor]:
        """The 68 landmarks of both."""
        return self.head.points.landmarks.on(self.predicted), self.head.points.landmarks.on(self.reference)


@dataclass(frozen=True)
class Evaluation:
    """Figures of each pair, their mean, and the pairs that could not be judged."""

    pairs: Mapping[str, Mapping[str, float]]
    failed: Mapping[str, str] = field(default_factory=dict)

    @property
    def mean(self) -> dict[str, float]:
        """Mean of every figure over the pairs."""
        names = next(iter(self.pairs.values()), {})
        return {name: float(np.mean([figures[name] for figures in self.pairs.values()])) for name in names}


def _lve(clip: Performance) -> dict[str, float]:
    lips = clip.head.points.regions["lips"]
    return {
        "lve_mm": lip_vertex_error_mm(clip.predicted, clip.reference, lips).mean().item(),
        "lve_mm2": lip_vertex_error_mm2(clip.predicted, clip.reference, lips).mean().item(),
    }


def _mve(clip: Performance) -> dict[str, float]:
    return {"mve_mm": mean_vertex_error_mm(clip.predicted, clip.reference).mean().item()}


def _fdd(clip: Performance) -> dict[str, float]:
    upper_face = clip.head.points.regions["upper_face"]
    return {"fdd_mm2": dynamics_difference_mm2(clip.predicted, clip.reference, clip.template, upper_face).item()}


def _lmd(clip: Performance) -> dict[str, float]:
    predicted, reference = clip.landmarks()
    return {
        "lmd_face_mm": landmark_distance_mm(predicted, reference, tuple(range(NUM_IBUG))).mean().item(),
        "lmd_mouth_mm": landmark_distance_mm(predicted, reference, IBUG_MOUTH).mean().item(),
    }


METRICS: dict[str, Callable[[Performance], dict[str, float]]] = {"lve": _lve, "mve": _mve, "fdd": _fdd, "lmd": _lmd}
"""Names a user can give, and what computes the figures; each figure carries its unit in its name."""


def evaluate(
    predicted_path: Path,
    reference_path: Path,
    *,
    metrics: Sequence[str] = tuple(METRICS),
    head: str = "facetalk",
) -> Evaluation:
    """Compare one file with another, or all files of a folder with those of the same name in another.

    Head motion is removed, and a predicted motion is posed with the reference's identity, so that only the face counts.
    Motions are compared at the reference's frame rate over their common length.

    Args:
        predicted_path: a motion file, `.npy` vertices in meters, or a folder of these.
        reference_path: what it is compared with.
        metrics: names of the metrics: `lve`, `mve`, `fdd`, `lmd`.
        head: name of the head that both are posed on.

    Returns:
        Figures of every pair and their mean, with the unit in each name.

    Raises:
        UsageError: a metric is unknown, or nothing can be paired.
    """
    unknown = [name for name in metrics if name not in METRICS]
    if unknown:
        raise UsageError(f"unknown metric {unknown[0]!r}; known metrics: {', '.join(METRICS)}")
    pairs, failed = paired(Path(predicted_path), Path(reference_path))
    model = load_head(head)
    figures: dict[str, dict[str, float]] = {}
    for name, (predicted, reference) in pairs.items():
        try:
            clip = read_performance(predicted, reference, model)
        except FacetalkError as error:
            if Path(predicted_path).is_file():
                raise
            failed[name] = str(error)
            continue
        figures[name] = {key: value for metric in metrics for key, value in METRICS[metric](clip).items()}
    return Evaluation(figures, failed)


def paired(predicted: Path, reference: Path) -> tuple[dict[str, tuple[Path, Path]], dict[str, str]]:
    """Files that belong together by name without suffix, and the names that have no partner."""
    for path in (predicted, reference):
        if not path.exists():
            raise FacetalkError(f"no such file or folder: {path}")
    if predicted.is_dir() != reference.is_dir():
        raise UsageError(f"{predicted} and {reference} must both be files or both be folders")
    if predicted.is_file():
        return {predicted.stem: (predicted, reference)}, {}
    ours, theirs = _by_stem(predicted), _by_stem(reference)
    common = sorted(ours.keys() & theirs.keys())
    if not common:
        raise FacetalkError(f"no file in {predicted} has the name of one in {reference} ({' or '.join(SUFFIXES)})")
    lonely = dict.fromkeys(sorted(ours.keys() - theirs.keys()), f"no file of that name in {reference}")
    lonely |= dict.fromkeys(sorted(theirs.keys() - ours.keys()), f"no file of that name in {predicted}")
    return {name: (ours[name], theirs[name]) for name in common}, lonely


def _by_stem(folder: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in sorted(path for path in folder.rglob("*") if path.suffix in SUFFIXES and not path.name.startswith(".")):
        if path.stem in found:
            raise FacetalkError(f"{found[path.stem]} and {path} have the same name; keep one to compare by name")
        found[path.stem] = path
    return found


def read_performance(predicted: Path, reference: Path, head: HeadModel) -> Performance:
    """Both clips as vertices of the same head over the same moments."""
    files = [_read(path, head) for path in (predicted, reference)]
    ours, theirs = files
    if isinstance(ours, Motion) and isinstance(theirs, Motion):
        ours = ours.to_fps(theirs.fps)
    lengths = [file.num_frames if isinstance(file, Motion) else len(file) for file in (ours, theirs)]
    num_frames = min(lengths)
    if max(lengths) - num_frames > max(3, _LONGEST_MISMATCH * max(lengths)):
        raise FacetalkError(f"{predicted} has {lengths[0]} frames and {reference} {lengths[1]}: not the same clip")
    betas = theirs.betas if isinstance(theirs, Motion) else ours.betas if isinstance(ours, Motion) else None
    template = head.shaped(betas)[0] if betas is not None else head.template
    return Performance(_face(ours, betas, head)[:num_frames], _face(theirs, betas, head)[:num_frames], template, head)


def _read(path: Path, head: HeadModel) -> Motion | Tensor:
    if path.suffix == ".npy":
        return _read_vertices(path, len(head.template))
    motion = read_motion(path)
    if motion.head != head.name or motion.expression_names != head.shape.expression_names:
        raise FacetalkError(
            f"{path} is a motion for the head {motion.head!r}, not {head.name!r}: give its head instead"
        )
    if len(motion.betas) != head.num_betas:
        raise FacetalkError(f"{path} has {len(motion.betas)} betas, the head {head.name!r} {head.num_betas}")
    return motion


def _read_vertices(path: Path, num_vertices: int) -> Float[Tensor, "frames vertices 3"]:
    try:
        array = np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise FacetalkError(f"{path} is not a vertex file: {str(error).splitlines()[0]}") from None
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiu":
        raise FacetalkError(f"{path} is not a vertex file: it must be one array of numbers")
    if array.ndim == 2 and array.shape[1] == 3 * num_vertices:
        array = array.reshape(len(array), num_vertices, 3)
    if array.ndim != 3 or array.shape[1:] != (num_vertices, 3) or len(array) == 0:
        raise FacetalkError(f"{path} has shape {array.shape}; it must be (frames, {num_vertices}, 3), in metres")
    if not np.isfinite(array).all():
        raise FacetalkError(f"{path} holds values that are not finite (NaN or infinite)")
    return torch.from_numpy(array.astype(np.float32))


def _face(clip: Motion | Tensor, betas: Tensor | None, head: HeadModel) -> Float[Tensor, "frames vertices 3"]:
    """Vertices without the head's own motion."""
    if not isinstance(clip, Motion) or betas is None:
        assert isinstance(clip, Tensor)
        return clip
    rest = torch.zeros_like(clip.transl)
    still = clip.replace(global_orient=rest, neck_pose=rest, transl=rest, betas=betas)
    return torch.cat([head.pose(still.cut(start, start + 128)).vertices for start in range(0, still.num_frames, 128)])
