"""Released models by name: what there is, and how it is loaded."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from torch import Tensor

from facetalk.core.config import build
from facetalk.core.errors import FacetalkError, UsageError
from facetalk.head.looks import Look
from facetalk.head.model import HeadModel
from facetalk.io.heads import BUNDLED_HEADS, read_head
from facetalk.io.weights import bundled, read_config, read_tensors
from facetalk.models import phoneme_features
from facetalk.models.calibration import calibrated
from facetalk.models.laughter_detector import LaughterDetector, LaughterDetectorConfig
from facetalk.models.phoneme_features import PhonemeFeatures
from facetalk.models.speech_encoder import SpeechEncoder, SpeechEncoderConfig
from facetalk.models.talker import SpeechFeatures, Talker, TalkerConfig

TALKERS = {"styletalk": "styletalk"}
"""Talker names a user can give, and the weights folder of each."""


def load_head(name: str = "facetalk", look: Look | None = None) -> HeadModel:
    """A head by name and in the colours of a look, ready to be posed, fitted and retargeted.

    A head of another publisher is looked at by MediaPipe before its first use, see `calibration.py`.

    Args:
        name: see `facetalk.io.heads.read_head`.
        look: its own colours, if not given.
    """
    if name in BUNDLED_HEADS:
        return HeadModel(read_head(name, look)).eval()
    plain = calibrated(HeadModel(read_head(name)).eval(), load_head())
    if look is None:
        return plain
    return HeadModel(replace(read_head(name, look), mediapipe=plain.assets.mediapipe)).eval()


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
    talker.load_state_dict(_full_precision(folder))
    return talker.eval()


def load_speech(name: str) -> SpeechFeatures:
    """What turns a recording into a talker's input: `pocketsphinx`, or a speech encoder by name or folder."""
    return PhonemeFeatures() if name == phoneme_features.NAME else load_speech_encoder(name)


def load_speech_encoder(name: str = "speech-encoder") -> SpeechEncoder:
    """A speech encoder: waveform at 16 kHz -> one row of features per frame at 30 fps.

    Args:
        name: a bundled encoder, or a folder that `facetalk train` wrote.
    """
    folder = Path(name) if (Path(name) / "model.safetensors").is_file() else bundled(name)
    config = build(SpeechEncoderConfig, read_config(folder / "config.yaml").get("encoder", {}), "encoder")
    encoder = SpeechEncoder(config)
    encoder.load_state_dict(_full_precision(folder))
    return encoder.eval()


def load_laughter_detector(name: str = "laughter") -> LaughterDetector:
    """A laughter detector: waveform at 16 kHz -> probability of laughter per frame at 30 fps.

    Args:
        name: a bundled detector, or a folder that `facetalk train` wrote.
    """
    folder = Path(name) if (Path(name) / "model.safetensors").is_file() else bundled(name)
    config = build(LaughterDetectorConfig, read_config(folder / "config.yaml").get("detector", {}), "detector")
    detector = LaughterDetector(config)
    detector.load_state_dict(_full_precision(folder))
    return detector.eval()


def _full_precision(folder: Path) -> dict[str, Tensor]:
    """The weights in a folder; stored in half precision, used in single."""
    tensors, _ = read_tensors(folder / "model.safetensors")
    return {key: value.float() if value.is_floating_point() else value for key, value in tensors.items()}
