"""Names and messages as text that can be stored and shown anywhere."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path


def unicode_name(path: Path | str) -> str:
    r"""A file name as Unicode text, for files and tables; bytes that are no UTF-8 become `\xe9` and the like."""
    try:
        name = os.fsencode(path)
    except UnicodeEncodeError:  # not from the file system, which has another encoding
        name = str(path).encode("utf-8", "surrogateescape")
    return name.decode("utf-8", "backslashreplace")


def is_unicode(text: Path | str) -> bool:
    """Whether a name is text; on Linux it may be any bytes."""
    try:
        str(text).encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def table_name(name: str) -> str:
    r"""A name for tables and documents in UTF-8: bytes that are no text, `\xe9`, become `%e9`."""
    return name if is_unicode(name) else unicode_name(name).replace("\\x", "%")


def one_line(text: str) -> str:
    r"""Text that cannot steer a terminal: control characters and bytes that are no text become `\n`, `\x1b`, `\xe9`."""
    return "".join(map(_visible, text))


def _visible(character: str) -> str:
    if "\udc80" <= character <= "\udcff":
        return f"\\x{ord(character) - 0xDC00:02x}"
    # Control characters, invisible ones that reorder text, unpaired surrogates, and separators of lines.
    if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp"):
        return character.encode("unicode_escape").decode("ascii")
    return character
