"""A table of curves under any names as ARKit's 52 channels."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from jaxtyping import Float
from torch import Tensor

from facetalk.core.errors import FacetalkError
from facetalk.head.channel_names import channel_columns
from facetalk.head.channels import ARKIT_NAMES

_log = logging.getLogger(__name__)

_SHOWN = 8
"""Names that a message lists."""


def arkit_table(table: Float[Tensor, "frames columns"], names: Sequence[str], path: Path) -> Float[Tensor, "frames 52"]:
    """The columns that are ARKit channels in Apple's order; missing ones are zero, and reported.

    Args:
        table: one row per frame.
        names: of its columns, in any common spelling.
        path: the file, for messages.

    Raises:
        FacetalkError: no column is an ARKit channel.
    """
    columns = channel_columns(names)
    if not columns:
        shown = ", ".join(f"'{name:.40}'" for name in names[:_SHOWN])
        raise FacetalkError(
            f"{path} has no channel of ARKit, such as jawOpen; its channels are {shown or 'none'}"
            f"{f' and {len(names) - _SHOWN} more' if len(names) > _SHOWN else ''}"
        )
    expression = table.new_zeros(len(table), len(ARKIT_NAMES))
    for number, name in enumerate(ARKIT_NAMES):
        if name in columns:
            expression[:, number] = table[:, columns[name]].mean(1)
    missing = [name for name in ARKIT_NAMES if name not in columns]
    if missing:
        shown = ", ".join(missing[:_SHOWN]) + (" ..." if len(missing) > _SHOWN else "")
        _log.warning("%s has %d of ARKit's 52 channels; zero are: %s", path, len(columns), shown)
    return expression
