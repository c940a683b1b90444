"""Talkers by name."""

from __future__ import annotations

from pathlib import Path

from facetalk.core.config import build
from facetalk.core.errors import FacetalkError, UsageError
from facetalk.io.weights import bundled, read_config, read_state
from facetalk.networks.registry import load_speech
from facetalk.networks.styletalk import Talker, TalkerConfig

TALKERS = {"styletalk": "styletalk"}
"""Talker names a user can give, and the weights folder of each."""


def load_talker(name: str = "styletalk") -> Talker:
    """A talker with its speech encoder, ready to speak.

    Args:
        name: a released talker, or a folder that `facetalk train` wrote.
    """
    if name in TALKERS:
        folder = bundled(TALKERS[name])
    elif (Path(name) / "model.safetensors").is_file():
        folder = Path(name)
    else:
        raise UsageError(f"unknown talker {name!r}; known: {', '.join(TALKERS)}, or a folder that facetalk train wrote")
    described = read_config(folder / "config.yaml")
    try:
        config = build(TalkerConfig, described["talker"], "talker")
        speech = load_speech(described["speech"])
    except KeyError as error:
        raise FacetalkError(f"{folder / 'config.yaml'} does not describe a talker: {error} is missing") from None
    talker = Talker(config, speech.width, speech)
    talker.load_state_dict(read_state(folder))
    return talker.eval()
