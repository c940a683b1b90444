"""A configuration and a dataset in, a folder with trained weights out."""

from __future__ import annotations

import hashlib
import importlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import yaml

from facetalk.core.config import override, plain
from facetalk.core.errors import FacetalkError, UsageError
from facetalk.io.files import replacing
from facetalk.recipes.registry import METHODS, read_training_config
from facetalk.training.loop import run


@dataclass(frozen=True)
class TrainingResult:
    """Where a run wrote its weights, and its last figures."""

    run_dir: Path
    figures: Mapping[str, float]


def train(
    config: str | Path,
    data_dir: Path | None = None,
    run_dir: Path | None = None,
    settings: Sequence[str] = (),
    resume: bool = False,
) -> TrainingResult:
    """Train one method.

    Args:
        config: a name from `config_names`, or a YAML file.
        data_dir: a dataset folder as `facetalk fit` writes it, for the methods that learn from clips.
        run_dir: gets weights, configuration, log and checkpoint; `runs/<name of the configuration>` if left away.
        settings: changes of the configuration, each `section.option=value`.
        resume: go on from the checkpoint in `run_dir`.
    """
    options = override(read_training_config(config), settings)
    run_dir = run_dir or Path("runs") / Path(config).stem
    method = options.pop("method", None)
    if method not in METHODS:
        raise UsageError(f"{config}: method is {method!r}; known methods: {', '.join(METHODS)}")
    if run_dir.exists() and any(run_dir.iterdir()) and not resume:
        raise FacetalkError(f"{run_dir} is not empty; give another folder with -o, or --resume to go on")
    module = importlib.import_module(METHODS[method])
    task_config = module.read_task_config(options)
    if task_config.loop.num_threads:
        torch.set_num_threads(task_config.loop.num_threads)
    torch.manual_seed(task_config.loop.seed)
    task = module.make_task(task_config, data_dir)
    chosen = {"method": method} | plain(task_config)
    run_dir.mkdir(parents=True, exist_ok=True)
    if not resume:  # a run that goes on has one, and one that may not go on keeps it
        with replacing(run_dir / "training.yaml") as temporary:
            temporary.write_text(yaml.safe_dump(chosen, sort_keys=False), encoding="utf-8")
    figures = run(task, task_config.loop, task_config.optim, run_dir, _identity(chosen), resume)
    return TrainingResult(run_dir, figures)


def _identity(chosen: Mapping[str, Any]) -> str:
    """A fingerprint of the options that decide what a run does; how often it writes is left out."""
    loop = {key: value for key, value in chosen["loop"].items() if not key.endswith("_every")}
    text = json.dumps({**chosen, "loop": loop}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
