"""`python -m facetalk.workshop.speech.synthesis OUT MINUTES`: synthetic speech whose phonemes are known exactly.

espeak-ng speaks sentences in many languages and random English words with many voices, and reports when each phone
starts; phones are mapped to the 41 phonemes with the most similar lips, jaw and tongue tip. The recordings are added to
the speech folder OUT (`data/speech.py`). espeak-ng is needed for this program only.
"""

from __future__ import annotations

import ctypes
import random
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from facetalk.audio.ipa import nearest_phoneme
from facetalk.audio.phonemes import Phoneme
from facetalk.audio.resample import resample_waveform
from facetalk.core.errors import MissingAssetError
from facetalk.core.timing import SAMPLE_RATE
from facetalk.data.speech import add_to_manifest, require_corpus, write_phonemes
from facetalk.io.audio import write_wav
from facetalk.workshop.speech.texts import COMMON_WORDS, SENTENCES

ENGLISH = ("en-us", "en-gb", "en-gb-scotland")
VARIANTS = ("", *(f"+m{i}" for i in range(1, 9)), *(f"+f{i}" for i in range(1, 6)),
            "+klatt", "+klatt2", "+klatt3", "+klatt4", "+croak", "+whisper")  # fmt: skip
"""Voice variants of espeak-ng."""


class _Payload(ctypes.Union):
    _fields_ = (("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8))


class _Event(ctypes.Structure):
    """espeak-ng's espeak_EVENT (speak_lib.h)."""

    _fields_ = (
        ("type", ctypes.c_int), ("identifier", ctypes.c_uint), ("text_position", ctypes.c_int),
        ("length", ctypes.c_int), ("audio_position_ms", ctypes.c_int), ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p), ("payload", _Payload),
    )  # fmt: skip


_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))
_END, _PHONEME = 0, 7
_RATE, _PITCH, _RANGE = 1, 3, 4


class Synthesizer:
    """The library of espeak-ng: text in, audio and the start times of its phones out."""

    def __init__(self) -> None:
        try:
            self._library = ctypes.CDLL("libespeak-ng.so.1")
        except OSError:
            raise MissingAssetError("no espeak-ng library; install espeak-ng to make synthetic speech") from None
        self._pieces: list[np.ndarray] = []
        self._starts: list[tuple[float, str]] = []
        self._callback = _CALLBACK(self._take)  # kept: the library holds only its address
        # Retrieval, 200 ms buffer; phoneme events in IPA, never exit the process.
        self.sample_rate = self._library.espeak_Initialize(1, 200, None, 0x8003)
        if self.sample_rate <= 0:
            raise MissingAssetError("espeak-ng finds no voices; install espeak-ng-data")
        self._library.espeak_SetSynthCallback(self._callback)

    def speak(
        self, text: str, voice: str, words_per_minute: int, pitch: int, pitch_range: int
    ) -> tuple[Tensor, list[Phoneme]] | None:
        """Audio at 16 kHz and its phonemes; None if the voice is not installed or says nothing."""
        self._pieces.clear()
        self._starts.clear()
        if self._library.espeak_SetVoiceByName(voice.encode()) != 0:
            return None
        for parameter, value in ((_RATE, words_per_minute), (_PITCH, pitch), (_RANGE, pitch_range)):
            self._library.espeak_SetParameter(parameter, value, 0)
        encoded = text.encode()
        self._library.espeak_Synth(encoded, len(encoded) + 1, 0, 0, 0, 1, None, None)
        self._library.espeak_Synchronize()
        if not self._pieces:
            return None
        samples = np.concatenate(self._pieces).astype(np.float32) / 32768
        waveform = resample_waveform(torch.from_numpy(samples), self.sample_rate)
        return waveform, to_phonemes(self._starts, len(waveform) / SAMPLE_RATE)

    def _take(self, samples: Any, count: int, events: Any) -> int:
        if samples and count:
            self._pieces.append(np.ctypeslib.as_array(samples, (count,)).copy())
        index = 0
        while events[index].type != _END:
            if events[index].type == _PHONEME:
                name = events[index].payload.string.decode("utf-8", "ignore")
                self._starts.append((events[index].audio_position_ms / 1000, name))
            index += 1
        return 0


def to_phonemes(starts: Sequence[tuple[float, str]], duration_s: float) -> list[Phoneme]:
    """Phonemes from the start times of IPA phones; marks without a sound of their own extend the previous phone."""
    found: list[Phoneme] = []
    stops = [start for start, _ in starts[1:]] + [duration_s]
    for (start, name), stop in zip(starts, stops, strict=True):
        stop = min(stop, duration_s)
        if stop <= start:
            continue
        symbol = nearest_phoneme(name)
        if symbol is None:
            symbol = "SIL" if not name or name.startswith("_") or not found else found[-1].symbol
        found.append(Phoneme(symbol, start, stop))
    return found


def random_text(voice: str, words: Sequence[str], rng: random.Random) -> str:
    """A sentence of the voice's language, or random English words."""
    if voice in ENGLISH:
        count = rng.randint(6, 14)
        chosen = [rng.choice(words if rng.random() < 0.45 else COMMON_WORDS) for _ in range(count)]
    else:
        chosen = " ".join(rng.sample(SENTENCES[voice], 2)).split()
        if voice != "cmn" and rng.random() < 0.6:
            rng.shuffle(chosen)
        chosen = chosen[:16]
    if rng.random() < 0.3 and len(chosen) > 1:
        chosen[len(chosen) // 2 - 1] += ","
    return " ".join(chosen)


def synthesize(out_dir: Path, minutes: float, seed: int = 0) -> int:
    """Add synthetic recordings to a speech folder; returns their number."""
    require_corpus(out_dir)
    rng, synthesizer = random.Random(seed), Synthesizer()
    words = _dictionary_words()
    voices = [*ENGLISH, *SENTENCES, *["en-us"] * 4]
    names: list[str] = []
    seconds = 0.0
    while seconds < minutes * 60:
        voice = rng.choice(voices)
        text = random_text(voice, words, rng)
        pace, pitch, pitch_range = rng.randint(110, 210), rng.randint(20, 80), rng.randint(20, 80)
        spoken = synthesizer.speak(text, voice + rng.choice(VARIANTS), pace, pitch, pitch_range)
        if spoken is None or len(spoken[0]) < 1.5 * SAMPLE_RATE or len(spoken[1]) < 5:
            continue
        names.append(f"synth__{len(names):05d}")
        write_wav(out_dir / f"{names[-1]}.wav", spoken[0])
        write_phonemes(out_dir / f"{names[-1]}.phones.csv", spoken[1], 1.0)
        seconds += len(spoken[0]) / SAMPLE_RATE
    add_to_manifest(out_dir, "synth__", "synthetic", names)
    return len(names)


def _dictionary_words() -> list[str]:
    from pocketsphinx import get_model_path

    with Path(get_model_path("en-us/cmudict-en-us.dict")).open(encoding="utf-8") as file:
        words = (line.split()[0] for line in file if line.strip())
        return [word for word in words if len(word) > 2 and word.isalpha()]


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python -m facetalk.workshop.speech.synthesis OUT MINUTES")
    print(synthesize(Path(sys.argv[1]), float(sys.argv[2])), "recordings")
