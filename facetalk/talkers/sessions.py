"""Speech that comes piece by piece -> motion, for talkers that decode speech features with a bounded context."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.core.errors import UsageError
from facetalk.core.timing import FPS, SAMPLE_RATE
from facetalk.io.audio import checked_samples
from facetalk.networks.styletalk import FeatureStream
from facetalk.talkers.base import check_look_ahead

STEP_S = 0.1
"""Audio that is worked on at a time: three frames, and ten rows of a spectrogram."""

STEP = round(STEP_S * SAMPLE_RATE)

Result = TypeVar("Result")

Decode = Callable[[Float[Tensor, "read features"], slice], Float[Tensor, "read n_expression"]]
"""Expression of some rows of features, and which frames of the recording they are."""


@runtime_checkable
class Decoder(Protocol):
    """Makes motion of rows of features; asked for all frames in turn."""

    def first_row(self, frame: int) -> int:
        """The first row that counts for a frame and those after it."""
        ...

    def certain(self, known: int) -> int:
        """Number of frames that no row after the first `known` ones can change."""
        ...

    def decode(self, rows: Float[Tensor, "read features"], first: int, frames: slice) -> Float[Tensor, "_ channels"]:
        """Channels of the next frames.

        Args:
            rows: all that are there, as if the recording ended with them.
            first: number of the first row, at most that of `first_row(frames.start)`.
            frames: which frames are wanted.
        """
        ...


@dataclass(frozen=True)
class WindowDecoder:
    """Decodes frames from rows around them."""

    function: Decode
    context: int
    """Frames to either side of a frame that count for it."""

    def first_row(self, frame: int) -> int:
        """See `Decoder.first_row`."""
        return max(0, frame - self.context)

    def certain(self, known: int) -> int:
        """See `Decoder.certain`."""
        return max(0, known - self.context)

    def decode(self, rows: Float[Tensor, "read features"], first: int, frames: slice) -> Float[Tensor, "_ channels"]:
        """See `Decoder.decode`."""
        read = slice(self.first_row(frames.start), min(first + len(rows), frames.stop + self.context))
        decoded = self.function(rows[read.start - first : read.stop - first], read)
        return decoded[frames.start - read.start : frames.stop - read.start]


class Steps:
    """Samples in steps of `STEP_S`, however they come."""

    def __init__(self) -> None:
        self._waiting = torch.zeros(0)
        """Samples that do not fill a step yet."""
        self._finished = False

    def feed(self, samples: Float[Tensor, " samples"]) -> list[Float[Tensor, " step"]]:
        """Take the next samples, and return the steps that are full.

        Raises:
            InvalidValueError: they are no tensor of one dimension, or not finite.
            UsageError: the recording is finished.
        """
        self._check_open()
        self._waiting = torch.cat([self._waiting, checked_samples(samples)])
        full = len(self._waiting) // STEP * STEP
        steps, self._waiting = list(self._waiting[:full].split(STEP)), self._waiting[full:].clone()
        return steps if full else []

    def finish(self) -> Float[Tensor, " rest"]:
        """Return the last samples, which fill no step.

        Raises:
            UsageError: the recording is finished.
        """
        self._check_open()
        self._finished = True
        return self._waiting

    def _check_open(self) -> None:
        if self._finished:
            raise UsageError("this session is finished; start another one for the next recording")


class SharedStream:
    """The features of one recording for several sessions that take the same steps: nothing is heard twice."""

    def __init__(self, stream: FeatureStream, shares: int) -> None:
        """Begin a recording.

        Args:
            stream: its features.
            shares: number of sessions.
        """
        self._stream = stream
        self._fed: list[deque[tuple[Tensor, Tensor]]] = [deque() for _ in range(shares)]

    def share(self, index: int) -> SharedFeatures:
        """The features for one of the sessions."""
        return SharedFeatures(self, index)

    @property
    def width(self) -> int:
        """See `FeatureStream.width`."""
        return self._stream.width

    def feed(self, samples: Float[Tensor, " samples"], with_ending: bool, index: int) -> tuple[Tensor, Tensor]:
        """What one of the sessions gets; the first one that asks makes it for all."""
        if not self._fed[index]:
            fed = self._stream.feed(samples, with_ending)
            for waiting in self._fed:
                waiting.append(fed)
        return self._fed[index].popleft()


class SharedFeatures:
    """One session's share of a `SharedStream`; see `FeatureStream`."""

    def __init__(self, shared: SharedStream, index: int) -> None:
        self._shared, self._index = shared, index

    @property
    def width(self) -> int:
        """See `FeatureStream.width`."""
        return self._shared.width

    def feed(
        self, samples: Float[Tensor, " samples"], with_ending: bool = False
    ) -> tuple[Float[Tensor, "_ features"], Float[Tensor, "_ features"]]:
        """See `FeatureStream.feed`."""
        return self._shared.feed(samples, with_ending, self._index)


class FeatureSession(Generic[Result]):
    """A recording that comes piece by piece.

    All work is done in steps of `STEP_S`, so that the result does not depend on how the samples are divided.
    """

    def __init__(
        self,
        features: FeatureStream,
        decoder: Decoder,
        motion_of: Callable[[Float[Tensor, "frames channels"]], Result],
        num_channels: int,
        ahead: int | None,
    ) -> None:
        """Begin a recording.

        Args:
            features: of the recording.
            decoder: what makes channels of them.
            motion_of: what is made of the channels: a motion.
            num_channels: their number.
            ahead: frames of audio, at least, that are waited for after a frame, before it is decoded as if the
                recording ended there; None to wait for all that counts for it.
        """
        self._features, self._decoder, self._motion_of = features, decoder, motion_of
        self._ahead = ahead
        self._no_rows = torch.zeros(0, num_channels)
        self._none = motion_of(self._no_rows)
        self._steps = Steps()
        self._samples = self._done = 0
        self._rows = torch.zeros(0, features.width)
        """Rows of features that are known for good, from frame `_first` on."""
        self._first = 0

    def feed(self, samples: Float[Tensor, " samples"]) -> Result:
        """See `facetalk.talkers.base.Session.feed`."""
        parts = [self._step(step) for step in self._steps.feed(samples)]
        return self._motion_of(torch.cat(parts)) if sum(map(len, parts)) else self._none

    def finish(self) -> Result:
        """See `facetalk.talkers.base.Session.finish`."""
        rest = self._steps.finish()
        if not self._samples and not len(rest):
            return self._none
        return self._motion_of(self._step(rest, last=True))

    def _step(self, samples: Float[Tensor, " samples"], last: bool = False) -> Float[Tensor, "frames channels"]:
        self._samples += len(samples)
        rows, ending = self._features.feed(samples, with_ending=last or self._ahead is not None)
        self._rows = torch.cat([self._rows, rows])
        heard = torch.cat([self._rows, ending])
        known, stop = self._first + len(self._rows), self._first + len(heard)
        if not last:
            certain = self._decoder.certain(known)
            soon = certain if self._ahead is None else int(self._samples * FPS / SAMPLE_RATE) - self._ahead
            stop = max(self._done, certain, min(soon, stop))
        channels = self._no_rows
        if stop > self._done:
            channels = self._decoder.decode(heard, self._first, slice(self._done, stop))
        self._done = stop
        past = max(0, min(self._decoder.first_row(stop), known) - self._first)
        self._rows, self._first = self._rows[past:].clone(), self._first + past
        return channels


def frames_ahead(look_ahead_s: float | None, all_that_counts_s: float) -> int | None:
    """The `ahead` of a `FeatureSession` that is asked for; None where that is all that counts.

    Raises:
        UsageError: the look-ahead is no number of seconds.
    """
    check_look_ahead(look_ahead_s)
    if look_ahead_s is None or look_ahead_s >= all_that_counts_s:
        return None
    return round(look_ahead_s * FPS)
