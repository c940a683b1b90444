"""Gestures by name, and what adds them to a motion."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import torch

from facetalk.audio.seed import recording_seed
from facetalk.core.errors import UsageError
from facetalk.core.motion import Motion
from facetalk.io.audio import Waveform, checked_waveform
from facetalk.io.weights import MODEL_FILE
from facetalk.motion.gestures.base import Gesture
from facetalk.motion.gestures.gaze import MOST, Gaze
from facetalk.motion.gestures.laughing import Laughing

GESTURES = {
    "facial": "facetalk.motion.gestures.facial:Facial",
    "idle": "facetalk.motion.gestures.idle:Idle",
}
"""Class of each gesture; its module is imported on first use."""

DEFAULT = "facial"
"""What is added where nothing else is asked for."""


def load_gesture(name: str, *, head_motion: float = 1.0, blinks: float = 1.0, gaze: Gaze | None = None) -> Gesture:
    """Return a gesture by name.

    Args:
        name: a key of `GESTURES`, or a folder of weights that `facetalk train facial` wrote.
        head_motion: multiplies how far the head moves; 0 for not at all.
        blinks: multiplies how often the eyes blink; 0 for never.
        gaze: where the eyes look; at the viewer, and now and then beside them, if None.

    Raises:
        UsageError: the name is unknown, a factor is negative or not finite, or the gaze is none.
    """
    check_gesture(name)
    check_factors(head_motion, blinks)
    if gaze is not None and not isinstance(gaze, Gaze):
        raise UsageError(f"gaze is {gaze!r:.80}; give a Gaze, such as Gaze(0.5)")
    options: dict[str, Any] = {"head_motion": head_motion, "blinks": blinks}
    if gaze is not None:
        options["gaze"] = gaze
    if name not in GESTURES:
        return resolve_name(GESTURES["facial"])(**options, name=name)
    return resolve_name(GESTURES[name])(**options)


def check_gesture(name: str) -> None:
    """Refuse names that are neither known nor a folder of weights."""
    if not isinstance(name, str) or (name not in GESTURES and not holds_weights(name)):
        raise UsageError(f"unknown gesture {name!r:.80}; known gestures: {', '.join(GESTURES)}, or a folder of weights")


def holds_weights(name: str) -> bool:
    """Whether a name is that of a folder of weights."""
    try:
        return (Path(name) / MODEL_FILE).is_file()
    except OSError:  # no file can have such a name
        return False


def check_factors(head_motion: float, blinks: float) -> None:
    """Refuse factors that are negative, far too large or not numbers."""
    for name, value in (("head motion", head_motion), ("blinks", blinks)):
        if not (isinstance(value, Real) and 0 <= value <= MOST):
            raise UsageError(f"{name} is {value}; it must be a number between 0 and {MOST:g}")


def check_seed(seed: int | None) -> None:
    """Refuse seeds that a generator cannot take; None stands for the recording's own."""
    if seed is not None and not isinstance(seed, int):
        raise UsageError(f"the seed is {seed!r:.80}; it must be a whole number (int)")
    if seed is not None and not -(2**63) <= seed < 2**64:
        raise UsageError(f"the seed is {seed!s:.40}; it must lie between -2^63 and 2^64 - 1")


def add_gestures(
    motion: Motion,
    waveform: Waveform | None = None,
    *,
    gestures: Sequence[str] = (DEFAULT,),
    head_motion: float = 1.0,
    blinks: float = 1.0,
    gaze: Gaze | None = None,
    seed: int | None = None,
    generator: torch.Generator | None = None,
    in_place: bool = False,
) -> Motion:
    """Add blinks, head motion and gaze to a motion; in its laughs head and brows join in, with any gestures.

    The result depends only on the arguments: a longer motion begins as a shorter one does.

    Args:
        motion: at 30 fps, with the ARKit channels, as `Talker.speak` returns it.
        waveform: the speech, mono at 16 kHz, for gestures that follow it.
        gestures: names of the gestures to add, in this order; see `load_gesture`.
        head_motion: multiplies how far the head moves; 0 for not at all.
        blinks: multiplies how often the eyes blink; 0 for never.
        gaze: where the eyes look; see `load_gesture`.
        seed: decides when and where; ignored if there is a generator. If None, it follows from the beginning of
            the waveform (see `facetalk.audio.seed`), so that each recording has its own gestures; 0 without a waveform.
        generator: source of all random choices.
        in_place: write into the expression of the motion, which saves memory where it is not needed any more.

    Returns:
        A new motion; the old one stays as it is, unless `in_place` is set.

    Raises:
        UsageError: a gesture is unknown, or a factor is negative.
        ValueError: the motion has another frame rate, or lacks channels.

    Example:
        >>> motion = add_gestures(load_talker().speak(waveform), waveform, seed=3, head_motion=0.5)
    """
    check_seed(seed)
    if waveform is not None:
        waveform = checked_waveform(waveform)
    if generator is None:
        if seed is None:
            seed = 0 if waveform is None else recording_seed(waveform)
        generator = torch.Generator().manual_seed(seed)
    several = isinstance(gestures, Sequence) and not isinstance(gestures, str)
    chosen = list(gestures) if several else [str(gestures)]
    for name in chosen:
        gesture = load_gesture(name, head_motion=head_motion, blinks=blinks, gaze=gaze)
        motion = gesture.add(motion, waveform, generator, in_place)
    laughing = Laughing(head_motion, gaze or Gaze())
    return laughing.add(motion, waveform, generator, in_place) if chosen else motion
