from pathlib import Path

import pytest
import torch

from facetalk.audio.articulation import MOUTH_CURVES
from facetalk.audio.phonemes import PHONEME_IDS, SILENCE, Phoneme
from facetalk.core.errors import FacetalkError
from facetalk.data.manifest import Clip
from facetalk.data.speech import read_mouth, read_phonemes, read_speech, write_mouth, write_phonemes
from facetalk.io.audio import write_wav

PHONEMES = [Phoneme("SIL", 0.0, 0.2), Phoneme("B", 0.2, 0.3), Phoneme("AA", 0.3, 0.8), Phoneme("SIL", 0.8, 1.0)]


def test_phonemes_read_back_with_their_trust(tmp_path: Path) -> None:
    write_phonemes(tmp_path / "a.phones.csv", PHONEMES, 0.4)
    phonemes, trust = read_phonemes(tmp_path / "a.phones.csv")
    assert phonemes == PHONEMES
    assert trust == pytest.approx(0.4)


def test_mouth_curves_are_even_in_time_and_z_scored(tmp_path: Path) -> None:
    times = torch.arange(50) / 25
    curves = torch.stack([torch.sin(5 * times), torch.cos(5 * times), times], 1) * 0.1 + 0.3
    write_mouth(tmp_path / "a.mouth.csv", times, curves)
    rows = read_mouth(tmp_path / "a.mouth.csv")
    assert rows.shape == (int(1.96 * 30) + 1, 3)
    torch.testing.assert_close(rows.mean(0), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(rows.std(0, correction=0), torch.ones(3))


def test_a_recording_comes_with_all_that_is_known(tmp_path: Path) -> None:
    write_wav(tmp_path / "a.wav", torch.randn(16_000) * 0.1)
    write_phonemes(tmp_path / "a.phones.csv", PHONEMES, 1.0)
    example = read_speech(Clip(tmp_path, "a"))
    assert example.duration_s == 1.0
    assert example.labels[25] == PHONEME_IDS["B"]
    assert example.labels[95] == SILENCE
    assert example.articulation[25, 4] > 0.8
    assert example.mouth.shape == (0, len(MOUTH_CURVES))


def test_a_recording_without_labels_has_no_trust(tmp_path: Path) -> None:
    write_wav(tmp_path / "a.wav", torch.randn(16_000) * 0.1)
    example = read_speech(Clip(tmp_path, "a"))
    assert example.trust == 0
    assert (example.labels == SILENCE).all()


def test_tables_with_other_columns_are_named(tmp_path: Path) -> None:
    (tmp_path / "a.phones.csv").write_text("symbol,start\nB,0\n")
    with pytest.raises(FacetalkError, match=r"a\.phones\.csv is not a table"):
        read_phonemes(tmp_path / "a.phones.csv")
    (tmp_path / "a.mouth.csv").write_text("time_s,mouth_open\n0,1\n")
    with pytest.raises(FacetalkError, match=r"a\.mouth\.csv is not a table"):
        read_mouth(tmp_path / "a.mouth.csv")


def test_unknown_phonemes_are_named(tmp_path: Path) -> None:
    (tmp_path / "a.phones.csv").write_text("symbol,start_s,end_s,trust\nQQ,0,1,1\n")
    with pytest.raises(FacetalkError, match="unknown phonemes: QQ"):
        read_phonemes(tmp_path / "a.phones.csv")
