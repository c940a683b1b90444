"""Emotion from the voice: probabilities in each frame -> levels that stay neutral unless it is sure."""

from __future__ import annotations

import math

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.core.emotions import DEFAULT_LEVEL, EMOTIONS, NEUTRAL, EmotionTrack
from facetalk.core.errors import FacetalkError, UsageError
from facetalk.core.filters import all_pole
from facetalk.core.timing import FPS, frame_times
from facetalk.io.weights import bundled
from facetalk.talkers.base import EmotionListener, RowSession, StreamedListener, Talker
from facetalk.talkers.registry import load_talker

BUNDLED = "emotalk"
"""Weights that hear the emotion for talkers that do not."""

DOUBTFUL, CERTAIN = 0.2, 0.4
"""Probability up to which an emotion is not shown, and from which on it is shown at the default level."""

STEP_FRAMES = 6
"""Between the points of a track: emotions are slower."""

EASING_FRAMES = 9.0
"""Time constant of what is heard while somebody speaks: no face changes at once."""

_KEPT_FRAMES = 600
"""Levels of the past that are held; networks look back by less."""


def listener(talker: Talker) -> EmotionListener:
    """What hears the emotion: the talker itself if it can, else the bundled EmoTalk.

    Raises:
        MissingAssetError: the weights are not installed.
    """
    if isinstance(talker, EmotionListener):
        return talker
    bundled(BUNDLED)
    found = load_talker(BUNDLED)
    if not isinstance(found, EmotionListener):
        raise FacetalkError(f"the talker {BUNDLED} does not hear emotions")
    return found


def streamed_listener(talker: Talker) -> StreamedListener:
    """What hears the emotion of a stream; see `listener`.

    Raises:
        UsageError: it needs whole recordings.
    """
    found = listener(talker)
    if not isinstance(found, StreamedListener):
        raise UsageError(f"the talker {talker.name} hears the emotion of whole recordings only; name an emotion")
    return found


def emotion_of_voice(probability: Float[Tensor, "frames emotions"]) -> EmotionTrack:
    """The emotion that is shown for one that is heard; see `levels_of_voice`.

    Args:
        probability: of each emotion in each frame at 30 fps.
    """
    levels = levels_of_voice(probability[::STEP_FRAMES])
    return EmotionTrack(frame_times(len(probability), FPS)[::STEP_FRAMES], levels)


def levels_of_voice(probability: Float[Tensor, "rows emotions"]) -> Float[Tensor, "rows emotions"]:
    """Levels that are shown for what is heard.

    Below `DOUBTFUL` an emotion has the level 0, so that ordinary speech stays neutral; up to `CERTAIN` the level rises
    to the default one, which is that of mixtures in sum.
    """
    levels = DEFAULT_LEVEL * ((probability - DOUBTFUL) / (CERTAIN - DOUBTFUL)).clamp(0, 1)
    levels[:, EMOTIONS.index(NEUTRAL)] = 0
    return levels * (DEFAULT_LEVEL / levels.sum(1, keepdim=True)).clamp(max=1)


class VoiceEmotion:
    """The emotion of a voice so far: an `EmotionCourse` that goes on while somebody speaks."""

    def __init__(self, session: RowSession) -> None:
        """Begin a recording.

        Args:
            session: of `StreamedListener.start_hearing`.
        """
        self._session = session
        self._memory: np.ndarray | None = None
        self._levels, self._first = torch.zeros(0, len(EMOTIONS)), 0
        """Of the last frames, from frame `_first` on."""

    @property
    def shown(self) -> tuple[str, ...]:
        """See `EmotionCourse.shown`."""
        return tuple(name for name in EMOTIONS if name != NEUTRAL)

    def feed(self, samples: Float[Tensor, " samples"]) -> None:
        """Listen to the next samples."""
        self._add(self._session.feed(samples))

    def finish(self) -> None:
        """Listen to the end."""
        self._add(self._session.finish())

    def frames(self, num_frames: int, fps: float = FPS, first: int = 0) -> Float[Tensor, "frames emotions"]:
        """See `EmotionCourse.frames`; the last known levels go on."""
        if not len(self._levels):
            return torch.zeros(num_frames, len(EMOTIONS))
        places = torch.arange(first - self._first, first - self._first + num_frames)
        return self._levels[places.clamp(0, len(self._levels) - 1)]

    def _add(self, probability: Float[Tensor, "frames emotions"]) -> None:
        kept = math.exp(-1 / EASING_FRAMES)
        levels = levels_of_voice(probability).double().numpy()
        eased, self._memory = all_pole(levels, 1 - kept, [-kept], self._memory)
        levels = torch.cat([self._levels, torch.from_numpy(eased).float()])
        past = max(0, len(levels) - _KEPT_FRAMES)
        self._levels, self._first = levels[past:], self._first + past
