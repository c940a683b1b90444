"""Waveform -> features, one row per video frame: phonemes, articulation, mouth shape and loudness."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from facetalk.audio.articulation import ARTICULATORS, MOUTH_CURVES
from facetalk.audio.level import LOOK_AHEAD_ROWS, RunningLevel, recording_level, running_level
from facetalk.audio.phonemes import PHONEMES, phoneme_columns
from facetalk.audio.spectrogram import NUM_MELS, ROW_RATE, LogMel, LogMelStream, num_rows, pieces
from facetalk.core.config import check_ranges
from facetalk.core.errors import UsageError
from facetalk.core.timing import FPS, SAMPLE_RATE, frames_for, windows
from facetalk.io.audio import Waveform
from facetalk.networks.streamed_layers import StreamedLayer, StreamedLayers

_STEP_RATE = 50.0
"""Steps per second inside the network."""
_CHUNK_FRAMES = 900

LEVELS = ("recording", "running")


@dataclass(frozen=True)
class SpeechEncoderConfig:
    """Size of the network."""

    width: int = 256
    dilations: tuple[int, ...] = (1, 2, 4, 8, 1, 2, 4, 8, 1, 2, 4, 8)
    """One residual layer each, at 50 steps per second; their sum is half the context in steps."""
    hidden: int = 96
    """Number of predicted components of the teacher's features, which are part of the output."""
    dropout: float = 0.15
    level: str = "recording"
    """What loudness is measured against: the level of the whole `recording`, or the `running` level up to half a second
    ahead, with which the beginning of a recording does not depend on what follows."""

    def __post_init__(self) -> None:
        check_ranges(self, width=(1, 8192), hidden=(1, 8192), dilations=(1, 10_000), dropout=(0, 0.99))
        if self.level not in LEVELS:
            raise ValueError(f"level={self.level!r} must be one of {', '.join(LEVELS)}")


class SpeechHeads(NamedTuple):
    """Predictions for each video frame."""

    phonemes: Float[Tensor, "batch frames phonemes"]
    """Logits over the 41 phonemes."""
    articulation: Float[Tensor, "batch frames articulators"]
    """Position of each articulator, about 0 to 1."""
    mouth: Float[Tensor, "batch frames curves"]
    """Predicted `MOUTH_CURVES`, z-scored."""
    hidden: Float[Tensor, "batch frames hidden"]
    """Predicted components of the teacher's features (`workshop/speech/teachers.py`)."""


class SpeechEncoder(nn.Module):
    """Log-mel -> dilated convolutions at 50 Hz -> rows at 30 frames a second.

    Row t describes the audio around second (t + 0.5) / 30. The context is bounded, so a long recording is encoded in
    pieces with the same result.
    """

    mel_mean: Tensor
    mel_std: Tensor

    def __init__(self, config: SpeechEncoderConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or SpeechEncoderConfig()
        self.log_mel = LogMel()
        self.register_buffer("mel_mean", torch.full((NUM_MELS,), -4.0))
        self.register_buffer("mel_std", torch.full((NUM_MELS,), 3.0))
        self.stem = nn.Sequential(
            nn.Conv1d(NUM_MELS, config.width, 5, stride=2, padding=2), nn.BatchNorm1d(config.width), nn.GELU()
        )
        self.layers = nn.ModuleList(ResidualLayer(config.width, d, config.dropout) for d in config.dilations)
        self.to_hidden = nn.Linear(config.width, config.hidden)
        self.to_phonemes = nn.Linear(config.width, len(PHONEMES))
        self.to_articulation = nn.Linear(config.width, len(ARTICULATORS))
        self.to_mouth = nn.Linear(config.width, len(MOUTH_CURVES))

    @property
    def slices(self) -> Mapping[str, slice]:
        """Columns of the features by name."""
        widths = {
            "posteriors": len(PHONEMES),
            "articulation": len(ARTICULATORS),
            "mouth": len(MOUTH_CURVES),
            "loudness": 1,
            "hidden": self.config.hidden,
        }
        stops = list(accumulate(widths.values()))
        return {name: slice(stop - widths[name], stop) for name, stop in zip(widths, stops, strict=True)}

    @property
    def width(self) -> int:
        """Number of columns of the features."""
        return self.slices["hidden"].stop

    def columns(self, *names: str) -> tuple[int, ...]:
        """Return the columns that hold the probabilities of these phonemes."""
        return phoneme_columns(names)  # the posteriors come first

    @torch.no_grad()
    def continue_from(self, trained: SpeechEncoder) -> None:
        """Start as a trained encoder.

        Layers beyond those of the trained encoder change nothing at first, so that a deeper encoder starts where the
        trained one ended (Chen et al. 2016, Net2Net). Parts of another size keep their initial weights.

        Args:
            trained: an encoder of the same width, with the first of this one's dilations.

        Raises:
            ValueError: the layers do not fit.
        """
        depth = len(trained.config.dilations)
        ours, theirs = self.config, trained.config
        if theirs.width != ours.width or theirs.dilations != ours.dilations[:depth]:
            raise ValueError(
                f"an encoder of width {ours.width} with dilations {list(ours.dilations)} cannot start from one of "
                f"width {theirs.width} with dilations {list(theirs.dilations)}: the first layers must be the same"
            )
        own = self.state_dict()
        own |= {name: value for name, value in trained.state_dict().items() if value.shape == own[name].shape}
        self.load_state_dict(own)
        for parameter in (value for layer in self.layers[depth:] for value in layer.get_submodule("mix").parameters()):
            nn.init.zeros_(parameter)

    def forward(self, mel: Float[Tensor, "batch steps mels"], num_frames: int) -> SpeechHeads:
        """Predictions for the first `num_frames` video frames of level-corrected log-mel rows (see `leveled_mel`)."""
        x = self.stem(((mel - self.mel_mean) / self.mel_std).transpose(1, 2))
        for layer in self.layers:
            x = layer(x)
        return self.heads(at_frames(x, num_frames))

    def heads(self, rows: Float[Tensor, "batch frames width"]) -> SpeechHeads:
        """Predictions for each row of what the layers return."""
        # No gradient from the mouth: features fitted to the mouths of the training videos would be better there than
        # on other videos, and a talker that is trained on the same videos would rely on them too much.
        mouth = self.to_mouth(rows.detach())
        return SpeechHeads(self.to_phonemes(rows), self.to_articulation(rows), mouth, self.to_hidden(rows))

    def leveled_mel(self, waveform: Float[Tensor, "batch samples"]) -> Float[Tensor, "batch steps mels"]:
        """Log-mel relative to the loud parts of the recording, so that its level does not matter."""
        mel = self.log_mel(waveform)
        return leveled(mel, self.levels(mel.logsumexp(2)))

    def levels(self, loudness: Float[Tensor, "batch rows"]) -> Float[Tensor, "batch levels"]:
        """Level of each row of a recording, or one for all of them, as the configuration says.

        Args:
            loudness: natural log of the mel power of each row of the whole recording.
        """
        if self.config.level == "running":
            return torch.stack([running_level(rows) for rows in loudness])
        return recording_level(loudness)[:, None]

    def encode(self, waveform: Waveform) -> Float[Tensor, "frames features"]:
        """Features of a whole recording of any length; columns as in `slices`.

        Args:
            waveform: 16 kHz speech in [-1, 1].
        """
        return torch.cat(list(self.encode_blocks(waveform)))

    @torch.no_grad()
    def encode_blocks(self, waveform: Waveform) -> Iterator[Float[Tensor, "frames features"]]:
        """Yield the rows of `encode` block by block; of the audio, only the part in work is read.

        Args:
            waveform: see `encode`.
        """
        num_frames = frames_for(len(waveform) / SAMPLE_RATE)
        # The spectrogram of the whole recording is not kept, because that of an hour takes 115 MB.
        loudness = self.mel_mean.new_empty(1, num_rows(len(waveform)))
        for piece in pieces(len(waveform)):
            loudness[:, piece] = self.log_mel.rows_of(waveform, piece).logsumexp(2)
        levels = self.levels(loudness)
        margin = self._margin_frames
        for window in windows(num_frames, _CHUNK_FRAMES + 2 * margin, margin):
            # Three frames are ten rows of mel: pieces that start at a multiple of six frames keep the grid of steps.
            first = window.read.start // 6 * 6
            part = slice(first // 3 * 10, -(-window.read.stop * 10 // 3) + 1)
            level = levels[:, part] if self.config.level == "running" else levels
            piece = leveled(self.log_mel.rows_of(waveform, part), level)
            heads = self(piece, window.read.stop - first)
            offset = window.read.start - first
            kept = slice(offset + window.keep.start, offset + window.keep.stop)
            yield self.feature_columns(heads, piece, window.read.stop - first)[0, kept]

    def start(self) -> SpeechStream:
        """Begin a recording that comes piece by piece.

        Raises:
            UsageError: the network needs the level of the whole recording.
        """
        return SpeechStream(self)

    @property
    def look_ahead_s(self) -> float:
        """How much audio after the middle of a frame counts for its row, seconds."""
        steps = sum(self.config.dilations) + 3  # two of the stem's rows are one step; two for the place between steps
        return steps / _STEP_RATE + (LOOK_AHEAD_ROWS + 2) / ROW_RATE

    def feature_columns(self, heads: SpeechHeads, mel: Tensor, num_frames: int) -> Tensor:
        """The features that predictions and the leveled log-mel rows under them make up."""
        loudness = at_frames(mel.logsumexp(2)[:, None], num_frames, 100.0) / 4
        parts = (heads.phonemes.softmax(-1), heads.articulation, heads.mouth, loudness, heads.hidden)
        return torch.cat(parts, -1)

    @property
    def _margin_frames(self) -> int:
        """Frames of context on each side that a row depends on, rounded up to a multiple of six."""
        steps = sum(self.config.dilations) + 4
        return -(-int(steps / _STEP_RATE * FPS + 2) // 6) * 6


class ResidualLayer(nn.Module):
    """A dilated convolution over time with a residual connection."""

    def __init__(self, width: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.convolution = nn.Conv1d(width, width, 3, padding=dilation, dilation=dilation, bias=False)
        self.norm = nn.BatchNorm1d(width)
        self.mix = nn.Conv1d(width, width, 1)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Float[Tensor, "batch width steps"]) -> Float[Tensor, "batch width steps"]:
        """The input plus the output of the layer."""
        return x + self._refined(self.convolution(x))

    @property
    def reach(self) -> int:
        """Rows to either side that count for one."""
        return self.convolution.dilation[0]

    def inner(self, x: Float[Tensor, "batch width steps"]) -> Float[Tensor, "batch width fewer"]:
        """The rows of `forward` that do not see the ends of the input."""
        return x[..., self.reach : -self.reach] + self._refined(unpadded(self.convolution, x))

    def _refined(self, x: Float[Tensor, "batch width steps"]) -> Float[Tensor, "batch width steps"]:
        return self.mix(self.dropout(nn.functional.gelu(self.norm(x))))


class SpeechStream:
    """The features of a recording that comes piece by piece: those of `SpeechEncoder.encode_blocks`.

    Every layer keeps the rows that its next outputs depend on, so that nothing is computed twice but what depends on
    audio that has not come yet.
    """

    def __init__(self, encoder: SpeechEncoder) -> None:
        if encoder.config.level != "running":
            raise UsageError(
                "the speech encoder measures the level of whole recordings, so that it cannot listen to a stream; "
                "train one with level: running"
            )
        self._encoder = encoder
        self._mel, self._level = LogMelStream(encoder.log_mel), RunningLevel()
        self._unleveled = torch.zeros(1, 0, NUM_MELS)
        """Log-mel rows whose level is not known yet."""
        stem = StreamedLayer(self._stem, NUM_MELS, reach=2, stride=2)
        width = encoder.config.width
        layers = [layer for layer in encoder.layers if isinstance(layer, ResidualLayer)]
        self._layers = StreamedLayers([stem, *(StreamedLayer(layer.inner, width, layer.reach) for layer in layers)])
        self._rows, self._steps = torch.zeros(1, 0, NUM_MELS), torch.zeros(1, width, 0)
        """Leveled rows of mel and outputs of the layers, from the group of three frames on that is at work."""
        self._samples = self._done = 0

    @property
    def width(self) -> int:
        """Number of columns of the features."""
        return self._encoder.width

    @torch.no_grad()
    def feed(
        self, samples: Float[Tensor, " samples"], with_ending: bool = False
    ) -> tuple[Float[Tensor, "_ features"], Float[Tensor, "_ features"]]:
        """See `FeatureStream.feed`."""
        self._samples += len(samples)
        rows = self._mel.feed(samples)
        levels = self._level.feed(rows.logsumexp(2)[0])
        rows = torch.cat([self._unleveled, rows], 1)
        self._unleveled = rows[:, len(levels) :]
        known = leveled(rows[:, : len(levels)], levels[None])
        last = self._last_rows(self._rows.shape[1] + known.shape[1]) if with_ending else None
        steps, last_steps = self._layers.feed(self._normal(known), None if last is None else self._normal(last))
        self._rows, self._steps = torch.cat([self._rows, known], 1), torch.cat([self._steps, steps], 2)
        complete = min(_frames_within(self._steps.shape[2], _STEP_RATE), _frames_within(self._rows.shape[1], ROW_RATE))
        features = self._features(self._rows, self._steps, self._done % 3, complete)
        start = self._done % 3 + len(features)
        ending = features[:0]
        if last is not None and last_steps is not None:
            rows, steps = torch.cat([self._rows, last], 1), torch.cat([self._steps, last_steps], 2)
            ending = self._features(rows, steps, start, self._num_frames - self._first)
        self._done += len(features)
        groups = start // 3
        self._rows, self._steps = self._rows[:, 10 * groups :], self._steps[..., 5 * groups :]
        return features, ending

    @property
    def _first(self) -> int:
        """The first frame of the group of three that is at work: ten rows of mel, five steps."""
        return self._done // 3 * 3

    @property
    def _num_frames(self) -> int:
        """Of the recording, if it ended here."""
        return frames_for(self._samples / SAMPLE_RATE)

    def _last_rows(self, before: int) -> Float[Tensor, "1 rows mels"]:
        """The leveled rows that would follow if the recording ended here."""
        last = self._mel.ending()
        rows = leveled(torch.cat([self._unleveled, last], 1), self._level.ending(last.logsumexp(2)[0])[None])
        # What lies beyond the last frame does not count, as in `encode_blocks`.
        return rows[:, : -(-(self._num_frames - self._first) * 10 // 3) + 1 - before]

    def _features(
        self, rows: Float[Tensor, "1 rows mels"], steps: Float[Tensor, "1 width steps"], start: int, stop: int
    ) -> Float[Tensor, "frames features"]:
        """The rows of some frames, counted from the first one at work."""
        if stop <= start:
            return rows.new_zeros(0, self._encoder.width)
        heads = self._encoder.heads(at_frames(steps, stop))
        return self._encoder.feature_columns(heads, rows, stop)[0, start:]

    def _normal(self, mel: Float[Tensor, "1 rows mels"]) -> Float[Tensor, "1 mels rows"]:
        return ((mel - self._encoder.mel_mean) / self._encoder.mel_std).transpose(1, 2)

    def _stem(self, mel: Float[Tensor, "1 mels rows"]) -> Float[Tensor, "1 width steps"]:
        convolution, norm, activation = self._encoder.stem
        assert isinstance(convolution, nn.Conv1d)
        return activation(norm(unpadded(convolution, mel)))


def _frames_within(count: int, rate: float) -> int:
    """Frames whose middles lie between some rows of this rate."""
    return int(max(0, math.ceil((count - 1) * FPS / rate - 0.5)))


def unpadded(convolution: nn.Conv1d, x: Float[Tensor, "batch width steps"]) -> Float[Tensor, "batch out fewer"]:
    """What a convolution returns without zeros beyond the ends of its input."""
    weight, bias = convolution.weight, convolution.bias
    return nn.functional.conv1d(x, weight, bias, convolution.stride, 0, convolution.dilation, convolution.groups)


def leveled(
    mel: Float[Tensor, "batch rows mels"], level: Float[Tensor, "batch levels"]
) -> Float[Tensor, "batch rows mels"]:
    """Log-mel relative to a level for each row, or to one level for all rows."""
    return (mel - level[..., None]).clamp_min(-14.0)


def at_frames(
    x: Float[Tensor, "batch width steps"], num_frames: int, rate: float = _STEP_RATE
) -> Float[Tensor, "batch frames width"]:
    """Rows at the middle of each video frame, linear between steps."""
    place = (torch.arange(num_frames, device=x.device, dtype=torch.float64) + 0.5) / FPS * rate
    place = place.clamp(max=x.shape[2] - 1)
    low = place.long()
    high = (low + 1).clamp(max=x.shape[2] - 1)
    blend = (place - low).to(x.dtype)
    return torch.lerp(x[:, :, low], x[:, :, high], blend).transpose(1, 2)
