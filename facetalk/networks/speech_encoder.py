"""Waveform -> features, one row per video frame: phonemes, articulation, mouth shape and loudness."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from facetalk.audio.articulation import ARTICULATORS, MOUTH_CURVES
from facetalk.audio.level import recording_level, running_level
from facetalk.audio.phonemes import PHONEMES, phoneme_columns
from facetalk.audio.spectrogram import NUM_MELS, LogMel, num_rows, pieces
from facetalk.core.config import check_ranges
from facetalk.core.timing import FPS, SAMPLE_RATE, frames_for, windows
from facetalk.io.audio import Waveform

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
        rows = at_frames(x, num_frames)
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
            yield self._columns(heads, piece, window.read.stop - first)[0, kept]

    def _columns(self, heads: SpeechHeads, mel: Tensor, num_frames: int) -> Tensor:
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
        return x + self.mix(self.dropout(nn.functional.gelu(self.norm(self.convolution(x)))))


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
