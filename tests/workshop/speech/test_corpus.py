import csv
from pathlib import Path

import pytest
import torch

from facetalk.core.errors import MissingAssetError, UsageError
from facetalk.data.manifest import read_manifest
from facetalk.data.speech import read_phonemes
from facetalk.io.audio import read_waveform, write_wav
from facetalk.pipelines.av_sync import expected_mouth
from facetalk.workshop.speech import corpus
from facetalk.workshop.speech.corpus import build_corpus
from facetalk.workshop.speech.synthesis import Synthesizer, nearest_phoneme, synthesize, to_phonemes

LABLAUT = "signal a\n#\n 0.3 -1 a\n 0.6 -1 .\n"
FIELDS = ("path", "kind", "speaker", "has_audio", "av_corr", "text")


@pytest.fixture
def pack_dir(tmp_path: Path) -> Path:
    """A manually labeled recording, one that is not English, one that cannot be read, one without audio."""
    pack = tmp_path / "pack"
    noise = torch.randn(10_000, generator=torch.Generator().manual_seed(0)) * 0.1
    rows = [
        ("emotional_speech/emodb/03/a.wav", "emotional_speech", "EmoDB:03", "1", "", "Hallo"),
        ("speech/x/German1.wav", "speech", "x:German1", "1", "", ""),
        ("speech/x/broken.wav", "speech", "x:broken", "1", "", ""),
        ("style/x/mute.mp4", "style_video", "x:mute", "0", "", ""),
    ]
    for path, *_ in rows[:2]:
        write_wav(pack / path, noise)
    (pack / "emotional_speech/emodb/03/a.lablaut").write_text(LABLAUT)
    (pack / "speech/x/broken.wav").write_text("not audio")
    with (pack / "MANIFEST.csv").open("w", newline="") as file:
        csv.writer(file).writerows([FIELDS, *rows])
    return pack


def test_a_pack_becomes_a_speech_folder(pack_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert build_corpus(pack_dir, out, jobs=1) == 2
    assert "skipped" in capsys.readouterr().err
    names = [clip.name for clip in read_manifest(out)]
    assert names == ["emotional_speech__emodb__03__a", "speech__x__German1"]
    manual, trust = read_phonemes(out / f"{names[0]}.phones.csv")
    assert [phoneme.symbol for phoneme in manual] == ["AA", "SIL", "SIL"]
    assert trust == 1.0
    assert read_phonemes(out / f"{names[1]}.phones.csv")[1] == 0.5


def test_the_offset_of_the_measured_mouths_stands_in_the_manifest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two recordings of one folder; the mouths of both move 100 ms after what the encoder expects."""
    times = torch.arange(6 * 16_000) / 16_000
    syllables = 1 + torch.sin(2 * torch.pi * 2.3 * times) + torch.sin(2 * torch.pi * 3.7 * times)
    rows = [(f"video/x/{name}.wav", "video", "x", "1", "0.5", "") for name in "ab"]
    for seed, (path, *_) in enumerate(rows):
        noise = torch.randn(len(times), generator=torch.Generator().manual_seed(seed))
        write_wav(tmp_path / "pack" / path, 0.1 * noise * syllables.clamp_min(0))
    with (tmp_path / "pack" / "MANIFEST.csv").open("w", newline="") as file:
        csv.writer(file).writerows([FIELDS, *rows])

    def late_mouth(path: Path) -> tuple[torch.Tensor, torch.Tensor]:
        expected = expected_mouth(read_waveform(path), 180).roll(3, 0)
        return torch.arange(180) / 30, torch.cat([expected, expected[:, :1]], 1)

    monkeypatch.setattr(corpus, "measure_mouth", late_mouth)
    assert build_corpus(tmp_path / "pack", tmp_path / "out", jobs=1) == 2
    assert [clip.av_offset_ms for clip in read_manifest(tmp_path / "out")] == pytest.approx([100, 100], abs=8)


@pytest.mark.parametrize(
    ("ipa", "symbol"), [("tʃ", "CH"), ("ˈaɪ", "AY"), ("yː", "UW"), ("ʁ", "HH"), ("p", "P"), ("_:", None), ("", None)]
)
def test_phones_become_the_nearest_symbol(ipa: str, symbol: str | None) -> None:
    assert nearest_phoneme(ipa) == symbol


def test_marks_extend_the_previous_phone_and_pauses_are_silence() -> None:
    found = to_phonemes([(0.0, "a"), (0.1, "ʲ"), (0.2, "_:"), (0.3, "m")], 0.4)
    assert [phoneme.symbol for phoneme in found] == ["AA", "AA", "SIL", "M"]
    assert found[-1].end_s == 0.4


def test_a_folder_without_a_manifest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"workshop\.speech\.corpus first"):
        synthesize(tmp_path, 0.1)


def test_synthetic_speech_knows_its_phonemes() -> None:
    try:
        synthesizer = Synthesizer()
    except MissingAssetError as error:
        pytest.skip(str(error))
    spoken = synthesizer.speak("map", "en-us", 150, 50, 50)
    assert spoken is not None
    waveform, phonemes = spoken
    assert [phoneme.symbol for phoneme in phonemes if phoneme.symbol != "SIL"] == ["M", "AE", "P"]
    assert phonemes[-1].end_s == pytest.approx(len(waveform) / 16_000, abs=1e-3)
