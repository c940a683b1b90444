"""Complete HTML pages: nothing is fetched, styles and scripts are inside."""

from __future__ import annotations

import json
from collections.abc import Mapping
from html import escape
from importlib import resources
from typing import Any


def document(title: str, body: str, style: str, data: Mapping[str, Any] | None = None) -> str:
    """A page with a style sheet and a script of this package.

    Args:
        title: shown by the browser; not yet escaped.
        body: HTML.
        style: name of the `.css` and the `.js` file.
        data: what the script finds in its constant `data`.
    """
    # A tag or a comment inside a string would end the script.
    constant = "" if data is None else f"const data = {json.dumps(data)};\n".replace("<", "\\u003c")
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_packaged(f'{style}.css')}</style></head>"
        f"<body>{body}<script>{constant}{_packaged(f'{style}.js')}</script></body></html>"
    )


def _packaged(name: str) -> str:
    return (resources.files("facetalk.pipelines.reports") / name).read_text(encoding="utf-8")
