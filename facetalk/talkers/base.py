"""What every talker has in common: audio and a direction in, a motion out."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from numbers import Real
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.audio.transcript import Transcript
from facetalk.core.emotions import EmotionCourse
from facetalk.core.errors import UsageError
from facetalk.core.motion import Motion
from facetalk.io.audio import Waveform
from facetalk.motion.regions import RegionalControl
from facetalk.networks.styletalk import FeatureStream

MAX_STRENGTH = 1.5
"""Of a style: further out, the decoders see codes unlike any of their training."""


_NAMED_PEOPLE = 8
"""People that an error names."""

MAX_LAUGHTER = 2.0
"""Of the amount of laughter: beyond, channels reach their limits."""


OPTIONS = {
    "style": "--style",
    "strength": "--style-strength",
    "emotion": "--emotion",
    "laughter": "--laughter",
    "person": "--person",
    "control": "--gain, --offset and --only",
    "transcript": "--transcript",
}
"""What a user types for each field of a `Direction`."""


def check_laughter(amount: float) -> None:
    """Refuse an amount of laughter that is no number in the range."""
    if not isinstance(amount, Real) or not 0 <= amount <= MAX_LAUGHTER:
        raise UsageError(f"laughter is {amount}; it must be a number between 0 and {MAX_LAUGHTER:g}")


def check_strength(strength: float) -> None:
    """Refuse a strength of a style that is no number in the range."""
    if not isinstance(strength, Real) or not 0 <= strength <= MAX_STRENGTH:
        raise UsageError(f"style strength is {strength}; it must be a number between 0 and {MAX_STRENGTH:g}")


@dataclass(frozen=True, eq=False)
class Direction:
    """How something is to be said. Each talker supports some of these fields and rejects the others by name.

    Example:
        >>> Direction(style="ada", strength=1.2, emotion=parse_emotions("happy:2"))
    """

    style: Motion | Tensor | str | None = None
    """Speaking style: a reference motion, a style code, or saved and bundled styles by name, also mixed as in
    `happy:0.7,angry:0.3`. The talker's neutral style if omitted."""
    strength: float = 1.0
    """How far to go from the neutral style: 0 neutral, 1 as the style is, 1.5 exaggerated."""
    emotion: EmotionCourse | None = None
    """How strong which emotion is when."""
    laughter: float | None = None
    """How much the face laughs where the voice does: 0 not at all, 1 as learned, at most 2."""
    person: str | None = None
    """One of the people that the talker was trained on, by name or number; see `person_index`."""
    control: RegionalControl | None = None
    """How much mouth, upper face, eyes, head and single channels move."""
    transcript: Transcript | None = None
    """What is said, which makes sure that lips close and touch the teeth where they should."""

    def __post_init__(self) -> None:
        check_strength(self.strength)
        if self.laughter is not None:
            check_laughter(self.laughter)

    def asked_for(self) -> list[str]:
        """Names of the fields that differ from their default."""
        values = {field.name: (getattr(self, field.name), field.default) for field in fields(self)}
        return [
            name for name, (value, default) in values.items() if value is not default and not _equal(value, default)
        ]


@runtime_checkable
class Talker(Protocol):
    """Turns speech into motion."""

    @property
    def name(self) -> str:
        """What users call it."""
        ...

    @property
    def supported(self) -> Collection[str]:
        """Names of the fields of `Direction` that it follows."""
        ...

    def speak(
        self,
        waveform: Waveform,
        direction: Direction | None = None,
        generator: torch.Generator | None = None,
    ) -> Motion:
        """Return the motion of a face that says this.

        Args:
            waveform: mono speech at 16 kHz, in [-1, 1], of any length: a tensor, or audio that is read as needed.
            direction: how to say it; neutral if omitted.
            generator: source of the talker's random choices; a fixed seed if omitted. Many talkers make none.

        Returns:
            A motion on the talker's head at 30 fps, one frame for each thirtieth of a second of audio.

        Raises:
            UsageError: the direction asks for something that this talker does not support.
        """
        ...


@runtime_checkable
class Session(Protocol):
    """Speech that comes piece by piece, and the motion of a face that says it.

    Joined, the motions are one frame for each thirtieth of a second. They depend on the samples, and not on how these
    are divided among calls. They have no events, because these are known later than the frames.
    """

    def feed(self, samples: Float[Tensor, " samples"]) -> Motion:
        """Take the next samples, and return the frames that are ready, which may be none.

        Args:
            samples: mono speech at 16 kHz, in [-1, 1], any number.

        Raises:
            InvalidValueError: they are no tensor of one dimension, or not finite.
            UsageError: the recording is finished.
        """
        ...

    def finish(self) -> Motion:
        """Return the last frames; nothing may be fed afterwards.

        Raises:
            UsageError: the recording is finished.
        """
        ...


@runtime_checkable
class RowSession(Protocol):
    """Rows of numbers for speech that comes piece by piece, one for each frame; see `Session`."""

    def feed(self, samples: Float[Tensor, " samples"]) -> Float[Tensor, "frames columns"]:
        """Take the next samples, and return the rows that are ready."""
        ...

    def finish(self) -> Float[Tensor, "frames columns"]:
        """Return the last rows."""
        ...


@runtime_checkable
class StreamingTalker(Talker, Protocol):
    """A talker that speaks while it listens."""

    @property
    def look_ahead_s(self) -> float:
        """How much audio after a frame counts for it in `speak`, seconds; infinite if all of it does."""
        ...

    def listen(self) -> FeatureStream:
        """Begin to hear a recording that comes piece by piece.

        Raises:
            UsageError: the talker needs whole recordings.
        """
        ...

    def start(
        self,
        direction: Direction | None = None,
        generator: torch.Generator | None = None,
        look_ahead_s: float | None = None,
        features: FeatureStream | None = None,
    ) -> Session:
        """Begin a recording that comes piece by piece.

        Args:
            direction: how to say it; neutral if omitted.
            generator: see `speak`.
            look_ahead_s: audio that is waited for, at least, after each frame, which is then decoded as if the
                recording ended there. If None, all that counts is waited for: the session returns the frames of
                `speak`.
            features: what is heard of the recording, of `listen`; new if None.

        Raises:
            UsageError: the direction asks for something that is not possible in a stream.
        """
        ...


@runtime_checkable
class RepeatingTalker(Talker, Protocol):
    """A talker that takes less for several takes of one recording together than for each of them."""

    def speak_takes(self, waveform: Waveform, directions: Sequence[Direction]) -> list[Motion]:
        """Return what `speak` returns for each direction; the recording is heard once.

        Args:
            waveform: see `speak`.
            directions: at least one; all with the same transcript.

        Raises:
            UsageError: see `speak`.
            ValueError: the transcripts differ.
        """
        ...


@runtime_checkable
class LaughingTalker(Talker, Protocol):
    """A talker that laughs by itself; others get their laughter from the bundled one."""

    def with_laughter(self, motion: Motion, waveform: Waveform, amount: float = 1.0) -> Motion:
        """Return the motion with laughter wherever the recording has some."""
        ...


@runtime_checkable
class EmotionalTalker(Talker, Protocol):
    """A talker that follows `Direction.emotion` by itself; to others, an expression is added (`talkers/emotion.py`)."""

    @property
    def emotions(self) -> Collection[str]:
        """Names of `core.emotions.EMOTIONS` that it shows."""
        ...


@runtime_checkable
class EmotionListener(Protocol):
    """Tells from a voice how it feels."""

    def hear_emotion(self, waveform: Waveform) -> Float[Tensor, "frames emotions"]:
        """Probability of each of `core.emotions.EMOTIONS` around each frame; neutral where nobody speaks.

        Args:
            waveform: mono speech at 16 kHz, of any length.
        """
        ...


@runtime_checkable
class StreamedListener(EmotionListener, Protocol):
    """Tells from a voice how it feels, while it speaks."""

    def start_hearing(self, look_ahead_s: float | None = None, features: FeatureStream | None = None) -> RowSession:
        """Begin a recording that comes piece by piece: the rows of `hear_emotion`.

        Args:
            look_ahead_s: see `StreamingTalker.start`.
            features: see `StreamingTalker.start`.
        """
        ...


@runtime_checkable
class PersonalTalker(Talker, Protocol):
    """A talker that speaks like one of the people that it was trained on."""

    @property
    def people(self) -> Sequence[str]:
        """Their names."""
        ...


def person_index(person: str, people: Sequence[str]) -> int:
    """Place of a person in a list, by name or number from 1.

    Raises:
        UsageError: nobody is called so.
    """
    if person in people:
        return list(people).index(person)
    if person.isascii() and person.isdigit() and len(person) < 10 and 1 <= int(person) <= len(people):
        return int(person) - 1
    known = ", ".join(people[:_NAMED_PEOPLE]) + (", ..." if len(people) > _NAMED_PEOPLE else "")
    raise UsageError(f"unknown person {person[:40]!r}; give a name or a number from 1 to {len(people)}: {known}")


def reject_unsupported(talker: str, direction: Direction, supported: Collection[str]) -> None:
    """Refuse a direction that asks for more than a talker supports.

    Args:
        talker: name of the talker, for the message.
        direction: what is asked for.
        supported: names of the fields of `Direction` that the talker follows.

    Raises:
        UsageError: names the option of the first field that is not supported, and of those that are.
    """
    if not isinstance(direction, Direction):
        raise UsageError(f"a direction is a Direction, such as Direction(style='happy'), not {direction!r:.40}")
    for name in direction.asked_for():
        if name not in supported:
            raise unsupported(talker, name, supported)


def unsupported(talker: str, name: str, supported: Collection[str]) -> UsageError:
    """The error that says which option a talker does not support, and which ones it does; see `reject_unsupported`."""
    followed = ", ".join(OPTIONS[field] for field in supported)
    return UsageError(f"the talker {talker} does not support {OPTIONS[name]}; it supports: {followed}")


def check_look_ahead(look_ahead_s: float | None) -> None:
    """Refuse a look-ahead that is no number of seconds; None stands for all that counts."""
    if look_ahead_s is not None and not (isinstance(look_ahead_s, Real) and 0 <= look_ahead_s < math.inf):
        raise UsageError(f"the look-ahead is {look_ahead_s}; it must be a number of seconds that is not negative")


def _equal(value: object, default: object) -> bool:
    return isinstance(value, float | int) and value == default
