"""Text -> speech with exact phoneme times, by the offline voice of `hibari-tts`, which the extra `tts` installs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.audio.ipa import nearest_phoneme
from facetalk.audio.transcript import Transcript
from facetalk.core.errors import FacetalkError, MissingAssetError, UsageError
from facetalk.core.events import LONGEST_LABEL, Event, in_order

DEFAULT_VOICE = "heart"
SLOWEST, FASTEST = 0.5, 2.0
MOST_CHARACTERS = 100_000
"""Two hours of speech."""
INSTALL = "--text needs a voice: pip install 'facetalk[tts]'"

_LONGEST_NAME = 40
"""Bytes."""
_DURATIONS = "/Round_output_0"
"""Tensor of its graph that holds the length of each phone, in steps of 25 ms."""
_LEAD_STEPS = 3
"""The samples of a phone come this many steps before its place in the graph, as in Kokoro, from which the voice was
distilled; measured against the speech encoder, 72 ms."""
_LEAST_PAUSE_S = 0.06
"""Shorter pauses between words belong to the sounds around them."""
_STRESS = "ˈˌ"
"""Stress marks have a length, too: half of it belongs to the sound before, half to the vowel behind."""


@dataclass(frozen=True)
class SpokenText:
    """Text that a voice says.

    Raises:
        UsageError: it is empty or too long, or the speed is out of range.
    """

    text: str
    voice: str = DEFAULT_VOICE
    speed: float = 1.0

    def __post_init__(self) -> None:
        if not any(map(str.isalnum, self.text)):
            raise UsageError(f"the text {self.text!r:.40} has no words to say")
        if len(self.text) > MOST_CHARACTERS:
            raise UsageError(f"the text has {len(self.text)} characters; at most {MOST_CHARACTERS} are said at once")
        if not SLOWEST <= self.speed <= FASTEST:
            raise UsageError(f"the speed of the voice is {self.speed:g}; it must be {SLOWEST:g} to {FASTEST:g}")

    @property
    def name(self) -> str:
        """Name for outputs: the first words."""
        words = "".join(letter if letter.isalnum() else " " for letter in self.text.lower()).split()
        name = words[0].encode()[:_LONGEST_NAME].decode(errors="ignore")
        for word in words[1:]:
            if len(f"{name}-{word}".encode()) > _LONGEST_NAME:
                break
            name = f"{name}-{word}"
        return name

    def meta(self) -> dict[str, Any]:
        """What decides the audio, for records."""
        return {"text": self.text, "voice": self.voice, "voice_speed": self.speed}


@dataclass(frozen=True, eq=False)
class Speech:
    """What a voice has said."""

    waveform: Float[Tensor, " samples"]
    sample_rate: int
    transcript: Transcript
    """Words and phonemes with their times."""


def say(spoken: SpokenText, seed: int = 0) -> Speech:
    """Let a voice say a text; the same seed gives the same samples.

    Raises:
        MissingAssetError: the extra `tts`, or the file of the voice, is not installed.
        UsageError: the voice is not known.
        FacetalkError: there is nothing in the text that it can say.
    """
    voice = _loaded(spoken.voice)
    rng = np.random.default_rng(abs(seed))
    waves: list[np.ndarray] = []
    events: list[Event] = []
    num_samples = 0
    for sentence in voice.split_sentences(spoken.text):
        pieces = voice.phonemize(sentence)
        labels = list(_labels(voice, sentence)) if len(pieces) == 1 else []
        for piece in pieces:
            phones = "".join(phone for phone in piece if phone in voice.vocab)
            wave, edges = _synthesized(voice, phones, spoken.speed, rng)
            events += _events(phones, edges + num_samples / voice.sample_rate, labels)
            waves.append(wave)
            num_samples += len(wave)
    if not events:
        raise FacetalkError(f"the voice {spoken.voice} can say nothing of {spoken.text!r:.40}; it speaks English")
    waveform = torch.from_numpy(np.concatenate(waves)).clamp(-1, 1)
    return Speech(waveform, voice.sample_rate, Transcript(events=in_order(events)))


def check_voice(name: str) -> None:
    """Refuse a voice that is not known or not installed; see `say`."""
    _path(_package(), name)


def _package() -> ModuleType:
    try:
        import hibari.voices  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise MissingAssetError(INSTALL) from None
    return hibari.voices


def _path(voices: ModuleType, name: str) -> Path:
    if name not in voices.VOICES:
        raise UsageError(f"unknown voice {name!r:.40}; known: {', '.join(voices.VOICES)}")
    try:
        return Path(voices.voice_path(name, download_missing=False))
    except FileNotFoundError as error:
        fetch = f"python -c \"import hibari.voices as v; v.voice_path('{name}')\""
        raise MissingAssetError(f"the voice {name} is not on this machine ({error}); {fetch} downloads it") from None


@lru_cache(maxsize=1)
def _loaded(name: str) -> Any:
    """The voice, whose graph also returns the durations of its phones."""
    path = _path(_package(), name)
    import hibari  # pyright: ignore[reportMissingImports]

    return hibari.Hibari(name, model=path.read_bytes() + _further_output(_DURATIONS))


def _further_output(name: str) -> bytes:
    """Bytes that, appended to a model, add an output to its graph.

    Messages of Protocol Buffers merge when they are joined: this is a ModelProto (onnx.proto3) with a graph (field 7)
    with an output (field 12) that has only a name (field 1).
    """
    message = name.encode()
    for field in (1, 12, 7):
        assert len(message) < 128, "the length must fit into one byte"
        message = bytes([field << 3 | 2, len(message)]) + message
    return message


def _synthesized(
    voice: Any, phones: str, speed: float, rng: np.random.Generator
) -> tuple[Float[np.ndarray, " samples"], Float[np.ndarray, " edges"]]:
    """Samples of some phones, and when each phone begins and the last one ends, seconds."""
    from hibari import dsp  # pyright: ignore[reportMissingImports]

    ids = np.array([voice.ids(phones)], np.int64)
    *spectrum, steps = voice.sess.run(None, {"ids": ids, "speed": np.array([speed], np.float32)})
    wave = dsp.synth(*(part[0] for part in spectrum), rng=rng)
    ends = np.cumsum(steps.reshape(-1).clip(1).astype(np.float64))
    edges = (ends[:-1] - _LEAD_STEPS).clip(0)  # silence comes first and last
    return wave, edges * (len(wave) / voice.sample_rate / ends[-1])


def _labels(voice: Any, sentence: str) -> Iterator[str]:
    """What is written for each group of phones between spaces; a number, for example, has several."""
    for token in sentence.split():
        label = token.strip(".,;:!?\"'“”‘’()[]…—-")[:LONGEST_LABEL]
        groups = " ".join(voice.phonemize(token)).split()
        yield from [label if label.isprintable() else ""] * len(groups)


def _events(phones: str, edges: Float[np.ndarray, " edges"], labels: Sequence[str]) -> list[Event]:
    """Words and phonemes.

    Args:
        phones: in the alphabet of the voice, a space between words.
        edges: when each of them begins and the last one ends.
        labels: what is written for each word; empty if that is not known.
    """
    words: list[list[_Sound]] = [[]]
    begin_s: float | None = None
    for phone, start_s, end_s in zip(phones, edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        if phone in _STRESS:
            begin_s = middle_s = (start_s + end_s) / 2
            if words[-1]:
                words[-1][-1].end_s = middle_s
            continue
        _add(words, phone, start_s if begin_s is None else begin_s, end_s)
        begin_s = None
    words = [word for word in words if word]
    for word, following in pairwise(words):
        pause_s = following[0].start_s - word[-1].end_s
        if 0 < pause_s < _LEAST_PAUSE_S:
            word[-1].end_s = following[0].start_s = word[-1].end_s + pause_s / 2
    named = zip(words, labels, strict=True) if len(labels) == len(words) else ()
    events = [Event("word", word[0].start_s, word[-1].end_s, label) for word, label in named if label]
    return events + [Event("phoneme", s.start_s, s.end_s, s.symbol) for word in words for s in word]


@dataclass
class _Sound:
    symbol: str
    start_s: float
    end_s: float


def _add(words: list[list[_Sound]], phone: str, start_s: float, end_s: float) -> None:
    """Add a phone to the last word; spaces and punctuation end it, and other marks lengthen a phoneme."""
    symbol = nearest_phoneme(phone)
    if symbol is not None:
        words[-1].append(_Sound(symbol, start_s, end_s))
    elif not phone.isalpha():
        words.append([])
    elif words[-1]:
        words[-1][-1].end_s = end_s
