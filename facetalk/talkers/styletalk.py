"""StyleTalk: speech and a speaking style -> the 52 ARKit channels of the bundled head (Ma et al. 2023)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

from facetalk.audio.known_speech import KnownSpeech, find_speech
from facetalk.audio.phonemes import PHONEMES
from facetalk.audio.segmentation import PhonemeTrack
from facetalk.audio.transcript import Transcript
from facetalk.audio.visemes import BILABIAL, LABIODENTAL
from facetalk.core.config import build, check_ranges
from facetalk.core.emotions import EMOTIONS, MAX_LEVEL, NEUTRAL, EmotionCourse
from facetalk.core.errors import FacetalkError, InvalidValueError, UsageError
from facetalk.core.motion import Motion, still_motion
from facetalk.core.timing import FPS, SAMPLE_RATE, frames_for, streamed_windows
from facetalk.head.channels import ARKIT_NAMES, BLINK_NAMES, indices
from facetalk.io.audio import Waveform, checked_waveform
from facetalk.io.weights import CONFIG_FILE
from facetalk.motion.heads import identity_names
from facetalk.motion.regions import controlled
from facetalk.networks.registry import describe, load, load_speech
from facetalk.networks.speech_rows import live
from facetalk.networks.styletalk import FeatureStream, LiveFeatures, SpeechFeatures, StyleTalkGenerator, feature_blocks
from facetalk.talkers.base import MAX_STRENGTH, Direction, reject_unsupported
from facetalk.talkers.lip_contact import close_where_heard, contact, limit_opening, resting, touch_teeth
from facetalk.talkers.sessions import FeatureSession, WindowDecoder, frames_ahead
from facetalk.talkers.styles import bundled_styles, fingerprint, mixture_named, strengthened

LIDS_AT_MOST = 0.45
"""Upper limit of the lids' level in a style. A reference with more looks down, and on a face that looks ahead it would
look asleep."""

PARTING_MM = 3.0
"""Channels that part the lips by more than this when they are 1."""

CHUNK_FRAMES = 240
"""Longest piece that is decoded at once; longer speech is cut into such pieces with exact seams."""

TALKING_MM, TALKING_REACH = 1.5, 5
"""Lips talk where their gap changes by this much within this many frames to either side."""

MIN_TALKING_FRAMES = 30
"""References that talk in fewer frames are used whole."""

MIN_SEEN_FRAMES = 8
"""References with fewer frames in which the face was tracked well are used whole."""


@dataclass(frozen=True)
class SpeakingConfig:
    """How the talker uses what the generator predicts."""

    decoder_share: float = 1.0
    """How much of what the decoders add to the linear map is used after training. They overfit to the mouths of a few
    speakers, and a part of what they learn does not hold for others."""
    parting_share: float = 1.0
    """How much of a style's level above the neutral one is used for the channels that part the lips."""
    contacts: bool = True
    """Close the lips on P, B and M, bring the lower lip to the teeth on F and V, and limit yawns, in any style."""
    taper_mm: float = 4.0
    """Lip gaps below this are made smaller, the more so the smaller they are; see `close_where_heard`."""

    def __post_init__(self) -> None:
        check_ranges(self, decoder_share=(0, 1), parting_share=(0, 1), taper_mm=(0, 100))


@dataclass(frozen=True, eq=False)
class StyleMixture:
    """Styles, and how much of the motion of each is shown in each frame.

    Motions are blended rather than codes: each style is one code for a whole stretch of speech, in the decoders as in
    their training, and a blend of motions is a straight line from one to the other.
    """

    codes: Float[Tensor, "styles style"]
    shares: Float[Tensor, "frames styles"] | None = None
    """In sum 1 in each frame; None for a single style."""

    def cut(self, frames: slice) -> StyleMixture:
        """The styles that occur in some frames, with their shares."""
        if self.shares is None:
            return self
        shares = self.shares[frames]
        shown = shares.amax(0) > 0
        return StyleMixture(self.codes[shown], shares[:, shown])

    def blended(self, motions: Sequence[Float[Tensor, "1 frames n"]]) -> Float[Tensor, "1 frames n"]:
        """The mixture of the motions of all styles."""
        if self.shares is None:
            return motions[0]
        weights = self.shares.to(motions[0]).T[:, None, :, None]
        return (weights * torch.stack(list(motions)).clamp(0, 1)).sum(0)


class StyleTalk:
    """A talker that takes over the speaking style of a reference."""

    supported = ("style", "strength", "emotion", "control", "transcript")
    """Fields of `Direction` that it follows."""

    def __init__(
        self,
        generator: StyleTalkGenerator,
        speech: SpeechFeatures,
        config: SpeakingConfig | None = None,
        *,
        name: str = "styletalk",
        head: str = "facetalk",
        num_betas: int = 0,
        styles: Mapping[str, Float[Tensor, " style"]] | None = None,
    ) -> None:
        """Put the parts together.

        Args:
            generator: the network; it is not copied.
            speech: the features that the network was trained on.
            config: how the network's predictions are used.
            name: what users call the talker.
            head: the head that its motions belong to; it has the ARKit channels.
            num_betas: number of identity coefficients of this head.
            styles: style codes that can be used by name.
        """
        self.generator, self.speech = generator, speech
        self.config = config or SpeakingConfig()
        self.name, self.head, self.num_betas = name, head, num_betas
        self.styles = dict(styles or {})
        self._bilabials = sorted(speech.columns(*BILABIAL))
        self._labiodentals = sorted(speech.columns(*LABIODENTAL))
        self._silence = list(speech.columns("SIL"))
        self._phonemes = list(speech.columns(*PHONEMES))

    @classmethod
    def from_folder(cls, folder: Path, name: str = "styletalk") -> StyleTalk:
        """Load a talker that `facetalk train styletalk` wrote."""
        generator = load("talker", folder)
        _, entries = describe("talker", folder)
        try:
            config = build(SpeakingConfig, entries.get("speaking", {}), f"{folder / CONFIG_FILE}: speaking")
        except UsageError as error:  # nobody typed these options
            raise FacetalkError(str(error)) from None
        speech = load_speech(str(entries.get("speech", "speech-encoder")))
        if speech.width != len(generator.feature_mean):
            raise FacetalkError(
                f"{folder} was trained on {len(generator.feature_mean)} speech features; "
                f"{entries['speech']} has {speech.width}"
            )
        head = str(entries.get("head", "facetalk"))
        num_betas = len(identity_names(head))
        return cls(generator, speech, config, name=name, head=head, num_betas=num_betas, styles=bundled_styles(folder))

    @property
    def emotions(self) -> tuple[str, ...]:
        """See `EmotionalTalker`: those that have a style of their own."""
        return tuple(name for name in EMOTIONS if name in self.styles and name != NEUTRAL)

    @property
    def neutral_style(self) -> Float[Tensor, " style"]:
        """Mean style code over the training clips that show no named mood."""
        return self.generator.neutral_style

    def fingerprint(self) -> str:
        """Return a text that differs between talkers whose style codes mean different things."""
        return fingerprint(self.generator.style_encoder)

    def speak(
        self,
        waveform: Waveform,
        direction: Direction | None = None,
        generator: torch.Generator | None = None,
    ) -> Motion:
        """See `facetalk.talkers.base.Talker.speak`; there are no random choices."""
        return self.speak_takes(waveform, [direction or Direction()])[0]

    def speak_takes(self, waveform: Waveform, directions: Sequence[Direction]) -> list[Motion]:
        """See `facetalk.talkers.base.RepeatingTalker.speak_takes`."""
        for direction in directions:
            reject_unsupported(self.name, direction, self.supported)
        transcript = directions[0].transcript
        if any(direction.transcript is not transcript for direction in directions):
            raise ValueError("takes of one recording have one transcript")
        waveform = checked_waveform(waveform)
        num_frames = frames_for(len(waveform) / SAMPLE_RATE)
        codes = [strengthened(self.style_code(d.style), self.neutral_style, d.strength) for d in directions]
        mixtures = [
            self._mixture(code, direction.emotion, slice(0, num_frames))
            for code, direction in zip(codes, directions, strict=True)
        ]
        phonemes = PhonemeTrack()
        known = None if transcript is None else self._known(waveform, transcript)
        features = self._heard(feature_blocks(self.speech, waveform), phonemes, known)
        expressions = self._decode_blocks(features, num_frames, mixtures)
        events = phonemes.finish() if known is None else known.with_heard(phonemes.finish())
        takes = []
        for expression, direction in zip(expressions, directions, strict=True):
            motion = still_motion(self.head, expression, ARKIT_NAMES, FPS, self.num_betas)
            takes.append(controlled(motion.with_events(events), direction.control))
        return takes

    @property
    def look_ahead_s(self) -> float:
        """See `facetalk.talkers.base.StreamingTalker.look_ahead_s`."""
        heard = self.speech.look_ahead_s if isinstance(self.speech, LiveFeatures) else math.inf
        return heard + self.generator.config.context / FPS

    def listen(self) -> FeatureStream:
        """See `facetalk.talkers.base.StreamingTalker.listen`."""
        return live(self.speech).start()

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
        reject_unsupported(f"{self.name} in a stream", direction, [n for n in self.supported if n != "transcript"])
        code = strengthened(self.style_code(direction.style), self.neutral_style, direction.strength)

        @torch.no_grad()
        def decode(rows: Tensor, read: slice) -> Tensor:
            mixture = self._mixture(code, direction.emotion, read).cut(slice(None))
            return self._decode_piece(rows[None].to(mixture.codes), mixture)[0].clamp(0, 1).cpu()

        def motion_of(expression: Tensor) -> Motion:
            motion = still_motion(self.head, expression, ARKIT_NAMES, FPS, self.num_betas)
            return controlled(motion, direction.control, resting=True)

        decoder = WindowDecoder(decode, self.generator.config.context)
        return FeatureSession(features or self.listen(), decoder, motion_of, len(ARKIT_NAMES), ahead)

    def _mixture(self, code: Float[Tensor, " style"], emotion: EmotionCourse | None, frames: slice) -> StyleMixture:
        """A style that moves towards those of the emotions: all the way at level 3, as an exaggeration of theirs."""
        shown = () if emotion is None else [name for name in self.emotions if name in emotion.shown]
        if emotion is None or not shown:
            return StyleMixture(code[None])
        levels = emotion.frames(frames.stop - frames.start, first=frames.start)
        shares = levels[:, [EMOTIONS.index(name) for name in shown]] / MAX_LEVEL
        codes = [code + MAX_STRENGTH * (self.styles[name].to(code) - self.neutral_style) for name in shown]
        rest = (1 - shares.sum(1, keepdim=True)).clamp_min(0)
        return StyleMixture(torch.stack([code, *codes]), torch.cat([rest, shares], 1))

    def _known(self, waveform: Waveform, transcript: Transcript) -> KnownSpeech:
        """Find a transcript in a recording, for which its features are computed once more: they are not held."""
        heard = [block[:, self._phonemes] for block in feature_blocks(self.speech, waveform)]
        return find_speech(torch.cat(heard), transcript)

    def _heard(
        self, blocks: Iterable[Float[Tensor, "_ features"]], phonemes: PhonemeTrack, known: KnownSpeech | None
    ) -> Iterator[Float[Tensor, "_ features"]]:
        """Pass on blocks of features, with the phonemes that are known, while those that are heard are collected."""
        first, columns = 0, torch.tensor(self._phonemes)
        for block in blocks:
            heard = block[:, self._phonemes]
            phonemes.feed(heard)
            if known is not None:
                block = block.index_copy(1, columns.to(block.device), known.sharpened(heard, first))
            first += len(block)
            yield block

    def style_code(self, style: Motion | Tensor | str | None) -> Float[Tensor, " style"]:
        """Return the style code that a direction means; the neutral one for None."""
        if style is None:
            return self.neutral_style
        if isinstance(style, Motion):
            return self.encode_style(style)
        if isinstance(style, str):
            return mixture_named(style, self)
        if not isinstance(style, Tensor):
            raise UsageError(f"a style is a motion, a style code or a name, not {type(style).__name__}")
        if not bool(torch.isfinite(style).all()):
            raise InvalidValueError("the style code has values that are not finite")
        if style.shape != self.neutral_style.shape:
            raise UsageError(
                f"a style code of {self.name} has {len(self.neutral_style)} numbers, not the shape {tuple(style.shape)}"
            )
        return style.to(self.neutral_style)

    @torch.no_grad()
    def encode_style(self, motion: Motion) -> Float[Tensor, " style"]:
        """Return the style code of a reference motion of any length.

        A style is how somebody talks: pauses would make the mouth of the style move less.

        Raises:
            ValueError: the motion does not have the 52 ARKit channels.
        """
        if motion.expression_names != ARKIT_NAMES:
            raise ValueError(f"a style needs the 52 ARKit channels; {motion.head!r} motion has other names")
        motion = motion.to_fps(FPS)
        expression = motion.expression.to(self.neutral_style)
        if motion.confidence is not None:
            seen = motion.confidence.to(expression) > 0.5
            expression = expression[seen] if bool(seen.sum() >= MIN_SEEN_FRAMES) else expression
        talking = _talking(expression, self.generator.gap_dirs)
        expression = expression[talking] if bool(talking.sum() >= MIN_TALKING_FRAMES) else expression
        return self.generator.style_encoder.encode_long(expression)

    @torch.no_grad()
    def decode(
        self, features: Float[Tensor, "frames features"], style_code: Float[Tensor, " style"]
    ) -> Float[Tensor, "frames n_expression"]:
        """Return the expression in [0, 1] for speech of any length, decoded in pieces with exact seams."""
        mixtures = [StyleMixture(style_code[None])]
        return self._decode_blocks([features], len(features), mixtures)[0].to(features.device)

    @torch.no_grad()
    def _decode_blocks(
        self, blocks: Iterable[Float[Tensor, "_ features"]], num_frames: int, mixtures: Sequence[StyleMixture]
    ) -> list[Float[Tensor, "frames n_expression"]]:
        """Expression of each mixture for features that come block by block, of which only those in use are held."""
        expressions = [torch.empty(num_frames, len(ARKIT_NAMES)) for _ in mixtures]
        margin, done = self.generator.config.context, 0
        for rows, keep in streamed_windows(checked(blocks, num_frames), num_frames, CHUNK_FRAMES + 2 * margin, margin):
            read = slice(done - keep.start, done - keep.start + len(rows))
            for expression, mixture in zip(expressions, mixtures, strict=True):
                piece = self._decode_piece(rows[None].to(mixture.codes), mixture.cut(read))[0, keep]
                expression[done : done + len(piece)] = piece.clamp(0, 1)
            done += keep.stop - keep.start
        return expressions

    def _decode_piece(
        self, features: Float[Tensor, "1 frames features"], mixture: StyleMixture
    ) -> Float[Tensor, "1 frames n_expression"]:
        expression = mixture.blended([self._decode_style(features, code) for code in mixture.codes])
        if not self.config.contacts:
            return expression
        bilabial, bite = (features[..., columns].sum(-1) for columns in (self._bilabials, self._labiodentals))
        touch, gap_dirs = contact(bite), self.generator.gap_dirs
        expression = touch_teeth(limit_opening(expression.clamp(0, 1), gap_dirs), touch, gap_dirs)
        return close_where_heard(expression, bilabial, touch, gap_dirs, self.config.taper_mm)

    def _decode_style(
        self, features: Float[Tensor, "1 frames features"], style_code: Float[Tensor, " style"]
    ) -> Float[Tensor, "1 frames n_expression"]:
        """Return the expression of one style before lips and teeth are brought into contact."""
        present = torch.ones(features.shape[:2], dtype=torch.bool, device=features.device)
        made = self.generator(features, present, style_code[None])
        return made.expression(self.config.decoder_share, self._calmed(_lids_limited(made.level), features))

    def _calmed(
        self, level: Float[Tensor, "batch 1 n_expression"], features: Float[Tensor, "batch frames features"]
    ) -> Float[Tensor, "batch frames n_expression"]:
        """Return the level with that of the channels that part the lips moved towards the neutral style.

        A lively mouth is open on average because it opens far. Less of its opening is predicted than there is, and
        with the whole level the lips would stay ajar; in silence the mouth rests as in the neutral style.
        """
        neutral = self.generator.style_encoder.split(self.neutral_style[None])[1]
        silent = resting(features[..., self._silence].sum(-1))
        taken = self.config.parting_share * (1 - silent)[..., None]
        excess = (level - neutral).clamp_min(0) * (self.generator.gap_dirs > PARTING_MM)
        return level - (1 - taken) * excess


def checked(blocks: Iterable[Tensor], num_frames: int) -> Iterator[Tensor]:
    """Pass on blocks of features, of which there has to be a row for every frame."""
    count = 0
    for block in blocks:
        count += len(block)
        if count > num_frames:
            break
        yield block
    if count != num_frames:
        raise ValueError(f"the speech features have {count} rows for {num_frames} frames")


def _talking(
    expression: Float[Tensor, "frames n_expression"], gap_dirs: Float[Tensor, " n_expression"]
) -> Bool[Tensor, " frames"]:
    """Find the frames around which the lips move."""
    gap = (expression.clamp(0, 1) @ gap_dirs)[None]
    widest, narrowest = (
        sign * functional.max_pool1d(sign * gap, 2 * TALKING_REACH + 1, stride=1, padding=TALKING_REACH)[0]
        for sign in (1, -1)
    )
    return widest - narrowest > TALKING_MM


def _lids_limited(level: Float[Tensor, "batch 1 n_expression"]) -> Float[Tensor, "batch 1 n_expression"]:
    limit = torch.full_like(level, torch.inf)
    limit[..., indices(BLINK_NAMES)] = LIDS_AT_MOST
    return torch.minimum(level, limit)
