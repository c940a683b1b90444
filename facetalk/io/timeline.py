"""Times of audio and video frames, without the hours that a single wrong timestamp makes of a file of seconds.

A late start and a pause of one track are kept, so that audio and video stay in step. A jump is closed where it is
longer than everything that the track has shown, plus a minute, unless the other track goes on during it, as where a
microphone was muted; so is a jump back. What is decoded is therefore in proportion to what the file holds.
"""

from __future__ import annotations

import re
import tempfile
from functools import lru_cache
from itertools import pairwise
from threading import Lock

from facetalk.io.ffmpeg import source, start_decoding
from facetalk.io.media import Media

LONGEST_START_S = 600.0
"""Longest time that a track may start late."""
LONGEST_PAUSE_S = 60.0
"""Longest pause of a track that has hardly begun."""
_COVERED = 0.5
"""A pause is real if the other track has packets in this share of its seconds."""
_BACK_S = 10.0
"""Smaller steps back are disorder, which their readers put right; larger ones are another count of time."""
_USUAL_S = 1.0
"""Smaller steps forward are uneven frames and no pauses."""
_READING = Lock()


class Timeline:
    """Follows the frames of one track and returns the time at which each is shown."""

    def __init__(self, frame_s: float, longest_pause_s: float = LONGEST_PAUSE_S) -> None:
        """Start before the first frame.

        Args:
            frame_s: usual length of a frame, seconds.
            longest_pause_s: see `longest_pause`.
        """
        self._frame_s, self._longest_s = frame_s, longest_pause_s
        self._count = 0
        self._expected_s = self._closed_s = self._paused_s = 0.0

    def shown(self, stated_s: float) -> float:
        """Return the time of the next frame, seconds.

        Args:
            stated_s: its time in the file.
        """
        gap = stated_s - self._expected_s
        longest = self._longest_s if self._count else max(self._longest_s, LONGEST_START_S)
        if gap > longest + self._count * self._frame_s - self._paused_s or gap < -_BACK_S:
            self._closed_s += gap
        else:
            self._paused_s += max(gap - _USUAL_S, 0.0)
        self._count += 1
        self._expected_s = stated_s + self._frame_s
        return stated_s - self._closed_s


def longest_pause(media: Media) -> float:
    """Return how long a track may pause, seconds: a minute, or as long as one does while the other goes on.

    Args:
        media: a file; one with audio and video is read once more, without decoding it.
    """
    if media.video is None or media.audio is None:
        return LONGEST_PAUSE_S
    return _tracks(media)[0]


def last_second(media: Media) -> float:
    """Return when the last packet of a file's audio or video has ended at the latest, seconds, by its own times."""
    return _tracks(media)[1]


def _tracks(media: Media) -> tuple[float, float]:
    state = media.path.stat()
    with _READING:  # readers of audio and video ask at the same time
        return _packets_of(media, (state.st_mtime_ns, state.st_size))


@lru_cache(maxsize=16)
def _packets_of(media: Media, state: tuple[int, int]) -> tuple[float, float]:
    """The longest pause of a track, and the end of both."""
    streams = [stream.index for stream in (media.video, media.audio) if stream is not None]
    seconds = _seconds_with_packets(media, streams)
    longest = LONGEST_PAUSE_S
    for track, other in (seconds, seconds[::-1]):
        ordered = [0, *sorted(track)]
        for before, after in pairwise(ordered):
            if after - before > longest:
                covered = sum(1 for second in other if before < second < after)
                longest = after - before + 1.0 if covered > _COVERED * (after - before) else longest
    return longest, 1.0 + max(seconds[0] | seconds[1], default=0)


def _seconds_with_packets(media: Media, streams: list[int]) -> tuple[set[int], set[int]]:
    """Whole seconds in which each of one or two streams has a packet."""
    maps = [argument for index in streams for argument in ("-map", f"0:{index}")]
    found: tuple[set[int], set[int]] = (set(), set())
    bases = [0.0, 0.0]
    with tempfile.TemporaryFile() as messages:
        process = start_decoding(["-v", "error", *source(media.path), *maps, "-c", "copy", "-f", "framecrc", "pipe:1"],
                                 messages)  # fmt: skip
        assert process.stdout is not None
        try:
            for line in process.stdout:
                if (base := _TIME_BASE.match(line)) is not None:
                    bases[int(base[1])] = int(base[2]) / int(base[3])
                elif (packet := _PACKET.match(line)) is not None:
                    stream = int(packet[1])
                    found[stream].add(int(int(packet[2]) * bases[stream]))
        finally:
            process.kill()
            process.stdout.close()
            process.wait()
    return found


_TIME_BASE = re.compile(rb"#tb ([01]): (\d{1,9})/(\d{1,12})")
_PACKET = re.compile(rb"([01]), *-?\d+, *(-?\d{1,18}),")


def audio_filter(longest_pause_s: float = LONGEST_PAUSE_S) -> str:
    """Return ffmpeg's filters that do the same to audio, and fill the pauses that remain with silence.

    The expression counts in variables of its own: 0 the seconds that were closed, 1 those of pauses, 2 the time that is
    expected for the frame, 3 its gap.

    Args:
        longest_pause_s: see `longest_pause`.
    """
    longest = f"if(N,{longest_pause_s},{max(longest_pause_s, LONGEST_START_S)})+NB_CONSUMED_SAMPLES/SR-ld(1)"
    jump = f"gt(ld(3),{longest})+lt(ld(3),-{_BACK_S})"
    count = f"if({jump},st(0,ld(0)+ld(3)),st(1,ld(1)+max(ld(3)-{_USUAL_S},0)))"
    shown = f"if(isnan(T),NAN,st(3,T-ld(2));{count};st(2,T+S/SR);(T-ld(0))/TB)"
    # A pause becomes silence and a late start stays one: audio and video remain in step.
    return f"asetpts='{shown}',aresample=async=1:first_pts=0"
