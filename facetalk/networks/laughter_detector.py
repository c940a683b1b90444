"""Waveform -> probability of laughter, one per video frame."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from facetalk.audio.level import recording_level
from facetalk.audio.samples import Samples
from facetalk.audio.spectrogram import LogMel, num_rows, pieces
from facetalk.core.config import check_ranges
from facetalk.core.timing import FPS, SAMPLE_RATE, frames_for, windows
from facetalk.networks.speech_encoder import ResidualLayer, at_frames

_STEP_RATE = 50.0
"""Steps per second inside the network."""
_CHUNK_FRAMES = 900
_FLOOR = -14.0
"""Natural log of mel power relative to the loud parts of a recording; lower values count as silence."""


@dataclass(frozen=True)
class LaughterDetectorConfig:
    """Size of the network."""

    num_mels: int = 64
    width: int = 48
    dilations: tuple[int, ...] = (1, 2, 4, 8, 16)
    """One residual layer each, at 50 steps per second: a context of 0.6 s to either side, three bursts of a laugh."""
    dropout: float = 0.2

    def __post_init__(self) -> None:
        check_ranges(self, num_mels=(1, 1024), width=(1, 8192), dilations=(1, 10_000), dropout=(0, 0.99))


class LaughterDetector(nn.Module):
    """Log-mel -> dilated convolutions at 50 Hz -> one logit per frame at 30 frames a second.

    The context is bounded, so a long recording is processed in pieces with the same result.
    """

    mel_mean: Tensor
    mel_std: Tensor

    def __init__(self, config: LaughterDetectorConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or LaughterDetectorConfig()
        self.log_mel = LogMel(config.num_mels)
        self.register_buffer("mel_mean", torch.full((config.num_mels,), -6.0))
        self.register_buffer("mel_std", torch.full((config.num_mels,), 3.0))
        self.stem = nn.Sequential(
            nn.Conv1d(config.num_mels, config.width, 5, stride=2, padding=2), nn.BatchNorm1d(config.width), nn.GELU()
        )
        self.layers = nn.ModuleList(ResidualLayer(config.width, d, config.dropout) for d in config.dilations)
        self.to_logit = nn.Conv1d(config.width, 1, 1)

    def forward(self, mel: Float[Tensor, "batch steps mels"], num_frames: int) -> Float[Tensor, "batch frames"]:
        """Logits of the first `num_frames` video frames of leveled log-mel rows."""
        x = self.stem(((mel - self.mel_mean) / self.mel_std).transpose(1, 2))
        for layer in self.layers:
            x = layer(x)
        return at_frames(self.to_logit(x), num_frames)[..., 0]

    def leveled_mel(self, waveform: Float[Tensor, "batch samples"]) -> Float[Tensor, "batch steps mels"]:
        """Log-mel relative to the loud parts of the recording, so that its level does not matter."""
        mel = self.log_mel(waveform)
        return _leveled(mel, recording_level(mel.logsumexp(2)))

    @torch.no_grad()
    def probability(self, waveform: Samples) -> Float[Tensor, " frames"]:
        """Probability of laughter in each video frame of a recording of any length.

        Args:
            waveform: 16 kHz, in [-1, 1]; read in pieces.
        """
        num_frames = frames_for(len(waveform) / SAMPLE_RATE)
        mel = self.mel_mean.new_empty(1, num_rows(len(waveform)), self.config.num_mels)
        loudness = mel.new_empty(mel.shape[:2])
        for piece in pieces(len(waveform)):
            mel[:, piece] = self.log_mel.rows_of(waveform, piece)
            loudness[:, piece] = mel[:, piece].logsumexp(2)
        mel = _leveled(mel, recording_level(loudness))
        margin = -(-int((sum(self.config.dilations) + 4) / _STEP_RATE * FPS + 2) // 6) * 6
        rows = []
        for window in windows(num_frames, _CHUNK_FRAMES + 2 * margin, margin):
            # Three frames are ten rows of mel: pieces that start at a multiple of six frames keep the grid of steps.
            first = window.read.start // 6 * 6
            piece = mel[:, first // 3 * 10 : -(-window.read.stop * 10 // 3) + 1]
            logits = self(piece, window.read.stop - first)[0]
            offset = window.read.start - first
            rows.append(logits[offset + window.keep.start : offset + window.keep.stop].sigmoid())
        return torch.cat(rows)


def _leveled(
    mel: Float[Tensor, "batch steps mels"], level: Float[Tensor, " batch"]
) -> Float[Tensor, "batch steps mels"]:
    """Rows relative to the level; in place, because those of five minutes take 8 MB."""
    return mel.sub_(level[:, None, None]).clamp_min_(_FLOOR)
