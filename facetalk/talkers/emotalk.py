"""EmoTalk: content and emotion of a voice, or an emotion by name -> the 52 ARKit channels (Peng et al. 2023)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from facetalk.audio.activity import speech_activity
from facetalk.audio.phonemes import PHONEMES
from facetalk.audio.segmentation import PhonemeTrack
from facetalk.core.emotions import EMOTIONS, NEUTRAL, EmotionTrack, emotion_named
from facetalk.core.errors import FacetalkError, UsageError
from facetalk.core.events import Event
from facetalk.core.motion import Motion, still_motion
from facetalk.core.timing import FPS, SAMPLE_RATE, frames_for
from facetalk.head.channels import ARKIT_NAMES
from facetalk.io.audio import Waveform, checked_waveform
from facetalk.motion.emotion.strength import local_mean
from facetalk.motion.heads import identity_names
from facetalk.networks.emotalk import CLEAR, Asked, EmoTalkNetwork, level_vectors
from facetalk.networks.registry import describe, load, load_speech
from facetalk.networks.speech_rows import SpeechRows
from facetalk.networks.styletalk import SpeechFeatures, feature_blocks
from facetalk.talkers.base import Direction, person_index, reject_unsupported
from facetalk.talkers.lip_contact import close_lips, closure_of, limit_opening, rest_lips, resting

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
        phonemes, silence = PhonemeTrack(), torch.zeros(num_frames)
        asked = None if direction.emotion is None else self._asked(direction.emotion, num_frames)
        performed = self.network.perform(
            self._heard(waveform, phonemes, silence), num_frames, self._person(direction.person), asked
        )
        expression = torch.empty(num_frames, len(ARKIT_NAMES))
        done = 0
        for block in performed:
            expression[done : done + len(block.expression)] = block.expression
            done += len(block.expression)
        events = phonemes.finish()
        quiet = resting((silence * ~speech_activity(waveform))[None])[0]
        expression = self._articulated(smoothed(expression).clamp(0, 1), events, quiet)
        return still_motion(self.head, expression, ARKIT_NAMES, FPS, self.num_betas).with_events(events)

    def hear_emotion(self, waveform: Waveform) -> Float[Tensor, "frames emotions"]:
        """See `facetalk.talkers.base.EmotionListener.hear_emotion`."""
        waveform = checked_waveform(waveform)
        num_frames = frames_for(len(waveform) / SAMPLE_RATE)
        sounds = [emotion_named(name) for name in self.network.config.sounds]
        columns = torch.zeros(len(sounds), len(EMOTIONS))
        for index, name in enumerate(sounds):
            columns[index, EMOTIONS.index(name)] = 1
        silence = torch.zeros(num_frames)
        rows = self._heard(waveform, PhonemeTrack(), silence)
        performed = self.network.perform(rows, num_frames, self._person(None))
        heard = torch.cat([block.sounds @ columns for block in performed])
        speaking = 1 - resting((1 - (1 - silence) * speech_activity(waveform))[None])[0]
        return over_speech(heard, speaking)

    def _heard(
        self, waveform: Waveform, phonemes: PhonemeTrack, silence: Float[Tensor, " frames"]
    ) -> Iterator[Float[Tensor, "_ features"]]:
        """Rows for the network, while the phonemes and the probability of silence are collected."""
        columns, silent, done = list(self.speech.columns(*PHONEMES)), list(self.speech.columns("SIL")), 0
        own_fronts = self.network.config.own_fronts
        for block in feature_blocks(self.speech, waveform) if own_fronts else self.rows.blocks(waveform):
            phonemes.feed(block[:, columns])
            silence[done : done + len(block)] = block[:, silent].sum(1)
            done += len(block)
            if not own_fronts:
                yield block
        if own_fronts:
            yield from self.rows.blocks(waveform)

    def _asked(self, track: EmotionTrack, num_frames: int) -> Asked:
        """Shares and levels of the network's emotions; what it does not know counts as neutral."""
        levels = track.frames(num_frames).float()
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
        self, expression: Float[Tensor, "frames 52"], events: Iterable[Event], quiet: Float[Tensor, " frames"]
    ) -> Float[Tensor, "frames 52"]:
        """Lips that meet on P, B and M, rest where nothing is said, and never open like a yawn."""
        gap_dirs = self.network.gap_dirs
        closure = closure_of(events, len(expression))
        closed = close_lips(limit_opening(expression[None], gap_dirs), closure[None], gap_dirs)
        return rest_lips(closed, quiet[None], gap_dirs)[0]


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
