"""A wav2vec 2.0 encoder with linear heads that read from it what it was taught."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from facetalk.audio.articulation import ARTICULATORS, MOUTH_CURVES
from facetalk.audio.phonemes import PHONEMES
from facetalk.audio.prosody import prosody
from facetalk.core.config import check_ranges
from facetalk.core.timing import SAMPLE_RATE, frames_for
from facetalk.networks.speech_encoder import SpeechHeads
from facetalk.networks.wav2vec import Wav2VecConfig, Wav2VecEncoder, standardized


@dataclass(frozen=True)
class ProbedEncoderConfig:
    """Sizes of an encoder and of its heads."""

    encoder: Wav2VecConfig = field(default_factory=Wav2VecConfig)
    hidden: int = 256
    """Number of predicted components of the teachers' features."""
    emotions: tuple[str, ...] = ()
    """Names of the emotions that are told apart."""

    def __post_init__(self) -> None:
        check_ranges(self, hidden=(1, 8192))


class VoiceHeads(NamedTuple):
    """What is read besides speech."""

    emotion: Float[Tensor, "batch emotions"]
    """Logits for the whole input."""
    laughter: Float[Tensor, "batch frames"]
    """Logit of laughter in each frame."""


class ProbedEncoder(nn.Module):
    """Waveform -> hidden states -> phonemes, articulation, mouth, the teachers' features, emotion and laughter."""

    def __init__(self, config: ProbedEncoderConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or ProbedEncoderConfig()
        self.encoder = Wav2VecEncoder(config.encoder)
        width = config.encoder.width
        self.to_phonemes = nn.Linear(width, len(PHONEMES))
        self.to_articulation = nn.Linear(width, len(ARTICULATORS))
        self.to_mouth = nn.Linear(width, len(MOUTH_CURVES))
        self.to_hidden = nn.Linear(width, config.hidden)
        self.to_laughter = nn.Linear(width, 1)
        self.to_emotion = nn.Linear(2 * (width + config.hidden), max(1, len(config.emotions)))

    def forward(self, waveform: Float[Tensor, "batch samples"], num_frames: int) -> Float[Tensor, "batch frames width"]:
        """Hidden states of the encoder.

        Args:
            waveform: 16 kHz; its level does not matter.
            num_frames: how many rows.
        """
        waveform = standardized(waveform)
        heard = prosody(waveform, num_frames) if self.encoder.prosody is not None else None
        return self.encoder(waveform, num_frames, heard)

    def speech(self, rows: Float[Tensor, "batch frames width"]) -> SpeechHeads:
        """Phonemes, articulation, mouth and the teachers' features; no gradient passes from the mouth."""
        mouth = self.to_mouth(rows.detach())
        return SpeechHeads(self.to_phonemes(rows), self.to_articulation(rows), mouth, self.to_hidden(rows))

    def voice(self, rows: Float[Tensor, "batch frames width"]) -> VoiceHeads:
        """Emotion of the whole input and laughter of each frame.

        The emotion is read from mean and standard deviation of the rows and of the teachers' predicted features, which
        is how it is read from a teacher itself.
        """
        described = torch.cat([rows, self.to_hidden(rows)], 2)
        pooled = torch.cat([described.mean(1), described.std(1)], 1)
        return VoiceHeads(self.to_emotion(pooled), self.to_laughter(rows)[..., 0])

    @property
    def slices(self) -> Mapping[str, slice]:
        """Columns of `encode` by name."""
        widths = {"posteriors": len(PHONEMES), "mouth": len(MOUTH_CURVES), "hidden": self.config.hidden}
        stops = list(accumulate(widths.values()))
        return {name: slice(stop - widths[name], stop) for name, stop in zip(widths, stops, strict=True)}

    @torch.no_grad()
    def encode(self, waveform: Float[Tensor, " samples"]) -> Float[Tensor, "frames features"]:
        """What the heads read of a short recording; columns as in `slices`.

        Args:
            waveform: 16 kHz speech in [-1, 1].
        """
        heads = self.speech(self(waveform[None], frames_for(len(waveform) / SAMPLE_RATE)))
        return torch.cat([heads.phonemes.softmax(-1), heads.mouth, heads.hidden], -1)[0]

    @torch.no_grad()
    def start_from(self, trained: ProbedEncoder) -> None:
        """Take over the weights of a trained encoder wherever they have the same size.

        Raises:
            ValueError: the encoders themselves differ.
        """
        own, given = self.state_dict(), trained.state_dict()
        fits = {name: value for name, value in given.items() if name in own and own[name].shape == value.shape}
        lost = [name for name in given if name.startswith("encoder.model.") and name not in fits]
        if lost:
            raise ValueError(f"the trained encoder has other sizes: {len(lost)} of its weights do not fit")
        self.load_state_dict(own | fits)
