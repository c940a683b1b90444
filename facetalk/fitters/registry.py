"""The table of fitters: everything that lists or loads fitting methods reads it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, cast

from facetalk.core.errors import UsageError

if TYPE_CHECKING:  # torch loads with the first fitter, not with `--help`
    from facetalk.fitters.base import Fitter


@dataclass(frozen=True)
class FitMethod:
    """One way to fit a video."""

    module: str
    """Module of this package; imported on first use."""
    fitter: str
    """Name of the class in it."""
    summary: str
    """One line for the help text."""
    can_refine: bool = False
    """Whether it can be adapted to each video first."""


METHODS = {
    "landmarks": FitMethod("landmarks", "LandmarkFitter", "least squares on the landmarks, the most accurate"),
    "spectre": FitMethod(
        "spectre",
        "SpectreFitter",
        "networks that see frames and landmarks, trained with a lip reader; lips open as far, but the fit is less "
        "accurate, and eyes and brows move less",
        can_refine=True,
    ),
}
"""Fitting methods by the name that a user gives."""


def check_method(method: str, refine: bool = False) -> None:
    """Raise a UsageError for an unknown method, or for refinement with a method that has none."""
    if method not in METHODS:
        raise UsageError(f"unknown method {method!r}; known methods: {', '.join(METHODS)}")
    if refine and not METHODS[method].can_refine:
        able = ", ".join(name for name, entry in METHODS.items() if entry.can_refine)
        raise UsageError(f"the method {method} has no refinement; methods with one: {able} (--method {able})")


def load_fitter(method: str = "landmarks", *, refine: bool = False) -> Fitter:
    """The fitter of the table with a name.

    Args:
        method: one of `METHODS`.
        refine: adapt the method's networks to each video first; takes minutes.

    Raises:
        UsageError: unknown method, or a method without refinement.
    """
    check_method(method, refine)
    entry = METHODS[method]
    make = cast("Callable[..., Fitter]", getattr(import_module(f"facetalk.fitters.{entry.module}"), entry.fitter))
    return make(refine=True) if refine else make()
