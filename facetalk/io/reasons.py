"""Why a file cannot be read, in words for its user rather than for Python."""

from __future__ import annotations

import pickle
import struct

_SHAPELESS = (TypeError, AttributeError, IndexError, KeyError, UnicodeError, ImportError, struct.error)


def reason_of(error: Exception, longest: int = 150) -> str:
    """The reason that an error of a reader stands for, in one line.

    Args:
        error: what the library that reads pickles, archives or arrays has raised.
        longest: characters.
    """
    text = " ".join(str(error).split())
    if isinstance(error, RecursionError):
        return "its structure is too deep"
    if isinstance(error, EOFError) or "pickle data was truncated" in text or "Ran out of input" in text:
        return "it ends early"
    if isinstance(error, pickle.UnpicklingError):
        return "it is not a readable pickle"
    if isinstance(error, RuntimeError) and "is encrypted" in text:
        return "it is encrypted"
    if "file could not be opened successfully" in text:  # tarfile lists what each compression says
        return "it is no tar file, or its beginning is damaged"
    if isinstance(error, _SHAPELESS):
        return "its structure is not that of such a file"
    return text[:longest] or type(error).__name__
