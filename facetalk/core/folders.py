"""The user's folders for caches and data, also where there is no home."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

_NO_HOME = Path("/nonexistent")


def cache_dir() -> Path:
    """`$XDG_CACHE_HOME/facetalk`, or `~/.cache/facetalk`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or _home() / ".cache") / "facetalk"


def data_dir() -> Path:
    """`$XDG_DATA_HOME/facetalk`, or `~/.local/share/facetalk`: installed heads and saved styles."""
    return Path(os.environ.get("XDG_DATA_HOME") or _home() / ".local" / "share") / "facetalk"


def use_plot_dir() -> None:
    """Give matplotlib, which mediapipe may load, a folder where the user has none; it would warn and read all fonts."""
    usual = Path(os.environ.get("XDG_CONFIG_HOME") or _home() / ".config") / "matplotlib"
    if "MPLCONFIGDIR" not in os.environ and not could_be_writable(usual):
        folder = private_temporary_dir()
        if folder is not None:
            os.environ["MPLCONFIGDIR"] = str(folder / "matplotlib")


def is_writable(folder: Path) -> bool:
    """Whether files can be made in a folder, which is itself made if needed."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def could_be_writable(folder: Path) -> bool:
    """Whether a folder can be written to, or made where it is missing; without making it."""
    while not folder.exists():
        folder = folder.parent
    return folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)


def private_temporary_dir() -> Path | None:
    """A folder for this user's caches below the folder of temporary files; None where it cannot be had or trusted."""
    try:
        folder = Path(tempfile.gettempdir()) / f"facetalk-{os.getuid()}"
        folder.mkdir(mode=0o700, exist_ok=True)
        state = folder.lstat()
    except OSError:
        return None
    # Anybody may have made a folder of this name, to have their code run.
    is_ours = stat.S_ISDIR(state.st_mode) and state.st_uid == os.getuid() and not state.st_mode & 0o077
    return folder if is_ours and is_writable(folder) else None


def _home() -> Path:
    """The home of the user, if there is one: in containers the user may have none, or that of root."""
    try:
        home = Path.home()
    except RuntimeError:  # a user without an entry in the system's list
        return _NO_HOME
    return home if os.access(home, os.X_OK) else _NO_HOME
