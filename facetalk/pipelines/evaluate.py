"""Predicted and reference clips -> metrics of their difference, with units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from torch import Tensor

from facetalk.core.engines import LOCAL, each_with
from facetalk.core.errors import FacetalkError, UsageError
from facetalk.core.motion import check_fps
from facetalk.core.progress import INPUTS, Progress, no_progress
from facetalk.head.model import HeadModel
from facetalk.metrics.base import NotOfferedError
from facetalk.metrics.registry import ALL, chosen_metrics, load_metric
from facetalk.motion.heads import load_head
from facetalk.pipelines.batch import jobs_of
from facetalk.pipelines.evaluation.clips import Clip, fitted_in_length, held_still, read_clip
from facetalk.pipelines.evaluation.evidence import SYNC_CRITIC, Options, PairEvidence
from facetalk.pipelines.evaluation.pairing import Pairing, Paths, is_clip, paired, takes_of
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
    jobs: int | None = None,
    engine: str = LOCAL,
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
        jobs: number of comparisons at the same time, each in a process; one if None, with Ray one for each processor.
        engine: `local`, or a Ray cluster, see `facetalk.core.engines`.
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
    jobs = jobs_of(jobs, engine)
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
    systems = {system: pairing.pairs for system, pairing in pairings.items()}
    work = _Measuring(load_head(head), head, options, chosen, strict, None if audio is None else Path(audio), systems)
    items = [_Item(system, name, "") for system, pairs in systems.items() for name in pairs]
    items += [_Item(baseline, name, baseline) for baseline in dict.fromkeys(baselines) for name in own]
    results: dict[_Item, _Measured | FacetalkError] = {}
    progress(INPUTS, 0, len(items))
    with closing(each_with(engine)(work, items, jobs)) as measured:
        for item, result in measured:
            if isinstance(result, FacetalkError) and is_clip(paths[0]):
                raise result
            results[item] = result
            progress(INPUTS, len(results), len(items))
    return _gathered(items, results, pairings, seed)


class _Item(NamedTuple):
    """One comparison."""

    system: str
    name: str
    """Of the pair."""
    baseline: str
    """What takes the place of the prediction; empty for nothing."""


class _Measured(NamedTuple):
    """Figures and curves of a pair, and which metrics it does not allow and why."""

    figures: Figures
    curves: Curves
    left_out: Mapping[str, str]


def _gathered(
    items: Sequence[_Item],
    results: Mapping[_Item, _Measured | FacetalkError],
    pairings: Mapping[str, Pairing],
    seed: int,
) -> Evaluation:
    """The evaluation, in the order of the items whichever was finished first."""
    failed = {name: why for pairing in pairings.values() for name, why in pairing.unpaired.items()}
    figures: dict[str, dict[str, Figures]] = {item.system: {} for item in items}
    curves: dict[str, dict[str, Curves]] = {item.system: {} for item in items}
    left_out: dict[str, str] = {}
    for item in items:
        result = results[item]
        if isinstance(result, FacetalkError):
            name = item.name if item.system == next(iter(pairings)) else f"{item.system}: {item.name}"
            failed[name] = str(result)
            continue
        figures[item.system][item.name], curves[item.system][item.name] = result.figures, result.curves
        left_out = {**result.left_out, **left_out}
    systems = {system: SystemFigures(figures[system], curves[system], seed) for system in figures}
    return Evaluation(systems, failed, left_out)


class _Measuring:
    """Metrics of pairs, one after the other; a copy in another process loads the head there."""

    def __init__(
        self,
        head: HeadModel,
        head_name: str,
        options: Options,
        metrics: Sequence[str],
        strict: frozenset[str],
        audio: Path | None,
        systems: Mapping[str, Mapping[str, Paths]],
    ) -> None:
        """Remember what is wanted.

        Args:
            head: on which motions are posed.
            head_name: its name.
            options: what files do not say.
            metrics: those to compute.
            strict: those that a pair must allow.
            audio: the speech, or a folder of recordings.
            systems: pairs of each system; baselines belong to the first.
        """
        self._head: HeadModel | None = head
        self.head_name, self.options, self.metrics, self.strict = head_name, options, metrics, strict
        self.audio, self.systems = audio, systems

    def __getstate__(self) -> dict[str, object]:
        return {**vars(self), "_head": None}

    @property
    def head(self) -> HeadModel:
        """The head on which motions are posed."""
        self._head = self._head or load_head(self.head_name)
        return self._head

    def __call__(self, item: _Item) -> _Measured:
        """Figures of a pair."""
        name, baseline = item.name, item.baseline
        pairs = next(iter(self.systems.values())) if baseline else self.systems[item.system]
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
        return _Measured(figures, Curves(evidence.fps, curves), {} if baseline else reasons)

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
