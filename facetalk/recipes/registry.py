"""Trainable networks by name, and their packaged configurations."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any

from facetalk.core.errors import UsageError
from facetalk.io.weights import read_config

METHODS = {
    "coarse-encoder": "facetalk.recipes.coarse_encoder",
    "expression-net": "facetalk.recipes.expression_net",
    "laughter": "facetalk.recipes.laughter",
    "lip-reader": "facetalk.recipes.lip_reader",
    "spectre": "facetalk.recipes.spectre",
    "speech-encoder": "facetalk.recipes.speech_encoder",
    "style-critic": "facetalk.recipes.style_critic",
    "styletalk": "facetalk.recipes.styletalk",
    "sync-critic": "facetalk.recipes.sync_critic",
}
"""Trainable methods and the module of each: it has `read_task_config(mapping)` and `make_task(config, data_dir)`."""


def config_names() -> list[str]:
    """Names of the configurations that come with the package."""
    return sorted(path.name[: -len(".yaml")] for path in _packaged().iterdir() if path.name.endswith(".yaml"))


def read_training_config(config: str | Path) -> dict[str, Any]:
    """The options of a packaged configuration by name, or of a YAML file by path."""
    path = Path(config)
    if path.suffix in (".yaml", ".yml") or path.is_file():
        return read_config(path)
    if str(config) not in config_names():
        raise UsageError(f"no configuration named {str(config)!r}; there are: {', '.join(config_names())}")
    with resources.as_file(_packaged() / f"{config}.yaml") as packaged_path:
        return read_config(packaged_path)


def _packaged() -> Any:
    return resources.files("facetalk") / "configs"
