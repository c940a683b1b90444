"""YAML, JSON and numbers out of other people's files: plain values of bounded size and depth, or an error of one line.

The standard readers trust their input. A YAML alias of 30 bytes can stand for billions of values, an integer of a
million digits takes minutes, and brackets in brackets end the interpreter's stack.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

import yaml

from facetalk.core.errors import FacetalkError

MOST_CHARACTERS = 1 << 18
"""Length of a YAML text: a hundred times the longest configuration of facetalk. PyYAML reads 0.2 MB/s."""
_MOST_LEVELS = 20
_MOST_DIGITS = 20
MOST_JSON_CHARACTERS = 1 << 22
_MOST_JSON_LEVELS = 100
_DECIMAL_COMMA = re.compile(r"[+-]?[0-9]{0,20},[0-9]{1,20}")
_JSON_SIGNS = re.compile(r'\\.|["\[\]{}]', re.DOTALL)


def parse_yaml(text: str, where: str) -> Any:
    """Mappings, lists, texts, numbers and switches in YAML; dates are texts, and anchors and tags are refused.

    Args:
        text: YAML.
        where: file or option, for errors.

    Raises:
        FacetalkError: the text is not YAML, or not of this plain kind.
    """
    if len(text) > MOST_CHARACTERS:
        raise FacetalkError(f"{where} is a YAML text of {len(text)} characters; at most {MOST_CHARACTERS} are read")
    try:
        return yaml.load(text, _PlainLoader)  # it derives from the safe loader
    except yaml.YAMLError as error:
        raise FacetalkError(f"{where} is not valid YAML: {_reason(error)}") from None
    except (ValueError, RecursionError, TypeError, AttributeError, KeyError, IndexError) as error:  # bugs of PyYAML
        raise FacetalkError(f"{where} is not valid YAML: {str(error)[:100]!r}") from None


def parse_json(text: str, where: str, *, allow_nan: bool = False, most_characters: int = MOST_JSON_CHARACTERS) -> Any:
    """Values in JSON; NaN, infinity and integers of more than twenty digits are refused.

    Args:
        text: JSON.
        where: file and entry, for errors.
        allow_nan: read NaN and infinity, which Python writes although they are not JSON.
        most_characters: length of the longest text that is read.

    Raises:
        FacetalkError: the text is not JSON, or exceeds the bounds.
    """
    if len(text) > most_characters:
        raise FacetalkError(f"{where} is a JSON text of {len(text)} characters; at most {most_characters} are read")
    if _levels(text) > _MOST_JSON_LEVELS:
        raise FacetalkError(f"{where} is JSON of more than {_MOST_JSON_LEVELS} levels")
    try:
        constant = float if allow_nan else _refuse_constant
        return json.loads(text, parse_int=_integer, parse_float=_float, parse_constant=constant)
    except (ValueError, RecursionError) as error:
        raise FacetalkError(f"{where} is not valid JSON: {str(error)[:100]}") from None


def parse_number(text: str, where: str) -> float:
    """One finite number.

    Args:
        text: the number as a table states it.
        where: file and entry, for errors.
    """
    try:
        value = float(text) if len(text) <= 64 else math.nan
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        hint = f"; write {text.strip().replace(',', '.')}" if _DECIMAL_COMMA.fullmatch(text.strip()) else ""
        raise FacetalkError(f"{where} is {text[:40]!r}, not a finite number{hint}")
    return value


def _levels(text: str) -> int:
    """Largest number of brackets inside one another."""
    depth = deepest = 0
    in_text = False
    for match in _JSON_SIGNS.finditer(text):
        sign = match[0]
        if sign == '"':
            in_text = not in_text
        elif not in_text and len(sign) == 1:
            depth += 1 if sign in "[{" else -1
            deepest = max(deepest, depth)
    return deepest


def _integer(text: str) -> int:
    if len(text) > _MOST_DIGITS:
        raise ValueError(f"an integer of {len(text)} digits")
    return int(text)


def _float(text: str) -> float:
    value = float(text) if len(text) <= 400 else math.inf
    if not math.isfinite(value):
        raise ValueError(f"the number {text[:20]}")
    return value


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON value")


def _reason(error: yaml.YAMLError) -> str:
    """What is wrong and where, in one line."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        mark = error.problem_mark
        return f"line {mark.line + 1}, column {mark.column + 1}: {str(error.problem)[:100]}"
    return " ".join(str(error).split())[:100]


class _PlainLoader(yaml.SafeLoader):
    """PyYAML's safe loader without anchors, aliases, tags, dates, long integers and deep nesting."""

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        """See `yaml.composer.Composer`."""
        event = self.peek_event()
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise _refused("anchors and aliases are not read; write the values out", event)
        if getattr(event, "tag", None) is not None:
            raise _refused(f"the tag {event.tag[:40]!r} is not read; only plain values are", event)
        if self._depth >= _MOST_LEVELS:
            raise _refused(f"more than {_MOST_LEVELS} levels", event)
        self._depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        """See `yaml.constructor.SafeConstructor`; here a name may occur only once."""
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                raise _refused(f"{key.value[:40]!r} occurs twice", key)
            seen.add(key.value if isinstance(key, yaml.ScalarNode) else None)
        return super().construct_mapping(node, deep)


def _refused(reason: str, place: Any) -> yaml.YAMLError:
    return yaml.constructor.ConstructorError(None, None, reason, place.start_mark)


def _short(construct: Any) -> Any:
    def checked(loader: _PlainLoader, node: Any) -> Any:
        if len(node.value) > 2 * _MOST_DIGITS:
            raise _refused(f"a number of {len(node.value)} characters", node)
        value = construct(loader, node)
        if isinstance(value, int) and len(str(abs(value))) > _MOST_DIGITS:
            raise _refused(f"a number of more than {_MOST_DIGITS} digits", node)
        return value

    return checked


_OMITTED = ("timestamp", "merge", "value")
_PlainLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag.rpartition(":")[2] not in _OMITTED]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
for _kind in ("int", "float"):
    _tag = f"tag:yaml.org,2002:{_kind}"
    _PlainLoader.add_constructor(_tag, _short(yaml.SafeLoader.yaml_constructors[_tag]))
