"""Predicted and reference clips -> metrics of their difference, with units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from torch import Tensor

from facetalk.core.errors import USER_ERRORS, FacetalkError, UsageError, user_error
from facetalk.core.motion import check_fps
from facetalk.core.progress import INPUTS, Progress, no_progress
from facetalk.head.model import HeadModel
from facetalk.metrics.base import NotOfferedError
from facetalk.metrics.registry import ALL, chosen_metrics, load_metric
from facetalk.motion.heads import load_head
from facetalk.pipelines.evaluation.clips import Clip, fitted_in_length, held_still, read_clip
from facetalk.pipelines.evaluation.evidence import SYNC_CRITIC, Options, PairEvidence
from facetalk.pipelines.evaluation.pairing import Paths, is_clip, paired, takes_of
from facetalk.pipelines.evaluation.regions import read_layout
from facetalk.pipelines.evaluation.results import Curves, Figures, SystemFigures

if TYPE_CHECKING:
    from facetalk.io.audio import Waveform

STILL, SHUFFLED = "still", "shuffled"
BASELINES = (STILL, SHUFFLED)
"""Predictions that need no system: the reference's mean face, and the prediction for another clip."""


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Figures of each system, and what could not be compared with the reason."""

    systems: Mapping[str, SystemFigures]
    """By name: the folder or file, a baseline. The prediction comes first."""
    failed: Mapping[str, str] = field(default_factory=dict)
    """Clips by name; those of further systems after the system's name."""
    left_out: Mapping[str, str] = field(default_factory=dict)
    """Metrics that were not asked for by name and that the clips do not allow."""

    @property
    def first(self) -> SystemFigures:
        """The prediction."""
        return next(iter(self.systems.values()))

    @property
    def pairs(self) -> Mapping[str, Figures]:
        """Figures of each pair of the prediction."""
        return self.first.pairs

    @property
    def mean(self) -> dict[str, float]:
        """Mean of every figure of the prediction over the pairs."""
        return self.first.mean


def evaluate(
    predicted_path: str | Path,
    reference_path: str | Path,
    *,
    metrics: Sequence[str] = (),
    head: str = "facetalk",
    against: Sequence[str | Path] = (),
    baselines: Sequence[str] = (),
    audio: str | Path | None = None,
    regions: str | Path | None = None,
    template: str | Path | None = None,
    fps: float | None = None,
    sync_critic: str | Path = SYNC_CRITIC,
    seed: int = 0,
    progress: Progress = no_progress,
) -> Evaluation:
    """Compare one clip with another, or all clips of a folder with those of the same name in another.

    Head motion is removed, and a predicted motion is posed with the reference's identity, so that only the face counts.
    Clips are compared at the reference's frame rate over their common length.

    Args:
        predicted_path: a motion file, or a file of another program that `import_motion` reads; vertices in meters as
            `.npy`, `.npz` or a folder of OBJ or PLY frames; a video; or a folder of these.
        reference_path: what it is compared with.
        metrics: names as in `METRICS`, or `all` for those that the clips allow; if none are given, those that take no
            longer than posing the head.
        head: name of the head that motions are posed on.
        against: further predictions for the same reference, to compare systems.
        baselines: of `BASELINES`.
        audio: the speech, or a folder with a recording of the name of each clip; found beside the clips if not given.
        regions: which vertices of another mesh are lips, upper face and skin; see `read_layout`.
        template: the face at rest of another mesh, also by speaker.
        fps: frame rate of vertices that do not state one.
        sync_critic: bundled weights, or a folder that `facetalk train sync-critic` wrote.
        seed: of the bootstrap.
        progress: called with the number of compared clips.

    Returns:
        Figures of every pair and their mean, with the unit in each name.

    Raises:
        UsageError: a metric is unknown, or nothing can be paired.
        FacetalkError: a single clip cannot be compared, or lacks what a named metric needs.

    Example:
        >>> evaluate("out/speech.npz", "reference.npz", metrics=("lve", "fdd")).mean["lve_mm"]
    """
    for path in (predicted_path, reference_path, *against):
        if not isinstance(path, str | Path):
            raise UsageError(
                f"evaluate compares files and folders, not {type(path).__name__}; write_motion makes a file"
            )
    named = metrics.split(",") if isinstance(metrics, str) else list(metrics)
    chosen = chosen_metrics(named)
    for name in baselines:
        if name not in BASELINES:
            raise UsageError(f"unknown baseline {name!r}; there are: {', '.join(BASELINES)}")
    check_fps(fps)
    options = Options(read_layout(regions, template), fps, str(sync_critic))
    paths = [Path(path) for path in (predicted_path, *against)]
    pairings = {name: paired(path, Path(reference_path)) for name, path in zip(_names(paths), paths, strict=True)}
    own = next(iter(pairings.values())).pairs
    if SHUFFLED in baselines and len(own) < 2:
        raise UsageError("the baseline shuffled needs folders with at least two clips in common")
    strict = frozenset(named) - {ALL} if ALL not in named else frozenset()
    run = _Run(load_head(head), options, chosen, strict, None if audio is None else Path(audio))
    jobs = [(system, pairing.pairs, "") for system, pairing in pairings.items()]
    jobs += [(baseline, own, baseline) for baseline in dict.fromkeys(baselines)]
    total, done = sum(len(pairs) for _, pairs, _ in jobs), 0
    failed = {name: why for system, pairing in pairings.items() for name, why in pairing.unpaired.items()}
    systems = {}
    for system, pairs, baseline in jobs:
        figures, curves = {}, {}
        for name in pairs:
            try:
                figures[name], curves[name] = run.measured(name, pairs, baseline)
            except USER_ERRORS as error:
                if is_clip(paths[0]):
                    raise
                failed[name if system == next(iter(pairings)) else f"{system}: {name}"] = str(user_error(error))
            done += 1
            progress(INPUTS, done, total)
        systems[system] = SystemFigures(figures, curves, seed)
    return Evaluation(systems, failed, run.left_out)


class _Run:
    """Metrics of pairs, one after the other."""

    def __init__(
        self, head: HeadModel, options: Options, metrics: Sequence[str], strict: frozenset[str], audio: Path | None
    ) -> None:
        """Remember what is wanted.

        Args:
            head: on which motions are posed.
            options: what files do not say.
            metrics: those to compute.
            strict: those that a pair must allow.
            audio: the speech, or a folder of recordings.
        """
        self.head, self.options, self.metrics, self.strict, self.audio = head, options, metrics, strict, audio
        self.left_out: dict[str, str] = {}
        """Metrics that a pair did not allow, with the reason of the first one."""

    def measured(self, name: str, pairs: Mapping[str, Paths], baseline: str) -> tuple[Figures, Curves]:
        """Figures of a pair.

        Args:
            name: of the pair.
            pairs: those of its system.
            baseline: what takes the place of the prediction; empty for nothing.
        """
        figures: dict[str, float] = {}
        curves: dict[str, Tensor] = {}
        reasons: dict[str, str] = {}
        with closing(self._evidence(name, pairs, baseline)) as evidence:
            for metric in self.metrics:
                try:
                    found = load_metric(metric).measure(evidence)
                except NotOfferedError as error:
                    if metric in self.strict and not baseline:
                        raise FacetalkError(f"{metric} {error}") from None
                    reasons[metric] = str(error)
                    continue
                figures |= found.figures
                curves |= found.curves
        if not figures:
            metric, reason = next(iter(reasons.items()))
            raise FacetalkError(f"nothing can be computed for these clips: {metric} {reason}")
        if not baseline:
            self.left_out = reasons | self.left_out
        return figures, Curves(evidence.fps, curves)

    def _evidence(self, name: str, pairs: Mapping[str, Paths], baseline: str) -> PairEvidence:
        reference = self._clip(pairs[name].reference)
        if baseline == STILL:
            predicted = held_still(reference)
        elif baseline == SHUFFLED:
            names = list(pairs)
            other = names[(names.index(name) + 1) % len(names)]
            predicted = fitted_in_length(self._clip(pairs[other].predicted), reference)
        else:
            predicted = self._clip(pairs[name].predicted)
        takes = [] if baseline else [partial(self._clip, pairs[other].predicted) for other in takes_of(name, pairs)]

        def hears() -> Waveform | None:
            from facetalk.pipelines.evaluation.audio import speech_of_pair  # loads what reads audio

            return speech_of_pair(name, predicted, reference, self.audio)

        return PairEvidence(predicted, reference, self.head, name, hears, self.options, takes)

    def _clip(self, path: Path) -> Clip:
        return read_clip(path, self.head)


def _names(paths: Sequence[Path]) -> list[str]:
    """Short names of systems that tell them apart."""
    names = [path.name or str(path) for path in paths]
    if len(set(names)) < len(names):
        names = [str(path) for path in paths]
    taken = [name for name in names if names.count(name) > 1 or name in BASELINES]
    if taken:
        raise UsageError(f"{taken[0]} cannot name one system; give folders with names of their own")
    return names
