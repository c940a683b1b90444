"""Speech that comes piece by piece -> motion with gestures, while it comes."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.core.errors import UsageError
from facetalk.core.motion import Motion
from facetalk.core.progress import Progress, no_progress
from facetalk.head.channels import ARKIT_NAMES
from facetalk.motion.gestures.base import GestureStream, StreamedGesture
from facetalk.motion.gestures.registry import load_gesture
from facetalk.motion.regions import controlled
from facetalk.pipelines.animate_jobs import AnimateOptions
from facetalk.pipelines.animator import Animator, load_animator, with_style
from facetalk.talkers.base import Direction, Session, StreamedListener, StreamingTalker
from facetalk.talkers.emotion import start_with_emotion
from facetalk.talkers.registry import streaming_talker
from facetalk.talkers.voice_emotion import VoiceEmotion, streamed_listener

LOOK_AHEAD_S = 0.3
"""Audio that is waited for after a frame where nothing else is asked for; see `docs/streaming.md` for what it costs."""

SEED = 0
"""Of gestures where none is given: that of a recording follows from its first second, which comes too late."""

_RECORDED = {
    "head": "--head",
    "look": "--skin, --eyes and --hair",
    "avatar": "--avatar",
    "idle_s": "--idle",
    "size": "--size",
    "fps": "--fps",
    "part": "--channel, --from and --to",
    "transcript": "--transcript",
    "spoken": "--text",
}
"""Options that only recordings have."""


def check_live(options: AnimateOptions) -> None:
    """Refuse options that need a whole recording, or a picture.

    Raises:
        UsageError: names them.
    """
    usual = AnimateOptions()
    ignored = [flag for name, flag in _RECORDED.items() if getattr(options, name) != getattr(usual, name)]
    if ignored:
        raise UsageError(
            f"a stream of frames has no {', '.join(ignored)}; give -o to animate the whole input at its end"
        )
    if options.laughter:
        raise UsageError("a stream has no laughter, which is known only when it is over; give -o, or --laughter 0")
    target = options.directed_gaze().target
    if target is not None and len(target) > 1:
        raise UsageError("the eyes of a stream look at one place, not along a track; give --look camera or X,Y,Z")


@dataclass(frozen=True, eq=False)
class LiveAnimator:
    """Everything that is loaded once for many streams."""

    talker: StreamingTalker
    direction: Direction
    options: AnimateOptions
    look_ahead_s: float | None = LOOK_AHEAD_S
    """See `StreamingTalker.start`."""
    listener: StreamedListener | None = None
    """Hears the emotion that is shown; None where it is known."""

    def start(self) -> LiveSession:
        """Begin a recording that comes piece by piece."""
        options = self.options
        gesture = load_gesture(
            options.gestures, head_motion=options.moving_head, blinks=options.blinks, gaze=options.directed_gaze()
        )
        if not isinstance(gesture, StreamedGesture):
            raise UsageError(f"the gestures {options.gestures!r} need whole recordings, so that a stream has none")
        seed = torch.Generator().manual_seed(self.seed)
        session = start_with_emotion(self.talker, self._directed(), self.look_ahead_s)
        return LiveSession(session, gesture.start(seed), options)

    def _directed(self) -> Direction:
        """The direction of a new recording, whose emotion may be that of its voice."""
        if self.listener is None:
            return self.direction
        heard = VoiceEmotion(self.listener.start_hearing(self.waited_s))
        return replace(self.direction, emotion=heard)

    @property
    def waited_s(self) -> float:
        """Audio that is waited for after each frame."""
        own = self.talker.look_ahead_s
        return own if self.look_ahead_s is None else min(own, self.look_ahead_s)

    @property
    def seed(self) -> int:
        """Of the gestures."""
        return SEED if self.options.seed is None else self.options.seed


class LiveSession:
    """Speech that comes piece by piece, and the motion of a whole face; see `facetalk.talkers.base.Session`."""

    def __init__(self, session: Session, gesture: GestureStream, options: AnimateOptions) -> None:
        self._session, self._gesture, self._options = session, gesture, options

    def feed(self, samples: Float[Tensor, " samples"]) -> Motion:
        """Take the next samples, and return the frames that are ready, which may be none."""
        return self._moved(self._session.feed(samples), samples)

    def finish(self) -> Motion:
        """Return the last frames."""
        return self._moved(self._session.finish(), torch.zeros(0))

    def _moved(self, motion: Motion, samples: Float[Tensor, " samples"]) -> Motion:
        moving = self._gesture.add(motion, samples)
        if moving.num_frames == 0:
            return moving
        return controlled(moving, self._options.control, resting=True).replace(events=())


def load_live_animator(
    options: AnimateOptions,
    look_ahead_s: float | None = LOOK_AHEAD_S,
    progress: Progress = no_progress,
) -> LiveAnimator:
    """Load talker, gestures and style.

    Args:
        options: how the speech is animated; some are for recordings only, see `check_live`.
        look_ahead_s: see `StreamingTalker.start`.
        progress: called while a style is taken from a video.

    Raises:
        UsageError: an option makes no sense in a stream, or the talker needs whole recordings.
    """
    check_live(options)
    animator = load_animator(options, {})
    if options.style is not None:
        animator = with_style(animator, options, {}, progress)
    return live_animator(animator, options, look_ahead_s)


def live_animator(animator: Animator, options: AnimateOptions, look_ahead_s: float | None) -> LiveAnimator:
    """What animates streams, of what animates recordings; see `load_live_animator`."""
    talker = streaming_talker(animator.talker)
    direction = replace(animator.direction, emotion=options.emotion_track)
    listener = streamed_listener(talker) if options.hears_emotion else None
    live = LiveAnimator(talker, direction, options, look_ahead_s, listener)
    if live.start().finish().expression_names != ARKIT_NAMES:
        raise UsageError(f"the talker {talker.name} moves other channels than ARKit's, which a stream consists of")
    return live
