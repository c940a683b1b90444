"""A user's own or downloaded wav2vec 2.0 weights as an encoder."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from torch import nn

from facetalk.core.errors import FacetalkError, MissingAssetError
from facetalk.networks.wav2vec import Wav2VecEncoder, config_of, load_transformers

_UNUSED = ("masked_spec_embed",)
"""A vector that replaces masked input in pretraining, which no released checkpoint needs to have."""


def load_published(name: str, *, download: bool = False, prosody: bool = False) -> Wav2VecEncoder:
    """Load wav2vec 2.0 weights in the format of `transformers`.

    Args:
        name: a folder, or a name on the Hugging Face hub such as `facebook/wav2vec2-base-960h`, which is looked for in
            the cache of earlier downloads.
        download: fetch it from the hub where it is not in the cache.
        prosody: whether the encoder gets pitch and loudness as further inputs; they change nothing at first.

    Raises:
        MissingAssetError: there are no such weights, or the hub cannot be reached.
        FacetalkError: they are not the weights of such an encoder.
    """
    if Path(name).is_dir() and not (Path(name) / "config.json").is_file():
        raise MissingAssetError(f"{name} holds no wav2vec 2.0 weights: it has no config.json")
    transformers = load_transformers()
    transformers.logging.set_verbosity_error()  # it would list the weights of heads that we do not use
    options = {"local_files_only": not download}
    try:
        described = transformers.AutoConfig.from_pretrained(name, **options)
        if described.model_type != "wav2vec2":
            raise FacetalkError(f"{name} is a model of the kind {described.model_type!r}; a wav2vec2 is needed")
        config = dataclasses.replace(config_of(described), prosody=prosody)
        model, report = transformers.Wav2Vec2Model.from_pretrained(name, output_loading_info=True, **options)
    except OSError as error:
        raise MissingAssetError(_missing(name, download, error)) from None
    except (ValueError, TypeError, RuntimeError, AttributeError, KeyError) as error:
        raise FacetalkError(f"{name} does not hold wav2vec 2.0 weights: {_first_line(error)}") from None
    lost = [key for key in report["missing_keys"] if key not in _UNUSED]
    if lost or report["mismatched_keys"]:
        raise FacetalkError(
            f"{name} holds only a part of wav2vec 2.0: {len(lost)} weights are missing, such as {lost[:1]}"
        )
    encoder = Wav2VecEncoder(config)
    own: nn.Module = encoder.model
    own.load_state_dict({key: value for key, value in model.state_dict().items() if key in own.state_dict()})
    return encoder


def _missing(name: str, download: bool, error: Exception) -> str:
    if Path(name).is_dir():
        return f"{name} holds no wav2vec 2.0 weights: {_first_line(error)}"
    if download:
        return (
            f"{name} could not be fetched from the Hugging Face hub: {_first_line(error)}; check the name and the "
            "network, or give a folder that holds config.json and model.safetensors"
        )
    return (
        f"{name} is neither a folder nor in the cache of the Hugging Face hub; give a folder that holds config.json "
        "and model.safetensors, or allow the download with encoder.download=true"
    )


def _first_line(error: Exception) -> Any:
    return " ".join(str(error).split())[:200]
