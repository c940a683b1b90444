from dataclasses import replace
from pathlib import Path

import pytest
import torch

from facetalk.core.config import plain
from facetalk.core.errors import MissingAssetError, UsageError
from facetalk.io.weights import write_model
from facetalk.networks.probed_encoder import ProbedEncoder, ProbedEncoderConfig
from facetalk.networks.wav2vec import Wav2VecEncoder
from facetalk.recipes.parts import encoder_start
from facetalk.recipes.parts.encoder_start import EncoderSource, start_encoder
from tests.networks.test_wav2vec import TINY


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    config = ProbedEncoderConfig(TINY, hidden=4)
    (tmp_path / "verbal").mkdir()
    network = ProbedEncoder(config)
    write_model(tmp_path / "verbal", network, "wav2vec", "verbal-encoder", {"network": plain(config)})
    return tmp_path / "verbal"


def test_an_encoder_comes_from_a_run_and_trains(trained: Path) -> None:
    encoder = start_encoder(EncoderSource(str(trained)), TINY, "talk")
    assert encoder.config == TINY
    assert all(parameter.requires_grad for parameter in encoder.parameters())


def test_an_encoder_comes_from_published_weights(tmp_path: Path) -> None:
    published = Wav2VecEncoder(TINY).eval()
    published.model.save_pretrained(tmp_path)
    encoder = start_encoder(EncoderSource(str(tmp_path)), replace(TINY, width=32, prosody=True), "laugh").eval()
    waveform = torch.randn(1, 8000)
    torch.testing.assert_close(encoder(waveform, 15, torch.randn(1, 15, 3)), published(waveform, 15))


def test_what_cannot_be_started_from_is_named(trained: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not hear pitch and loudness"):
        start_encoder(EncoderSource(str(trained)), replace(TINY, prosody=True), "laugh")
    with pytest.raises(MissingAssetError, match="neither a folder nor in the cache"):
        start_encoder(EncoderSource("nobody/no-such-model"), TINY, "talk")
    monkeypatch.setattr("facetalk.io.weights.weights_dir", lambda: tmp_path)
    with pytest.raises(MissingAssetError, match="no weights named 'laughtalk'"):
        start_encoder(EncoderSource(), TINY, "talk")
    assert start_encoder(EncoderSource(encoder_start.SCRATCH), TINY, "talk").config == TINY
