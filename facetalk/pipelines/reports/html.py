"""Pages with the style sheets and scripts of this package."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from typing import Any

from facetalk.core import html


def document(
    title: str, body: str, style: str, data: Mapping[str, Any] | None = None, *, refresh_s: int | None = None
) -> str:
    """A page with a style sheet and a script of this package.

    Args:
        title: shown by the browser; not yet escaped.
        body: HTML.
        style: name of the `.css` and the `.js` file.
        data: what the script finds as JSON in the element `data`.
        refresh_s: seconds after which the browser loads the page again.
    """
    return html.document(title, body, _packaged(f"{style}.css"), _packaged(f"{style}.js"), data, refresh_s=refresh_s)


def _packaged(name: str) -> str:
    return (resources.files("facetalk.pipelines.reports") / name).read_text(encoding="utf-8")
