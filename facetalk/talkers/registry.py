"""Talkers by name."""

from __future__ import annotations

import math
from pathlib import Path
from pkgutil import resolve_name

from facetalk.core.errors import FacetalkError, UsageError
from facetalk.io.weights import CONFIG_FILE, MODEL_FILE, bundled
from facetalk.networks.registry import describe
from facetalk.talkers.base import StreamingTalker, Talker

TALKERS = {
    "emotalk": "facetalk.talkers.emotalk:EmoTalk",
    "laughtalk": "facetalk.talkers.laughtalk:LaughTalk",
    "styletalk": "facetalk.talkers.styletalk:StyleTalk",
}
"""Class of each method, which has `from_folder(folder, name)`; its module is imported on first use. Each method's
bundled weights have the same name."""


def load_talker(name: str | Path = "styletalk") -> Talker:
    """Load a talker with its speech encoder, ready to speak.

    Args:
        name: a bundled talker, or a folder that `facetalk train` wrote.

    Raises:
        UsageError: there is no talker of this name.
        MissingAssetError: its weights are not installed.
        FacetalkError: the folder holds another kind of network.

    Example:
        >>> talker = load_talker()
        >>> motion = talker.speak(read_waveform("speech.wav"), Direction(style="happy"))
    """
    folder = talker_folder(name)
    method = str(describe("talker", folder).entries.get("method"))
    if method not in TALKERS:
        raise FacetalkError(f"{folder / CONFIG_FILE} names the method {method!r}; known methods: {', '.join(TALKERS)}")
    return resolve_name(TALKERS[method]).from_folder(folder, name=str(name))


def streaming_talker(talker: Talker) -> StreamingTalker:
    """The talker, if it can speak while it listens.

    Raises:
        UsageError: it needs whole recordings; the error names those that do not.
    """
    if not isinstance(talker, StreamingTalker) or not math.isfinite(talker.look_ahead_s):
        able = [name for name, place in TALKERS.items() if hasattr(resolve_name(place), "start")]
        raise UsageError(
            f"the talker {talker.name} needs whole recordings; talkers that speak while they listen: {', '.join(able)}"
        )
    return talker


def talker_folder(name: str | Path) -> Path:
    """Find the folder of a talker; see `load_talker`."""
    if str(name) in TALKERS:
        return bundled(str(name))
    if str(name) and (Path(name) / MODEL_FILE).is_file():
        return Path(name)
    known = ", ".join(TALKERS)
    raise UsageError(f"unknown talker {str(name)!r}; known: {known}, or a folder that facetalk train wrote")
