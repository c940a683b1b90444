"""What a recipe is: how one network is trained, from a configuration and data to a task for the training engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

from facetalk.core.config import build
from facetalk.training.loop import LoopConfig, Task
from facetalk.training.optim import OptimConfig


@dataclass(frozen=True)
class RunConfig:
    """What the configuration of every run has; recipes add their own sections."""

    loop: LoopConfig = field(default_factory=LoopConfig)
    """Length, device and intervals."""
    optim: OptimConfig = field(default_factory=OptimConfig)
    """The optimizer."""


Config = TypeVar("Config", bound=RunConfig)


@runtime_checkable
class Recipe(Protocol[Config]):
    """How one network is trained."""

    def read_config(self, options: Mapping[str, Any]) -> Config:
        """The configuration that plain values describe; raises UsageError for unknown names and wrong types."""
        ...

    def make_task(self, config: Config, data_dir: Path | None) -> Task:
        """Read the data and build the network with its initial weights.

        Args:
            config: of the run.
            data_dir: the folder given with `--data`; raises UsageError where a recipe needs one and gets None.
        """
        ...


@dataclass(frozen=True)
class ConfiguredRecipe(Generic[Config]):
    """A recipe made of a configuration class and a function that makes the task."""

    config_class: type[Config]
    task: Callable[[Config, Path | None], Task]

    def read_config(self, options: Mapping[str, Any]) -> Config:
        """See `Recipe.read_config`."""
        return build(self.config_class, options)

    def make_task(self, config: Config, data_dir: Path | None) -> Task:
        """See `Recipe.make_task`."""
        return self.task(config, data_dir)
