"""torchaudio's pure-Python operators, even where its compiled extension cannot load."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

_EXTENSION = "torchaudio._extension"


class _ExtensionStandIn(ModuleType):
    """Reports every feature of torchaudio's extension as unavailable."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_IS_"):
            return False
        if name.startswith("fail_if_no_"):
            return _refusing
        if name in ("_check_cuda_version", "_load_lib", "_init_dll_path", "lazy_import_sox_ext"):
            return lambda *_: False
        raise AttributeError(f"{self.__name__} has no {name}")


def _refusing(function: Callable[..., Any]) -> Callable[..., Any]:
    def refuse(*_: Any, **__: Any) -> Any:
        raise RuntimeError(f"torchaudio's {function.__name__} needs the compiled extension, which does not load here")

    return refuse


def load_torchaudio() -> ModuleType:
    """The torchaudio package, with a stand-in for its extension where that does not load.

    Beside a CPU-only torch, torchaudio's Linux wheel cannot load the extension, which is linked to CUDA, and the whole
    import fails with it. Resampling and filter banks need none of it. Call this before anything that imports
    torchaudio by itself, such as transformers.
    """
    if "torchaudio" in sys.modules:
        return sys.modules["torchaudio"]
    try:
        return importlib.import_module("torchaudio")
    except (OSError, ImportError) as error:
        if isinstance(error, ModuleNotFoundError):
            raise
    _forget_half_imported()
    sys.modules[_EXTENSION] = _ExtensionStandIn(_EXTENSION)
    return importlib.import_module("torchaudio")


def _forget_half_imported() -> None:
    for name in [name for name in sys.modules if name == "torchaudio" or name.startswith("torchaudio.")]:
        del sys.modules[name]
