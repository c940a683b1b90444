"""Neural renderers by name."""

from __future__ import annotations

from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING

from facetalk.core.errors import UsageError

if TYPE_CHECKING:  # torch loads with the first renderer, not with `--help`
    from facetalk.neural_rendering.base import NeuralRenderer

NEURAL_RENDERERS = {
    "photo": "facetalk.neural_rendering.person:read_person",
    "portrait": "facetalk.neural_rendering.portrait:read_portrait",
}
"""What makes each renderer from the path that the user gives; its module is imported on first use. Each name is that of
the option that asks for it."""


def load_neural_renderer(name: str, path: Path | str) -> NeuralRenderer:
    """Return a renderer of the person that a path stands for.

    Args:
        name: a key of `NEURAL_RENDERERS`.
        path: of `photo`, a folder that `facetalk train render2video` wrote; of `portrait`, an image file.

    Raises:
        UsageError: there is no such kind.
        FacetalkError: nobody can be shown from the path.
    """
    if name not in NEURAL_RENDERERS:
        raise UsageError(f"unknown neural renderer {name!r:.80}; there are: {', '.join(NEURAL_RENDERERS)}")
    return resolve_name(NEURAL_RENDERERS[name])(Path(path))
