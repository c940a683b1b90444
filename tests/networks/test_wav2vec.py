import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from facetalk.core.errors import FacetalkError, MissingAssetError
from facetalk.networks.probed_encoder import ProbedEncoder, ProbedEncoderConfig
from facetalk.networks.wav2vec import BASE, Wav2VecConfig, Wav2VecEncoder, config_of, load_transformers, standardized
from facetalk.networks.wav2vec_weights import load_published

TINY = Wav2VecConfig(
    width=16, num_layers=1, num_heads=2, inner=16, channels=(16, 8, 8), position_taps=4, position_groups=2
)


@pytest.fixture(scope="module")
def encoder() -> Wav2VecEncoder:
    torch.manual_seed(0)
    return Wav2VecEncoder(TINY).eval()


@pytest.mark.parametrize("num_frames", [1, 7, 29, 30, 31, 100])
def test_every_frame_has_a_row(encoder: Wav2VecEncoder, num_frames: int) -> None:
    samples = round(num_frames * 16_000 / 30)
    assert encoder(torch.randn(2, samples), num_frames).shape == (2, num_frames, 16)


def test_rows_are_centered_on_their_frames(encoder: Wav2VecEncoder) -> None:
    waveform = torch.zeros(1, 32_000)
    waveform[:, 16_000:16_040] = 1  # second 1.00125: between frames 29 and 30
    with torch.no_grad():
        moved = (encoder.front(waveform, 60) - encoder.front(torch.zeros(1, 32_000), 60)).norm(dim=-1)[0]
    moment = (moved * torch.arange(60)).sum() / moved.sum()
    assert abs(float(moment) + 0.5 - 30) < 0.3


def test_the_level_of_the_input_does_not_matter() -> None:
    waveform = torch.randn(1, 8000, generator=torch.Generator().manual_seed(0)) + 0.3
    torch.testing.assert_close(standardized(waveform), standardized(0.01 * waveform), atol=1e-3, rtol=1e-3)


def test_the_small_front_end_costs_a_fraction_of_base() -> None:
    assert Wav2VecConfig().front_operations < 0.25 * BASE.front_operations
    assert (BASE.field, Wav2VecConfig().field) == (400, 880)


def test_a_frozen_front_end_does_not_train(encoder: Wav2VecEncoder) -> None:
    encoder = Wav2VecEncoder(TINY)
    encoder.freeze_front()
    encoder(torch.randn(1, 8000), 15).sum().backward()
    trained = {name for name, value in encoder.named_parameters() if value.grad is not None}
    assert trained
    assert not any("feature_extractor" in name for name in trained)


def test_prosody_changes_nothing_at_first_and_is_needed() -> None:
    torch.manual_seed(0)
    config = ProbedEncoderConfig(replace(TINY, prosody=True), hidden=4, emotions=("calm", "happy"))
    network = ProbedEncoder(config).eval()
    waveform = torch.randn(1, 16_000)
    without = network.encoder.front(standardized(waveform), 30)
    torch.testing.assert_close(network(waveform, 30), network.encoder.transform(without, torch.zeros(1, 30, 3)))
    with pytest.raises(ValueError, match="prosody"):
        network.encoder(waveform, 30)
    assert network.voice(network(waveform, 30)).emotion.shape == (1, 2)


def test_an_encoder_starts_from_another_of_its_size() -> None:
    first, other = (ProbedEncoder(ProbedEncoderConfig(TINY, hidden=4)) for _ in range(2))
    wider = ProbedEncoder(ProbedEncoderConfig(replace(TINY, prosody=True), hidden=6, emotions=("calm", "happy")))
    wider.start_from(first)
    weights = wider.encoder.model.state_dict()
    assert all(torch.equal(value, weights[name]) for name, value in first.encoder.model.state_dict().items())
    other = ProbedEncoder(ProbedEncoderConfig(replace(TINY, width=32), hidden=4))
    with pytest.raises(ValueError, match="other sizes"):
        other.start_from(first)


@pytest.mark.parametrize(
    ("change", "message"),
    [({"strides": (80, 2, 1)}, "320 samples"), ({"width": 17}, "multiple"), ({"channels": (8,)}, "same length"),
     ({"front_norm": "none"}, "front_norm")],
)  # fmt: skip
def test_impossible_sizes_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(TINY, **change)


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory, encoder: Wav2VecEncoder) -> Path:
    """A folder in the format of the Hugging Face hub."""
    folder = tmp_path_factory.mktemp("published")
    encoder.model.save_pretrained(folder)
    return folder


def test_published_weights_load_from_a_folder(published: Path, encoder: Wav2VecEncoder) -> None:
    loaded = load_published(str(published)).eval()
    assert loaded.config == replace(TINY, dropout=loaded.config.dropout)
    waveform = torch.randn(1, 8000)
    torch.testing.assert_close(loaded(waveform, 15), encoder(waveform, 15))


def test_what_is_not_wav2vec_is_refused_in_one_line(tmp_path: Path, published: Path) -> None:
    with pytest.raises(MissingAssetError, match=r"encoder\.download=true"):
        load_published("nobody/no-such-model")
    with pytest.raises(MissingAssetError, match="holds no wav2vec"):
        load_published(str(tmp_path))
    described = json.loads((published / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(described | {"model_type": "bert"}))
    with pytest.raises(FacetalkError, match="'bert'"):
        load_published(str(tmp_path))
    (tmp_path / "config.json").write_text(json.dumps(described | {"num_hidden_layers": 2}))
    (tmp_path / "model.safetensors").write_bytes((published / "model.safetensors").read_bytes())
    with pytest.raises(FacetalkError, match="weights are missing"):
        load_published(str(tmp_path))


def test_a_hub_that_cannot_be_reached_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(name: str, **options: object) -> None:
        raise OSError("We couldn't connect to 'https://huggingface.co'")

    monkeypatch.setattr(load_transformers().AutoConfig, "from_pretrained", unreachable)
    with pytest.raises(MissingAssetError, match=r"could not be fetched .* couldn't connect"):
        load_published("nobody/no-such-model", download=True)


def test_base_is_what_its_publishers_describe() -> None:
    assert replace(config_of(load_transformers().Wav2Vec2Config()), dropout=BASE.dropout) == BASE


@pytest.mark.slow
def test_the_default_talker_does_not_import_transformers() -> None:
    code = "import facetalk.cli.app; from facetalk.talkers.registry import load_talker; load_talker()"
    checked = f"import sys; {code}; sys.exit('transformers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", checked], check=False).returncode == 0
