"""Lists of edits beside a motion: `take.edits.yaml`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from facetalk.core.config import build
from facetalk.core.edit_list import EditList
from facetalk.core.errors import FacetalkError, UsageError
from facetalk.core.text_values import MOST_CHARACTERS, parse_yaml
from facetalk.io.media import checked_file

SUFFIX = ".edits.yaml"


def read_edit_list(path: Path | str) -> EditList:
    """Read a list of edits.

    Args:
        path: YAML file with the fields of `EditList`.

    Raises:
        FacetalkError: the file is missing or not YAML, or names what is unknown or out of range.
    """
    path = checked_file(Path(path), "a list of edits")
    if path.stat().st_size > 4 * MOST_CHARACTERS:
        raise FacetalkError(f"{path} is too long for a list of edits: {path.stat().st_size} bytes")
    try:
        content = parse_yaml(path.read_text("utf-8-sig"), str(path))
    except UnicodeDecodeError:
        raise FacetalkError(f"{path} is not a text in UTF-8") from None
    if not isinstance(content, Mapping) or "version" not in content:
        raise FacetalkError(f"{path} does not state its version; begin it with the line `version: 1`")
    try:
        return build(EditList, content)
    except UsageError as error:  # nobody typed these options
        raise FacetalkError(f"{path}: {error}") from None
