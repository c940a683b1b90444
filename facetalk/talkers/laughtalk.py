"""LaughTalk: one network talks, a second one adds laughter as a residual (Sung-Bin et al. 2024)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.audio.phonemes import PHONEMES
from facetalk.audio.segmentation import PhonemeTrack
from facetalk.core.errors import FacetalkError
from facetalk.core.events import Event
from facetalk.core.motion import Motion
from facetalk.core.timing import FPS, SAMPLE_RATE, frames_for
from facetalk.head.controls import Controls
from facetalk.io.audio import Waveform, checked_waveform
from facetalk.io.weights import CONFIG_FILE, bundled, is_bundled
from facetalk.motion.heads import identity_names
from facetalk.networks.chunks import certain_frames, first_row
from facetalk.networks.laughtalk import CHUNK_FRAMES, OVERLAP_FRAMES, LaughTalkNetwork
from facetalk.networks.laughter_detector import LaughterDetector
from facetalk.networks.registry import describe, load
from facetalk.networks.speech_rows import LOUDNESS, SideBySide, live
from facetalk.networks.styletalk import FeatureStream, LiveFeatures, SpeechFeatures, feature_blocks
from facetalk.talkers.base import Direction, check_laughter, reject_unsupported
from facetalk.talkers.laughs import laugh_envelope, laugh_spans, laugh_windows, laughs_in, with_afterglow
from facetalk.talkers.lip_contact import close_lips, closure_of, rest_lips
from facetalk.talkers.sessions import FeatureSession, frames_ahead
from facetalk.talkers.spoken_stream import LOOK_AHEAD_FRAMES, REACH, SpokenStream, lip_closure, quietness

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
        num_frames = frames_for(len(waveform) / SAMPLE_RATE)
        loudness = torch.zeros(num_frames)
        rows = self.network.talked(_loudness_kept(self.network.talk.source.blocks(waveform), loudness), num_frames)
        talking = self.controls.motion(rows, self.head, FPS, self.num_betas)
        phonemes, silence = self._phonemes(waveform)
        talking = talking.with_events(phonemes)
        if not self.controls.has_jaw:
            closure, quiet = closure_of(phonemes, num_frames), quietness(silence, loudness)
            talking = talking.replace(expression=self._spoken(talking.expression, closure, quiet))
        return self.with_laughter(talking, waveform, 1.0 if direction.laughter is None else direction.laughter)

    @property
    def look_ahead_s(self) -> float:
        """See `facetalk.talkers.base.StreamingTalker.look_ahead_s`."""
        if not isinstance(self.speech, LiveFeatures):
            return math.inf
        spoken_s = self.speech.look_ahead_s + LOOK_AHEAD_FRAMES / FPS
        return max(spoken_s, self.network.talk.source.look_ahead_s + CHUNK_FRAMES / FPS)

    def listen(self) -> FeatureStream:
        """See `facetalk.talkers.base.StreamingTalker.listen`: speech features, where a P, B or M is said, and rows."""
        spoken = SpokenStream(live(self.speech).start(), self.speech)
        return SideBySide([spoken, self.network.talk.source.start()])

    def start(
        self,
        direction: Direction | None = None,
        generator: torch.Generator | None = None,
        look_ahead_s: float | None = None,
        features: FeatureStream | None = None,
    ) -> FeatureSession[Motion]:
        """See `facetalk.talkers.base.StreamingTalker.start`; there are no random choices."""
        direction = direction or Direction()
        ahead = frames_ahead(look_ahead_s, self.look_ahead_s)
        reject_unsupported(f"{self.name} in a stream", direction, [n for n in self.supported if n != "laughter"])
        return FeatureSession(features or self.listen(), _Talking(self), self._motion_of, self.controls.count, ahead)

    def _motion_of(self, rows: Float[Tensor, "frames controls"]) -> Motion:
        return self.controls.motion(rows, self.head, FPS, self.num_betas)

    def _spoken(
        self, expression: Float[Tensor, "frames 52"], closure: Float[Tensor, " frames"], quiet: Float[Tensor, " frames"]
    ) -> Float[Tensor, "frames 52"]:
        """Lips that meet on P, B and M, and rest where nothing is said."""
        gap_dirs = self.network.gap_dirs
        return rest_lips(close_lips(expression[None], closure[None], gap_dirs), quiet[None], gap_dirs)[0]

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


class _Talking:
    """Makes stage 1's channels of a recording that comes piece by piece; see `sessions.Decoder`.

    Rows are speech features, where a P, B or M is said, and those of the stage. What the decoder has said is its past.
    """

    def __init__(self, talker: LaughTalk) -> None:
        self._talker, self._state = talker, None

    def first_row(self, frame: int) -> int:
        """See `Decoder.first_row`."""
        return min(first_row(frame, CHUNK_FRAMES, OVERLAP_FRAMES), max(0, frame - REACH))

    def certain(self, known: int) -> int:
        """See `Decoder.certain`."""
        return min(certain_frames(known, CHUNK_FRAMES, OVERLAP_FRAMES), max(0, known - REACH))

    def decode(self, rows: Float[Tensor, "read features"], first: int, frames: slice) -> Float[Tensor, "_ controls"]:
        """See `Decoder.decode`."""
        talker, width = self._talker, self._talker.speech.width
        wanted, stage = slice(frames.start - first, frames.stop - first), talker.network.talk
        chunk = first_row(frames.start, CHUNK_FRAMES, OVERLAP_FRAMES) - first
        heard = torch.cat(list(stage.features([rows[chunk:, width + 1 :]], len(rows) - chunk)))
        decoded, self._state = stage.roll_out(heard[wanted.start - chunk : wanted.stop - chunk], self._state)
        channels = talker.network.talking_units(decoded)
        if talker.controls.has_jaw:
            return channels
        silence = rows[:, list(talker.speech.columns("SIL"))].sum(1)
        closure, quiet = lip_closure(rows[:, width]), quietness(silence, rows[:, LOUDNESS])
        return talker._spoken(channels.clamp(0, 1), closure[wanted], quiet[wanted])


def _loudness_kept(
    blocks: Iterable[Float[Tensor, "_ rows"]], loudness: Float[Tensor, " frames"]
) -> Iterator[Float[Tensor, "_ rows"]]:
    """Pass on the rows of a `SpeechRows`, and note their loudness."""
    done = 0
    for rows in blocks:
        loudness[done : done + len(rows)] = rows[:, LOUDNESS]
        done += len(rows)
        yield rows


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
