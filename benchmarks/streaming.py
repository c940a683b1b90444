"""Streams against whole recordings: talker, gestures and all, a tenth of a second of audio at a time."""

from __future__ import annotations

from functools import partial

from torch import Tensor

from benchmarks.base import Comparison, Options, in_turns
from benchmarks.talkers import spoken
from facetalk.core.threads import one_torch_thread
from facetalk.io.weights import is_bundled
from facetalk.pipelines.animate_jobs import AnimateOptions
from facetalk.pipelines.animator import load_animator
from facetalk.pipelines.live import LOOK_AHEAD_S, LiveAnimator, load_live_animator
from facetalk.talkers.registry import TALKERS
from facetalk.talkers.sessions import STEP

LONGEST_S = 5.0
"""Of the audio: a stream costs the same at any length."""


def measure(options: Options) -> Comparison:
    """Compare a recording with streams that wait for little, for all that counts, and those of other talkers."""
    seconds = min(LONGEST_S, *options.seconds)
    waveform, usual = spoken(seconds), AnimateOptions(laughter=0)
    animator = load_animator(usual, {})
    happy = AnimateOptions(laughter=0, emotion="happy:2")
    work = {
        "recording": partial(animator.motion, waveform, usual),
        f"stream, look-ahead {LOOK_AHEAD_S:g} s": partial(stream, load_live_animator(usual), waveform),
        "stream, all that counts": partial(stream, load_live_animator(usual, None), waveform),
        "stream with an emotion": partial(stream, load_live_animator(happy), waveform),
    }
    for name in (name for name in TALKERS if name != usual.talker and is_bundled(name)):
        other = AnimateOptions(laughter=0, talker=name)
        work[f"stream, {name}"] = partial(stream, load_live_animator(other), waveform)
    with one_torch_thread():
        spent = in_turns(work, options.repeats)
    return Comparison("second of audio", {name: 1000 * value / seconds for name, value in spent.items()})


def stream(animator: LiveAnimator, waveform: Tensor) -> None:
    """Animate a stream to its end."""
    session = animator.start()
    for piece in waveform.split(STEP):
        session.feed(piece)
    session.finish()
