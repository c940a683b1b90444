from __future__ import annotations

import logging
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from facetalk.core.errors import FacetalkError
from facetalk.core.timing import SAMPLE_RATE
from facetalk.io.audio import read_waveform
from facetalk.io.ffmpeg import read_output
from facetalk.io.media import probe
from facetalk.io.streamed_audio import RAISED_PEAK
from facetalk.io.video import VideoReader, read_video_info, shown_time
from facetalk.io.video_writer import VideoWriter

BURST_S = 0.5


def make(path: Path, *arguments: str) -> Path:
    code, _, messages = read_output(["-y", *arguments, f"file:{path}"])
    assert code == 0, messages
    return path


def tone(seconds: float, rate: int = SAMPLE_RATE, amplitude: float = 0.5) -> np.ndarray:
    return amplitude * np.sin(2 * np.pi * 220 * np.arange(round(seconds * rate)) / rate)


def late_audio(path: Path) -> Path:
    """A video of two seconds whose audio track starts half a second late."""
    video, audio = path.with_name("v.mp4"), path.with_name("a.wav")
    make(video, "-f", "lavfi", "-i", "testsrc=size=64x48:rate=30:duration=2", "-c:v", "libx264", "-bf", "0")
    soundfile.write(audio, tone(1.5), SAMPLE_RATE)
    return make(
        path, "-i", str(video), "-itsoffset", str(BURST_S), "-i", str(audio), "-map", "0:v", "-map", "1:a",
        "-c:v", "copy", "-c:a", "aac",
    )  # fmt: skip


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts", ".mpg"])
def test_audio_that_starts_late_is_read_late_in_every_container(tmp_path: Path, suffix: str) -> None:
    if suffix == ".mpg":
        path = tmp_path / "late.mpg"
        soundfile.write(tmp_path / "a.wav", tone(1.5), SAMPLE_RATE)
        make(path, "-f", "lavfi", "-i", "testsrc=size=64x48:rate=30:duration=2", "-itsoffset", str(BURST_S),
             "-i", str(tmp_path / "a.wav"), "-map", "0:v", "-map", "1:a", "-c:v", "mpeg2video", "-c:a", "mp2",
             "-ar", "48000")  # fmt: skip
    else:
        path = late_audio(tmp_path / f"late{suffix}")
    waveform = read_waveform(path)
    onset = float((waveform.abs() > 0.1).float().argmax()) / SAMPLE_RATE
    with VideoReader(path) as video:
        first_s, _ = next(iter(video))
    assert onset - first_s == pytest.approx(BURST_S, abs=1.5 / 30)


@pytest.mark.parametrize("name", ["talk-12:30.m4a", "pipe:0.m4a", "data:x.m4a", "frame%03d.m4a", "concat:a|b.m4a"])
def test_names_that_look_like_protocols_are_plain_files(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    soundfile.write(tmp_path / "tone.wav", tone(0.5), SAMPLE_RATE)
    make(tmp_path / "tone.m4a", "-i", str(tmp_path / "tone.wav"), "-c:a", "aac")
    (tmp_path / "tone.m4a").rename(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    assert len(read_waveform(Path(name))) >= 0.5 * SAMPLE_RATE


def test_a_relative_path_below_a_folder_named_like_a_protocol_is_a_plain_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "http:").mkdir()
    soundfile.write(tmp_path / "tone.wav", tone(0.5), SAMPLE_RATE)
    make(tmp_path / "tone.m4a", "-i", str(tmp_path / "tone.wav"), "-c:a", "aac")
    (tmp_path / "tone.m4a").rename(tmp_path / "http:" / "tone.m4a")
    monkeypatch.chdir(tmp_path)
    assert len(read_waveform(Path("http:/tone.m4a"))) >= 0.5 * SAMPLE_RATE


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("list.wav", "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{secret}\n#EXT-X-ENDLIST\n"),
        ("list.mp4", "ffconcat version 1.0\nfile {secret}\n"),
        (
            "manifest.mp4",
            '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"'
            ' mediaPresentationDuration="PT1S"><Period><AdaptationSet mimeType="audio/wav"><Representation id="1"'
            ' bandwidth="1"><BaseURL>{secret}</BaseURL></Representation></AdaptationSet></Period></MPD>',
        ),
    ],
)
def test_playlists_and_manifests_never_open_what_they_name(tmp_path: Path, name: str, text: str) -> None:
    soundfile.write(tmp_path / "secret.wav", tone(0.5), SAMPLE_RATE)
    (tmp_path / name).write_text(text.format(secret=tmp_path / "secret.wav"))
    with pytest.raises(FacetalkError, match="not an audio or video file"):
        read_waveform(tmp_path / name)


def test_the_default_streams_are_read_as_players_do(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "silence.wav", np.zeros(SAMPLE_RATE), SAMPLE_RATE)
    soundfile.write(tmp_path / "tone.wav", tone(1.0), SAMPLE_RATE)
    path = make(
        tmp_path / "both.mkv", "-f", "lavfi", "-i", "testsrc=size=32x32:rate=1:duration=1", "-f", "lavfi", "-i",
        "testsrc=size=64x48:rate=30:duration=1", "-i", str(tmp_path / "silence.wav"), "-i", str(tmp_path / "tone.wav"),
        "-map", "0:v", "-map", "1:v", "-map", "2:a", "-map", "3:a", "-c:v:0", "mjpeg", "-c:v:1", "libx264",
        "-c:a", "pcm_s16le", "-disposition:v:0", "0", "-disposition:v:1", "default", "-disposition:a:0", "0",
        "-disposition:a:1", "default",
    )  # fmt: skip
    assert read_video_info(path).size == (64, 48)
    assert read_waveform(path).abs().max() > 0.3


def test_joined_mp3_files_are_read_to_the_end(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "tone.wav", tone(1.0), SAMPLE_RATE)
    make(tmp_path / "one.mp3", "-i", str(tmp_path / "tone.wav"))
    joined = tmp_path / "joined.mp3"
    joined.write_bytes((tmp_path / "one.mp3").read_bytes() * 2)
    assert len(read_waveform(joined)) / SAMPLE_RATE == pytest.approx(2.0, abs=0.15)


def test_a_wav_whose_header_states_no_samples_is_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "streamed.wav"
    soundfile.write(path, tone(1.0), SAMPLE_RATE, subtype="PCM_16")
    data = bytearray(path.read_bytes())
    place = data.index(b"data") + 4
    data[place : place + 4] = bytes(4)
    path.write_bytes(data)
    assert len(read_waveform(path)) == SAMPLE_RATE


def test_a_wav_named_raw_is_read_and_headerless_audio_is_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "tone.wav", tone(0.5), SAMPLE_RATE)
    (tmp_path / "tone.raw").write_bytes((tmp_path / "tone.wav").read_bytes())
    assert len(read_waveform(tmp_path / "tone.raw")) == SAMPLE_RATE // 2
    (tmp_path / "samples.raw").write_bytes(np.random.default_rng(0).bytes(20_000))
    with pytest.raises(FacetalkError, match=r"samples\.raw"):
        read_waveform(tmp_path / "samples.raw")


def test_the_level_of_quiet_speech_does_not_matter_and_silence_stays_silent(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "quiet.wav", tone(0.5, amplitude=0.001), SAMPLE_RATE, subtype="PCM_24")
    soundfile.write(tmp_path / "silent.wav", tone(0.5, amplitude=0.00005), SAMPLE_RATE, subtype="PCM_24")
    assert float(read_waveform(tmp_path / "quiet.wav").abs().max()) == pytest.approx(RAISED_PEAK, rel=1e-3)
    assert float(read_waveform(tmp_path / "silent.wav").abs().max()) < 0.0001


def test_a_sample_rate_that_nothing_records_at_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "rate.wav"
    soundfile.write(path, tone(0.5), SAMPLE_RATE)
    data = bytearray(path.read_bytes())
    data[24:28] = (2**31 - 1).to_bytes(4, "little")
    path.write_bytes(data)
    with pytest.raises(FacetalkError, match="sample rate of 2147483647"):
        read_waveform(path)


def test_days_of_silence_in_a_small_file_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "days.wav"
    soundfile.write(path, np.zeros(100), 1000)
    with path.open("r+b") as file:  # a sparse file of 26 hours
        file.seek(40)
        file.write((26 * 3600 * 2000).to_bytes(4, "little"))
        file.truncate(44 + 26 * 3600 * 2000)
    with pytest.raises(FacetalkError, match="more than 24 hours of audio"):
        read_waveform(path)


def encoded_audio(path: Path, audio: Path) -> torch.Tensor:
    with VideoWriter(path, (16, 16), 25.0, audio) as writer:
        for _ in range(25):
            writer.write(np.zeros((16, 16, 3), np.uint8))
    return read_waveform(path)


def test_more_channels_than_aac_holds_are_mixed(tmp_path: Path) -> None:
    channels = np.zeros((SAMPLE_RATE, 9))
    channels[:, 0] = tone(1.0)
    soundfile.write(tmp_path / "many.wav", channels, SAMPLE_RATE)
    assert encoded_audio(tmp_path / "many.mp4", tmp_path / "many.wav").abs().max() > 0.02


def test_float_samples_beyond_one_are_scaled_down_instead_of_clipped(tmp_path: Path) -> None:
    hot = tone(1.0, amplitude=3.8)
    soundfile.write(tmp_path / "hot.wav", hot, SAMPLE_RATE, subtype="FLOAT")
    heard = encoded_audio(tmp_path / "hot.mp4", tmp_path / "hot.wav")[1000:15000]
    true = torch.from_numpy(hot[1000:15000]).float()
    assert torch.corrcoef(torch.stack([heard, true]))[0, 1] > 0.99


def test_frames_with_the_same_time_are_spread() -> None:
    times: list[float] = []
    for stated in (0.0, 0.1, 0.1, 0.2, 0.15, None, 0.4):
        times.append(shown_time(stated, times[-1] if times else None, fps=10.0))
    assert times == pytest.approx([0.0, 0.1, 0.15, 0.2, 0.25, 0.35, 0.4])


def test_a_video_that_ends_before_its_header_says_is_reported(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    whole = make(
        tmp_path / "whole.mp4", "-f", "lavfi", "-i", "testsrc=size=64x48:rate=30:duration=5", "-c:v", "libx264",
        "-movflags", "+faststart",
    )  # fmt: skip
    cut = tmp_path / "cut.mp4"
    data = whole.read_bytes()
    cut.write_bytes(data[: len(data) * 6 // 10])
    with caplog.at_level(logging.WARNING), VideoReader(cut) as video:
        try:
            count = sum(1 for _ in video)
        except FacetalkError:  # some releases of ffmpeg fail, which tells the user as well
            return
    assert count < 150
    assert "ends early" in caplog.text


@pytest.mark.parametrize(("rate", "fps"), [("24000/1001", 24000 / 1001), ("30000/1001", 30000 / 1001), ("25", 25.0)])
def test_frame_rates_of_television_are_exact(tmp_path: Path, rate: str, fps: float) -> None:
    path = make(tmp_path / "video.mp4", "-f", "lavfi", "-i", f"testsrc=size=32x32:rate={rate}:duration=1")
    assert read_video_info(path).fps == pytest.approx(fps, abs=1e-9)


def test_a_file_that_is_no_media_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("hello")
    with pytest.raises(FacetalkError, match="not an audio or video file"):
        probe(tmp_path / "text.mp4")


def test_pipes_and_devices_are_no_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "speech.wav")
    for path in (tmp_path / "speech.wav", Path("/dev/zero")):
        with pytest.raises(FacetalkError, match="is a pipe or a device, not a media file; give a regular file"):
            probe(path)
    with pytest.raises(FacetalkError, match="no such file"):
        probe(tmp_path / "none.wav")


@pytest.mark.parametrize("data", [b"#EXTM3U\n#EXTINF:1,\na.ts\n", b"hello\n", bytes(range(1, 200)) * 40])
def test_files_of_no_format_say_so(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "pcm.raw").write_bytes(data)
    with pytest.raises(FacetalkError, match="no known audio or video format was recognized; samples without a header"):
        probe(tmp_path / "pcm.raw")


def test_a_file_is_probed_again_once_it_has_changed(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, tone(1.0), SAMPLE_RATE)
    first = probe(path)
    assert probe(path) is first
    soundfile.write(path, tone(2.0), SAMPLE_RATE)
    assert probe(path).duration_s == pytest.approx(2.0)
    path.unlink()
    with pytest.raises(FacetalkError, match="no such file"):
        probe(path)
