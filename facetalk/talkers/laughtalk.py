"""LaughTalk: one network talks, a second one adds laughter as a residual (Sung-Bin et al. 2024)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.audio.activity import speech_activity
from facetalk.audio.phonemes import PHONEMES
from facetalk.audio.segmentation import PhonemeTrack
from facetalk.core.errors import FacetalkError
from facetalk.core.events import Event
from facetalk.core.motion import Motion
from facetalk.core.timing import FPS, SAMPLE_RATE
from facetalk.head.controls import Controls
from facetalk.io.audio import Waveform, checked_waveform
from facetalk.io.weights import CONFIG_FILE, bundled, is_bundled
from facetalk.motion.heads import identity_names
from facetalk.networks.laughtalk import LaughTalkNetwork
from facetalk.networks.laughter_detector import LaughterDetector
from facetalk.networks.registry import describe, load
from facetalk.networks.styletalk import SpeechFeatures, feature_blocks
from facetalk.talkers.base import Direction, check_laughter, reject_unsupported
from facetalk.talkers.laughs import laugh_envelope, laugh_spans, laugh_windows, laughs_in, with_afterglow
from facetalk.talkers.lip_contact import close_lips, closure_of, rest_lips, resting

BUNDLED = "laughtalk"
"""Weights whose residual other talkers get."""

SMILING = ("mouthSmile", "cheekSquint", "eyeSquint")
"""Beginnings of the names of channels that calm down slowly after a laugh."""


@dataclass(frozen=True, eq=False)
class LaughTalk:
    """A talker that laughs when, and only when, the voice does."""

    network: LaughTalkNetwork
    detector: LaughterDetector
    controls: Controls
    """Columns of the network's motion."""
    speech: SpeechFeatures
    """Hears the phonemes: on P, B and M the lips close, also in a laugh."""
    name: str = BUNDLED
    head: str = "facetalk"
    """The head that its motions belong to."""
    num_betas: int = 0
    supported: tuple[str, ...] = ("laughter",)
    """Fields of `Direction` that it follows."""

    @classmethod
    def from_folder(cls, folder: Path, name: str = BUNDLED) -> LaughTalk:
        """Load a talker that `facetalk train laughtalk` wrote."""
        network = load("talker", folder)
        entries = describe("talker", folder).entries
        names = entries.get("channels")
        if not isinstance(network, LaughTalkNetwork):
            raise FacetalkError(f"{folder} holds a talker of the method {entries.get('method')!r}, not a LaughTalk")
        if not isinstance(names, Sequence) or not all(isinstance(channel, str) for channel in names):
            raise FacetalkError(f"{folder / CONFIG_FILE}: channels is {names!r:.40}, not the names of channels")
        controls = Controls(tuple(names))
        if controls.count != len(network.mean):
            raise FacetalkError(f"{folder}: the network moves {len(network.mean)} controls, not {controls.count}")
        head = str(entries.get("head", "facetalk"))
        detector = load("laughter-detector")
        speech = load("speech-encoder")
        return cls(network, detector, controls, speech, name=name, head=head, num_betas=len(identity_names(head)))

    def speak(
        self,
        waveform: Waveform,
        direction: Direction | None = None,
        generator: torch.Generator | None = None,
    ) -> Motion:
        """See `facetalk.talkers.base.Talker.speak`; there are no random choices.

        The motion's `laughter` is the residual of stage 2, which is part of its expression, and its events name each
        phoneme and each laugh.
        """
        direction = direction or Direction()
        reject_unsupported(self.name, direction, self.supported)
        waveform = checked_waveform(waveform)
        talking = self.controls.motion(self.network.talking(waveform), self.head, FPS, self.num_betas)
        phonemes, silence = self._phonemes(waveform)
        talking = talking.with_events(phonemes)
        if not self.controls.has_jaw:
            closed = closed_where_spoken(talking, talking.expression, self.network.gap_dirs)
            quiet = resting((silence[: talking.num_frames] * ~speech_activity(waveform))[None])
            talking = talking.replace(expression=rest_lips(closed[None], quiet, self.network.gap_dirs)[0])
        return self.with_laughter(talking, waveform, 1.0 if direction.laughter is None else direction.laughter)

    def _phonemes(self, waveform: Waveform) -> tuple[tuple[Event, ...], Float[Tensor, " frames"]]:
        """Hear the phonemes of a recording of any length, and how probable silence is in each frame."""
        track, columns = PhonemeTrack(), list(self.speech.columns(*PHONEMES))
        silence, silent = list(self.speech.columns("SIL")), []
        for block in feature_blocks(self.speech, waveform):
            track.feed(block[:, columns])
            silent.append(block[:, silence].sum(1))
        return track.finish(), torch.cat(silent)

    def with_laughter(self, motion: Motion, waveform: Waveform, amount: float = 1.0) -> Motion:
        """Add the residual to a motion wherever laughter is heard.

        Args:
            motion: with this talker's channels, at 30 fps, of the same recording.
            waveform: 16 kHz.
            amount: scales the residual; 0 for none.

        Returns:
            The motion with the residual in `laughter` and in its expression, and with an event for each laugh.
        """
        events = laughs_in(self.detector, waveform) if amount > 0 else ()
        return laughing(motion, waveform, events, self.network, self.controls, amount)


def laughing(
    motion: Motion,
    waveform: Waveform,
    events: Sequence[Event],
    network: LaughTalkNetwork,
    controls: Controls,
    amount: float,
) -> Motion:
    """Add the residual to a motion at known laughs; each laugh is heard with what comes right before and after it.

    Args:
        motion: with the channels of `controls`, at 30 fps; on a P, B or M among its events the lips close in the laugh
            too.
        waveform: the recording, 16 kHz.
        events: its laughs.
        network: its second stage laughs.
        controls: columns of the network's motion.
        amount: scales the residual.
    """
    if not events:
        return motion
    spans = laugh_spans(events, motion.num_frames)
    rows = torch.zeros(motion.num_frames, controls.count)
    for start, stop in laugh_windows(spans, motion.num_frames):
        piece = waveform[round(start / FPS * SAMPLE_RATE) : round(stop / FPS * SAMPLE_RATE)]
        heard = network.laughing(piece)[: stop - start]
        rows[start : start + len(heard)] = heard
    rows *= amount * laugh_envelope(spans, motion.num_frames)[:, None]
    smiling = [column for column, name in enumerate(controls.names) if name.startswith(SMILING)]
    rows[:, smiling] = with_afterglow(rows[:, smiling], spans)
    if not controls.has_jaw:
        touched = rows.abs().sum(1, keepdim=True) > 0
        closed = closed_where_spoken(motion, (motion.expression + rows).clamp(0, 1), network.gap_dirs)
        rows = torch.where(touched, closed - motion.expression, rows)
    return controls.with_laughter(motion, rows).with_events(events)


def closed_where_spoken(
    motion: Motion, expression: Float[Tensor, "frames 52"], gap_dirs: Float[Tensor, " 52"]
) -> Float[Tensor, "frames 52"]:
    """The expression with its lips closed on every P, B and M among the events of a motion."""
    closure = closure_of(motion.events_of("phoneme"), motion.num_frames)
    return close_lips(expression[None], closure[None], gap_dirs)[0]


def add_laughter(motion: Motion, waveform: Waveform, amount: float | None = None) -> Motion:
    """Add the bundled LaughTalk's residual to the motion of any talker wherever laughter is heard.

    The network is loaded once a recording with a laugh in it comes.

    Args:
        motion: with the ARKit channels, at 30 fps.
        waveform: the recording, 16 kHz.
        amount: scales the residual; 0 for none. If None, 1 where the weights of LaughTalk are installed, else 0.

    Raises:
        MissingAssetError: the weights are not installed, and an amount was given.
    """
    if amount is None:
        amount = 1.0 if is_bundled(BUNDLED) else 0.0
    check_laughter(amount)
    events = laughs_in(_detector(), waveform) if amount > 0 else ()
    if not events:
        return motion
    talker = _bundled()
    return laughing(motion, waveform, events, talker.network, talker.controls, amount)


@cache
def _detector() -> LaughterDetector:
    return load("laughter-detector")


@cache
def _bundled() -> LaughTalk:
    return LaughTalk.from_folder(bundled(BUNDLED))
