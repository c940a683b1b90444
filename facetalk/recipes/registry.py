"""Recipes by name, and their packaged configurations."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

from facetalk.core.config import override
from facetalk.core.errors import UsageError
from facetalk.io.weights import read_config
from facetalk.recipes.base import Recipe

RECIPES = {
    "coarse-encoder": "facetalk.recipes.coarse_encoder:RECIPE",
    "emotalk": "facetalk.recipes.emotalk:RECIPE",
    "expression-net": "facetalk.recipes.expression_net:RECIPE",
    "facial": "facetalk.recipes.facial:RECIPE",
    "laughter": "facetalk.recipes.laughter:RECIPE",
    "laughtalk": "facetalk.recipes.laughtalk:RECIPE",
    "lip-reader": "facetalk.recipes.lip_reader:RECIPE",
    "nonverbal-encoder": "facetalk.recipes.nonverbal_encoder:RECIPE",
    "person-matte": "facetalk.recipes.person_matte:RECIPE",
    "portrait": "facetalk.recipes.portrait:RECIPE",
    "render2video": "facetalk.recipes.render2video:RECIPE",
    "spectre": "facetalk.recipes.spectre:RECIPE",
    "speech-encoder": "facetalk.recipes.speech_encoder:RECIPE",
    "style-critic": "facetalk.recipes.style_critic:RECIPE",
    "styletalk": "facetalk.recipes.styletalk:RECIPE",
    "sync-critic": "facetalk.recipes.sync_critic:RECIPE",
    "verbal-encoder": "facetalk.recipes.verbal_encoder:RECIPE",
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


def read_training_config(config: str | Path, settings: Sequence[str] = ()) -> dict[str, Any]:
    """The options of a packaged configuration by name, or of a YAML file by path, with changes `section.option=value`.

    In a list, "@NAME" stands for the entries of the packaged list of that name (`configs/lists`).
    """
    path = Path(config)
    if not (path.suffix in (".yaml", ".yml") or path.is_file()):
        if str(config) not in config_names():
            raise UsageError(f"no configuration named {str(config)!r}; there are: {', '.join(config_names())}")
        path = _CONFIGS / f"{config}.yaml"
    return _with_lists(override(read_config(path), settings))


def _with_lists(options: Any) -> Any:
    """The options with the packaged list NAME in place of each "@NAME" in a list."""
    if isinstance(options, dict):
        return {key: _with_lists(value) for key, value in options.items()}
    if not isinstance(options, list):
        return options
    found: list[Any] = []
    for value in options:
        named = isinstance(value, str) and value.startswith("@")
        found += _packaged_list(value[1:]) if named else [_with_lists(value)]
    return found


def _packaged_list(name: str) -> list[Any]:
    known = sorted(path.stem for path in (_CONFIGS / "lists").glob("*.yaml"))
    if name not in known:
        raise UsageError(f"no list named @{name}; there are: {', '.join(f'@{list_name}' for list_name in known)}")
    return list(read_config(_CONFIGS / "lists" / f"{name}.yaml")["names"])
