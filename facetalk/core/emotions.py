"""Emotions by name, and how strong each of them is over time."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import conv1d

from facetalk.core.circumplex import amounts_at
from facetalk.core.errors import FacetalkError, UsageError
from facetalk.core.text_values import parse_number
from facetalk.core.timing import FPS, frame_times, resample

EMOTIONS = ("neutral", "happy", "sad", "surprised", "fear", "disgusted", "angry", "contempt")
"""The names that styles, clips and networks use; columns of whatever has one for each emotion."""

NEUTRAL = EMOTIONS[0]
"""The absence of the others."""

SYNONYMS = {
    "neutral": "calm none unemotional relaxed boredom bored ordinary",
    "happy": "happiness joy joyful glad cheerful smiling amused",
    "sad": "sadness sorrow sorrowful unhappy grief",
    "surprised": "surprise astonished astonishment amazed",
    "fear": "fearful afraid scared frightened anxious terrified",
    "disgusted": "disgust revolted revulsion",
    "angry": "anger furious rage mad",
    "contempt": "contemptuous scorn scornful disdain disdainful",
}
"""Other words for each emotion, separated by spaces."""

MAX_LEVEL = 3.0
"""Of an emotion, or of a mixture in sum: 1 slight, 2 clear, 3 strong, like MEAD's levels (Wang et al. 2020)."""

DEFAULT_LEVEL = 2.0
"""Of emotions that are named without a level, in sum."""

EASING_S = 0.6
"""Time in which a track that jumps changes a face: expressions take half a second to form (Hess and Kleck 1990)."""

_NAMED = {name: name for name in EMOTIONS} | {word: name for name in EMOTIONS for word in SYNONYMS[name].split()}
_SLACK = 1e-4


@runtime_checkable
class EmotionCourse(Protocol):
    """How strong each emotion is in each frame: known before, or heard while somebody speaks."""

    @property
    def shown(self) -> tuple[str, ...]:
        """The emotions that may occur."""
        ...

    def frames(self, num_frames: int, fps: float = FPS, first: int = 0) -> Float[Tensor, "frames emotions"]:
        """Level of each emotion in each frame, see `EmotionTrack.frames`."""
        ...


@runtime_checkable
class ListeningCourse(EmotionCourse, Protocol):
    """A course that is heard while somebody speaks."""

    def feed(self, samples: Float[Tensor, " samples"]) -> None:
        """Listen to the next samples."""
        ...

    def finish(self) -> None:
        """Listen to the end."""
        ...


@dataclass(frozen=True, eq=False)
class EmotionTrack:
    """How strong each emotion is over time: straight lines between some times, constant before and after them.

    Example:
        >>> EmotionTrack.constant({"happy": 2.0}).frames(3).shape
        torch.Size([3, 8])
    """

    times: Float[Tensor, " points"]
    """Increasing, seconds."""
    levels: Float[Tensor, "points emotions"]
    """One column for each of `EMOTIONS`, at least 0 and in sum at most `MAX_LEVEL`; that of neutral is 0."""

    def __post_init__(self) -> None:
        if self.levels.shape != (len(self.times), len(EMOTIONS)) or len(self.times) == 0:
            raise ValueError(f"levels must be a tensor (times, {len(EMOTIONS)}), not {tuple(self.levels.shape)}")
        if not bool(torch.isfinite(self.times).all() and (self.times.diff() > 0).all()):
            raise ValueError("the times of an emotion track must be finite and increase")
        if not bool(torch.isfinite(self.levels).all() and (self.levels >= 0).all() and (self.levels[:, 0] == 0).all()):
            raise ValueError("levels must be finite and not negative, and those of neutral 0")
        if not bool((self.levels.sum(1) <= MAX_LEVEL + _SLACK).all()):
            raise ValueError(f"the levels of a mixture must sum to at most {MAX_LEVEL:g}")

    @classmethod
    def constant(cls, levels: Mapping[str, float]) -> EmotionTrack:
        """The same emotions all the time; none of them is neutral.

        Args:
            levels: of each emotion, by any of its names.

        Raises:
            UsageError: a name is unknown, or a level out of range.
        """
        return cls(torch.zeros(1, dtype=torch.float64), level_row(levels)[None])

    def at(self, times: Float[Tensor, " frames"]) -> Float[Tensor, "frames emotions"]:
        """Level of each emotion at some times, in seconds."""
        return resample(self.levels, self.times, times)

    def frames(self, num_frames: int, fps: float = FPS, first: int = 0) -> Float[Tensor, "frames emotions"]:
        """Level of each emotion in each frame, with corners rounded over `EASING_S`: no face changes at once.

        Args:
            num_frames: how many.
            fps: frame rate.
            first: number of the first one.
        """
        if len(self.times) == 1:
            return self.levels.expand(num_frames, -1).clone()
        reach = max(1, round(EASING_S / 2 * fps))
        rows = self.at(frame_times(num_frames + 2 * reach, fps) + (first - reach) / fps)
        weights = torch.hann_window(2 * reach + 3, periodic=False)[1:-1]
        return conv1d(rows.T[:, None], (weights / weights.sum())[None, None])[:, 0].T

    @property
    def shown(self) -> tuple[str, ...]:
        """The emotions that occur."""
        return tuple(name for name, column in zip(EMOTIONS, self.levels.unbind(1), strict=True) if bool(column.any()))


def is_emotion(word: str) -> bool:
    """Whether a word names an emotion."""
    return word.strip().lower() in _NAMED


def emotion_named(word: str) -> str:
    """The emotion that a word names.

    Raises:
        UsageError: none is called so; the error names one that is similar, or all.
    """
    name = _NAMED.get(word.strip().lower())
    if name is None:
        near = difflib.get_close_matches(word.strip().lower()[:40], _NAMED, 1)
        hint = f"did you mean {_explained(near[0])}?" if near else f"known: {', '.join(EMOTIONS)}"
        raise UsageError(f"unknown emotion {word.strip()[:40]!r}; {hint}")
    return name


def _explained(word: str) -> str:
    """A word, with the emotion that it stands for."""
    return word if word in EMOTIONS else f"{word} ({_NAMED[word]})"


def level_row(levels: Mapping[str, float]) -> Float[Tensor, " emotions"]:
    """Levels as a row with a column for each of `EMOTIONS`.

    Raises:
        UsageError: a name is unknown or occurs twice, or a level is out of range.
    """
    row = torch.zeros(len(EMOTIONS))
    found: set[str] = set()
    for word, level in levels.items():
        name = emotion_named(word)
        if name in found:
            raise UsageError(f"the emotion {name} occurs twice")
        found.add(name)
        if not (math.isfinite(level) and 0 <= level <= MAX_LEVEL):
            raise UsageError(f"the level of {name} is {level:g}; it must lie between 0 and {MAX_LEVEL:g}")
        row[EMOTIONS.index(name)] = level
    row[0] = 0
    if float(row.sum()) > MAX_LEVEL + _SLACK:
        raise UsageError(f"the levels of the emotions sum to {float(row.sum()):g}; at most {MAX_LEVEL:g} can be shown")
    return row


def parse_emotions(text: str) -> EmotionTrack:
    """What a text asks for: `happy`, `happy:2`, a mixture `happy:0.5,surprised:0.5`, or `va:VALENCE,AROUSAL`.

    Emotions without a level share `DEFAULT_LEVEL`.

    Args:
        text: as `--emotion` takes it, but for tables and `auto`.

    Raises:
        UsageError: a name is unknown, or a number out of range.
    """
    if text.lower().startswith("va:"):
        return _from_valence(text[3:])
    parts = [part.strip() for part in text.split(",")]
    named = [tuple(piece.strip() for piece in part.rsplit(":", 1)) for part in parts]
    if not all(piece[0] for piece in named):
        raise UsageError(f"cannot read the emotion {text[:80]!r}; write it as happy, happy:2 or happy:1,sad:0.5")
    bare = [piece[0] for piece in named if len(piece) == 1]
    if any(piece.isdecimal() for piece in bare):
        raise UsageError(f"cannot read the emotion {text[:80]!r}; numbers have a decimal point, as in happy:1.5")
    if bare and len(bare) < len(named):
        raise UsageError(
            f"the emotion {bare[0][:40]!r} has no level while others have one; write it as {bare[0][:40]}:1"
        )
    words = [emotion_named(piece[0]) for piece in named]
    if len(set(words)) < len(words):
        raise UsageError(f"the same emotion occurs twice in {text[:80]!r}")
    given = [DEFAULT_LEVEL / len(named) if len(piece) == 1 else _number(piece[1], piece[0]) for piece in named]
    return EmotionTrack.constant(dict(zip(words, given, strict=True)))


def _from_valence(text: str) -> EmotionTrack:
    parts = text.split(",")
    if len(parts) != 2:
        raise UsageError(f"cannot read va:{text[:40]!r}; write valence and arousal as va:0.6,-0.3")
    valence, arousal = (_number(part.strip(), name) for part, name in zip(parts, ("valence", "arousal"), strict=True))
    if not (-1 <= valence <= 1 and -1 <= arousal <= 1):
        raise UsageError(f"valence and arousal are {valence:g} and {arousal:g}; they must lie between -1 and 1")
    shares = amounts_at(valence, arousal)
    return EmotionTrack.constant({name: MAX_LEVEL * share for name, share in shares.items()})


def _number(text: str, where: str) -> float:
    try:
        return parse_number(text, f"the level of {where[:40]}")
    except FacetalkError as error:  # it was typed, not read from a file
        raise UsageError(str(error)) from None
