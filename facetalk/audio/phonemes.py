"""Phonemes and their times: pocketsphinx's English phones in StyleTalk's alphabet of 41."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from facetalk.core.errors import FacetalkError
from facetalk.core.timing import FPS, SAMPLE_RATE

PHONEMES = (
    "AA", "AE", "AH", "AO", "AW", "AY", "B", "CH", "D", "DH", "EH", "ER", "EY", "F", "G", "HH", "IH", "IY", "JH", "K",
    "L", "M", "N", "NG", "NSN", "OW", "OY", "P", "R", "S", "SH", "SIL", "T", "TH", "UH", "UW", "V", "W", "Y", "Z", "ZH",
)  # fmt: skip
"""The 39 CMU phones without stress, noise and silence; the position is the id, as in StyleTalk (Ma et al. 2023)."""

PHONEME_IDS = {symbol: index for index, symbol in enumerate(PHONEMES)}
SILENCE = PHONEME_IDS["SIL"]

_SPHINX_NAMES = {"+NSN+": "NSN", "+SPN+": "NSN", "(NULL)": "SIL"}
_STEP_S = 0.01
"""pocketsphinx counts in frames of 10 ms."""
_PAD_S = 0.1
"""Silence added before and after the speech: the recognizer expects to begin and end in silence."""


class AlignmentError(FacetalkError):
    """A transcript does not match the speech."""


@dataclass(frozen=True)
class Phoneme:
    """One speech sound with its start and end."""

    symbol: str
    start_s: float
    end_s: float


def find_phonemes(waveform: Float[Tensor, " samples"], text: str | None = None) -> list[Phoneme]:
    """The phonemes of a waveform, back to back from 0 s to its end.

    With a transcript they are aligned to it. Without one, words are recognized first and their phonemes aligned,
    because a word model makes far fewer errors than an acoustic model alone; speech in which no English word is found
    goes through a free loop of phones.

    Args:
        waveform: 16 kHz speech.
        text: transcript, in English.
    """
    if text is not None:
        return align_words(waveform, normalize_words(text))
    words = recognize_words(waveform)
    try:
        return align_words(waveform, words) if words else phone_loop(waveform)
    except AlignmentError:  # words that the recognizer guessed may not fit audio that is truncated or not English
        return phone_loop(waveform)


def normalize_words(text: str) -> list[str]:
    """Lower-case words of a sentence without punctuation."""
    return re.findall(r"[a-z]+(?:'[a-z]+)*", text.lower())


def recognize_words(waveform: Float[Tensor, " samples"]) -> list[str]:
    """The English words that pocketsphinx recognizes."""
    decoder = _decoder("words")
    _decode(decoder, _pcm(waveform))
    words = (re.sub(r"\(\d+\)$", "", segment.word) for segment in decoder.seg() or ())
    return [word for word in words if word[0] not in "<["]


def align_words(waveform: Float[Tensor, " samples"], words: Sequence[str]) -> list[Phoneme]:
    """Start and end of each phoneme of the given words."""
    if not words:
        raise FacetalkError("the transcript holds no words")
    decoder = _decoder("alignment")
    unknown = sorted({word for word in words if decoder.lookup_word(word) is None})
    if unknown:
        raise FacetalkError(f"the pronunciation dictionary lacks: {', '.join(unknown)}; omit the transcript")
    for pad_s in (_PAD_S, 3 * _PAD_S):  # occasionally the second pass just fails, and succeeds on shifted frames
        aligned = _align(decoder, _pcm(waveform, pad_s), words)
        if aligned is not None:
            return _covering(aligned, len(waveform) / SAMPLE_RATE, pad_s)
    raise AlignmentError("the transcript does not match the speech")


def phone_loop(waveform: Float[Tensor, " samples"]) -> list[Phoneme]:
    """Phones from the acoustic model with a phone bigram: noisy, but works for any language."""
    decoder = _decoder("loop")
    _decode(decoder, _pcm(waveform))
    segments = ((s.word, s.start_frame, s.end_frame - s.start_frame + 1) for s in decoder.seg() or ())
    return _covering(segments, len(waveform) / SAMPLE_RATE)


def phoneme_columns(names: Sequence[str]) -> tuple[int, ...]:
    """Return the columns of phonemes in features that begin with one column for each of `PHONEMES`."""
    unknown = [name for name in names if name not in PHONEME_IDS]
    if unknown:
        raise ValueError(f"no column for {', '.join(unknown)}; there is one for each of {', '.join(PHONEMES)}")
    return tuple(PHONEME_IDS[name] for name in names)


def frame_labels(phonemes: Sequence[Phoneme], num_frames: int, fps: float = FPS) -> Int64[Tensor, " frames"]:
    """Id of the phoneme in the middle of each video frame; silence outside."""
    middles = (torch.arange(num_frames, dtype=torch.float64) + 0.5) / fps
    labels = torch.full((num_frames,), SILENCE, dtype=torch.int64)
    for phoneme in phonemes:
        labels[(middles >= phoneme.start_s) & (middles < phoneme.end_s)] = PHONEME_IDS[phoneme.symbol]
    return labels


def _align(decoder: Any, pcm: bytes, words: Sequence[str]) -> list[tuple[str, int, int]] | None:
    """Name, first step and steps of every phone of the words; None where they cannot be aligned."""
    decoder.set_align_text(" ".join(words))
    _decode(decoder, pcm)
    try:
        decoder.set_alignment()
        _decode(decoder, pcm)
    except RuntimeError:
        return None
    alignment = decoder.get_alignment()  # its words live only as long as it does
    if sum(word.name[0] not in "<[(" for word in alignment) != len(words):
        return None
    return [(phone.name, phone.start, phone.duration) for word in alignment for phone in word]


def _covering(segments: Iterable[tuple[str, int, int]], duration_s: float, pad_s: float = _PAD_S) -> list[Phoneme]:
    """Phonemes from (name, first step, steps) of the padded waveform, with silence in every gap."""
    found: list[Phoneme] = []
    clock = 0.0
    for name, start, steps in segments:
        begin = min(max(start * _STEP_S - pad_s, clock), duration_s)
        end = min((start + steps) * _STEP_S - pad_s, duration_s)
        if end <= begin:
            continue
        found += [Phoneme("SIL", clock, begin), Phoneme(_SPHINX_NAMES.get(name, name), begin, end)]
        clock = end
    found.append(Phoneme("SIL", clock, duration_s))
    return _joined([phoneme for phoneme in found if phoneme.end_s > phoneme.start_s])


def _joined(phonemes: Sequence[Phoneme]) -> list[Phoneme]:
    """The same phonemes with neighboring silences merged."""
    joined: list[Phoneme] = []
    for phoneme in phonemes:
        if joined and joined[-1].symbol == phoneme.symbol == "SIL":
            phoneme = Phoneme("SIL", joined.pop().start_s, phoneme.end_s)
        joined.append(phoneme)
    return joined


def _pcm(waveform: Float[Tensor, " samples"], pad_s: float = _PAD_S) -> bytes:
    """16-bit samples at a common loudness, between short silences."""
    level = waveform / waveform.abs().max().clamp_min(1e-4) * 0.7
    pad = level.new_zeros(round(pad_s * SAMPLE_RATE))
    # A trace of noise: digital silence has no spectrum and breaks the recognizer's mean normalization.
    noise = torch.randn(len(level) + 2 * len(pad), generator=torch.Generator().manual_seed(0)) * 3e-4
    return ((torch.cat([pad, level.cpu(), pad]) + noise) * 32767).to(torch.int16).numpy().tobytes()


def _decode(decoder: Any, pcm: bytes) -> None:
    decoder.start_utt()
    decoder.process_raw(pcm, full_utt=True)
    decoder.end_utt()


def _decoder(task: str) -> Any:
    """pocketsphinx set up for one task, as if it had heard nothing yet: a result does not depend on those before."""
    decoder = _loaded(task)
    decoder.reinit_feat()
    return decoder


@lru_cache(maxsize=3)
def _loaded(task: str) -> Any:
    """The decoder of a task, with the English model of pocketsphinx' own package."""
    from pocketsphinx import Decoder, get_model_path

    if task == "loop":
        model = get_model_path("en-us/en-us-phone.lm.bin")
        return Decoder(lm=None, allphone=model, lw=2.0, beam=1e-20, pbeam=1e-20, loglevel="FATAL")
    if task == "alignment":
        return Decoder(lm=None, loglevel="FATAL")
    return Decoder(loglevel="FATAL")
