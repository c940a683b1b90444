"""Released models by name: what there is, and how it is loaded."""

from __future__ import annotations

from pathlib import Path

from facetalk.audio import phoneme_features
from facetalk.audio.phoneme_features import PhonemeFeatures
from facetalk.core.config import build
from facetalk.io.published import read_published
from facetalk.io.weights import bundled, read_config, read_state
from facetalk.networks.experts import ExpressionReader, LipReader, frozen
from facetalk.networks.expression_net import ExpressionNet, ExpressionNetConfig
from facetalk.networks.face_encoder import CoarseEncoder, FaceEncoder, FaceEncoderConfig
from facetalk.networks.laughter_detector import LaughterDetector, LaughterDetectorConfig
from facetalk.networks.lip_reader import LipReaderConfig, PhonemeLipReader
from facetalk.networks.published import published_expression_net, published_lip_reader
from facetalk.networks.speech_encoder import SpeechEncoder, SpeechEncoderConfig
from facetalk.networks.styletalk import SpeechFeatures


def load_speech(name: str) -> SpeechFeatures:
    """What turns a recording into a talker's input: `pocketsphinx`, or a speech encoder by name or folder."""
    return PhonemeFeatures() if name == phoneme_features.NAME else load_speech_encoder(name)


def load_speech_encoder(name: str = "speech-encoder") -> SpeechEncoder:
    """A speech encoder: waveform at 16 kHz -> one row of features per frame at 30 fps.

    Args:
        name: a bundled encoder, or a folder that `facetalk train` wrote.
    """
    folder = weights_folder(name)
    config = build(SpeechEncoderConfig, read_config(folder / "config.yaml").get("encoder", {}), "encoder")
    encoder = SpeechEncoder(config)
    encoder.load_state_dict(read_state(folder))
    return encoder.eval()


def load_laughter_detector(name: str = "laughter") -> LaughterDetector:
    """A laughter detector: waveform at 16 kHz -> probability of laughter per frame at 30 fps.

    Args:
        name: a bundled detector, or a folder that `facetalk train` wrote.
    """
    folder = weights_folder(name)
    config = build(LaughterDetectorConfig, read_config(folder / "config.yaml").get("detector", {}), "detector")
    detector = LaughterDetector(config)
    detector.load_state_dict(read_state(folder))
    return detector.eval()


def weights_folder(name: str) -> Path:
    """A folder of trained weights, or the bundled one of that name."""
    return Path(name) if (Path(name) / "model.safetensors").is_file() else bundled(name)


def load_lip_reader(name: str = "lip-reader") -> LipReader:
    """A lip reader for SPECTRE's lip-reading loss.

    Args:
        name: a bundled reader, a folder that `facetalk train` wrote, or a file of published weights.
    """
    if Path(name).is_file():
        return frozen(published_lip_reader(read_published(Path(name))))
    folder = weights_folder(name)
    config = build(LipReaderConfig, read_config(folder / "config.yaml").get("reader", {}), "reader")
    reader = PhonemeLipReader(config)
    reader.load_state_dict(read_state(folder))
    return frozen(reader)


def load_expression_net(name: str = "expression-net") -> ExpressionReader:
    """An expression network for SPECTRE's emotion loss; `name` as in `load_lip_reader`."""
    if Path(name).is_file():
        return frozen(published_expression_net(read_published(Path(name))))
    folder = weights_folder(name)
    config = build(ExpressionNetConfig, read_config(folder / "config.yaml").get("net", {}), "net")
    net = ExpressionNet(config)
    net.load_state_dict(read_state(folder))
    return frozen(net)


def load_coarse_encoder(name: str = "coarse-encoder") -> tuple[CoarseEncoder, FaceEncoderConfig]:
    """SPECTRE's coarse encoder, bundled or out of a folder that `facetalk train` wrote, and the sizes it goes with."""
    folder = weights_folder(name)
    config = build(FaceEncoderConfig, read_config(folder / "config.yaml").get("encoder", {}), "encoder")
    encoder = CoarseEncoder(config)
    encoder.load_state_dict(read_state(folder))
    return frozen(encoder), config


def load_face_encoder(name: str = "spectre") -> FaceEncoder:
    """SPECTRE's two encoders, ready to look at faces.

    Args:
        name: a bundled network, or a folder that `facetalk train spectre` wrote.
    """
    folder = weights_folder(name)
    described = read_config(folder / "config.yaml")
    coarse, config = load_coarse_encoder(described.get("coarse", "coarse-encoder"))
    encoder = FaceEncoder(config)
    encoder.coarse.load_state_dict(coarse.state_dict())
    encoder.perceptual.load_state_dict(read_state(folder))
    return frozen(encoder)
