"""Compilation of inner loops by numba: once, cached on disk where that is possible."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable
from functools import cache
from importlib import import_module
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

import numba

from facetalk.core.folders import cache_dir, is_writable, private_temporary_dir

_log = logging.getLogger(__name__)

VARIABLE = "NUMBA_CACHE_DIR"
_PREPARING = Lock()
_PACKAGE = Path(__file__).parents[1]


class KernelCache(NamedTuple):
    """Where compiled kernels are kept."""

    folder: Path | None
    """None where nothing can be written: every run compiles anew."""
    problem: str
    """What is out of the ordinary; empty otherwise."""


FINITE_MATH = {"nnan", "ninf", "nsz"}
"""Value of `fastmath` for arrays of finite numbers.

`True` would also let the compiler reorder sums, and it does so in one way in code that it just compiled and in another
in code from the cache. Single pixels differ by one level then, and a fit, which shows renders to the landmark detector,
by a thousandth of its focal length. It is no faster."""


def compiled(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Decorator that compiles a function of NumPy arrays; options as for `numba.njit`.

    Use it above `@no_type_check`, which turns off run-time shape checks.
    """

    def decorate(function: Callable[..., Any]) -> Any:
        if _used_cache().folder is not None:
            with contextlib.suppress(RuntimeError):  # no room for this module after all
                return _forgiving(numba.njit(cache=True, **options)(function))
        return numba.njit(**options)(function)

    return decorate


@cache
def kernel_cache() -> KernelCache:
    """Find a folder: the user's choice, that of the package, that of the user, a private temporary one."""
    wanted = os.environ.get(VARIABLE)
    if wanted and is_writable(Path(wanted)):
        return KernelCache(Path(wanted), "")
    told = f"{VARIABLE}={wanted} cannot be written to" if wanted else ""
    own, personal = _PACKAGE / "rendering" / "__pycache__", cache_dir() / "kernels"
    for folder in (own, personal):
        if is_writable(folder):
            return KernelCache(folder, f"{told}; compiled kernels are kept in {folder}" if told else "")
    told = f"neither {own} nor {personal} can be written to" + (f", and {told}" if told else "")
    temporary = private_temporary_dir()
    if temporary is not None:
        return KernelCache(temporary, f"{told}; compiled kernels are kept in {temporary}")
    return KernelCache(
        None, f"{told}; every run compiles its kernels anew, which takes about half a minute: set {VARIABLE}"
    )


@cache
def _used_cache() -> KernelCache:
    """The cache, with numba set up for it; anything out of the ordinary is logged once."""
    found = kernel_cache()
    if found.problem:
        _log.warning("%s", found.problem)
    if found.folder is not None and found.folder.name != "__pycache__":
        numba.config.CACHE_DIR = str(found.folder)  # type: ignore[attr-defined]
        os.environ[VARIABLE] = str(found.folder)  # for worker processes
    return found


def _forgiving(dispatcher: Any) -> Any:
    """Let a full disk or a damaged cache cost time only; numba raises the errors of its cache."""
    store = dispatcher._cache
    for name in ("load_overload", "save_overload"):
        setattr(store, name, _ignoring_errors(getattr(store, name)))
    return dispatcher


@cache
def _take_scipy_for_granted() -> None:
    """Let numba prepare for arrays without loading SciPy's linear algebra, just to see that it is there.

    That takes a tenth of a second. A kernel that multiplies matrices still loads it.
    """
    with _PREPARING:
        from numba.np import linalg

        check, linalg.ensure_blas = linalg.ensure_blas, lambda: None
        try:
            import_module("numba.np.arraymath")
        finally:
            linalg.ensure_blas = check


def _ignoring_errors(access: Callable[..., Any]) -> Callable[..., Any]:
    def attempt(*arguments: Any) -> Any:
        _take_scipy_for_granted()
        try:
            return access(*arguments)
        except Exception as error:  # unpickling a damaged file raises anything
            _log.info("the cache of compiled kernels: %s", error)
            return None

    return attempt
