"""Where frames go besides the client: programs that receive Live Link Face or VMC."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence

from facetalk.core.motion import Motion
from facetalk.core.timing import FPS
from facetalk.exporters import live_link, vmc
from facetalk.io.datagram_sender import DatagramSender, Receiver

Datagrams = Callable[[Motion, int], Iterator[bytes]]
"""Makes the datagrams of a motion, whose first frame has a number."""


class LiveOutputs:
    """Receivers of frames; they show one face, so one stream at a time has them."""

    def __init__(self, live_link_to: str | None = None, vmc_to: str | None = None) -> None:
        """Take note of the receivers.

        Args:
            live_link_to: `HOST:PORT` of a receiver of Live Link Face.
            vmc_to: `HOST:PORT` of a receiver of the VMC protocol.

        Raises:
            UsageError: one of them is no address, or its host is unknown.
        """
        wanted = ((live_link_to, live_link), (vmc_to, vmc))
        self._receivers = [(Receiver.named(to, form.PORT), form.datagrams) for to, form in wanted if to is not None]
        self._free = threading.Lock()

    def take(self) -> OpenOutputs | None:
        """The receivers, until they are closed; None if there are none or another stream has them."""
        if not self._receivers or not self._free.acquire(blocking=False):
            return None
        senders: list[tuple[DatagramSender, Datagrams]] = []
        try:
            senders += [(DatagramSender(to, FPS), form) for to, form in self._receivers]
        finally:
            if not senders:
                self._free.release()
        return OpenOutputs(senders, self._free.release)


class OpenOutputs:
    """Receivers of the frames of one stream."""

    def __init__(self, senders: Sequence[tuple[DatagramSender, Datagrams]], free: Callable[[], None]) -> None:
        self._senders, self._free = senders, free

    def send(self, motion: Motion, first: int) -> None:
        """Send the next frames, each when it is its turn; waits where many are waiting.

        Args:
            motion: with ARKit's channels.
            first: number of its first frame.
        """
        for index in range(motion.num_frames):
            frame = motion.cut(index, index + 1)
            for sender, datagrams in self._senders:
                sender.put(list(datagrams(frame, first + index)))

    def close(self, drop: bool) -> None:
        """Let another stream have the receivers.

        Args:
            drop: the frames that wait for their turn; otherwise they are sent before, which takes up to ten seconds.
        """
        try:
            for sender, _ in self._senders:
                sender.close(drop)
        finally:
            self._free()
