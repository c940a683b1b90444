"""Complete HTML pages: nothing is fetched, style, script and data are inside, and nothing else can run in them."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from html import escape
from typing import Any


def document(
    title: str,
    body: str,
    style: str,
    script: str,
    data: Mapping[str, Any] | None = None,
    *,
    is_module: bool = False,
    refresh_s: int | None = None,
) -> str:
    """Return a page.

    Its policy lets a browser run this script alone, whatever a name or a label in the data may hold, and load nothing
    from anywhere.

    Args:
        title: shown by the browser; not yet escaped.
        body: HTML.
        style: CSS.
        script: JavaScript.
        data: what the script finds as JSON in the element `data`.
        is_module: whether the script is a module.
        refresh_s: seconds after which the browser loads the page again.
    """
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; img-src data: blob:; "
        "media-src data: blob:; base-uri 'none'; form-action 'none'"
    )
    refresh = "" if refresh_s is None else f'<meta http-equiv="refresh" content="{refresh_s}">'
    kind = ' type="module"' if is_module else ""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        f'<meta name="viewport" content="width=device-width,initial-scale=1">{refresh}'
        f'<link rel="icon" href="data:,"><title>{escape(title)}</title><style>{style}</style></head>'
        f"<body>{body}{_json_block(data)}<script{kind}>{script}</script></body></html>"
    )


def _json_block(data: Mapping[str, Any] | None) -> str:
    """The data in an element that browsers do not run. A tag or a comment inside a string would end it."""
    if data is None:
        return ""
    text = json.dumps(data, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
    return f'<script type="application/json" id="data">{text}</script>'
