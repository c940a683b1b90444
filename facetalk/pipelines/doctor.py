"""Check the installation: packages, programs, weights and heads."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable
from importlib import metadata
from importlib.util import find_spec
from typing import Literal, NamedTuple

from facetalk.core.errors import FacetalkError, MissingAssetError
from facetalk.core.version import __version__

State = Literal["ok", "optional", "missing"]


class Finding(NamedTuple):
    """Result of one check."""

    name: str
    state: State
    """`missing`: required and absent; `optional`: absent, and only one feature needs it."""
    found: str
    advice: str = ""


PACKAGES = {
    "torch": "everything", "numba": "rendering", "imageio-ffmpeg": "video files", "soundfile": "audio files",
    "mediapipe": "fit and video references", "pocketsphinx": "phonemes", "scipy": "tracking",
}  # fmt: skip
"""Distributions that pip installs with facetalk, and what they are needed for."""


def examine() -> list[Finding]:
    """Check the interpreter, the packages, the programs and the weights."""
    findings = [_python(), *(_package(name, use) for name, use in PACKAGES.items())]
    checks: list[Callable[[], Finding]] = [
        _ffmpeg, _landmarks, _head, _weights, _checksums, _compiler_cache, _folders, _opengl, _voice, _device
    ]  # fmt: skip
    return findings + [check() for check in checks]


def _python() -> Finding:
    version = platform.python_version()
    if (3, 10) <= sys.version_info[:2] < (3, 14):
        return Finding("python", "ok", f"{version}, facetalk {__version__}")
    return Finding("python", "missing", version, "use Python 3.10, 3.11, 3.12 or 3.13")


def _package(name: str, use: str) -> Finding:
    try:
        return Finding(name, "ok", metadata.version(name))
    except metadata.PackageNotFoundError:
        return Finding(name, "missing", "not installed", f"pip install {name} (for {use})")


def _ffmpeg() -> Finding:
    from facetalk.io.ffmpeg import ffmpeg_version

    try:
        return Finding("ffmpeg", "ok", ffmpeg_version())
    except (ImportError, MissingAssetError) as error:
        return Finding("ffmpeg", "missing", str(error).splitlines()[0], "pip install --force-reinstall imageio-ffmpeg")


def _landmarks() -> Finding:
    """Landmark detector of `fit`, and the source of its model."""
    from facetalk.vision.landmark_detector import describe_detector

    try:
        return Finding("landmarks", "ok", describe_detector())
    except MissingAssetError as error:
        return Finding("landmarks", "missing", "none", str(error))


def _head() -> Finding:
    from facetalk.pipelines.heads import list_heads

    try:
        return Finding("heads", "ok", ", ".join(head.name for head in list_heads()))
    except FacetalkError as error:
        return Finding("heads", "missing", str(error), "install facetalk again")


def _weights() -> Finding:
    from facetalk.talkers.registry import TALKERS, load_talker

    try:
        for name in TALKERS:
            load_talker(name)
    except FacetalkError as error:
        return Finding("talkers", "missing", str(error), "install facetalk again")
    return Finding("talkers", "ok", ", ".join(TALKERS))


def _checksums() -> Finding:
    from facetalk.pipelines.weights import verify_weights

    try:
        problems = verify_weights()
    except FacetalkError as error:
        return Finding("checksums", "missing", str(error), "install facetalk again")
    if problems:
        return Finding("checksums", "missing", ", ".join(problems), "facetalk weights --verify")
    return Finding("checksums", "ok", "all weights are intact")


def _compiler_cache() -> Finding:
    """Cache of compiled kernels; without it, every run compiles the renderer again."""
    from facetalk.core.kernels import VARIABLE, kernel_cache

    found = kernel_cache()
    if found.folder is None:
        return Finding("kernel cache", "optional", "no folder", found.problem)
    advice = f"{found.problem}; set {VARIABLE} to a writable folder" if found.problem else ""
    return Finding("kernel cache", "optional" if advice else "ok", str(found.folder), advice)


def _folders() -> Finding:
    """Folders that outputs pass through, and those of the user."""
    import tempfile

    from facetalk.core.folders import could_be_writable, data_dir

    try:
        temporary = tempfile.gettempdir()
    except OSError as error:
        return Finding("folders", "missing", str(error.strerror), "set TMPDIR to a writable folder")
    if could_be_writable(data_dir()):
        return Finding("folders", "ok", f"{temporary}, {data_dir()}")
    advice = "set XDG_DATA_HOME to a writable folder, for `heads install` and `styles save` only"
    return Finding("folders", "optional", f"{data_dir()} cannot be written to", advice)


def _opengl() -> Finding:
    from ctypes.util import find_library

    if find_spec("pyrender") is None:
        advice = "pip install 'facetalk[opengl]', for render --backend pyrender only"
        return Finding("OpenGL", "optional", "pyrender is not installed", advice)
    if find_library("EGL") is None:
        advice = "apt-get install libegl1, for render --backend pyrender only"
        return Finding("OpenGL", "optional", "no EGL library", advice)
    return Finding("OpenGL", "ok", "pyrender and EGL, for render --backend pyrender")


def _voice() -> Finding:
    from facetalk.io.voices import DEFAULT_VOICE, check_voice

    try:
        check_voice(DEFAULT_VOICE)
    except MissingAssetError as error:
        return Finding("voice", "optional", "none", str(error))
    return Finding("voice", "ok", f"{DEFAULT_VOICE}, for animate --text")


def _device() -> Finding:
    import torch

    name = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU (none is needed)"
    return Finding("processor", "ok", f"{os.cpu_count()} cores, {name}")
