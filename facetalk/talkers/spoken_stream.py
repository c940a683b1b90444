"""What the lips do by rule, in speech that comes piece by piece: they close on P, B and M and rest in pauses."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.audio.activity import AUDIBLE_REACH, audible
from facetalk.audio.phonemes import PHONEMES
from facetalk.audio.segmentation import MOST_DOUBT, PhonemePath
from facetalk.audio.visemes import BILABIAL
from facetalk.networks.styletalk import FeatureStream, SpeechFeatures
from facetalk.talkers.lip_contact import RESTING_REACH, contact, resting

REACH = RESTING_REACH + AUDIBLE_REACH
"""Frames to either side whose rows count for what the lips do in a frame."""

LOOK_AHEAD_FRAMES = MOST_DOUBT + REACH
"""Frames after a frame that can count for it, at most."""


class SpokenStream:
    """Speech features, and in a last column where a P, B or M is said.

    Phonemes are those of `PhonemePath`, as in recordings.
    """

    def __init__(self, stream: FeatureStream, speech: SpeechFeatures) -> None:
        """Begin a recording.

        Args:
            stream: its features.
            speech: their source, which knows the columns.
        """
        self._stream, self._columns = stream, list(speech.columns(*PHONEMES))
        self._path, self._held = PhonemePath(), torch.zeros(0, stream.width)

    @property
    def width(self) -> int:
        """See `FeatureStream.width`."""
        return self._stream.width + 1

    def feed(
        self, samples: Float[Tensor, " samples"], with_ending: bool = False
    ) -> tuple[Float[Tensor, "_ features"], Float[Tensor, "_ features"]]:
        """See `FeatureStream.feed`."""
        rows, ending = self._stream.feed(samples, with_ending)
        labels = self._path.feed(rows[:, self._columns])
        held = torch.cat([self._held, rows])
        known, self._held = _with_bilabials(held[: len(labels)], labels), held[len(labels) :].clone()
        if not with_ending:
            return known, known[:0]
        rest = torch.cat([self._held, ending])
        return known, _with_bilabials(rest, self._path.ending(ending[:, self._columns]))


def lip_closure(bilabial: Float[Tensor, " frames"]) -> Float[Tensor, " frames"]:
    """How complete the contact of the lips is in each frame: the same as `closure_of` the phonemes.

    Args:
        bilabial: 1 where a P, B or M is said, else 0.
    """
    return contact(bilabial[None])[0]


def quietness(silence: Float[Tensor, " frames"], loudness: Float[Tensor, " frames"]) -> Float[Tensor, " frames"]:
    """How far the mouth is at rest in each frame: where the encoder hears no phoneme, and nothing is loud.

    Args:
        silence: probability of silence.
        loudness: see `audible`.
    """
    return resting((silence * ~audible(loudness))[None])[0]


def _with_bilabials(rows: Float[Tensor, "_ features"], labels: Sequence[int]) -> Float[Tensor, "_ more"]:
    said = torch.tensor([float(PHONEMES[label] in BILABIAL) for label in labels])
    return torch.cat([rows, said.to(rows)[:, None]], 1)
