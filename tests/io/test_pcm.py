"""Audio that comes as bytes."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
import soundfile
import torch

from facetalk.audio.resample import resample_waveform
from facetalk.core.errors import FacetalkError, UsageError
from facetalk.io.pcm import FORMATS, PcmFormat, PcmStream

SUBTYPES = dict(zip(FORMATS, ("PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"), strict=True))


def tone(samples: int = 4000, channels: int = 1) -> np.ndarray:
    return 0.4 * np.random.default_rng(0).uniform(-1, 1, (samples, channels))


def wav(samples: np.ndarray, rate: int, subtype: str, form: str = "WAV") -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, subtype=subtype, format=form)
    return file.getvalue()


def heard(data: bytes, size: int, form: PcmFormat | None = None) -> torch.Tensor:
    stream = PcmStream(form)
    parts = [stream.feed(data[at : at + size]) for at in range(0, len(data), size)]
    return torch.cat([*parts, stream.finish()])


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("size", [7, 10**6])
def test_bytes_of_any_format_in_pieces_of_any_size_are_the_samples(name: str, size: int) -> None:
    samples = tone(100, channels=2)
    data = wav(samples, 16_000, SUBTYPES[name])
    expected = torch.from_numpy(samples.mean(1)).float()
    tolerance = 2**-7 if name == "u8" else 2**-14
    torch.testing.assert_close(heard(data, size), expected, rtol=0, atol=tolerance)
    raw = data[data.index(b"data") + 8 :]
    form = PcmFormat.parsed(f"16000:{name}:2")
    torch.testing.assert_close(heard(raw, size, form), heard(data, size), rtol=0, atol=0)


@pytest.mark.parametrize("rate", [8000, 22_050, 44_100, 48_000])
def test_other_rates_are_resampled_as_if_at_once(rate: int) -> None:
    samples = tone(rate // 4)
    whole = resample_waveform(torch.from_numpy(samples.T).float(), rate)[0]
    streamed = heard(wav(samples, rate, "FLOAT"), 5001)
    torch.testing.assert_close(streamed, whole, rtol=0, atol=1e-5)


def test_a_header_may_be_long_or_state_no_length_and_what_follows_the_samples_is_not_heard() -> None:
    data = wav(tone(), 16_000, "PCM_16")
    start = data.index(b"data")
    listed = b"LIST" + struct.pack("<I", 5) + b"hello\0"
    for size in (0, 0xFFFFFFFF):
        header = data[:start] + listed + b"data" + struct.pack("<I", size)
        torch.testing.assert_close(heard(header + data[start + 8 :], 100), heard(data, 100), rtol=0, atol=0)
    assert len(heard(data + listed * 9, 33)) == 4000
    assert len(heard(wav(tone(), 16_000, "PCM_16", "WAVEX"), 100)) == 4000


@pytest.mark.parametrize(
    "text", ["", "16000:", "x", "16000:s16le:2:2", "-1", "16000:s16le:", "1e4", "16000:mp3", "9:u8", "16000:u8:0"]
)
def test_a_raw_format_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        PcmFormat.parsed(text)


@pytest.mark.parametrize("magic", [b"RF64", b"BW64"])
def test_what_follows_the_samples_of_a_very_long_file_is_not_heard(magic: bytes) -> None:
    plain = wav(tone(800), 16_000, "PCM_16")
    data = plain.index(b"data")
    sizes = struct.pack("<QQQI", 0, len(plain) - data - 8, 800, 0)
    chunk = b"ds64" + struct.pack("<I", len(sizes)) + sizes
    long = magic + b"\xff" * 4 + b"WAVE" + chunk + plain[12:data] + b"data" + b"\xff" * 4 + plain[data + 8 :]
    for size in (50, 5000):
        torch.testing.assert_close(heard(long + b"axml" + bytes(range(200)), size), heard(plain, 5000))


def test_a_raw_format_is_read() -> None:
    assert PcmFormat.parsed("16000") == PcmFormat(16_000, "s16le", 1)
    assert PcmFormat.parsed("48000:f32le") == PcmFormat(48_000, "f32le", 1)
    assert PcmFormat.parsed("8000:u8:2") == PcmFormat(8000, "u8", 2)


def test_bytes_that_are_no_audio_are_an_error_that_says_so() -> None:
    data = wav(tone(), 16_000, "PCM_16")
    compressed = data.replace(struct.pack("<HH", 1, 1), struct.pack("<HH", 85, 1), 1)
    endless = b"RIFF\0\0\0\0WAVEjunk" + struct.pack("<I", 1 << 30)
    no_format = b"RIFF\0\0\0\0WAVEdata\0\0\0\0" + bytes(100)
    silent = b"RIFF\0\0\0\0WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 0, 16_000, 0, 0, 16) + b"data\0\0\0\0"
    for wrong, reason in (
        (bytes(100), "no WAV file; give --raw"),
        (compressed, "format 85 with 16 bits"),
        (endless, "does not end"),
        (no_format, "does not describe its samples"),
        (silent, "0 channels"),
        (data[:30], "ends after 30 bytes"),
        (b"", "the input is empty"),
    ):
        with pytest.raises(FacetalkError, match=reason):
            heard(wrong, 10)
    with pytest.raises(FacetalkError, match="not numbers"):
        heard(np.float32("nan").tobytes(), 4, PcmFormat(sample="f32le"))


def test_half_a_sample_at_the_end_is_left() -> None:
    stream = PcmStream(PcmFormat())
    assert len(stream.feed(bytes(2001))) + len(stream.finish()) == 1000
    assert stream.rest == b"\0"
