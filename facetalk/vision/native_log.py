"""Muting of what native libraries write to stderr."""

from __future__ import annotations

import os
import sys
import threading
from typing import TextIO


class Muted:
    """Context in which nothing that native code writes to stderr appears; what Python writes to `sys.stderr` does.

    MediaPipe writes before it reads its log level. Blocks of several threads may overlap: the first one redirects the
    stream, the last one restores it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._depth = 0
        self._saved = -1
        self._python: tuple[TextIO, TextIO] | None = None
        """`sys.stderr` as it was, and in its place."""

    def __enter__(self) -> None:
        with self._lock:
            self._depth += 1
            if self._depth == 1:
                if sys.stderr is not None:
                    sys.stderr.flush()
                # Kept open, because another thread may still write to it when the block ends.
                self._saved = os.dup(2) if self._saved < 0 else os.dup2(2, self._saved)
                self._keep_python()
                null = os.open(os.devnull, os.O_WRONLY)
                os.dup2(null, 2)
                os.close(null)

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._depth -= 1
            if self._depth == 0:
                os.dup2(self._saved, 2)
                if self._python is not None:
                    before, instead = self._python
                    instead.flush()
                    if sys.stderr is instead:
                        sys.stderr = before
                    self._python = None

    def _keep_python(self) -> None:
        """Let Python write where stderr led: a warning of another thread must not get lost."""
        try:
            is_native = sys.stderr.fileno() == 2
        except (AttributeError, OSError, ValueError):
            return  # there is none, or it does not end in a file
        if is_native:
            instead = open(  # noqa: SIM115
                self._saved, "w", buffering=1, encoding=sys.stderr.encoding, errors=sys.stderr.errors, closefd=False
            )
            self._python = sys.stderr, instead
            sys.stderr = instead


muted = Muted()
"""Shared by all detectors, because a process has one stderr."""
