from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from facetalk.audio.resample import resample_waveform
from facetalk.io import sample_blocks, streamed_audio
from facetalk.io.audio import read_waveform, write_wav
from facetalk.io.streamed_audio import StreamedAudio


@pytest.fixture
def stereo(tmp_path: Path) -> tuple[Path, torch.Tensor]:
    """A file of 44.1 kHz, channels of opposite phase and too loud, and its samples."""
    generator = torch.Generator().manual_seed(0)
    left = torch.randn(3 * 44_100 + 17, generator=generator) * 0.6
    channels = torch.stack([left, -0.5 * left + 0.05 * torch.randn(left.shape, generator=generator)])
    soundfile.write(tmp_path / "stereo.wav", channels.T.numpy(), 44_100, subtype="FLOAT")
    return tmp_path / "stereo.wav", channels


def test_reading_in_blocks_gives_the_same_as_reading_at_once(
    stereo: tuple[Path, torch.Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, channels = stereo
    monkeypatch.setattr(sample_blocks, "_BLOCK_SAMPLES", 2 * 44_100)
    monkeypatch.setattr(streamed_audio, "BLOCK", 7001)
    whole = resample_waveform((channels[0] - channels[1]) / 2, 44_100)
    assert whole.abs().max() > 1
    torch.testing.assert_close(read_waveform(path), whole / whole.abs().max(), atol=1e-5, rtol=0)


def test_slices_are_those_of_the_whole(stereo: tuple[Path, torch.Tensor]) -> None:
    whole = read_waveform(stereo[0])
    with StreamedAudio(stereo[0]) as audio:
        assert len(audio) == len(whole)
        for part in (slice(0, 100), slice(15_999, 16_001), slice(len(whole) - 5, len(whole) + 5), slice(7, 7)):
            torch.testing.assert_close(audio[part], whole[part])


def test_audio_that_exceeds_the_memory_limit_waits_on_disk(
    stereo: tuple[Path, torch.Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = read_waveform(stereo[0])
    monkeypatch.setattr(streamed_audio, "_IN_MEMORY", 1000)
    torch.testing.assert_close(read_waveform(stereo[0]), whole)


def test_long_audio_is_written_block_by_block(
    stereo: tuple[Path, torch.Tensor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("facetalk.io.audio.BLOCK", 9_999)
    with StreamedAudio(stereo[0]) as audio:
        write_wav(tmp_path / "mono.wav", audio)
    samples, rate = soundfile.read(tmp_path / "mono.wav")
    assert rate == 16_000
    np.testing.assert_allclose(samples, read_waveform(stereo[0]), atol=1e-4)
