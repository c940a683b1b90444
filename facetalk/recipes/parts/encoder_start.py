"""The encoders that LaughTalk starts from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from facetalk.core.errors import UsageError
from facetalk.io.weights import CONFIG_FILE, MODEL_FILE, bundled
from facetalk.networks.laughtalk import LaughTalkNetwork
from facetalk.networks.probed_encoder import ProbedEncoder
from facetalk.networks.registry import load
from facetalk.networks.wav2vec import Wav2VecConfig, Wav2VecEncoder
from facetalk.networks.wav2vec_weights import load_published

SCRATCH = "scratch"


@dataclass(frozen=True)
class EncoderSource:
    """Where an encoder comes from."""

    name: str = ""
    """The bundled one if empty; `scratch` for initial weights; a folder that `facetalk train` wrote; or wav2vec 2.0
    weights of `transformers`: a folder, or a name on the Hugging Face hub such as `facebook/wav2vec2-base-960h`."""
    download: bool = False
    """Fetch such weights from the hub where they are not in the cache of earlier downloads."""


def continue_from(network: ProbedEncoder, name: str) -> None:
    """Give an encoder and its heads the weights of a trained one, where they have the same sizes.

    Raises:
        UsageError: the encoders differ.
    """
    try:
        network.start_from(load("wav2vec", name))
    except ValueError as error:
        raise UsageError(f"start={name}: {error}") from None


def start_encoder(source: EncoderSource, config: Wav2VecConfig, stage: str) -> Wav2VecEncoder:
    """The encoder, ready to be trained further.

    Args:
        source: where it comes from.
        config: its sizes where it has initial weights; of others, only whether they hear prosody counts.
        stage: attribute of `LaughTalkNetwork` whose encoder is meant by an empty name.

    Raises:
        UsageError: the encoder hears prosody and the stage does not, or the other way round.
        MissingAssetError: there are no such weights.
    """
    if source.name == SCRATCH:
        return Wav2VecEncoder(config)
    if not source.name:
        network: LaughTalkNetwork = load("talker", bundled("laughtalk"))
        encoder: Wav2VecEncoder = getattr(network, stage).encoder
    elif (Path(source.name) / MODEL_FILE).is_file() and (Path(source.name) / CONFIG_FILE).is_file():
        encoder = load("wav2vec", source.name).encoder
    else:
        encoder = load_published(source.name, download=source.download, prosody=config.prosody)
    if (encoder.prosody is not None) != config.prosody:
        heard = "hears" if encoder.prosody is not None else "does not hear"
        raise UsageError(f"the encoder {source.name!r} {heard} pitch and loudness, unlike the network.* of this stage")
    return encoder.requires_grad_(True)
