"""Configurations: frozen dataclasses from nested mappings, and overrides written as `a.b=c`."""

from __future__ import annotations

import dataclasses
import difflib
import math
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from facetalk.core.errors import FacetalkError, UsageError
from facetalk.core.text_values import parse_yaml

T = TypeVar("T")

MOST_ITEMS = 1000
"""Largest number of values in a list that describes something."""


def build(cls: type[T], mapping: Mapping[str, Any], where: str = "") -> T:
    """Build a configuration from plain values; unknown names and wrong types are reported with their path.

    Args:
        cls: a dataclass; its fields may be dataclasses, numbers, strings, switches, tuples or mappings of these.
        mapping: content of a YAML file; missing entries keep their default.
        where: name of the section, for messages.
    """
    if not isinstance(mapping, Mapping):
        raise UsageError(f"{where or 'the configuration'} must hold options with values, found {mapping!r:.80}")
    hints = typing.get_type_hints(cls)
    names = [field.name for field in dataclasses.fields(cls)]  # type: ignore[arg-type]
    for key in mapping:
        if key not in names:
            near = difflib.get_close_matches(str(key)[:80], names, 1)
            hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(names)}"
            raise UsageError(f"unknown option {_join(where, str(key)[:80])}; {hint}")
    for field in dataclasses.fields(cls):  # type: ignore[arg-type]
        is_needed = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        if is_needed and field.name not in mapping:
            raise UsageError(f"{where or 'the configuration'} needs {field.name}")
    values = {key: _convert(hints[key], value, _join(where, key)) for key, value in mapping.items()}
    try:
        return cls(**values)
    except (TypeError, ValueError) as error:
        raise UsageError(f"{where or 'configuration'}: {error}") from None


def check_ranges(config: Any, **ranges: tuple[float, float]) -> None:
    """Refuse a configuration with numbers that make no sense; called by `__post_init__`.

    Args:
        config: a dataclass.
        ranges: smallest and largest value of each field; of a tuple, every value is checked.

    Raises:
        ValueError: names the field.
    """
    for name, (low, high) in ranges.items():
        value = getattr(config, name)
        values = value if isinstance(value, tuple) else (value,)
        if not all(low <= number <= high for number in values):
            raise ValueError(f"{name}={value!r:.80} must lie between {low:g} and {high:g}")
        if isinstance(value, tuple) and not 1 <= len(value) <= MOST_ITEMS:
            raise ValueError(f"{name} has {len(value)} values; it must have 1 to {MOST_ITEMS}")


def plain(config: Any) -> Any:
    """Convert a configuration to the mapping from which `build` makes an equal one."""
    if dataclasses.is_dataclass(config):
        return {field.name: plain(getattr(config, field.name)) for field in dataclasses.fields(config)}
    if isinstance(config, Mapping):
        return {str(key): plain(value) for key, value in config.items()}
    if isinstance(config, tuple | list):
        return [plain(value) for value in config]
    return config


def override(mapping: Mapping[str, Any], changes: Sequence[str]) -> dict[str, Any]:
    """Return a copy of nested mappings with some entries changed.

    Args:
        mapping: nested options.
        changes: `path.to.option=value`, the value as YAML writes it.
    """
    result = _copy(mapping)
    for change in changes:
        path, sign, text = change.partition("=")
        if not sign or not path:
            raise UsageError(f"cannot read the setting {change!r}; write it as section.option=value")
        *sections, last = path.strip().split(".")
        place = result
        for section in sections:
            place = place.setdefault(section, {})
            if not isinstance(place, dict):
                raise UsageError(f"{change!r}: {section} is a value, not a section")
        try:
            place[last] = parse_yaml(text, "its value")
        except FacetalkError as error:
            raise UsageError(f"{change[:80]!r}: {error}") from None
    return result


def _copy(value: Any) -> Any:
    return {key: _copy(inner) for key, inner in value.items()} if isinstance(value, Mapping) else value


def _join(where: str, key: str) -> str:
    return f"{where}.{key}" if where else key


def _convert(hint: Any, value: Any, where: str) -> Any:
    """Convert a value to the type that a field declares."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        if value is None and type(None) in arguments:
            return None
        return _convert(next(kind for kind in arguments if kind is not type(None)), value, where)
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        if not isinstance(value, Mapping):
            raise UsageError(f"{where} is a section with options, not {_short(value)}")
        return build(hint, value, where)
    if origin is tuple:
        if isinstance(value, str) or not isinstance(value, Sequence):
            raise UsageError(f"{where} must be a list, not {_short(value)}")
        kinds = [arguments[0]] * len(value) if arguments[-1] is Ellipsis else arguments
        if len(kinds) != len(value):
            raise UsageError(f"{where} needs {len(kinds)} values, found {len(value)}")
        items = enumerate(zip(kinds, value, strict=True), 1)
        return tuple(
            _convert(kind, item, f"{where}[{number}]" if dataclasses.is_dataclass(kind) else where)
            for number, (kind, item) in items
        )
    if origin is not None and issubclass(origin, Mapping):
        if not isinstance(value, Mapping):
            raise UsageError(f"{where} must hold names with values, not {_short(value)}")
        return {str(key): _convert(arguments[1], inner, _join(where, str(key)[:80])) for key, inner in value.items()}
    if hint is Any or origin is not None:
        return value
    return _plain_value(hint, value, where)


def _plain_value(hint: Any, value: Any, where: str) -> Any:
    """Convert to a number, a switch or a text."""
    if hint is float and isinstance(value, int | str) and not isinstance(value, bool):
        try:
            value = float(value)  # YAML reads 1e-4 as text
        except ValueError:
            raise UsageError(f"{where} must be a number, not {_short(value)}") from None
    if hint is int and isinstance(value, int) and not 0 <= value < 1 << 63:
        raise UsageError(f"{where} must be a whole number from 0 on, not {_short(value)}")
    if isinstance(value, float) and not math.isfinite(value):
        raise UsageError(f"{where} must be a finite number, not {value}")
    if hint in (int, float, bool, str) and not (isinstance(value, hint) and (hint is bool) == isinstance(value, bool)):
        kind = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}[hint]
        raise UsageError(f"{where} must be {kind}, not {_short(value)}")
    return value


def _short(value: Any) -> str:
    """How a message shows a value that may be long."""
    return f"{value!r:.80}"
