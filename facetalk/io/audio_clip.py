"""A part of an audio file: its samples block by block, and the filters with which ffmpeg takes the same samples."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from facetalk.core.audio_part import AudioPart
from facetalk.core.errors import FacetalkError


@dataclass(frozen=True)
class AudioClip:
    """An audio or video file, and the part of its audio that is used."""

    path: Path
    part: AudioPart = field(default_factory=AudioPart)

    def __str__(self) -> str:
        parts = [f"{name} {value:g}" for name, value in self.part.meta().items() if value is not None]
        return f"{self.path} ({', '.join(parts)})" if parts else str(self.path)

    @property
    def is_whole(self) -> bool:
        """Whether all of the audio is used."""
        return self.part == AudioPart()

    def of_blocks(self, blocks: Iterator[tuple[int, np.ndarray]]) -> Iterator[tuple[int, np.ndarray]]:
        """The part of decoded blocks (sample rate and samples by channels); decoding ends with the part.

        Args:
            blocks: of the whole file, see `facetalk.io.sample_blocks`.

        Raises:
            FacetalkError: the file has fewer channels, or ends before the part begins.
        """
        if self.is_whole:
            yield from blocks
            return
        place, rate, found = 0, 0, False
        with closing(blocks):  # type: ignore[type-var]
            for rate, block in blocks:
                self._check_channel(block.shape[1])
                start, stop = self._samples(rate)
                kept = block[max(0, start - place) : max(0, stop - place)]
                place += len(block)
                if len(kept) > 0:
                    found = True
                    yield rate, kept if self.part.channel is None else kept[:, self.part.channel - 1, None]
                if place >= stop:
                    break
        if not found and rate:
            raise FacetalkError(
                f"{self.path} lasts {place / rate:.2f} s, so nothing of it is left from {self.part.start_s:g} s on"
            )

    def filters(self) -> list[str]:
        """Filters of ffmpeg that take the part, and change its tempo at the same pitch."""
        part, filters = self.part, []
        if part.start_s > 0 or part.end_s is not None:
            end = "" if part.end_s is None else f":end={part.end_s:.6f}"
            filters.append(f"atrim=start={part.start_s:.6f}{end},asetpts=PTS-STARTPTS")
        if part.channel is not None:
            filters.append(f"pan=mono|c0=c{part.channel - 1}")
        if part.tempo != 1:
            # One filter slows down by half at most.
            steps = max(1, math.ceil(-math.log2(part.tempo)))
            filters += [f"atempo={part.tempo ** (1 / steps):.9f}"] * steps
        return filters

    def _samples(self, rate: int) -> tuple[int, int]:
        start, end = round(self.part.start_s * rate), self.part.end_s
        return start, 1 << 62 if end is None else max(round(end * rate), start + 1)

    def _check_channel(self, channels: int) -> None:
        if self.part.channel is not None and self.part.channel > channels:
            held = "1 channel" if channels == 1 else f"{channels} channels"
            raise FacetalkError(f"{self.path} has {held}; there is no channel {self.part.channel}")
