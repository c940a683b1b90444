"""pocketsphinx's phonemes as a talker's input, as in StyleTalk (Ma et al. 2023)."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.audio.phonemes import PHONEMES, find_phonemes, frame_labels, phoneme_columns
from facetalk.core.timing import SAMPLE_RATE, frames_for


class PhonemeFeatures:
    """Waveform -> one row per frame with a one in the column of the current phoneme.

    The talker's first linear layer is then an embedding of 41 phonemes, and its window of 11 frames is StyleTalk's.
    """

    @property
    def width(self) -> int:
        """Number of phonemes."""
        return len(PHONEMES)

    def columns(self, *names: str) -> tuple[int, ...]:
        """Return the columns of these phonemes."""
        return phoneme_columns(names)

    def encode(self, waveform: Float[Tensor, " samples"]) -> Float[Tensor, "frames phonemes"]:
        """One row per video frame of a mono waveform at 16 kHz."""
        labels = frame_labels(find_phonemes(waveform), frames_for(len(waveform) / SAMPLE_RATE))
        return torch.nn.functional.one_hot(labels, len(PHONEMES)).to(torch.float32)
