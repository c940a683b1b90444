"""Emotion for every talker: what it shows by itself, and what is added to that."""

from __future__ import annotations

from dataclasses import replace
from functools import cache, partial

import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.audio.activity import loudness_db
from facetalk.audio.samples import Samples
from facetalk.core.emotions import EmotionCourse, EmotionTrack, ListeningCourse
from facetalk.core.errors import FacetalkError
from facetalk.core.motion import Motion, joined
from facetalk.head.channels import ARKIT_NAMES
from facetalk.io.audio import Waveform
from facetalk.losses.geometry import LipGeometry
from facetalk.motion.contacts import keep_contacts
from facetalk.motion.emotion.amounts import shipped_amounts
from facetalk.motion.emotion.strength import AmountStream, local_mean, with_amounts
from facetalk.motion.heads import load_head
from facetalk.talkers.base import Direction, EmotionalTalker, RepeatingTalker, Session, StreamingTalker, Talker
from facetalk.talkers.lip_contact import close_lips, closure_of, limit_opening
from facetalk.talkers.sessions import SharedStream, Steps

EMPHASIS = 0.2
"""By how much of itself an expression grows with the loudness of a phrase, and falls in a pause."""

FAINT = 0.1
"""Level below which an emotion fades away, so that without one a take is that of the talker, number for number."""

_RANGE_DB = 12.0
"""Around its mean, within which the loudness of phrases lies."""


def speak_with_emotion(talker: Talker, waveform: Waveform, direction: Direction) -> Motion:
    """Return the motion of a talker in which each emotion moves its channels by at least the amounts of the table.

    A talker that follows emotions speaks twice, because the amounts are measured against the take without emotion; one
    that can hears the recording once for both.

    Args:
        talker: any one whose head has the ARKit channels.
        waveform: mono speech at 16 kHz.
        direction: how to say it; without an emotion, the talker speaks as it does by itself.

    Returns:
        The motion; its `emotion` has the level of each emotion in each frame.

    Raises:
        FacetalkError: the talker's head lacks the ARKit channels.
    """
    track = direction.emotion
    if track is None:
        return talker.speak(waveform, direction)
    directions = [replace(direction, emotion=None)]
    if isinstance(talker, EmotionalTalker):
        calm = replace(direction, emotion=EmotionTrack.constant({}))
        directions = [calm, direction] if track.shown else [calm]
    if isinstance(talker, RepeatingTalker):
        takes = talker.speak_takes(waveform, directions)
    else:
        takes = [talker.speak(waveform, wanted) for wanted in directions]
    without, own = takes[0], takes[-1]
    if without.expression_names != ARKIT_NAMES:
        raise _no_arkit_channels(without)
    return with_emotion(without, own, track, emphasis(waveform, own.num_frames))


def start_with_emotion(talker: StreamingTalker, direction: Direction, look_ahead_s: float | None = None) -> Session:
    """Begin a recording that comes piece by piece, with what `speak_with_emotion` adds as far as that can be known.

    Args:
        talker: any one whose head has the ARKit channels.
        direction: how to say it; without an emotion, the talker speaks as it does by itself.
        look_ahead_s: see `StreamingTalker.start`.
    """
    course = direction.emotion
    if course is None:
        return talker.start(direction, look_ahead_s=look_ahead_s)
    emotional = isinstance(talker, EmotionalTalker)
    calm = replace(direction, emotion=EmotionTrack.constant({}) if emotional else None)
    directions = [calm, direction] if emotional and course.shown else [calm]
    heard = SharedStream(talker.listen(), len(directions))
    takes = [
        talker.start(wanted, look_ahead_s=look_ahead_s, features=heard.share(index))
        for index, wanted in enumerate(directions)
    ]
    return EmotionalSession(takes[0], takes[-1], course)


class EmotionalSession:
    """Two takes of a recording that comes piece by piece, and what the emotional one lacks."""

    def __init__(self, without: Session, own: Session, course: EmotionCourse) -> None:
        """Begin a recording.

        Args:
            without: the take without emotion.
            own: as the talker shows the emotion; the same session if it shows none.
            course: which emotions when; one that listens gets the audio first.
        """
        self._without, self._own, self._course = without, own, course
        self._amounts, self._done, self._steps = AmountStream(shipped_amounts()), 0, Steps()

    def feed(self, samples: Float[Tensor, " samples"]) -> Motion:
        """See `facetalk.talkers.base.Session.feed`."""
        # Step by step, so that the takes know of the emotion as much as there is to know, however the samples come.
        shown = [self._step(step) for step in self._steps.feed(samples)]
        shown = [motion for motion in shown if motion.num_frames]
        return joined(shown) if shown else self._step(samples[:0])

    def finish(self) -> Motion:
        """See `facetalk.talkers.base.Session.finish`."""
        rest = self._steps.finish()
        before = self._step(rest)
        if isinstance(self._course, ListeningCourse):
            self._course.finish()
        without = self._without.finish()
        own = without if self._own is self._without else self._own.finish()
        return joined([before, self._shown(without, own)])

    def _step(self, samples: Float[Tensor, " samples"]) -> Motion:
        if isinstance(self._course, ListeningCourse):
            self._course.feed(samples)
        without = self._without.feed(samples)
        return self._shown(without, without if self._own is self._without else self._own.feed(samples))

    def _shown(self, without: Motion, own: Motion) -> Motion:
        if without.expression_names != ARKIT_NAMES:
            raise _no_arkit_channels(without)
        levels = self._course.frames(own.num_frames, first=self._done)
        self._done += own.num_frames
        if not self._course.shown or own.num_frames == 0:
            return own.replace(emotion=levels)
        moved = self._amounts.feed(without.expression, own.expression, levels)
        limited = limit_opening(moved.clamp(0, 1)[None], gap_dirs_of(own.head))[0]
        # The phonemes are known too late, but on P, B and M the lips of the take are closed.
        held = keep_contacts(own, own.replace(expression=limited))
        shown = (levels.sum(1, keepdim=True) / FAINT).clamp(max=1)
        return own.replace(expression=torch.lerp(own.expression, held.expression, shown), emotion=levels)


def with_emotion(
    without: Motion,
    own: Motion,
    track: EmotionCourse,
    strength: Float[Tensor, " frames"] | None = None,
) -> Motion:
    """Return a motion with what it lacks of the table's amounts added; on P, B and M its lips close.

    Args:
        without: the take without emotion, at 30 fps, with the ARKit channels.
        own: the same take as the talker shows the emotion; the same motion if it shows none.
        track: which emotions when.
        strength: see `emphasis`; constant if None.
    """
    levels = track.frames(own.num_frames)
    if not track.shown:
        return own.replace(emotion=levels)
    closure = closure_of(own.events_of("phoneme"), own.num_frames)
    speakable = partial(_speakable, closure, gap_dirs_of(own.head))
    strength = torch.ones(own.num_frames) if strength is None else strength
    expression = with_amounts(without.expression, own.expression, levels, shipped_amounts(), strength, speakable)
    shown = (levels.sum(1, keepdim=True) / FAINT).clamp(max=1)
    return own.replace(expression=torch.lerp(own.expression, expression, shown), emotion=levels)


def emphasis(waveform: Samples, num_frames: int) -> Float[Tensor, " frames"]:
    """Factor on an added expression, with mean 1: more of it in loud phrases, less in pauses.

    Args:
        waveform: 16 kHz.
        num_frames: at 30 fps.
    """
    level = loudness_db(waveform)[:num_frames]
    level = torch.cat([level, level[-1:].expand(num_frames - len(level))])
    level = level.maximum(level.amax() - 4 * _RANGE_DB)
    slow = local_mean(level[:, None])[:, 0]
    factor = 1 + EMPHASIS * ((slow - slow.mean()) / _RANGE_DB).clamp(-1, 1)
    return factor / factor.mean()


def _no_arkit_channels(motion: Motion) -> FacetalkError:
    return FacetalkError(f"emotions move the ARKit channels, which {motion.head!r} motion does not have")


def _speakable(
    closure: Float[Tensor, " frames"],
    gap_dirs: Float[Tensor, " 52"],
    expression: Float[Tensor, "_ 52"],
    frames: slice,
) -> Float[Tensor, "_ 52"]:
    """Rows of expression with lips that close where the words do, and that never open like a yawn."""
    limited = limit_opening(expression[None], gap_dirs)
    return close_lips(limited, closure[None, frames], gap_dirs)[0].clamp(0, 1)


@cache
def gap_dirs_of(head: str) -> Float[Tensor, " 52"]:
    """By how many millimeters each channel parts the lips of a head."""
    return LipGeometry(load_head(head).assets).curve_dirs[:, 0]
