"""Numbers in digits as English words."""

from __future__ import annotations

import re

_ONES = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
_TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_SCALES = ((10**9, "billion"), (10**6, "million"), (1000, "thousand"), (100, "hundred"))
_NUMBER = re.compile(r"\d+(?:,\d{3})*")
_MOST_DIGITS = 60
"""What follows is nonsense."""
_LONGEST = 12
"""Digits; longer numbers are spelled digit by digit, as telephone numbers are."""


def number_words(digits: str) -> list[str]:
    """English words of a whole number such as `42` or `1,250`."""
    bare = digits.replace(",", "")[:_MOST_DIGITS]
    spelled = len(bare) > _LONGEST or (bare.startswith("0") and len(bare) > 1)
    return [_ONES[int(digit)] for digit in bare] if spelled else _words(int(bare))


def without_digits(text: str) -> str:
    """Text with its numbers written out."""
    return _NUMBER.sub(lambda match: f" {' '.join(number_words(match[0]))} ", text)


def _words(value: int) -> list[str]:
    for scale, name in _SCALES:
        if value >= scale:
            rest = value % scale
            return [*_words(value // scale), name, *(_words(rest) if rest else [])]
    if value < len(_ONES):
        return [_ONES[value]]
    return [_TENS[value // 10], *([_ONES[value % 10]] if value % 10 else [])]
