"""Speech that comes piece by piece -> motion, for talkers that decode speech features with a bounded context."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.core.motion import Motion
from facetalk.core.timing import FPS, SAMPLE_RATE
from facetalk.io.audio import checked_samples
from facetalk.networks.styletalk import FeatureStream

STEP_S = 0.1
"""Audio that is worked on at a time: three frames, and ten rows of a spectrogram."""

STEP = round(STEP_S * SAMPLE_RATE)

Decode = Callable[[Float[Tensor, "read features"], slice], Float[Tensor, "read n_expression"]]
"""Expression of some rows of features, and which frames of the recording they are."""


class FeatureSession:
    """A recording that comes piece by piece.

    All work is done in steps of `STEP_S`, so that the result does not depend on how the samples are divided.
    """

    def __init__(
        self,
        features: FeatureStream,
        decode: Decode,
        motion_of: Callable[[Float[Tensor, "frames n_expression"]], Motion],
        num_channels: int,
        context: int,
        ahead: int | None,
    ) -> None:
        """Begin a recording.

        Args:
            features: of the recording.
            decode: what makes an expression of them.
            motion_of: what makes a motion of the expression.
            num_channels: columns of the expression.
            context: frames to either side of a frame that `decode` needs.
            ahead: frames of audio, at least, that are waited for after a frame, before it is decoded as if the
                recording ended there; None to wait for all that counts for it.
        """
        self._features, self._decode, self._motion_of = features, decode, motion_of
        self._context, self._ahead = context, ahead
        self._none = motion_of(torch.zeros(0, num_channels))
        self._waiting = torch.zeros(0)
        """Samples that do not fill a step yet."""
        self._samples = self._done = 0
        self._rows: Tensor | None = None
        """Rows of features that are known for good, from frame `_first` on."""
        self._first = 0

    def feed(self, samples: Float[Tensor, " samples"]) -> Motion:
        """See `facetalk.talkers.base.Session.feed`."""
        self._waiting = torch.cat([self._waiting, checked_samples(samples)])
        parts = []
        for step in self._waiting.split(STEP):
            if len(step) < STEP:
                break
            parts.append(self._step(step))
        self._waiting = self._waiting[STEP * len(parts) :].clone()
        return self._motion_of(torch.cat(parts)) if sum(map(len, parts)) else self._none

    def finish(self) -> Motion:
        """See `facetalk.talkers.base.Session.finish`."""
        if not self._samples and not len(self._waiting):
            return self._none
        return self._motion_of(self._step(self._waiting, last=True))

    def _step(self, samples: Float[Tensor, " samples"], last: bool = False) -> Float[Tensor, "frames n_expression"]:
        self._samples += len(samples)
        rows, ending = self._features.feed(samples, with_ending=last or self._ahead is not None)
        self._rows = rows if self._rows is None else torch.cat([self._rows, rows])
        heard = torch.cat([self._rows, ending])
        known, stop = self._first + len(self._rows), self._first + len(heard)
        if not last:
            certain = known - self._context
            soon = certain if self._ahead is None else int(self._samples * FPS / SAMPLE_RATE) - self._ahead
            stop = max(self._done, certain, min(soon, stop))
        expression = self._decoded(heard, stop) if stop > self._done else self._none.expression
        self._done = stop
        past = max(0, min(stop - self._context, known) - self._first)
        self._rows, self._first = self._rows[past:].clone(), self._first + past
        return expression

    def _decoded(self, heard: Float[Tensor, "rows features"], stop: int) -> Float[Tensor, "frames n_expression"]:
        """The frames from those that are done up to one."""
        read = slice(max(self._first, self._done - self._context), min(self._first + len(heard), stop + self._context))
        rows = self._decode(heard[read.start - self._first : read.stop - self._first], read)
        return rows[self._done - read.start : stop - read.start]
