"""EmoTalk: content and emotion of a voice, or an emotion by name -> the 52 ARKit channels (Peng et al. 2023)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from facetalk.audio.activity import audible
from facetalk.audio.phonemes import PHONEMES
from facetalk.audio.segmentation import MOST_DOUBT, PhonemeTrack
from facetalk.core.emotions import EMOTIONS, NEUTRAL, EmotionCourse, emotion_named
from facetalk.core.errors import FacetalkError, UsageError
from facetalk.core.motion import Motion, still_motion
from facetalk.core.timing import FPS, SAMPLE_RATE, frames_for
from facetalk.head.channels import ARKIT_NAMES
from facetalk.io.audio import Waveform, checked_waveform
from facetalk.motion.emotion.strength import AROUND_FRAMES, local_mean
from facetalk.motion.heads import identity_names
from facetalk.networks.chunks import certain_frames, first_row
from facetalk.networks.emotalk import (
    CHUNK_FRAMES,
    CLEAR,
    OVERLAP_FRAMES,
    Asked,
    EmoTalkNetwork,
    Performed,
    level_vectors,
)
from facetalk.networks.registry import describe, load, load_speech
from facetalk.networks.speech_rows import LOUDNESS, SideBySide, SpeechRows, live
from facetalk.networks.styletalk import FeatureStream, LiveFeatures, SpeechFeatures, feature_blocks
from facetalk.talkers.base import Direction, person_index, reject_unsupported
from facetalk.talkers.lip_contact import close_lips, closure_of, limit_opening, rest_lips, resting
from facetalk.talkers.sessions import FeatureSession, frames_ahead
from facetalk.talkers.spoken_stream import REACH, SpokenStream, lip_closure, quietness

SMOOTHING = (-3 / 35, 12 / 35, 17 / 35, 12 / 35, -3 / 35)
"""Savitzky-Golay filter over five frames with polynomials of order 2, as the released EmoTalk smooths its output."""


ENOUGH_SPEECH = 0.3
"""Share of speech in two seconds from which on an emotion that is heard in it counts fully."""


@dataclass(frozen=True, eq=False)
class EmoTalk:
    """A talker that shows the emotion of the voice, or one that is asked for."""

    network: EmoTalkNetwork
    speech: SpeechFeatures
    """Hears the phonemes: on P, B and M the lips close in every emotion."""
    name: str = "emotalk"
    head: str = "facetalk"
    """The head that its motions belong to; it has the ARKit channels."""
    num_betas: int = 0
    supported: tuple[str, ...] = ("emotion", "person")
    """Fields of `Direction` that it follows."""

    @classmethod
    def from_folder(cls, folder: Path, name: str = "emotalk") -> EmoTalk:
        """Load a talker that `facetalk train emotalk` wrote."""
        network, entries = load("talker", folder), describe("talker", folder).entries
        if not isinstance(network, EmoTalkNetwork):
            raise FacetalkError(f"{folder} holds a talker of the method {entries.get('method')!r}, not an EmoTalk")
        try:
            speech = load_speech(str(entries.get("speech", "speech-encoder")))
        except UsageError as error:  # nobody typed the name
            raise FacetalkError(str(error)) from None
        head = str(entries.get("head", "facetalk"))
        talker = cls(network, speech, name=name, head=head, num_betas=len(identity_names(head)))
        if talker.rows.width != len(network.feature_mean):
            raise FacetalkError(
                f"{folder} was trained on {len(network.feature_mean)} features; its front end has {talker.rows.width}"
            )
        return talker

    @property
    def emotions(self) -> tuple[str, ...]:
        """Those of `EMOTIONS` that it shows."""
        return self.network.config.emotions

    @property
    def people(self) -> tuple[str, ...]:
        """Names of the people that it was trained on: numbers from 1."""
        return tuple(str(number) for number in range(1, self.network.config.num_persons + 1))

    @property
    def rows(self) -> SpeechRows:
        """What it makes of audio first."""
        if not self.network.config.own_fronts:
            return SpeechRows(self.speech)
        return SpeechRows((self.network.content_encoder, self.network.emotion_encoder))

    def speak(
        self,
        waveform: Waveform,
        direction: Direction | None = None,
        generator: torch.Generator | None = None,
    ) -> Motion:
        """See `facetalk.talkers.base.Talker.speak`; there are no random choices.

        Without an emotion in the direction, the face shows that of the voice.
        """
        direction = direction or Direction()
        reject_unsupported(self.name, direction, self.supported)
        waveform = checked_waveform(waveform)
        num_frames = frames_for(len(waveform) / SAMPLE_RATE)
        asked = None if direction.emotion is None else self._asked(direction.emotion, slice(0, num_frames))
        phonemes, pauses = PhonemeTrack(), _Pauses.of_length(num_frames)
        performed = self.network.perform(
            self._heard(waveform, phonemes, pauses), num_frames, self._person(direction.person), asked
        )
        expression = torch.empty(num_frames, len(ARKIT_NAMES))
        done = 0
        for block in performed:
            expression[done : done + len(block.expression)] = block.expression
            done += len(block.expression)
        events = phonemes.finish()
        closure, quiet = closure_of(events, num_frames), quietness(pauses.silence, pauses.loudness)
        expression = self._articulated(smoothed(expression).clamp(0, 1), closure, quiet)
        return still_motion(self.head, expression, ARKIT_NAMES, FPS, self.num_betas).with_events(events)

    @property
    def look_ahead_s(self) -> float:
        """See `facetalk.talkers.base.StreamingTalker.look_ahead_s`."""
        if not isinstance(self.speech, LiveFeatures):
            return math.inf
        spoken_s = self.speech.look_ahead_s + MOST_DOUBT / FPS
        return max(spoken_s, self.rows.look_ahead_s) + (CHUNK_FRAMES + REACH) / FPS

    def listen(self) -> FeatureStream:
        """See `facetalk.talkers.base.StreamingTalker.listen`.

        Speech features, where a P, B or M is said, and rows: of all fronts, or of what these features lack.
        """
        fronts = self.rows.fronts if self.network.config.own_fronts else ()
        return SideBySide([SpokenStream(live(self.speech).start(), self.speech), SpeechRows(fronts).start()])

    def start(
        self,
        direction: Direction | None = None,
        generator: torch.Generator | None = None,
        look_ahead_s: float | None = None,
        features: FeatureStream | None = None,
    ) -> FeatureSession[Motion]:
        """See `facetalk.talkers.base.StreamingTalker.start`; there are no random choices."""
        direction = direction or Direction()
        ahead = frames_ahead(look_ahead_s, self.look_ahead_s)
        reject_unsupported(self.name, direction, self.supported)
        decoder = _Performing(self, self._person(direction.person), direction.emotion)
        return FeatureSession(features or self.listen(), decoder, self._motion_of, len(ARKIT_NAMES), ahead)

    def _motion_of(self, expression: Float[Tensor, "frames 52"]) -> Motion:
        return still_motion(self.head, expression, ARKIT_NAMES, FPS, self.num_betas)

    def hear_emotion(self, waveform: Waveform) -> Float[Tensor, "frames emotions"]:
        """See `facetalk.talkers.base.EmotionListener.hear_emotion`."""
        waveform = checked_waveform(waveform)
        num_frames = frames_for(len(waveform) / SAMPLE_RATE)
        pauses = _Pauses.of_length(num_frames)
        rows = self._heard(waveform, PhonemeTrack(), pauses)
        performed = self.network.perform(rows, num_frames, self._person(None))
        heard = torch.cat([block.sounds @ self._columns for block in performed])
        return over_speech(heard, pauses.speaking)

    def start_hearing(
        self, look_ahead_s: float | None = None, features: FeatureStream | None = None
    ) -> FeatureSession[Tensor]:
        """See `facetalk.talkers.base.StreamedListener.start_hearing`."""
        ahead = frames_ahead(look_ahead_s, self.look_ahead_s + AROUND_FRAMES / FPS)
        return FeatureSession(features or self.listen(), _Hearing(self), lambda rows: rows, len(EMOTIONS), ahead)

    @property
    def _columns(self) -> Float[Tensor, "sounds emotions"]:
        """Which of `EMOTIONS` each sound of the network shows."""
        sounds = [emotion_named(name) for name in self.network.config.sounds]
        columns = torch.zeros(len(sounds), len(EMOTIONS))
        for index, name in enumerate(sounds):
            columns[index, EMOTIONS.index(name)] = 1
        return columns

    def _heard(
        self, waveform: Waveform, phonemes: PhonemeTrack, pauses: _Pauses
    ) -> Iterator[Float[Tensor, "_ features"]]:
        """Rows for the network, while the phonemes and what tells pauses are collected."""
        columns, silent = list(self.speech.columns(*PHONEMES)), list(self.speech.columns("SIL"))
        own_fronts, done = self.network.config.own_fronts, 0
        for block in feature_blocks(self.speech, waveform) if own_fronts else self.rows.blocks(waveform):
            phonemes.feed(block[:, columns])
            pauses.silence[done : done + len(block)] = block[:, silent].sum(1)
            done += len(block)
            if not own_fronts:
                pauses.loudness[done - len(block) : done] = block[:, LOUDNESS]
                yield block
        done = 0
        for block in self.rows.blocks(waveform) if own_fronts else ():
            pauses.loudness[done : done + len(block)] = block[:, LOUDNESS]
            done += len(block)
            yield block

    def _asked(self, track: EmotionCourse, frames: slice) -> Asked:
        """Shares and levels of the network's emotions; what it does not know counts as neutral."""
        levels = track.frames(frames.stop - frames.start, first=frames.start).float()
        known = torch.stack([levels[:, EMOTIONS.index(name)] for name in self.emotions], 1)
        total = known.sum(1, keepdim=True)
        shares = known / total.clamp_min(1e-6) * (total / CLEAR).clamp(max=1)
        shares[:, self.emotions.index(NEUTRAL)] += 1 - shares.sum(1)
        return Asked(shares, level_vectors(total[:, 0]))

    def _person(self, person: str | None) -> Float[Tensor, " persons"]:
        count = self.network.config.num_persons
        if person is None:
            return torch.full((count,), 1 / count)
        return functional.one_hot(torch.tensor(person_index(person, self.people)), count).float()

    def _articulated(
        self, expression: Float[Tensor, "frames 52"], closure: Float[Tensor, " frames"], quiet: Float[Tensor, " frames"]
    ) -> Float[Tensor, "frames 52"]:
        """Lips that meet on P, B and M, rest where nothing is said, and never open like a yawn."""
        gap_dirs = self.network.gap_dirs
        closed = close_lips(limit_opening(expression[None], gap_dirs), closure[None], gap_dirs)
        return rest_lips(closed, quiet[None], gap_dirs)[0]


@dataclass(frozen=True, eq=False)
class _Pauses:
    """What tells speech from pauses in each frame."""

    silence: Float[Tensor, " frames"]
    """Its probability."""
    loudness: Float[Tensor, " frames"]
    """See `audible`."""

    @classmethod
    def of_length(cls, num_frames: int) -> _Pauses:
        return cls(torch.zeros(num_frames), torch.zeros(num_frames))

    @property
    def speaking(self) -> Float[Tensor, " frames"]:
        """Whether somebody speaks, 0 to 1."""
        return 1 - resting((1 - (1 - self.silence) * audible(self.loudness))[None])[0]


class _Chunked:
    """Works on the chunks of a recording that comes piece by piece; see `sessions.Decoder`."""

    def __init__(self, talker: EmoTalk, person: Float[Tensor, " persons"], reach: int) -> None:
        self._talker, self._person, self._reach = talker, person, reach

    def first_row(self, frame: int) -> int:
        """See `Decoder.first_row`."""
        return first_row(max(0, frame - self._reach), CHUNK_FRAMES, OVERLAP_FRAMES)

    def certain(self, known: int) -> int:
        """See `Decoder.certain`."""
        return max(0, certain_frames(known, CHUNK_FRAMES, OVERLAP_FRAMES) - self._reach)

    def _performed(self, rows: Float[Tensor, "read features"], asked: Asked | None) -> Performed:
        """What the network shows and hears in rows that begin with a chunk."""
        width, own = self._talker.speech.width, rows[:, self._talker.speech.width + 1 :]
        heard = own if self._talker.network.config.own_fronts else torch.cat([rows[:, :width], own], 1)
        blocks = list(self._talker.network.perform([heard], len(rows), self._person, asked))
        return Performed(*(torch.cat(parts) for parts in zip(*blocks, strict=True)))

    def _pauses(self, rows: Float[Tensor, "read features"]) -> _Pauses:
        return _Pauses(rows[:, list(self._talker.speech.columns("SIL"))].sum(1), rows[:, LOUDNESS])


class _Performing(_Chunked):
    """Makes the expression."""

    def __init__(self, talker: EmoTalk, person: Float[Tensor, " persons"], emotion: EmotionCourse | None) -> None:
        super().__init__(talker, person, REACH)
        self._emotion = emotion

    def decode(self, rows: Float[Tensor, "read features"], first: int, frames: slice) -> Float[Tensor, "_ 52"]:
        """See `Decoder.decode`."""
        talker, wanted = self._talker, slice(frames.start - first, frames.stop - first)
        asked = None
        if self._emotion is not None:
            asked = talker._asked(self._emotion, slice(first, first + len(rows)))
        expression = smoothed(self._performed(rows, asked).expression)[wanted].clamp(0, 1)
        pauses = self._pauses(rows)
        closure, quiet = lip_closure(rows[:, talker.speech.width]), quietness(pauses.silence, pauses.loudness)
        return talker._articulated(expression, closure[wanted], quiet[wanted])


class _Hearing(_Chunked):
    """Tells the emotion of the voice."""

    def __init__(self, talker: EmoTalk) -> None:
        super().__init__(talker, talker._person(None), REACH + AROUND_FRAMES)

    def decode(self, rows: Float[Tensor, "read features"], first: int, frames: slice) -> Float[Tensor, "_ emotions"]:
        """See `Decoder.decode`."""
        heard = self._performed(rows, None).sounds @ self._talker._columns
        return over_speech(heard, self._pauses(rows).speaking)[frames.start - first : frames.stop - first]


def over_speech(
    probability: Float[Tensor, "frames emotions"], speaking: Float[Tensor, " frames"]
) -> Float[Tensor, "frames emotions"]:
    """Means over the speech within a second of each frame; neutral where there is little.

    Pauses do not count: short sentences would hardly show what is heard in them.

    Args:
        probability: of each of `EMOTIONS`.
        speaking: whether somebody speaks, 0 to 1.
    """
    share = local_mean(speaking[:, None])
    counts = (share / ENOUGH_SPEECH).clamp(max=1)
    means = counts * local_mean(probability * speaking[:, None]) / share.clamp_min(1e-3)
    means[:, EMOTIONS.index(NEUTRAL)] += 1 - means.sum(1)
    return means


def smoothed(rows: Float[Tensor, "frames 52"]) -> Float[Tensor, "frames 52"]:
    """Rows without jitter; the first and last go on beyond the ends."""
    reach = len(SMOOTHING) // 2
    padded = torch.cat([rows[:1].expand(reach, -1), rows, rows[-1:].expand(reach, -1)])
    result = torch.zeros_like(rows)
    for start, weight in enumerate(SMOOTHING):  # a convolution would unfold an hour of rows in memory
        result += weight * padded[start : start + len(rows)]
    return result
