"""A configuration and a dataset in, a folder with trained weights out."""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
import yaml

from facetalk.core.config import plain
from facetalk.core.errors import FacetalkError, UsageError
from facetalk.core.progress import Progress, TrainingProgress, no_progress, no_training_progress
from facetalk.data.sources import output_name
from facetalk.io.files import replacing
from facetalk.io.weights import CHECKPOINT_FILE, read_config
from facetalk.pipelines.batch import check_output_folder
from facetalk.pipelines.reports.training_report import watched
from facetalk.pipelines.train_person import (
    BEFORE_CHECKPOINT,
    CLIPS,
    OF_PERSONS,
    check_person,
    fit_person,
    person_config,
)
from facetalk.recipes.registry import load_recipe, read_training_config
from facetalk.training.loop import OTHER_LOSSES, batches_per_step, run
from facetalk.training.processes import joined


@dataclass(frozen=True)
class TrainingResult:
    """The folder of a run and its last metrics."""

    run_dir: Path
    metrics: Mapping[str, float]
    is_first: bool = True
    """Whether this is the first of the processes that trained, which alone has metrics."""


def train(
    config: str | Path,
    data_dir: str | Path | None = None,
    run_dir: str | Path | None = None,
    *,
    person: Sequence[str | Path] = (),
    settings: Sequence[str] = (),
    resume: bool = False,
    with_report: bool = False,
    progress: TrainingProgress = no_training_progress,
    fitting: Progress = no_progress,
) -> TrainingResult:
    """Train one network, alone or together with other processes that `accelerate launch` or `torchrun` has started.

    Args:
        config: a name from `facetalk config ls`, or a YAML file.
        data_dir: the data; most recipes need a dataset folder as `facetalk fit` writes it.
        run_dir: gets weights, configuration, log and checkpoint; `runs/<name of the configuration>` if omitted.
        person: videos of one person, which are fitted first, into `clips` in `run_dir`, and take the place of the data:
            trained weights are tuned to this person with the configuration `CONFIG-person`, or, with `render2video`, a
            network is trained on them alone. A second attempt goes on with the videos that were fitted before.
        settings: changes to the configuration, each `section.option=value`.
        resume: continue from the checkpoint in `run_dir`.
        with_report: keep a page with the curves of losses and metrics in `run_dir`, `report.html`, while it runs.
        progress: called after every step with the number of steps done, the total, and the latest losses and metrics.
        fitting: called with the videos of a person that are fitted.

    Returns:
        Where the weights are, and the metrics on validation data.

    Raises:
        UsageError: an unknown configuration or option, or missing data.
        FacetalkError: unreadable data, or a `run_dir` that is in use.
    """
    check_output_folder(run_dir)
    if person:
        config = person_config(config, data_dir)
    options = read_training_config(config, settings)
    folder = Path(run_dir) if run_dir is not None else Path("runs") / output_name(config)
    method = str(options.pop("method", ""))
    try:
        recipe = load_recipe(method)
    except UsageError as error:
        raise UsageError(f"{config}: {error}") from None
    try:
        task_config = recipe.read_config(options)
    except UsageError as error:
        raise UsageError(f"{config}: {error}") from None
    processes = joined(task_config.loop.device)
    loop = replace(task_config.loop, batches_per_step=batches_per_step(task_config.loop, processes))
    task_config = replace(task_config, loop=loop)
    kept = BEFORE_CHECKPOINT if person else ()
    if folder.exists() and any(path.name not in kept for path in folder.iterdir()) and not resume:
        raise FacetalkError(f"{folder} is not empty; give another folder with -o, or --resume to continue")
    chosen = {"method": method} | plain(task_config)
    if resume:
        _check_same_options(folder, chosen)
    processes.wait()  # for all to have looked, before the first one writes
    if person:
        data_dir = folder / CLIPS
        if processes.is_first:
            check_person(person, needs_audio=method not in OF_PERSONS)
            fit_person(person, data_dir, fitting)
        processes.wait()
    if loop.num_threads:
        torch.set_num_threads(loop.num_threads)
    torch.manual_seed(loop.seed)
    task = recipe.make_task(task_config, None if data_dir is None else Path(data_dir))
    if processes.is_first:
        folder.mkdir(parents=True, exist_ok=True)
        if not resume:  # a resumed run has the file, and one that may not be resumed keeps its own
            with replacing(folder / "training.yaml") as temporary:
                temporary.write_text(yaml.safe_dump(chosen, sort_keys=False), encoding="utf-8")
    losses = (*task.loss_weights, *OTHER_LOSSES)
    shown = watched(folder, f"Training of {folder.absolute().name}", losses, progress)
    with shown if with_report and processes.is_first else nullcontext(progress) as callback:
        metrics = run(task, loop, task_config.optim, folder, _identity(chosen), resume, callback, processes)
    return TrainingResult(folder, metrics, processes.is_first)


def _identity(chosen: Mapping[str, Any]) -> str:
    """A fingerprint of the options that decide what a run computes."""
    return hashlib.sha256(json.dumps(_deciding(chosen), sort_keys=True).encode()).hexdigest()


def _deciding(chosen: Mapping[str, Any]) -> dict[str, Any]:
    """The options that decide what a run computes; intervals of writing and the device do not."""
    loop = {key: value for key, value in chosen["loop"].items() if not key.endswith("_every") and key != "device"}
    return {**chosen, "loop": loop}


def _check_same_options(folder: Path, chosen: Mapping[str, Any]) -> None:
    """Refuse to resume a run with other options than its own, before its data are read, and name those that differ.

    A run cannot be made longer: its learning rate has fallen with the number of steps that it was begun with.
    """
    path = folder / "training.yaml"
    if not path.is_file() or not (folder / CHECKPOINT_FILE).is_file():
        return
    kept = read_config(path)
    if not isinstance(kept.get("loop"), dict) or kept.get("method") != chosen["method"]:
        return  # the checkpoint is refused
    before, now = (dict(_flat(_deciding(json.loads(json.dumps(options, default=str))))) for options in (kept, chosen))
    differing = [name for name in before if name in now and before[name] != now[name]]
    if differing:
        shown = " ".join(f"--set {shlex.quote(f'{name}={json.dumps(before[name])}')}" for name in differing[:5])
        more = f" and {len(differing) - 5} more, see {path}" if len(differing) > 5 else ""
        raise FacetalkError(
            f"the run in {folder} was begun with other options; resume it with {shown}{more}, or give a new folder"
        )


def _flat(options: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Options by their names in `--set`."""
    for name, value in options.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{before}{name}.")
        else:
            yield f"{before}{name}", value
