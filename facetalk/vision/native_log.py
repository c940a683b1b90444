"""Muting of what native libraries write to stderr."""

from __future__ import annotations

import os
import sys
import threading


class Muted:
    """Context in which nothing that native code writes to stderr appears.

    MediaPipe writes before it reads its log level. Blocks of several threads may overlap: the first one redirects the
    stream, the last one restores it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._depth = 0
        self._saved = -1

    def __enter__(self) -> None:
        with self._lock:
            self._depth += 1
            if self._depth == 1:
                sys.stderr.flush()
                self._saved = os.dup(2)
                null = os.open(os.devnull, os.O_WRONLY)
                os.dup2(null, 2)
                os.close(null)

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._depth -= 1
            if self._depth == 0:
                os.dup2(self._saved, 2)
                os.close(self._saved)


muted = Muted()
"""Shared by all detectors, because a process has one stderr."""
