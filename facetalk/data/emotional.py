"""Known emotions: what labels say, sentences that were said in several emotions, and how faces change with them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.core.emotions import EMOTIONS, MAX_LEVEL, NEUTRAL, emotion_named
from facetalk.core.errors import UsageError
from facetalk.data.manifest import Clip
from facetalk.head.channels import ARKIT_NAMES, BLINK_NAMES, GAZE_NAMES, indices, mirrored

STRENGTHS = {"normal": 2.0, "strong": 3.0, "1": 1.0, "2": 2.0, "3": 3.0}
"""Level that a label states after a slash, as in `happy/strong`; the words are those of RAVDESS."""

UNKNOWN = -1
"""Index of an emotion that is not known."""

ONE_SIDED = "contempt"
"""The emotion that shows on one side of the face; all others are made symmetric."""

_SIDEWAYS = ("jawLeft", "jawRight", "mouthLeft", "mouthRight")
"""Channels in which people differ and emotions do not."""


class Felt(NamedTuple):
    """What a label says."""

    emotion: str
    """One of `EMOTIONS`."""
    level: float
    """0 to 3; 0 for neutral."""


def felt(label: str) -> Felt | None:
    """The emotion and level of a label such as `happy` or `fearful/strong`; None if it names no emotion or no level.

    An emotion without a level was acted as strongly as could be: 3.
    """
    name, _, strength = label.partition("/")
    try:
        emotion = emotion_named(name)
    except UsageError:
        return None
    if strength and strength not in STRENGTHS:
        return None
    return Felt(emotion, 0.0 if emotion == NEUTRAL else STRENGTHS.get(strength, MAX_LEVEL))


class Quadruple(NamedTuple):
    """One person says two sentences in two emotions; the members are indices."""

    c1e1: int
    c1e2: int
    c2e1: int
    c2e2: int


def quadruples(clips: Sequence[Clip], most_per_group: int = 400) -> list[Quadruple]:
    """All groups of four recordings in which a speaker says two sentences in two emotions at the same strength.

    Args:
        clips: recordings with speaker, label and text.
        most_per_group: of one speaker and strength; evenly chosen from more.
    """
    groups: dict[tuple[str, str], dict[str, dict[str, int]]] = defaultdict(lambda: defaultdict(dict))
    for index, clip in enumerate(clips):
        known = felt(clip.label)
        if known is not None and clip.text and clip.speaker:
            groups[clip.speaker, clip.label.partition("/")[2]][clip.text].setdefault(clip.label, index)
    found: list[Quadruple] = []
    for group in groups.values():
        own = [
            Quadruple(first[e1], first[e2], second[e1], second[e2])
            for first, second in combinations(group.values(), 2)
            for e1, e2 in combinations(sorted(first.keys() & second.keys()), 2)
            if felt(e1) != felt(e2)
        ]
        step = max(1, -(-len(own) // most_per_group))
        found += own[::step]
    return found


@dataclass(frozen=True, eq=False)
class EmotionalFaces:
    """How the mean face of people changes with an emotion."""

    offsets: Mapping[tuple[str, str], Float[Tensor, " 52"]]
    """By person and emotion: difference to the person's own neutral mean, at level 3."""

    @property
    def emotions(self) -> tuple[str, ...]:
        """Those of `EMOTIONS` that somebody shows, and neutral."""
        shown = {emotion for _, emotion in self.offsets} | {NEUTRAL}
        return tuple(name for name in EMOTIONS if name in shown)

    def people(self, emotion: str) -> tuple[str, ...]:
        """Who shows an emotion."""
        return tuple(sorted(person for person, shown in self.offsets if shown == emotion))

    def offset(self, person: str, emotion: str) -> Float[Tensor, " 52"]:
        """The change of one person's face; the mean over all if this one does not show the emotion."""
        if emotion == NEUTRAL:
            return torch.zeros(len(ARKIT_NAMES))
        own = self.offsets.get((person, emotion))
        if own is not None:
            return own
        return torch.stack([self.offsets[other, emotion] for other in self.people(emotion)]).mean(0)


class Shown(NamedTuple):
    """Motion of one clip with its label."""

    speaker: str
    label: str
    expression: Float[Tensor, "frames 52"]


def emotional_faces(clips: Iterable[Shown]) -> EmotionalFaces:
    """Measure tracked clips.

    The reference is the mean of the person's neutral clips. People without any are compared with the mean of all
    neutral clips, and only for emotions that nobody else shows: a face that always smiles would smile in sadness. Gaze,
    lids and sideways channels are left out, and all but contempt is made symmetric.

    Args:
        clips: with the ARKit channels. Those whose label names no emotion are not used.
    """
    rows: dict[tuple[str, str], list[Tensor]] = defaultdict(list)
    for clip in clips:
        known = felt(clip.label)
        if known is not None:
            rows[clip.speaker, known.emotion].append(clip.expression)
    means = {key: torch.cat(parts).mean(0) for key, parts in rows.items()}
    neutral = {person: mean for (person, emotion), mean in means.items() if emotion == NEUTRAL}
    if not neutral:
        return EmotionalFaces({})
    usual = torch.stack(list(neutral.values())).mean(0)
    compared = {emotion for person, emotion in means if person in neutral}
    offsets = {
        (person, emotion): _cleaned(mean - neutral.get(person, usual), emotion)
        for (person, emotion), mean in means.items()
        if emotion != NEUTRAL and (person in neutral or emotion not in compared)
    }
    return EmotionalFaces(offsets)


def _cleaned(offset: Float[Tensor, " 52"], emotion: str) -> Float[Tensor, " 52"]:
    offset = offset.clone()
    offset[indices((*BLINK_NAMES, *GAZE_NAMES, *_SIDEWAYS))] = 0
    if emotion == ONE_SIDED:
        return offset
    return (offset + offset[[ARKIT_NAMES.index(mirrored(name)) for name in ARKIT_NAMES]]) / 2
