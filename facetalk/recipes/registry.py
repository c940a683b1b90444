"""Recipes by name, and their packaged configurations."""

from __future__ import annotations

from pathlib import Path
from pkgutil import resolve_name
from typing import Any

from facetalk.core.errors import UsageError
from facetalk.io.weights import read_config
from facetalk.recipes.base import Recipe

RECIPES = {
    "coarse-encoder": "facetalk.recipes.coarse_encoder:RECIPE",
    "expression-net": "facetalk.recipes.expression_net:RECIPE",
    "laughter": "facetalk.recipes.laughter:RECIPE",
    "lip-reader": "facetalk.recipes.lip_reader:RECIPE",
    "spectre": "facetalk.recipes.spectre:RECIPE",
    "speech-encoder": "facetalk.recipes.speech_encoder:RECIPE",
    "style-critic": "facetalk.recipes.style_critic:RECIPE",
    "styletalk": "facetalk.recipes.styletalk:RECIPE",
    "sync-critic": "facetalk.recipes.sync_critic:RECIPE",
}
"""The recipe of each method, as `method` of a configuration names it; its module is imported on first use."""


_CONFIGS = Path(__file__).resolve().parent.parent / "configs"


def load_recipe(method: str) -> Recipe[Any]:
    """The recipe of that name; raises UsageError if there is none."""
    if method not in RECIPES:
        raise UsageError(f"method is {method!r}; known methods: {', '.join(RECIPES)}")
    return resolve_name(RECIPES[method])


def config_names() -> list[str]:
    """Names of the packaged configurations."""
    return sorted(path.stem for path in _CONFIGS.glob("*.yaml"))


def read_training_config(config: str | Path) -> dict[str, Any]:
    """The options of a packaged configuration by name, or of a YAML file by path."""
    path = Path(config)
    if path.suffix in (".yaml", ".yml") or path.is_file():
        return read_config(path)
    if str(config) not in config_names():
        raise UsageError(f"no configuration named {str(config)!r}; there are: {', '.join(config_names())}")
    return read_config(_CONFIGS / f"{config}.yaml")
