"""Settings for some speakers or files, chosen by patterns with * and ?."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import TypeVar

Value = TypeVar("Value")


def matches_any(name: str, patterns: Iterable[str]) -> bool:
    """Whether a name matches one of the patterns."""
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def first_match(name: str, values: Mapping[str, Value], default: Value) -> Value:
    """The value of the first pattern that a name matches, in the order of the mapping."""
    return next((value for pattern, value in values.items() if fnmatchcase(name, pattern)), default)
