import logging
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile

from facetalk.io.ffmpeg import ffmpeg_program
from facetalk.io.media import probe
from facetalk.io.stated_length import is_sample_file
from facetalk.io.streamed_audio import StreamedAudio


def speech() -> np.ndarray:
    return np.random.default_rng(0).normal(0, 0.1, 3 * 16_000)


def encoded(folder: Path, name: str, *options: str) -> Path:
    """Three seconds of noise in any format."""
    soundfile.write(folder / "source.wav", speech(), 16_000)
    command = [ffmpeg_program(), "-v", "error", "-i", str(folder / "source.wav"), *options, str(folder / name)]
    subprocess.run(command, check=True)
    return folder / name


def warnings_of(path: Path, caplog: pytest.LogCaptureFixture) -> list[str]:
    with caplog.at_level(logging.WARNING), StreamedAudio(path):
        return [record.getMessage() for record in caplog.records]


def cut(path: Path) -> Path:
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    return path


@pytest.mark.parametrize("suffix", ["wav", "aiff", "au", "w64", "rf64", "caf", "flac"])
def test_a_cut_recording_is_reported_and_a_whole_one_is_not(
    suffix: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / f"speech.{suffix}"
    soundfile.write(path, speech(), 16_000)
    assert is_sample_file(path)
    assert warnings_of(path, caplog) == []
    (message,) = warnings_of(cut(path), caplog)
    assert f"{path} ends early: its header states 3.00 s, the audio ends at 1." in message


@pytest.mark.parametrize("name", ["speech.mka", "speech.mp3", "speech.webm"])
def test_a_cut_recording_that_only_ffmpeg_reads_is_reported(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = encoded(tmp_path, name)
    assert warnings_of(path, caplog) == []
    (message,) = warnings_of(cut(path), caplog)
    assert "ends early" in message


def test_audio_that_is_shorter_than_its_video_does_not_end_early(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    picture = ["-f", "lavfi", "-i", "testsrc=s=64x64:r=25:d=8", "-c:v", "mpeg4"]
    path = encoded(tmp_path, "video.mkv", *picture)
    assert warnings_of(path, caplog) == []
    (message,) = warnings_of(cut(path), caplog)
    assert "its header states 8.0" in message


def test_a_hole_in_a_recording_is_reported(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "speech.flac"
    soundfile.write(path, speech(), 16_000)
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 3000] = bytes(3000)
    path.write_bytes(data)
    (message,) = warnings_of(path, caplog)
    assert f"{path} is damaged" in message


@pytest.mark.parametrize("size", [bytes(4), b"\xff" * 4, b"\xff\xff\xff\x7f"])
def test_an_open_length_says_nothing(size: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "stream.wav"
    soundfile.write(path, speech(), 16_000)
    data = bytearray(path.read_bytes())
    data[40:44] = size
    path.write_bytes(data)
    assert warnings_of(path, caplog) == []


def test_joined_files_are_whole(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for suffix, options in (("mp3", ["-q:a", "5"]), ("mp3", ["-write_xing", "0"]), ("ogg", [])):
        path = encoded(tmp_path, f"{len(options)}{options[:1]}.{suffix}", *options)
        path.write_bytes(path.read_bytes() * 2)
        assert warnings_of(path, caplog) == []


def test_only_ffmpeg_opens_mp3(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = encoded(tmp_path, "speech.mp3", "-q:a", "5")
    assert not is_sample_file(path)
    with StreamedAudio(cut(path)):
        pass
    assert "Xing" not in capfd.readouterr().err


def test_a_flac_without_a_length_is_read_to_its_end(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "piped.flac"
    soundfile.write(path, speech(), 16_000)
    data = bytearray(path.read_bytes())
    data[21] &= 0xF0  # the last 36 bits before the checksum are the number of samples
    data[22:26] = bytes(4)
    path.write_bytes(data)
    assert warnings_of(path, caplog) == []
    with StreamedAudio(path) as audio:
        assert len(audio) == len(speech())


def test_hours_that_a_wrong_time_makes_of_a_recording_are_not_missing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    later = "setts=ts=PTS+if(gt(N\\,20)\\,160000000\\,0)"
    path = encoded(tmp_path, "speech.mka", "-c:a", "aac", "-bsf:a", later)
    assert (probe(path).duration_s or 0.0) > 9000
    assert warnings_of(path, caplog) == []


def test_the_end_of_a_long_recording_is_missed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = encoded(tmp_path, "speech.mka", "-af", "apad=pad_dur=150", "-c:a", "pcm_s16le")
    assert warnings_of(path, caplog) == []
    (message,) = warnings_of(cut(path), caplog)
    assert "ends early: its header states 153.0" in message
