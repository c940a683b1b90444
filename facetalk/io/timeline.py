"""Times of audio and video frames, without the hours that a single wrong timestamp makes of a file of seconds.

A late start and a pause of one track are kept, so that audio and video stay in step. A jump is closed where it is
longer than everything that the track has shown, plus a minute; so is a jump back. What is decoded is therefore in
proportion to what the file holds.
"""

from __future__ import annotations

LONGEST_START_S = 600.0
"""Longest time that a track may start late."""
LONGEST_PAUSE_S = 60.0
"""Longest pause of a track that has hardly begun."""
_BACK_S = 10.0
"""Smaller steps back are disorder, which their readers put right; larger ones are another count of time."""
_USUAL_S = 1.0
"""Smaller steps forward are uneven frames and no pauses."""


class Timeline:
    """Follows the frames of one track and returns the time at which each is shown."""

    def __init__(self, frame_s: float) -> None:
        """Start before the first frame.

        Args:
            frame_s: usual length of a frame, seconds.
        """
        self._frame_s = frame_s
        self._count = 0
        self._expected_s = self._closed_s = self._paused_s = 0.0

    def shown(self, stated_s: float) -> float:
        """Return the time of the next frame, seconds.

        Args:
            stated_s: its time in the file.
        """
        gap = stated_s - self._expected_s
        longest = LONGEST_PAUSE_S if self._count else LONGEST_START_S
        if gap > longest + self._count * self._frame_s - self._paused_s or gap < -_BACK_S:
            self._closed_s += gap
        else:
            self._paused_s += max(gap - _USUAL_S, 0.0)
        self._count += 1
        self._expected_s = stated_s + self._frame_s
        return stated_s - self._closed_s


def audio_filter() -> str:
    """Return ffmpeg's filters that do the same to audio, and fill the pauses that remain with silence.

    The expression counts in variables of its own: 0 the seconds that were closed, 1 those of pauses, 2 the time that is
    expected for the frame, 3 its gap.
    """
    longest = f"if(N,{LONGEST_PAUSE_S},{LONGEST_START_S})+NB_CONSUMED_SAMPLES/SR-ld(1)"
    jump = f"gt(ld(3),{longest})+lt(ld(3),-{_BACK_S})"
    count = f"if({jump},st(0,ld(0)+ld(3)),st(1,ld(1)+max(ld(3)-{_USUAL_S},0)))"
    shown = f"if(isnan(T),NAN,st(3,T-ld(2));{count};st(2,T+S/SR);(T-ld(0))/TB)"
    # A pause becomes silence and a late start stays one: audio and video remain in step.
    return f"asetpts='{shown}',aresample=async=1:first_pts=0"
