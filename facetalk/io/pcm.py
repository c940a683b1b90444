"""Audio that comes as bytes, of a WAV file or without any header, as mono at 16 kHz while it comes."""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.audio.resample import Resampler
from facetalk.core.errors import FacetalkError, UsageError
from facetalk.core.timing import SAMPLE_RATE
from facetalk.io.sample_blocks import SAMPLE_RATES

FORMATS = {
    "u8": (1, "u1", 2.0**-7),
    "s16le": (2, "<i2", 2.0**-15),
    "s24le": (3, "", 2.0**-31),
    "s32le": (4, "<i4", 2.0**-31),
    "f32le": (4, "<f4", 1.0),
    "f64le": (8, "<f8", 1.0),
}
"""Bytes of a sample, numpy's name of its type, and the factor that brings it to [-1, 1]; the names are ffmpeg's."""

MOST_CHANNELS = 64

_OPENING = struct.Struct("<4sI4s")
_CHUNK = struct.Struct("<4sI")
_FORMAT = struct.Struct("<HHIIHH")
_SIZES = struct.Struct("<QQ")
_LONG = (b"RF64", b"BW64")
"""Beginnings of files of more than 4 GB, whose sizes stand in the chunk `ds64` (EBU Tech 3306, ITU-R BS.2088)."""
_IN_DS64 = 0xFFFFFFFF
_MOST_HEADER = 1 << 20
"""Bytes before the samples of a WAV file; what comes with a name and a picture is smaller."""
_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_UNKNOWN_SIZES = (0, 0xFFFFFFFF, 0x7FFFFFFF, 0x7FFFFFFE, 0xFFFFFFFE)
"""Sizes that programs write where they do not know how much will follow."""


@dataclass(frozen=True)
class PcmFormat:
    """How samples are stored."""

    rate: int = SAMPLE_RATE
    """Hz."""
    sample: str = "s16le"
    """One of `FORMATS`."""
    channels: int = 1

    def __post_init__(self) -> None:
        low, high = SAMPLE_RATES
        if not low <= self.rate <= high:
            raise UsageError(f"a sample rate of {self.rate} Hz; {low} to {high} Hz can be read")
        if self.sample not in FORMATS:
            raise UsageError(f"unknown format of samples {self.sample!r:.40}; known: {', '.join(FORMATS)}")
        if not 1 <= self.channels <= MOST_CHANNELS:
            raise UsageError(f"{self.channels} channels; 1 to {MOST_CHANNELS} can be read")

    @classmethod
    def parsed(cls, text: str) -> PcmFormat:
        """Read `RATE`, `RATE:FORMAT` or `RATE:FORMAT:CHANNELS`, such as `48000:f32le:2`.

        Raises:
            UsageError: the text is not of this form.
        """
        given = text.split(":")
        rate, sample, channels, *more = [*given, *("s16le", "1")[len(given) - 1 :]]
        if more or not (_is_number(rate) and _is_number(channels)):
            raise UsageError(
                f"cannot read the raw format {text[:40]!r}; write it as 16000, 16000:s16le or 48000:f32le:2"
            )
        return cls(int(rate), sample, int(channels))

    @property
    def frame_bytes(self) -> int:
        """Bytes of one sample of each channel."""
        return FORMATS[self.sample][0] * self.channels

    def decoded(self, data: bytes) -> Float[Tensor, "channels samples"]:
        """Samples in [-1, 1] of a whole number of frames.

        Raises:
            FacetalkError: some are not numbers.
        """
        _, kind, scale = FORMATS[self.sample]
        if self.sample == "s24le":  # the upper three of four bytes
            padded = np.zeros((len(data) // 3, 4), np.uint8)
            padded[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
            values = padded.view("<i4")[:, 0].astype(np.float64)
        else:
            values = np.frombuffer(data, kind).astype(np.float64)
        if self.sample == "u8":
            values -= 128
        if not np.isfinite(values).all():
            raise FacetalkError("the audio holds samples that are not numbers (NaN or infinite)")
        samples = torch.from_numpy((values * scale).clip(-1, 1).astype(np.float32))
        return samples.reshape(-1, self.channels).T


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 10


class PcmStream:
    """Mono audio at 16 kHz of bytes that come in pieces of any size; little more than a piece is held.

    Channels are averaged, and the level stays as it is: what a whole file would tell about both comes too late.
    """

    def __init__(self, form: PcmFormat | None = None) -> None:
        """Begin a stream.

        Args:
            form: of raw samples; None for a WAV file, whose header tells it.
        """
        self._header = None if form is not None else _WavHeader()
        self._bytes = b""
        self._left: int | None = None
        """Bytes of samples that are still to come; None where nothing says it."""
        self.samples = 0
        """Samples at 16 kHz that were returned."""
        if form is not None:
            self._begin(form)

    def _begin(self, form: PcmFormat) -> None:
        self._form, self._resampler = form, Resampler(form.rate)

    def feed(self, data: bytes) -> Float[Tensor, " samples"]:
        """Take the next bytes, and return the samples that are known now.

        Raises:
            FacetalkError: the bytes are no WAV file of a known format, or samples are not numbers.
        """
        if self._header is not None:
            data = self._header.feed(data)
            if self._header.form is None:
                return torch.zeros(0)
            self._begin(self._header.form)
            self._left, self._header = self._header.size, None
        elif self._left is not None:
            data, self._left = data[: self._left], self._left - len(data[: self._left])
        data = self._bytes + data
        whole = len(data) // self._form.frame_bytes * self._form.frame_bytes
        self._bytes = data[whole:]
        return self._resampled(self._resampler.feed(self._form.decoded(data[:whole])))

    def finish(self) -> Float[Tensor, " samples"]:
        """Return the last samples; the bytes of an incomplete one are dropped.

        Raises:
            FacetalkError: the stream ended before its samples.
        """
        if self._header is not None:
            raise self._header.incomplete()
        return self._resampled(self._resampler.finish())

    @property
    def rest(self) -> bytes:
        """What is no whole sample yet."""
        return self._bytes

    def _resampled(self, channels: Float[Tensor, "channels samples"]) -> Float[Tensor, " samples"]:
        samples = channels.mean(0).clamp(-1, 1)
        self.samples += len(samples)
        return samples


class _WavHeader:
    """Reads what comes before the samples of a WAV file."""

    def __init__(self) -> None:
        self._bytes = b""
        self._place = _OPENING.size
        """Where the next chunk begins."""
        self._described: PcmFormat | None = None
        self._long_size: int | None = None
        """Bytes of samples that the chunk `ds64` states."""
        self.form: PcmFormat | None = None
        """Known once the samples begin."""
        self.size: int | None = None
        """Bytes of samples that are left after those of the last call; None where the header does not say it."""

    def feed(self, data: bytes) -> bytes:
        """Take the next bytes, and return those of samples among them."""
        self._bytes += data
        if len(self._bytes) < _OPENING.size:
            return b""
        riff, _, wave = _OPENING.unpack_from(self._bytes)
        if riff not in (b"RIFF", *_LONG) or wave != b"WAVE":
            raise FacetalkError(
                "the input is no WAV file; give --raw RATE:FORMAT for samples without a header, or -o for other files"
            )
        while len(self._bytes) >= self._place + _CHUNK.size:
            name, size = _CHUNK.unpack_from(self._bytes, self._place)
            content = self._place + _CHUNK.size
            if name == b"data":
                return self._begin_samples(self._bytes[content:], size)
            if content + size > _MOST_HEADER:
                raise FacetalkError("the header of the WAV file does not end; is it damaged?")
            if len(self._bytes) < content + size:
                break
            if name == b"fmt ":
                self._described = _described(self._bytes[content : content + size])
            if name == b"ds64" and riff in _LONG and size >= _SIZES.size:
                _, self._long_size = _SIZES.unpack_from(self._bytes, content)
            self._place = content + size + size % 2
        if len(self._bytes) > 2 * _MOST_HEADER:
            raise FacetalkError("the header of the WAV file does not end; is it damaged?")
        return b""

    def _begin_samples(self, data: bytes, size: int) -> bytes:
        if self._described is None:
            raise FacetalkError("the header of the WAV file does not describe its samples; is it damaged?")
        self.form, self._bytes = self._described, b""
        if size == _IN_DS64 and self._long_size is not None:
            size = self._long_size
        if size not in _UNKNOWN_SIZES:
            data = data[:size]
            self.size = size - len(data)
        return data

    def incomplete(self) -> FacetalkError:
        """The error of an input that ends here."""
        if not self._bytes:
            return FacetalkError("the input is empty; a WAV file was expected, or with --raw samples")
        return FacetalkError(f"the input ends after {len(self._bytes)} bytes, within the header of a WAV file")


def _described(chunk: bytes) -> PcmFormat:
    """What the chunk `fmt ` says."""
    if len(chunk) < _FORMAT.size:
        raise FacetalkError("the header of the WAV file is cut off; is it damaged?")
    code, channels, rate, _, _, bits = _FORMAT.unpack_from(chunk)
    if code == _EXTENSIBLE and len(chunk) >= 26:
        code = int.from_bytes(chunk[24:26], "little")
    names = {(_PCM, 8): "u8", (_PCM, 16): "s16le", (_PCM, 24): "s24le", (_PCM, 32): "s32le"}
    name = (names | {(_FLOAT, 32): "f32le", (_FLOAT, 64): "f64le"}).get((code, bits))
    if name is None:
        raise FacetalkError(
            f"the WAV file holds samples of format {code} with {bits} bits, which cannot be streamed; use 16 bits"
        )
    try:
        return replace(PcmFormat(), rate=rate, sample=name, channels=channels)
    except UsageError as error:  # nobody typed it
        raise FacetalkError(f"the WAV file states {error}") from None
