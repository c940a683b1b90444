"""A part of a recording: the same samples from every format, decoded no further than needed, and in step in a video."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from facetalk.core.audio_part import AudioPart
from facetalk.core.errors import FacetalkError, UsageError
from facetalk.io.audio import read_waveform, write_wav
from facetalk.io.audio_clip import AudioClip
from facetalk.io.sample_blocks import sample_blocks
from facetalk.io.streamed_audio import StreamedAudio
from facetalk.io.video_writer import VideoWriter

RATE = 22_050


@pytest.fixture
def stereo() -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.uniform(-0.5, 0.5, (3 * RATE + 11, 2)).astype(np.float32)


def heard(path: Path, **part: Any) -> torch.Tensor:
    with StreamedAudio(AudioClip(path, AudioPart(**part))) as audio:
        return audio[:]


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3"])
@pytest.mark.parametrize("part", [{"channel": 2}, {"start_s": 0.5, "end_s": 1.7}, {"channel": 1, "start_s": 2.5}])
def test_a_part_is_what_a_file_of_these_samples_would_be(
    tmp_path: Path, stereo: np.ndarray, suffix: str, part: dict[str, Any]
) -> None:
    path = tmp_path / f"a.{suffix}"
    soundfile.write(path, stereo, RATE)
    decoded = np.concatenate([block for _, block in sample_blocks(path)])
    start, end = (round(part.get(name, default) * RATE) for name, default in (("start_s", 0.0), ("end_s", 99.0)))
    cut = decoded[start:end]
    if "channel" in part:
        cut = cut[:, part["channel"] - 1]
    soundfile.write(tmp_path / "cut.wav", cut, RATE, subtype="FLOAT")
    assert torch.equal(heard(path, **part), read_waveform(tmp_path / "cut.wav"))


def test_decoding_ends_with_the_part() -> None:
    taken: list[int] = []

    def blocks() -> Iterator[tuple[int, np.ndarray]]:
        for number in range(1000):
            taken.append(number)
            yield 1000, np.full((1000, 1), number, np.float32)

    clip = AudioClip(Path("a.wav"), AudioPart(None, 2.5, 4.25))
    kept = np.concatenate([block for _, block in clip.of_blocks(blocks())])
    assert kept[:, 0].tolist() == [2.0] * 500 + [3.0] * 1000 + [4.0] * 250
    assert taken == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ({"channel": 3}, r"a.wav has 2 channels; there is no channel 3"),
        ({"start_s": 5.0}, r"a.wav lasts 3.00 s, so nothing of it is left from 5 s on"),
        ({"start_s": 2.95}, r"the part of .*a.wav has only 0.050 s of audio"),
    ],
)
def test_a_part_that_is_not_there_is_an_error(
    tmp_path: Path, stereo: np.ndarray, part: dict[str, Any], message: str
) -> None:
    soundfile.write(tmp_path / "a.wav", stereo[: 3 * RATE], RATE)
    with pytest.raises(FacetalkError, match=message):
        heard(tmp_path / "a.wav", **part)


def test_a_part_beyond_the_end_ends_there(tmp_path: Path, stereo: np.ndarray) -> None:
    soundfile.write(tmp_path / "a.wav", stereo, RATE)
    assert torch.equal(heard(tmp_path / "a.wav", end_s=60.0), read_waveform(tmp_path / "a.wav"))


@pytest.mark.parametrize("tempo", [1.0, 1.5, 0.4])
def test_a_video_has_the_part_at_its_tempo(tmp_path: Path, tempo: float) -> None:
    """A burst at 1.2 s of the right channel, in the part from 0.6 s on."""
    samples = np.zeros((2 * RATE, 2), np.float32)
    samples[: RATE // 2] = 0.5
    at = round(1.2 * RATE)
    samples[at : at + RATE // 10, 1] = 0.8 * np.sin(2 * np.pi * 440 * np.arange(RATE // 10) / RATE)
    soundfile.write(tmp_path / "a.wav", samples, RATE)
    clip = AudioClip(tmp_path / "a.wav", AudioPart(2, 0.6, 1.8, tempo))
    with VideoWriter(tmp_path / "a.mp4", (32, 32), 25, clip) as writer:
        for _ in range(round(1.2 / tempo * 25)):
            writer.write(np.zeros((32, 32, 3), np.uint8))
    level = read_waveform(tmp_path / "a.mp4").abs()
    loud = (level > 0.3 * level.max()).nonzero()[:, 0] / 16_000
    slack = 0.03 if tempo >= 1 else 0.1  # ffmpeg stretches in windows of a tenth of a second
    assert loud[0] == pytest.approx(0.6 / tempo, abs=slack)
    assert loud[-1] == pytest.approx(0.7 / tempo, abs=1.5 * slack)
    with pytest.raises(ValueError, match="another tempo is only made for videos"):
        StreamedAudio(AudioClip(tmp_path / "a.wav", AudioPart(tempo=2.0)))


def test_parts_are_read_from_text() -> None:
    assert AudioPart.parsed("left", "1:02.5", "1:00:03") == AudioPart(1, 62.5, 3603.0)
    assert AudioPart.parsed("RIGHT") == AudioPart(2)
    assert AudioPart.parsed("12", end="7") == AudioPart(12, 0.0, 7.0)
    assert AudioPart.of(AudioPart(2, 1.0, 2.0, 1.1).meta()) == AudioPart(2, 1.0, 2.0, 1.1)
    assert AudioPart.of({}) == AudioPart()
    assert AudioPart(None, 1.0, None, 2.0).cut(0.5, 3.0) == AudioPart(None, 2.0, 7.0, 2.0)


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (("middle",), "unknown channel 'middle'; give left, right, or a number from 1 on"),
        (("0",), "unknown channel '0'"),
        (("-1",), "unknown channel '-1'"),
        (("9999",), "the channel is 9999"),
        ((None, "soon"), "the start is 'soon'; write seconds, or minutes as in 1:02.5"),
        ((None, "1:75"), "the start is '1:75'"),
        ((None, "nan"), "the start is 'nan'"),
        ((None, "-1"), "the start is '-1'"),
        ((None, "1:2:3:4"), "the start is '1:2:3:4'"),
        ((None, "99:00:00"), "the start of the audio is 356400.0; it must be 0 to 86400 seconds"),
        ((None, "2", "2"), "the audio from 2 s to 2 s is empty; it ends before it starts"),
    ],
)
def test_nonsense_is_refused(texts: tuple[str | None, ...], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        AudioPart.parsed(*texts)
    assert message in str(caught.value)


def test_a_quiet_part_is_raised_by_its_own_level(tmp_path: Path) -> None:
    loud, quiet = torch.full((16_000,), 0.9), 0.01 * torch.sin(torch.arange(16_000) / 5)
    write_wav(tmp_path / "a.wav", torch.cat([loud, quiet]))
    assert heard(tmp_path / "a.wav", start_s=1.0).abs().max() == pytest.approx(0.05, abs=0.002)
