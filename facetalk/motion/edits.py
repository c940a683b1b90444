"""Edits in time: parts of a motion, other speeds, one motion after another, loops.

Events move along, and `meta` says which part of the speech goes with the result, and at which tempo; see `AudioPart`.
"""

from __future__ import annotations

import math
from dataclasses import fields, replace
from numbers import Real
from typing import Any

import torch
from torch import Tensor

from facetalk.core.audio_part import AudioPart
from facetalk.core.emotions import EMOTIONS
from facetalk.core.errors import FacetalkError, UsageError
from facetalk.core.events import cut_events
from facetalk.core.motion import POSES, Motion
from facetalk.core.rotations import axis_angle_to_quaternion, quaternion_to_axis_angle, slerp
from facetalk.core.timing import exact_rate
from facetalk.motion.frame_rate import at_frame_rate

CROSSFADE_S = 0.2
SLOWEST, FASTEST = 0.1, 10.0


def trimmed(motion: Motion, start_s: float, end_s: float | None = None) -> Motion:
    """Return the part of a motion between two times, to the nearest frame.

    Args:
        motion: for any head.
        start_s: time of the first frame.
        end_s: where the part ends; the end of the motion if None or beyond it.

    Raises:
        UsageError: nothing is left.
    """
    rate, last_s = exact_rate(motion.fps), motion.duration_s + 1
    start, stop = (round(max(-1.0, min(time, last_s)) * rate) for time in (start_s, last_s if end_s is None else end_s))
    stop = min(stop, motion.num_frames)
    if not 0 <= start < stop:
        end = "the end" if end_s is None else f"{end_s:g} s"
        raise UsageError(f"nothing is left from {start_s:g} s to {end}; the motion lasts {motion.duration_s:.2f} s")
    return motion.cut(start, stop).replace(meta=_cut_meta(motion, start, stop))


def retimed(motion: Motion, speed: float) -> Motion:
    """Return a motion that is faster by a factor, at the same frame rate.

    Contacts are kept as at another frame rate, and rotations follow the shortest arc. The speech of the motion is to be
    played at the same tempo, as `render` and `export` do.

    Args:
        motion: for any head.
        speed: 1.1 makes 11 seconds 10; 0.1 to 10.
    """
    if not (isinstance(speed, Real) and SLOWEST <= speed <= FASTEST):
        raise UsageError(f"the speed is {speed}; it must be a number between {SLOWEST:g} and {FASTEST:g}")
    if speed == 1:
        return motion
    events = tuple(replace(event, start=event.start / speed, end=event.end / speed) for event in motion.events)
    quick = motion.replace(fps=float(exact_rate(motion.fps)) * speed, events=events)
    result = at_frame_rate(quick, motion.fps)
    return result.replace(fps=motion.fps, meta=_moved_meta(motion, _part(motion).faster(speed)))


def joined(first: Motion, second: Motion, crossfade_s: float = CROSSFADE_S) -> Motion:
    """Return one motion and then another, with a crossfade in which both overlap.

    The result has the frame rate, the identity and the camera of the first. Rotations are blended along the shortest
    arc. No recording goes with it.

    Args:
        first: for any head.
        second: for the same head.
        crossfade_s: how long the overlap is; 0 for a cut.

    Raises:
        FacetalkError: they are for different heads.
        UsageError: the crossfade is longer than one of them.
    """
    if (first.head, first.expression_names) != (second.head, second.expression_names):
        raise FacetalkError(
            f"a motion for the head {second.head!r} cannot be joined to one for {first.head!r}; retarget one of them"
        )
    second = at_frame_rate(second, first.fps).replace(fps=first.fps)
    if first.emotion is not None or second.emotion is not None:
        first, second = _with_levels(first), _with_levels(second)
    overlap = _frames_of(crossfade_s, first, min(first.num_frames, second.num_frames))
    seam = first.num_frames - overlap
    blended = _blend(first.cut(seam, first.num_frames), second.cut(0, overlap))
    parts = [first.cut(0, seam), *([blended] if overlap else []), second.cut(overlap, second.num_frames)]
    shift = seam / first.fps
    events = [replace(event, start=event.start + shift, end=event.end + shift) for event in second.events]
    result = first.replace(events=(), meta=_without_speech(first), **_concatenated(parts))
    return result.with_events((*first.events, *events))


def _with_levels(motion: Motion) -> Motion:
    """The motion with levels of emotions: 0 where nobody asked for one."""
    if motion.emotion is not None:
        return motion
    return motion.replace(emotion=torch.zeros(motion.num_frames, len(EMOTIONS)))


def looped(motion: Motion, crossfade_s: float = CROSSFADE_S) -> Motion:
    """Return a motion whose last frame leads over to its first: its end is blended into its beginning.

    Args:
        motion: for any head; it becomes shorter by the crossfade.
        crossfade_s: how long the blend is.
    """
    overlap = _frames_of(crossfade_s, motion, motion.num_frames // 2)
    if overlap == 0:
        return motion
    seam = motion.num_frames - overlap
    blended = _blend(motion.cut(seam, motion.num_frames), motion.cut(0, overlap))
    values = _concatenated([blended, motion.cut(overlap, seam)])
    events = cut_events(motion.events, 0.0, seam / motion.fps)
    return motion.replace(events=events, meta=_cut_meta(motion, 0, seam), **values)


def _frames_of(crossfade_s: float, motion: Motion, most: int) -> int:
    if not (isinstance(crossfade_s, Real) and math.isfinite(crossfade_s) and crossfade_s >= 0):
        raise UsageError(f"the crossfade is {crossfade_s}; it must be a number of seconds that is not negative")
    overlap = round(crossfade_s * exact_rate(motion.fps))
    if overlap > most:
        raise UsageError(f"a crossfade of {crossfade_s:g} s is too long; at most {most / motion.fps:.2f} s fit here")
    return overlap


def _blend(first: Motion, second: Motion) -> Motion:
    """Two motions of the same length, from one to the other; both keep something in every frame."""
    count = first.num_frames
    place = torch.arange(1, count + 1, dtype=first.expression.dtype) / (count + 1)
    share = place * place * (3 - 2 * place)

    def linear(name: str) -> Tensor | None:
        one, other = getattr(first, name), getattr(second, name)
        if one is None or other is None:
            return None
        return torch.lerp(one, other.to(one), share.reshape(-1, *[1] * (one.ndim - 1)).to(one))

    def turned(name: str) -> Tensor:
        one, other = (axis_angle_to_quaternion(getattr(motion, name)) for motion in (first, second))
        return quaternion_to_axis_angle(slerp(one, other, share))

    names = _per_frame(first, second)
    values: dict[str, Any] = {name: turned(name) if name in POSES else linear(name) for name in names}
    return first.replace(events=(), **values)


def _concatenated(parts: list[Motion]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name in _per_frame(*parts):
        rows = [getattr(part, name) for part in parts]
        values[name] = None if any(row is None for row in rows) else torch.cat(rows)
    return values


def _per_frame(*motions: Motion) -> list[str]:
    """Names of what at least one of them has for every frame."""
    names = [item.name for item in fields(Motion) if item.name != "betas"]
    return [name for name in names if any(isinstance(getattr(motion, name), Tensor) for motion in motions)]


def _cut_meta(motion: Motion, start: int, stop: int) -> dict[str, Any]:
    if (start, stop) == (0, motion.num_frames):
        return dict(motion.meta)
    return _moved_meta(motion, _part(motion).cut(start / motion.fps, stop / motion.fps))


def _part(motion: Motion) -> AudioPart:
    return AudioPart.of(motion.meta) if "speech" in motion.meta else AudioPart()


def _moved_meta(motion: Motion, part: AudioPart) -> dict[str, Any]:
    """The `meta` of a motion whose frames have other times than those of its speech or video."""
    speech = part.meta() if "speech" in motion.meta else {}
    video = {} if motion.camera is None else {"frames_moved": True}
    return {**motion.meta, **speech, **video}


def _without_speech(motion: Motion) -> dict[str, Any]:
    meta = _moved_meta(motion, AudioPart())
    return {name: value for name, value in meta.items() if name not in ("speech", "speech_fingerprint")}
