"""A transcript in a recording: its words and phonemes with their times, where they fit what is heard."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from facetalk.audio.alignment import AlignedWord, align
from facetalk.audio.phonemes import PHONEME_IDS, PHONEMES, SILENCE
from facetalk.audio.pronunciation import words_of
from facetalk.audio.transcript import SaidText, Transcript
from facetalk.audio.visemes import BILABIAL, LABIODENTAL
from facetalk.core.events import Event, in_order
from facetalk.core.timing import FPS

FITTING = 0.15
"""A word fits if its phonemes have this share of the probability of the most likely ones."""
EXPLAINED = 0.5
"""... and if the words explain this share of the speech around it, because single short words fit anywhere. In 163
recordings with the text of others 0.4 % of the words pass; with their own text, 98 % do."""
AROUND_FRAMES = 30

_UNKNOWN = -1
_CONTACTS = frozenset((*BILABIAL, *LABIODENTAL))


@dataclass(frozen=True, eq=False)
class KnownSpeech:
    """What is known of the phonemes in a recording."""

    words: tuple[Event, ...]
    phonemes: tuple[Event, ...]
    """Of what is known, by start; strength is how well each fits what is heard."""
    labels: Int64[Tensor, " frames"]
    """Id of the phoneme of each frame; -1 where nothing is known."""

    def sharpened(
        self, probabilities: Float[Tensor, "frames phonemes"], first: int = 0
    ) -> Float[Tensor, "frames phonemes"]:
        """Probabilities that are 1 for the phonemes that are known.

        Args:
            probabilities: of some frames.
            first: number of the first of them.
        """
        labels = self.labels[first : first + len(probabilities)].to(probabilities.device)
        certain = torch.nn.functional.one_hot(labels.clamp_min(0), len(PHONEMES)).to(probabilities)
        return torch.where(labels[:, None] >= 0, certain, probabilities)

    def with_heard(self, heard: Sequence[Event]) -> tuple[Event, ...]:
        """All words and phonemes: the known ones, and between them those that are heard.

        Args:
            heard: phonemes of the whole recording, back to back.
        """
        return in_order((*self.words, *self.phonemes, *_between(heard, self.phonemes)))


def find_speech(probabilities: Float[Tensor, "frames phonemes"], transcript: Transcript) -> KnownSpeech:
    """Find the words of a transcript in a recording; those that do not fit are left out.

    Args:
        probabilities: of each of `PHONEMES`, 30 frames a second.
        transcript: what is said; words and phonemes with known times are taken as they are.
    """
    rows = probabilities.detach().cpu().numpy()
    duration_s = len(rows) / FPS
    words = [event for event in transcript.events if event.kind == "word"]
    phonemes = [event for event in transcript.events if event.kind == "phoneme"]
    for part in transcript.parts:
        for word, sounds in _found(rows, part):
            words.append(word)
            phonemes += sounds
    known = _cut(in_order(phonemes), duration_s)
    return KnownSpeech(in_order(_cut(words, duration_s)), known, _labels(known, len(rows)))


def _found(rows: Float[np.ndarray, "frames phonemes"], part: SaidText) -> Iterator[tuple[Event, list[Event]]]:
    """Yield the words of a text that fit, and their phonemes."""
    first = min(int(part.start_s * FPS), len(rows))
    heard = rows[first : len(rows) if math.isinf(part.end_s) else math.ceil(part.end_s * FPS)]
    words = [word for word in words_of(part.text) if word.phonemes]
    if len(heard) == 0 or not words:
        return
    aligned = align(heard, [word.phonemes for word in words])
    explained = _explained(heard, aligned)
    for word in aligned:
        if word.fit < FITTING or not (part.is_exact or _explains(explained, word)):
            continue
        sounds = _events(word, first / FPS)
        start, end = (part.start_s, part.end_s) if part.is_exact else (sounds[0].start, sounds[-1].end)
        yield Event("word", start, end, words[word.index].text, min(word.fit, 1.0)), sounds


def _events(word: AlignedWord, offset_s: float) -> list[Event]:
    return [
        Event("phoneme", offset_s + start, offset_s + end, PHONEMES[phoneme], min(fit, 1.0))
        for phoneme, start, end, fit in word.phonemes
    ]


def _explained(
    heard: Float[np.ndarray, "frames phonemes"], words: Sequence[AlignedWord]
) -> Float[np.ndarray, "2 edges"]:
    """Running sums over frames of how well the words fit, and of the frames with speech."""
    speech = heard[:, SILENCE] < 0.5
    fit = np.zeros(len(heard))
    for phoneme in (phoneme for word in words for phoneme in word.phonemes):
        fit[_frames(phoneme.start_s, phoneme.end_s)] = phoneme.fit
    return np.concatenate([np.zeros((2, 1)), np.cumsum([fit * speech, speech], axis=1)], axis=1)


def _explains(explained: Float[np.ndarray, "2 edges"], word: AlignedWord) -> bool:
    last = explained.shape[1] - 1
    start = max(round(word.phonemes[0].start_s * FPS) - AROUND_FRAMES, 0)
    stop = min(round(word.phonemes[-1].end_s * FPS) + AROUND_FRAMES, last)
    fit, speech = explained[:, stop] - explained[:, start]
    return bool(fit >= EXPLAINED * speech)


def _labels(phonemes: Iterable[Event], num_frames: int) -> Int64[Tensor, " frames"]:
    """Phoneme in the middle of each frame; one that makes a contact has a frame even if it is in none."""
    labels = torch.full((num_frames,), _UNKNOWN)
    short: list[tuple[int, int]] = []
    for event in phonemes:
        phoneme, frames = PHONEME_IDS[event.label], _frames(event.start, event.end)
        labels[frames] = phoneme
        if frames.start >= frames.stop and event.label in _CONTACTS:
            short.append((min(int(event.middle_s * FPS), num_frames - 1), phoneme))
    for frame, phoneme in short:
        labels[frame] = phoneme
    return labels


def _frames(start_s: float, end_s: float) -> slice:
    """Frames whose middles are within a span."""
    return slice(math.ceil(start_s * FPS - 0.5), math.ceil(end_s * FPS - 0.5))


def _cut(events: Iterable[Event], duration_s: float) -> tuple[Event, ...]:
    return tuple(event for event in events if event.start < duration_s)


def _between(heard: Sequence[Event], known: Sequence[Event]) -> Iterator[Event]:
    """Yield the parts of heard phonemes that overlap no known ones."""
    coming = iter(known)
    following = next(coming, None)
    for event in heard:
        start = event.start
        while following is not None and following.end <= start:
            following = next(coming, None)
        while following is not None and following.start < event.end:
            if following.start > start:
                yield Event("phoneme", start, following.start, event.label)
            start = max(start, following.end)
            if following.end > event.end:
                break
            following = next(coming, None)
        if start < event.end:
            yield Event("phoneme", start, event.end, event.label)
