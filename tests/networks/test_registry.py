"""One table of trained networks: what is shipped can be loaded, and what is not is refused in one line."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import torch
import yaml
from torch import nn

from facetalk.core.config import plain
from facetalk.core.errors import FacetalkError, MissingAssetError, UsageError
from facetalk.io import weights
from facetalk.io.weights import CHECKPOINT_FILE, CONFIG_FILE, MODEL_FILE, read_config, weights_dir, write_model
from facetalk.networks.laughter_detector import LaughterDetector, LaughterDetectorConfig
from facetalk.networks.registry import NETWORKS, load, load_face_encoder

SMALL = LaughterDetectorConfig(num_mels=8, width=4, dilations=(1,))


def write_detector(folder: Path, **entries: object) -> LaughterDetector:
    torch.manual_seed(0)
    detector = LaughterDetector(SMALL).eval()
    write_model(folder, detector, "laughter-detector", "laughter", {"network": plain(SMALL), **entries})
    return detector


@pytest.mark.parametrize("path", sorted(weights_dir().glob(f"*/{CONFIG_FILE}")), ids=lambda path: path.parent.name)
def test_every_shipped_description_names_its_kind_and_method(path: Path) -> None:
    entries = read_config(path)
    assert entries["kind"] in (*NETWORKS, "head")
    if entries["kind"] != "head":
        assert entries["method"] in [known.method for known in NETWORKS[entries["kind"]]]


@pytest.mark.parametrize("kind", [kind for kind, known in NETWORKS.items() if known[0].bundled])
def test_every_bundled_network_loads_by_its_kind_and_does_not_train(kind: str) -> None:
    network = load(kind)
    assert isinstance(network, nn.Module)
    assert not network.training
    assert not any(parameter.requires_grad for parameter in network.parameters())
    assert all(value.dtype != torch.float16 for value in network.state_dict().values())


def test_a_network_comes_back_from_its_folder(tmp_path: Path) -> None:
    detector = write_detector(tmp_path / "run")
    waveform = torch.randn(16_000, generator=torch.Generator().manual_seed(0))
    again = load("laughter-detector", tmp_path / "run")
    torch.testing.assert_close(again.probability(waveform), detector.probability(waveform))


def test_the_face_encoder_is_put_together_from_both_encoders() -> None:
    encoder = load_face_encoder()
    for part, kind in ((encoder.coarse, "coarse-encoder"), (encoder.perceptual, "perceptual-encoder")):
        expected = load(kind).state_dict()
        assert all(torch.equal(value, expected[name]) for name, value in part.state_dict().items())


@pytest.mark.parametrize(
    ("network", "reason"),
    [
        ({"width": -1}, "whole number from 0 on"),
        ({"width": 0}, "width=0 must lie between 1"),
        ({"width": 10**12}, "width=1000000000000 must lie between"),
        ({"width": 8192}, "describes more than the .* values of its weights"),
        ({"num_mels": 9}, "does not fit its|describes more"),
        ({"dilations": [1] * 2000}, "dilations has 2000 values"),
        ({"dilations": [1] * 900}, "describes more than"),
        ({"dropout": float("nan")}, "finite"),
        ({"dropout": 7.0}, r"dropout=7\.0 must lie"),
    ],
)
def test_a_description_that_asks_for_another_network_is_refused_at_once(
    tmp_path: Path, network: dict[str, object], reason: str
) -> None:
    write_detector(tmp_path / "run")
    described = {"kind": "laughter-detector", "method": "laughter", "network": plain(SMALL) | network}
    (tmp_path / "run" / CONFIG_FILE).write_text(yaml.safe_dump(described))
    start = time.perf_counter()
    with pytest.raises(FacetalkError, match=reason) as found:
        load("laughter-detector", tmp_path / "run")
    assert "\n" not in str(found.value) and time.perf_counter() - start < 10


def test_a_run_that_wrote_no_weights_is_no_missing_asset(tmp_path: Path) -> None:
    write_detector(tmp_path / "run")
    (tmp_path / "run" / MODEL_FILE).unlink()
    with pytest.raises(FacetalkError, match=r"run holds no trained network: .*; train it again$") as caught:
        load("laughter-detector", tmp_path / "run")
    assert caught.value.exit_code == 1
    (tmp_path / "run" / CHECKPOINT_FILE).write_bytes(b"")
    with pytest.raises(FacetalkError, match="its training has not ended: continue it with facetalk train --resume"):
        load("laughter-detector", tmp_path / "run")


def test_damaged_weights_of_ones_own_are_trained_again_and_bundled_ones_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_detector(tmp_path / "run")
    (tmp_path / "run" / MODEL_FILE).write_bytes(b"nothing")
    with pytest.raises(FacetalkError, match=r"train it again$"):
        load("laughter-detector", tmp_path / "run")
    monkeypatch.setattr(weights, "weights_dir", lambda: tmp_path)
    with pytest.raises(FacetalkError, match=r"fetch it again$"):
        load("laughter-detector", "run")


def test_a_folder_of_another_kind_is_refused_in_one_line(tmp_path: Path) -> None:
    write_detector(tmp_path / "run")
    with pytest.raises(FacetalkError, match="holds a network of kind 'laughter-detector'; 'talker' is needed") as found:
        load("talker", tmp_path / "run")
    assert "\n" not in str(found.value)


def test_what_cannot_be_loaded_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="unknown kind of network 'parrot'; known: "):
        load("parrot")
    with pytest.raises(MissingAssetError, match="no weights named 'nothing'"):
        load("speech-encoder", "nothing")
    write_detector(tmp_path / "run")
    path = tmp_path / "run" / CONFIG_FILE
    path.write_text(path.read_text().replace("method: laughter", "method: guessing"))
    with pytest.raises(FacetalkError, match=r"was made by 'guessing'; known for laughter-detector: laughter"):
        load("laughter-detector", tmp_path / "run")
    path.write_text("kind: laughter-detector\nmethod: laughter\n")
    with pytest.raises(
        FacetalkError, match="does not describe weights of the kind laughter-detector: 'network' is missing"
    ):
        load("laughter-detector", tmp_path / "run")


def test_weights_that_do_not_fit_their_description_are_refused_in_one_line(tmp_path: Path) -> None:
    write_detector(tmp_path / "run")
    config = tmp_path / "run" / "config.yaml"
    text = config.read_text(encoding="utf-8")
    for broken in (text.replace("network:", "network: 5\nother:"), text.replace("method: ", "method: [1] # ")):
        config.write_text(broken, encoding="utf-8")
        with pytest.raises(FacetalkError) as raised:
            load("laughter-detector", tmp_path / "run")
        assert not isinstance(raised.value, UsageError) and "\n" not in str(raised.value)
