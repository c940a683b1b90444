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
from facetalk.io.published import read_published
from facetalk.io.weights import bundled, read_config, read_tensors
from facetalk.models import phoneme_features
from facetalk.models.calibration import calibrated
from facetalk.models.experts import ExpressionReader, LipReader, frozen
from facetalk.models.expression_net import ExpressionNet, ExpressionNetConfig
from facetalk.models.face_encoder import CoarseEncoder, FaceEncoder, FaceEncoderConfig
from facetalk.models.laughter_detector import LaughterDetector, LaughterDetectorConfig
from facetalk.models.lip_reader import LipReaderConfig, PhonemeLipReader
from facetalk.models.phoneme_features import PhonemeFeatures
from facetalk.models.published import published_expression_net, published_lip_reader
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
    folder = _folder(name)
    config = build(SpeechEncoderConfig, read_config(folder / "config.yaml").get("encoder", {}), "encoder")
    encoder = SpeechEncoder(config)
    encoder.load_state_dict(_full_precision(folder))
    return encoder.eval()


def load_laughter_detector(name: str = "laughter") -> LaughterDetector:
    """A laughter detector: waveform at 16 kHz -> probability of laughter per frame at 30 fps.

    Args:
        name: a bundled detector, or a folder that `facetalk train` wrote.
    """
    folder = _folder(name)
    config = build(LaughterDetectorConfig, read_config(folder / "config.yaml").get("detector", {}), "detector")
    detector = LaughterDetector(config)
    detector.load_state_dict(_full_precision(folder))
    return detector.eval()


def _folder(name: str) -> Path:
    """A folder of trained weights, or the bundled one of that name."""
    return Path(name) if (Path(name) / "model.safetensors").is_file() else bundled(name)


def _full_precision(folder: Path) -> dict[str, Tensor]:
    """The weights in a folder; stored in half precision, used in single."""
    tensors, _ = read_tensors(folder / "model.safetensors")
    return {key: value.float() if value.is_floating_point() else value for key, value in tensors.items()}


def load_lip_reader(name: str = "lip-reader") -> LipReader:
    """A lip reader for SPECTRE's lip-reading loss.

    Args:
        name: a bundled reader, a folder that `facetalk train` wrote, or a file of published weights.
    """
    if Path(name).is_file():
        return frozen(published_lip_reader(read_published(Path(name))))
    folder = _folder(name)
    config = build(LipReaderConfig, read_config(folder / "config.yaml").get("reader", {}), "reader")
    reader = PhonemeLipReader(config)
    reader.load_state_dict(_full_precision(folder))
    return frozen(reader)


def load_expression_net(name: str = "expression-net") -> ExpressionReader:
    """An expression network for SPECTRE's emotion loss; `name` as in `load_lip_reader`."""
    if Path(name).is_file():
        return frozen(published_expression_net(read_published(Path(name))))
    folder = _folder(name)
    config = build(ExpressionNetConfig, read_config(folder / "config.yaml").get("net", {}), "net")
    net = ExpressionNet(config)
    net.load_state_dict(_full_precision(folder))
    return frozen(net)


def load_coarse_encoder(name: str = "coarse-encoder") -> tuple[CoarseEncoder, FaceEncoderConfig]:
    """SPECTRE's coarse encoder, bundled or out of a folder that `facetalk train` wrote, and the sizes it goes with."""
    folder = _folder(name)
    config = build(FaceEncoderConfig, read_config(folder / "config.yaml").get("encoder", {}), "encoder")
    encoder = CoarseEncoder(config)
    encoder.load_state_dict(_full_precision(folder))
    return frozen(encoder), config


def load_face_encoder(name: str = "spectre") -> FaceEncoder:
    """SPECTRE's two encoders, ready to look at faces.

    Args:
        name: a bundled network, or a folder that `facetalk train spectre` wrote.
    """
    folder = _folder(name)
    described = read_config(folder / "config.yaml")
    coarse, config = load_coarse_encoder(described.get("coarse", "coarse-encoder"))
    encoder = FaceEncoder(config)
    encoder.coarse.load_state_dict(coarse.state_dict())
    encoder.perceptual.load_state_dict(_full_precision(folder))
    return frozen(encoder)
