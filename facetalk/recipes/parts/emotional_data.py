"""Examples of EmoTalk: tracked clips, and recordings of acted emotions that are paired with motion."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import torch
from jaxtyping import Float, Int64, Shaped
from torch import Tensor

from facetalk.core.config import check_ranges
from facetalk.core.emotions import MAX_LEVEL, NEUTRAL, emotion_named
from facetalk.core.errors import FacetalkError
from facetalk.data.dataset import DataConfig
from facetalk.data.emotional import UNKNOWN, EmotionalFaces, Felt, felt, quadruples
from facetalk.data.manifest import Clip
from facetalk.data.sampling import random_index, uniform, weighted_index
from facetalk.data.warping import warping
from facetalk.networks.emotalk import CLEAR, level_vectors
from facetalk.talkers.lip_contact import close_lips

CALM = Felt(NEUTRAL, 0.0)

ORDINARY = "ordinary"
"""Class of the voices of people who just talk. Acted neutral speech sounds different."""
ORDINARY_LABELS = ("", "unstated")

_log = logging.getLogger(__name__)

Row = TypeVar("Row", "Examples", "Voices", "Exchange")


@dataclass(frozen=True)
class EmoTalkDataConfig(DataConfig):
    """How clips and recordings become batches; `length` is that of all examples, `batch_size` the number of clips."""

    recordings: str = ""
    """A speech folder (`facetalk.data.speech`) with recordings of acted emotions, which are paired with motion."""
    teacher: str = "styletalk"
    """The talker whose neutral motion such a recording gets, changed like a tracked face that shows the emotion."""
    num_persons: int = 24
    """Faces that are told apart; the mean of all is used for others."""
    num_pairs: int = 8
    """Quadruples in a batch, each of two recordings in their own and in the other's emotion."""
    asked_share: float = 1.0
    """How often such a recording also gets an emotion by its name."""
    num_voices: int = 32
    """Recordings in a batch whose emotion is only to be heard; all emotions are equally frequent."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_ranges(self, num_persons=(1, 1000), num_pairs=(0, 1000), asked_share=(0, 1))
        check_ranges(self, num_voices=(0, 10_000))


@dataclass(frozen=True, eq=False)
class EmotionalExample:
    """A tracked clip at one speed, or a recording with paired motion."""

    clip: Clip
    rows: Float[Tensor, "frames features"]
    """Of `SpeechRows`."""
    expression: Float[Tensor, "frames 52"]
    """The tracked motion, or the teacher's neutral motion."""
    trusted: Float[Tensor, " frames"]
    phonemes: Int64[Tensor, " frames"]
    """The most likely one in each frame."""
    closure: Float[Tensor, " frames"] | None
    """How far the lips are closed on P, B and M; None for tracked clips."""
    weight: float = 1.0

    @property
    def is_paired(self) -> bool:
        """Whether the motion comes from the teacher."""
        return self.closure is not None

    @property
    def felt(self) -> Felt | None:
        """What its label says."""
        return felt(self.clip.label)


class Examples(NamedTuple):
    """What a batch says and shows, side by side."""

    rows: Float[Tensor, "batch frames features"]
    expression: Float[Tensor, "batch frames 52"]
    """The target in the example's own emotion."""
    weight: Float[Tensor, "batch frames"]
    phonemes: Int64[Tensor, "batch frames"]
    person: Float[Tensor, "batch persons"]
    level: Float[Tensor, "batch levels"]
    sound: Int64[Tensor, " batch"]
    """Class of the voice, or `UNKNOWN`."""


class Exchange(NamedTuple):
    """What else each of a pair of recordings says."""

    swapped: Float[Tensor, "batch frames 52"]
    """Its content with the emotion of its partner."""
    swapped_level: Float[Tensor, "batch levels"]
    asked: Float[Tensor, "batch emotions"]
    """Share of each emotion that is asked for by name."""
    asked_level: Float[Tensor, "batch levels"]
    asked_expression: Float[Tensor, "batch frames 52"]
    """Its content with that emotion."""
    asked_weight: Float[Tensor, "batch frames"]


class Voices(NamedTuple):
    """Voices whose emotion is known."""

    rows: Float[Tensor, "batch frames features"]
    sound: Int64[Tensor, " batch"]
    strength: Int64[Tensor, " batch"]
    """Class of the level, or `UNKNOWN`."""


class EmoTalkBatch(NamedTuple):
    """Tracked clips, voices, and pairs of recordings."""

    clips: Examples
    voices: Voices | None
    """None where no label names an emotion."""
    pairs: Examples | None
    """Each recording, then its partner; None where no sentence was said in two emotions."""
    exchange: Exchange | None


class EmotionalSampler:
    """Samples excerpts, and makes the targets of paired recordings."""

    def __init__(
        self,
        clips: Sequence[EmotionalExample],
        recordings: Sequence[EmotionalExample],
        faces: EmotionalFaces,
        sounds: Mapping[str, int],
        gap_dirs: Float[Tensor, " 52"],
        config: EmoTalkDataConfig,
    ) -> None:
        """Index what there is.

        Args:
            clips: tracked clips of training speakers, also without audio; those with rows are sampled.
            recordings: with paired motion.
            faces: how emotions change the faces of the training speakers.
            sounds: class of the voice by the name of a label, without its strength.
            gap_dirs: by how many millimeters each channel parts the lips.
            config: sizes.
        """
        self.tracked = clips
        self.clips = [clip for clip in clips if len(clip.rows)]
        if not self.clips:
            raise FacetalkError("there is no clip with audio to train on; check the dataset and dev_speakers")
        self.faces, self.sounds, self.gap_dirs, self.config = faces, sounds, gap_dirs, config
        self.weights = [min(len(clip.rows), 20 * config.length) * clip.weight for clip in self.clips]
        # Each clip comes at its original speed first.
        originals = list({clip.clip.name: clip for clip in reversed(self.clips)}.values())
        self.spoken = [*recordings, *originals]
        self.pairable = [e for e in self.spoken if not e.is_paired or (e.felt or CALM).emotion in faces.emotions]
        self.quadruples = quadruples([example.clip for example in self.pairable])
        hidden = {(e.felt or CALM).emotion for e in self.spoken} - set(faces.emotions)
        if hidden and recordings:
            _log.warning(
                "no tracked face shows %s, so recordings of that are only heard; add clips with such a label and a "
                "neutral one of the same person", ", ".join(sorted(hidden)),
            )  # fmt: skip
        self.persons = _persons(clips, faces, config.num_persons)
        self.by_sound: dict[int, list[EmotionalExample]] = {}
        for example in self.spoken:
            if (sound := self.sound_of(example)) != UNKNOWN:
                self.by_sound.setdefault(sound, []).append(example)
        self._warped: dict[tuple[int, int], Tensor] = {}

    def sample(self, generator: torch.Generator) -> EmoTalkBatch:
        """One batch; the same state of the generator gives the same batch."""
        count = self.config.batch_size
        clips = [self.clips[weighted_index(self.weights, generator)] for _ in range(count)]
        shown = [
            self._example(clip, clip.expression, self._start(clip, generator), clip.clip.speaker) for clip in clips
        ]
        if not self.quadruples or not self.config.num_pairs:
            return EmoTalkBatch(_stacked(shown), self._voices(generator), None, None)
        examples: list[Examples] = []
        exchanges: list[Exchange] = []
        for _ in range(self.config.num_pairs):
            quadruple = self.quadruples[random_index(len(self.quadruples), generator)]
            first, second = (self.pairable[index] for index in (quadruple.c1e2, quadruple.c2e1))
            person = self._actor((first, second), generator)
            for own, other, target in ((first, second, quadruple.c1e1), (second, first, quadruple.c2e2)):
                start, who = self._start(own, generator), person if own.is_paired else own.clip.speaker
                example = self._example(own, self.shown_as_labeled(own, who), start, who)
                examples.append(example)
                swapped = self._swapped(own, other, target, who)
                exchanges.append(self._exchange(own, other, swapped, start, who, example.weight, generator))
        return EmoTalkBatch(_stacked(shown), self._voices(generator), _stacked(examples), _stacked(exchanges))

    def _actor(self, pair: Sequence[EmotionalExample], generator: torch.Generator) -> str:
        """A tracked person who shows the emotion of one of a pair."""
        emotions = [known.emotion for example in pair if (known := example.felt) is not None and known.level]
        people = self.faces.people(emotions[0]) if emotions else ()
        return people[random_index(len(people), generator)] if people else ""

    def _exchange(
        self,
        own: EmotionalExample,
        other: EmotionalExample,
        swapped: Float[Tensor, "frames 52"],
        start: int,
        person: str,
        weight: Float[Tensor, " length"],
        generator: torch.Generator,
    ) -> Exchange:
        names = self.faces.emotions
        asked, level = names[random_index(len(names), generator)], uniform(0, MAX_LEVEL, generator)
        counts = own.is_paired and uniform(0, 1, generator) < self.config.asked_share
        shown = self.shown(own, asked, level, person) if own.is_paired else own.expression
        share = min(1.0, level / CLEAR)
        shares = torch.tensor([share * (name == asked) + (1 - share) * (name == NEUTRAL) for name in names])
        return Exchange(
            self._cut(swapped, start),
            level_vectors(torch.tensor((other.felt or CALM).level)),
            shares,
            level_vectors(torch.tensor(level)),
            self._cut(shown, start),
            weight * float(counts),
        )

    def shown(self, example: EmotionalExample, emotion: str, level: float, person: str) -> Float[Tensor, "frames 52"]:
        """The teacher's motion with the change of a person's face; the lips close where they should."""
        if example.closure is None:
            raise ValueError("only paired recordings can show another emotion")
        changed = example.expression + level / MAX_LEVEL * self.faces.offset(person, emotion)
        return close_lips(changed.clamp(0, 1)[None], example.closure[None], self.gap_dirs)[0]

    def shown_as_labeled(self, example: EmotionalExample, person: str) -> Float[Tensor, "frames 52"]:
        """The target of an example in its own emotion."""
        if not example.is_paired or example.felt is None:
            return example.expression
        return self.shown(example, *example.felt, person)

    def person_row(self, speaker: str) -> Float[Tensor, " persons"]:
        """One-hot, or the mean of all for somebody else."""
        if speaker in self.persons:
            return torch.tensor([float(name == speaker) for name in self.persons])
        return torch.full((len(self.persons),), 1 / len(self.persons))

    def _swapped(
        self, own: EmotionalExample, other: EmotionalExample, target: int, person: str
    ) -> Float[Tensor, "frames 52"]:
        """What `own` says in the emotion of `other`, in the timing of `own`.

        A paired recording gets its own motion with that emotion; a tracked one the motion of the clip that says the
        same in the other emotion, warped in time.
        """
        if own.is_paired:
            return self.shown(own, *(other.felt or CALM), person)
        key = (id(own), target)
        if key not in self._warped:
            model = self.pairable[target]
            self._warped[key] = model.expression[warping(own.rows, model.rows)]
        return self._warped[key]

    def _example(self, example: EmotionalExample, shown: Tensor, start: int, person: str) -> Examples:
        """An excerpt, without the batch dimension."""
        known = example.felt
        level = 0.0 if known is None else known.level
        weight = torch.zeros(self.config.length)
        trusted = example.trusted[start : start + len(weight)]
        weight[: len(trusted)] = trusted
        return Examples(
            rows=self._cut(example.rows, start),
            expression=self._cut(shown, start),
            weight=weight,
            phonemes=self._cut(example.phonemes, start),
            person=self.person_row(person),
            level=level_vectors(torch.tensor(level)),
            sound=torch.tensor(self.sound_of(example)),
        )

    def sound_of(self, example: EmotionalExample) -> int:
        """Class of the voice, or `UNKNOWN`; a clip without a named emotion is ordinary speech."""
        name = example.clip.label.partition("/")[0]
        if name in self.sounds:
            return self.sounds[name]
        if example.felt is not None:
            same = [index for sound, index in self.sounds.items() if emotion_named(sound) == example.felt.emotion]
            return same[0] if same else UNKNOWN
        return UNKNOWN if example.is_paired or name not in ORDINARY_LABELS else self.sounds.get(ORDINARY, UNKNOWN)

    def strength_of(self, example: EmotionalExample) -> int:
        """Class of the level that the label states, or `UNKNOWN`."""
        level = (example.felt or CALM).level if "/" in example.clip.label else 0.0
        return int(level > CLEAR) if level else UNKNOWN

    def _voices(self, generator: torch.Generator) -> Voices | None:
        if not self.by_sound or not self.config.num_voices:
            return None
        voices = []
        for _ in range(self.config.num_voices):
            sound = list(self.by_sound)[random_index(len(self.by_sound), generator)]
            members = self.by_sound[sound]
            example = members[random_index(len(members), generator)]
            strength = self.strength_of(example)
            # Short recordings are repeated: silence after them would change the statistics that are classified.
            frames = torch.arange(self.config.length) + self._start(example, generator)
            rows = example.rows[frames % len(example.rows)]
            voices.append(Voices(rows, torch.tensor(sound), torch.tensor(strength)))
        return _stacked(voices)

    def _start(self, example: EmotionalExample, generator: torch.Generator) -> int:
        return random_index(max(1, len(example.rows) - self.config.length + 1), generator)

    def _cut(self, values: Shaped[Tensor, "frames *width"], start: int) -> Shaped[Tensor, "length *width"]:
        """An excerpt; the last row is repeated beyond the end."""
        frames = torch.arange(start, start + self.config.length).clamp(max=len(values) - 1)
        return values[frames]


def _persons(clips: Sequence[EmotionalExample], faces: EmotionalFaces, most: int) -> tuple[str, ...]:
    """Speakers with the most tracked frames; those who show emotions come first."""
    frames: dict[str, int] = {}
    for clip in clips:
        if clip.clip.speaker:
            frames[clip.clip.speaker] = frames.get(clip.clip.speaker, 0) + len(clip.expression)
    actors = {person for person, _ in faces.offsets}
    ranked = sorted(frames, key=lambda name: (name not in actors, -frames[name], name))
    return tuple(ranked[:most]) or ("",)


def _stacked(rows: Sequence[Row]) -> Row:
    return type(rows[0])(*(torch.stack(columns) for columns in zip(*rows, strict=True)))
