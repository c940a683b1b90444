"""Standard streams that can always be written to: closed ones, and encodings that lack a character."""

from __future__ import annotations

import codecs
import contextlib
import os
import sys

_ENCODING_ERRORS = "facetalk"


def prepare_streams() -> None:
    """Make stdin, stdout and stderr usable; call once, at the start of the program.

    A closed stream becomes the null device: otherwise the next file that is opened would get its number, and what a
    library prints would end up in that file. Characters that an encoding lacks are escaped.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, mode, closefd=False))  # noqa: SIM115
    codecs.register_error(_ENCODING_ERRORS, _escaped)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError):  # replaced by a test or a notebook
            stream.reconfigure(errors=_ENCODING_ERRORS)  # pyright: ignore[reportAttributeAccessIssue]


def _escaped(error: UnicodeError) -> tuple[str | bytes, int]:
    """File names that are no text keep their bytes, as `ls` prints them; other characters are escaped."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    encoded = b"".join(_bytes_of(character) for character in error.object[error.start : error.end])
    return encoded, error.end


def _bytes_of(character: str) -> bytes:
    if "\udc80" <= character <= "\udcff":
        return bytes([ord(character) - 0xDC00])
    return character.encode("ascii", "backslashreplace")
