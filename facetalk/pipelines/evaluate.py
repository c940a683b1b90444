"""Predicted and reference motion -> metrics of their difference, with units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.core.errors import FacetalkError, UsageError
from facetalk.core.motion import Motion
from facetalk.head.channels import ARKIT_NAMES
from facetalk.head.model import HeadModel
from facetalk.importers.registry import import_motion
from facetalk.io.npy import ArrayFileError, npy_shape, read_npy
from facetalk.metrics.registry import METRICS, FacePair
from facetalk.motion.frames import posed
from facetalk.motion.heads import load_head

SUFFIXES = (".npz", ".npy")
"""Of the files in a folder: motions, and vertices `(frames, vertices, 3)` in meters. Single files may also be of other
programs."""

MOST_VERTEX_BYTES = 16 << 30
"""Of a vertex file, which is as large on disk."""
LARGEST_M = 1e4

_MAX_LENGTH_DIFFERENCE = 0.1
"""Clips whose lengths differ by more than this share are not of the same speech."""


@dataclass(frozen=True)
class Evaluation:
    """Figures of each pair, their mean, and the pairs that could not be compared with the reason of each."""

    pairs: Mapping[str, Mapping[str, float]]
    failed: Mapping[str, str] = field(default_factory=dict)

    @property
    def mean(self) -> dict[str, float]:
        """Mean of every figure over the pairs."""
        names = next(iter(self.pairs.values()), {})
        return {name: float(np.mean([figures[name] for figures in self.pairs.values()])) for name in names}


def evaluate(
    predicted_path: str | Path,
    reference_path: str | Path,
    *,
    metrics: Sequence[str] = tuple(METRICS),
    head: str = "facetalk",
) -> Evaluation:
    """Compare one file with another, or all files of a folder with those of the same name in another.

    Head motion is removed, and a predicted motion is posed with the reference's identity, so that only the face counts.
    Motions are compared at the reference's frame rate over their common length.

    Args:
        predicted_path: a motion file, `.npy` vertices in meters, or a folder of these; or a file of another program
            that `import_motion` reads.
        reference_path: what it is compared with.
        metrics: names of the metrics: `lve`, `mve`, `fdd`, `lmd`.
        head: name of the head that both are posed on.

    Returns:
        Figures of every pair and their mean, with the unit in each name.

    Raises:
        UsageError: a metric is unknown, or nothing can be paired.
    """
    for path in (predicted_path, reference_path):
        if not isinstance(path, str | Path):
            raise UsageError(
                f"evaluate compares files and folders, not {type(path).__name__}; write_motion makes a file"
            )
    metrics = metrics.split(",") if isinstance(metrics, str) else metrics
    unknown = [name for name in metrics if name not in METRICS]
    if unknown:
        raise UsageError(f"unknown metric {unknown[0]!r}; known metrics: {', '.join(METRICS)}")
    pairs, failed = paired(Path(predicted_path), Path(reference_path))
    model = load_head(head)
    figures: dict[str, dict[str, float]] = {}
    for name, (predicted, reference) in pairs.items():
        try:
            pair = read_pair(predicted, reference, model)
        except FacetalkError as error:
            if Path(predicted_path).is_file():
                raise
            failed[name] = str(error)
            continue
        figures[name] = {key: value for metric in metrics for key, value in METRICS[metric](pair).items()}
    return Evaluation(figures, failed)


def paired(predicted: Path, reference: Path) -> tuple[dict[str, tuple[Path, Path]], dict[str, str]]:
    """Files with the same name without suffix, and the names that occur in one folder only, with the reason."""
    for path in (predicted, reference):
        if not path.exists():
            raise FacetalkError(f"no such file or folder: {path}")
    if predicted.is_dir() != reference.is_dir():
        raise UsageError(f"{predicted} and {reference} must both be files or both be folders")
    if predicted.is_file():
        return {predicted.stem: (predicted, reference)}, {}
    predicted_files, reference_files = _by_stem(predicted), _by_stem(reference)
    common = sorted(predicted_files.keys() & reference_files.keys())
    if not common:
        raise FacetalkError(f"no file in {predicted} has the name of one in {reference} ({' or '.join(SUFFIXES)})")
    unpaired = dict.fromkeys(sorted(predicted_files.keys() - common), f"no file of that name in {reference}")
    unpaired |= dict.fromkeys(sorted(reference_files.keys() - common), f"no file of that name in {predicted}")
    return {name: (predicted_files[name], reference_files[name]) for name in common}, unpaired


def _by_stem(folder: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in sorted(path for path in folder.rglob("*") if path.suffix in SUFFIXES and not path.name.startswith(".")):
        if path.stem in found:
            raise FacetalkError(f"{found[path.stem]} and {path} have the same name; keep one to compare by name")
        found[path.stem] = path
    return found


def read_pair(predicted: Path, reference: Path, head: HeadModel) -> FacePair:
    """Both clips as vertices of the same head at the same times."""
    first, second = (_read(path, head) for path in (predicted, reference))
    if isinstance(first, Motion) and isinstance(second, Motion):
        first = first.to_fps(second.fps)
    lengths = [file.num_frames if isinstance(file, Motion) else len(file) for file in (first, second)]
    num_frames = min(lengths)
    if max(lengths) - num_frames > max(3, _MAX_LENGTH_DIFFERENCE * max(lengths)):
        raise FacetalkError(f"{predicted} has {lengths[0]} frames and {reference} {lengths[1]}: not the same clip")
    betas = second.betas if isinstance(second, Motion) else first.betas if isinstance(first, Motion) else None
    template = head.shaped(betas)[0] if betas is not None else head.template
    vertices, true_vertices = (_face(clip, betas, head)[:num_frames] for clip in (first, second))
    points = head.points
    return FacePair(
        predicted=vertices,
        reference=true_vertices,
        template=template,
        predicted_landmarks=points.landmarks.on(vertices),
        reference_landmarks=points.landmarks.on(true_vertices),
        lips=points.regions["lips"],
        upper_face=points.regions["upper_face"],
    )


def _read(path: Path, head: HeadModel) -> Motion | Tensor:
    if path.suffix == ".npy" and not _is_channels(path):
        return _read_vertices(path, len(head.template))
    motion = import_motion(path, head=head.name)
    if motion.head != head.name or motion.expression_names != head.shape.expression_names:
        raise FacetalkError(
            f"{path} is a motion for the head {motion.head!r}, not {head.name!r}: give its head instead"
        )
    if len(motion.betas) != head.num_betas:
        raise FacetalkError(f"{path} has {len(motion.betas)} betas, the head {head.name!r} {head.num_betas}")
    return motion


def _is_channels(path: Path) -> bool:
    """Whether an array holds weights of ARKit's channels, and not vertices."""
    try:
        shape = npy_shape(path)
    except ArrayFileError:
        return False
    return len(shape) == 2 and shape[1] == len(ARKIT_NAMES)


def _read_vertices(path: Path, num_vertices: int) -> Float[Tensor, "frames vertices 3"]:
    try:
        array = read_npy(path, MOST_VERTEX_BYTES)
    except ArrayFileError as error:
        raise FacetalkError(f"{path} is not a vertex file: {error}") from None
    if array.dtype.kind not in "fiu":
        raise FacetalkError(f"{path} is not a vertex file: it must be one array of numbers")
    if array.ndim == 2 and array.shape[1] == 3 * num_vertices:
        array = array.reshape(len(array), num_vertices, 3)
    if array.ndim != 3 or array.shape[1:] != (num_vertices, 3) or len(array) == 0:
        raise FacetalkError(f"{path} has shape {array.shape}; it must be (frames, {num_vertices}, 3), in meters")
    if not np.isfinite(array).all() or np.abs(array).max() > LARGEST_M:
        raise FacetalkError(f"{path} contains values that are not finite, or vertices beyond {LARGEST_M:g} m")
    return torch.from_numpy(array.astype(np.float32))


def _face(clip: Motion | Tensor, betas: Tensor | None, head: HeadModel) -> Float[Tensor, "frames vertices 3"]:
    """Vertices without the motion of the head as a whole."""
    if not isinstance(clip, Motion) or betas is None:
        assert isinstance(clip, Tensor)
        return clip
    rest = torch.zeros_like(clip.transl)
    still = clip.replace(global_orient=rest, neck_pose=rest, transl=rest, betas=betas)
    return torch.from_numpy(np.stack(list(posed(head, still))))
