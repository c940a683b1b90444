from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from facetalk.core.errors import FacetalkError
from facetalk.io.audio import read_waveform, write_wav


def tone(rate: int = 16_000, seconds: float = 0.5, amplitude: float = 0.5) -> np.ndarray:
    return amplitude * np.sin(2 * np.pi * 300 * np.arange(round(rate * seconds)) / rate)


def test_a_written_wav_reads_back(tmp_path: Path) -> None:
    waveform = torch.from_numpy(tone()).float()
    write_wav(tmp_path / "tone.wav", waveform)
    torch.testing.assert_close(read_waveform(tmp_path / "tone.wav"), waveform, atol=1e-4, rtol=0)


def test_other_rates_become_16_khz(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "tone.flac", tone(44_100), 44_100)
    waveform = read_waveform(tmp_path / "tone.flac")
    assert waveform.dtype == torch.float32
    np.testing.assert_allclose(waveform[400:7600], tone()[400:7600], atol=5e-3)


def test_anti_phase_stereo_is_heard(tmp_path: Path) -> None:
    left = tone()
    soundfile.write(tmp_path / "stereo.wav", np.stack([left, -left], 1), 16_000)
    assert read_waveform(tmp_path / "stereo.wav").abs().max() > 0.45


def test_samples_beyond_full_scale_are_scaled_down(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "loud.wav", tone(amplitude=4.0), 16_000, subtype="FLOAT")
    assert read_waveform(tmp_path / "loud.wav").abs().max() == pytest.approx(1.0, abs=1e-4)


def test_audio_that_only_ffmpeg_reads(tmp_path: Path) -> None:
    import subprocess

    import imageio_ffmpeg

    soundfile.write(tmp_path / "tone.wav", tone(48_000), 48_000)
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", "tone.wav", "-c:a", "aac", "tone.mp4"]
    subprocess.run(command, cwd=tmp_path, check=True)
    waveform = read_waveform(tmp_path / "tone.mp4")
    assert 0.5 <= len(waveform) / 16_000 < 0.6
    assert waveform.abs().max() == pytest.approx(0.5, abs=0.1)


def test_a_video_without_audio_is_named_so(tmp_path: Path) -> None:
    import imageio_ffmpeg

    writer = imageio_ffmpeg.write_frames(str(tmp_path / "mute.mp4"), (32, 32))
    writer.send(None)
    for _ in range(5):
        writer.send(np.zeros((32, 32, 3), np.uint8))
    writer.close()
    with pytest.raises(FacetalkError, match="no audio track"):
        read_waveform(tmp_path / "mute.mp4")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FacetalkError, match=r"no such file.*none\.wav"):
        read_waveform(tmp_path / "none.wav")


def test_a_folder_is_not_an_audio_file(tmp_path: Path) -> None:
    with pytest.raises(FacetalkError, match="is a folder"):
        read_waveform(tmp_path)


def test_text_named_wav_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.wav").write_text("this is not audio\n" * 20)
    with pytest.raises(FacetalkError, match="not an audio or video file"):
        read_waveform(tmp_path / "text.wav")


def test_an_empty_file_and_an_empty_wav_are_refused(tmp_path: Path) -> None:
    (tmp_path / "zero.wav").touch()
    with pytest.raises(FacetalkError, match="empty"):
        read_waveform(tmp_path / "zero.wav")
    soundfile.write(tmp_path / "header.wav", np.zeros(0), 16_000)
    with pytest.raises(FacetalkError, match="no audio samples"):
        read_waveform(tmp_path / "header.wav")


def test_audio_that_is_too_short_is_refused_with_its_length(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "short.wav", tone(seconds=0.05), 16_000)
    with pytest.raises(FacetalkError, match=r"only 0\.050 s"):
        read_waveform(tmp_path / "short.wav")


def test_samples_that_are_not_numbers_are_refused(tmp_path: Path) -> None:
    samples = tone()
    samples[100] = np.nan
    soundfile.write(tmp_path / "nan.wav", samples, 16_000, subtype="FLOAT")
    with pytest.raises(FacetalkError, match="not numbers"):
        read_waveform(tmp_path / "nan.wav")


@pytest.mark.data
@pytest.mark.parametrize(
    ("path", "seconds"),
    [("stereo/stereo_44k1.mp4", 6.6), ("webm/webm.webm", 10.0), ("phone/phone_8k.mp4", 10.0), ("vfr/vfr.mkv", 8.1)],
)
def test_awkward_files_are_read(data_dir: Path, path: str, seconds: float) -> None:
    waveform = read_waveform(data_dir / "robust" / path)
    assert len(waveform) / 16_000 == pytest.approx(seconds, abs=0.1)
    assert waveform.std() > 0.01
