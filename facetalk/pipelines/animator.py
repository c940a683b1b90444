"""Speech -> motion: head, talker and style, which are loaded once for many recordings."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch

from facetalk.audio.activity import phrases
from facetalk.audio.seed import recording_seed
from facetalk.core.emotions import EmotionTrack
from facetalk.core.memory import give_back_memory
from facetalk.core.motion import Motion, still_motion
from facetalk.core.progress import Progress
from facetalk.core.timing import FPS, frames_for
from facetalk.head.channels import ARKIT_NAMES
from facetalk.head.model import HeadModel
from facetalk.io.audio import Waveform
from facetalk.motion.gestures.idle import Idle
from facetalk.motion.gestures.registry import add_gestures, load_gesture
from facetalk.motion.heads import identity_names, load_head
from facetalk.motion.regions import controlled
from facetalk.pipelines.animate_jobs import AnimateOptions
from facetalk.pipelines.styles import resolve_style
from facetalk.talkers.base import (
    Direction,
    LaughingTalker,
    PersonalTalker,
    Talker,
    person_index,
    reject_unsupported,
)
from facetalk.talkers.emotion import speak_with_emotion, with_emotion
from facetalk.talkers.laughtalk import add_laughter
from facetalk.talkers.registry import load_talker
from facetalk.talkers.voice_emotion import emotion_of_voice, listener

_HEAD = "facetalk"
"""The head of a face that rests; it has the ARKit channels."""


@dataclass(frozen=True, eq=False)
class Animator:
    """Everything that is loaded once for many audio files."""

    head: HeadModel
    talker: Talker
    direction: Direction

    def motion(self, waveform: Waveform, options: AnimateOptions) -> Motion:
        """Return the motion of the talker with gestures and phrases, on the talker's head; `meta` holds the seed."""
        seed = recording_seed(waveform) if options.seed is None else options.seed
        direction = replace(self.direction, emotion=self._emotion(waveform, options))
        if isinstance(self.talker, LaughingTalker):
            motion = speak_with_emotion(self.talker, waveform, replace(direction, laughter=options.laughter))
        else:
            motion = speak_with_emotion(self.talker, waveform, direction)
            give_back_memory()
            motion = add_laughter(motion, waveform, options.laughter)
        give_back_memory()
        motion = add_gestures(
            motion,
            waveform,
            gestures=options.gestures,
            head_motion=options.moving_head,
            blinks=options.blinks,
            gaze=options.directed_gaze(),
            seed=seed,
            in_place=True,
        )
        give_back_memory()
        motion = controlled(motion, options.control)
        motion = motion.with_events(phrases(waveform)).replace(meta={**motion.meta, "seed": seed})
        give_back_memory()
        return motion

    def _emotion(self, waveform: Waveform, options: AnimateOptions) -> EmotionTrack | None:
        """What is asked for, or what is heard."""
        if options.hears_emotion:
            return emotion_of_voice(listener(self.talker).hear_emotion(waveform))
        return options.emotion_track

    def idle(self, options: AnimateOptions) -> Motion:
        """Return the motion of a face that rests, whose end joins its beginning; `meta` holds the seed."""
        seed = options.seed or 0
        num_frames = frames_for(options.idle_s or 0.0)
        rest = torch.zeros(num_frames, len(ARKIT_NAMES))
        motion = still_motion(_HEAD, rest, ARKIT_NAMES, FPS, len(identity_names(_HEAD)))
        track = options.emotion_track
        motion = motion if track is None else with_emotion(motion, motion, track)
        idle = Idle(options.moving_head, options.blinks, options.directed_gaze())
        motion = controlled(idle.loop(motion, torch.Generator().manual_seed(seed)), options.control)
        return motion.replace(meta={**motion.meta, "seed": seed})


def load_animator(options: AnimateOptions, timings: dict[str, float]) -> Animator:
    """Load head, talker and gestures; the style is neutral."""
    with timed(timings, "load"):
        head, talker = load_head(options.head, options.look), load_talker(options.talker)
        load_gesture(options.gestures)
        return directed(Animator(head, talker, Direction()), options)


def directed(animator: Animator, options: AnimateOptions) -> Animator:
    """The same, speaking as the person that the options name; refuses what the talker would ignore."""
    talker = animator.talker
    asked = Direction(person=options.person, strength=options.style_strength)
    reject_unsupported(talker.name, asked, talker.supported)
    if options.person is not None and isinstance(talker, PersonalTalker):
        person_index(options.person, talker.people)
    if options.hears_emotion:
        listener(talker)
    return replace(animator, direction=replace(animator.direction, person=options.person))


def with_style(animator: Animator, options: AnimateOptions, timings: dict[str, float], progress: Progress) -> Animator:
    """Resolve the style, which may mean that a video is fitted."""
    with timed(timings, "style"):
        code = resolve_style(options.style or "", animator.talker, head=animator.head, progress=progress)
    styled = replace(animator.direction, style=code, strength=options.style_strength)
    return replace(animator, direction=styled)


@contextmanager
def timed(timings: dict[str, float], name: str) -> Iterator[None]:
    """Record how many seconds a block takes."""
    start = time.perf_counter()
    yield
    timings[name] = time.perf_counter() - start
