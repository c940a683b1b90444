"""Emotion from the voice: probabilities in each frame -> a track of levels that stays neutral unless it is sure."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from facetalk.core.emotions import DEFAULT_LEVEL, EMOTIONS, EmotionTrack
from facetalk.core.errors import FacetalkError
from facetalk.core.timing import FPS, frame_times
from facetalk.io.weights import bundled
from facetalk.talkers.base import EmotionListener, Talker
from facetalk.talkers.registry import load_talker

BUNDLED = "emotalk"
"""Weights that hear the emotion for talkers that do not."""

DOUBTFUL, CERTAIN = 0.2, 0.4
"""Probability up to which an emotion is not shown, and from which on it is shown at the default level."""

STEP_FRAMES = 6
"""Between the points of a track: emotions are slower."""


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


def emotion_of_voice(probability: Float[Tensor, "frames emotions"]) -> EmotionTrack:
    """The emotion that is shown for one that is heard.

    Below `DOUBTFUL` an emotion has the level 0, so that ordinary speech stays neutral; up to `CERTAIN` the level rises
    to the default one, which is that of mixtures in sum.

    Args:
        probability: of each emotion in each frame at 30 fps.
    """
    levels = DEFAULT_LEVEL * ((probability[::STEP_FRAMES] - DOUBTFUL) / (CERTAIN - DOUBTFUL)).clamp(0, 1)
    levels[:, EMOTIONS.index("neutral")] = 0
    levels *= (DEFAULT_LEVEL / levels.sum(1, keepdim=True)).clamp(max=1)
    return EmotionTrack(frame_times(len(probability), FPS)[::STEP_FRAMES], levels)
