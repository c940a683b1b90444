"""Speech -> expression with content and emotion disentangled: EmoTalk (Peng et al. 2023)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from facetalk.core.config import check_ranges
from facetalk.core.emotions import EMOTIONS, NEUTRAL, emotion_named
from facetalk.core.errors import UsageError
from facetalk.core.spans import Span
from facetalk.core.timing import FPS
from facetalk.head.channels import ARKIT_NAMES
from facetalk.networks.attention import Attention, biased_causal_mask, periodic_code
from facetalk.networks.chunks import chunked_rows, chunks, faded
from facetalk.networks.rollout import AlignedAttention
from facetalk.networks.wav2vec import NUM_PROSODY, Wav2VecConfig, Wav2VecEncoder

CHUNK_FRAMES, OVERLAP_FRAMES = 240, 60
"""Longest piece that is encoded and decoded at once, and frames over which two pieces fade into each other."""

REACH_FRAMES = 45
"""Frames to either side that count for the emotion of the voice at a moment."""

CONTEXT_DROPOUT = 0.5
_EPSILON = 1e-6

NUM_LEVELS = 2
"""Normal and strong, as RAVDESS has them; see `level_vectors`."""

CLEAR = 2.0
"""Level of the first of them; the second is one higher."""


@dataclass(frozen=True)
class EmoTalkConfig:
    """Sizes; those of the paper are in parentheses where ours are smaller."""

    content: Wav2VecConfig = field(default_factory=lambda: Wav2VecConfig(width=128, num_layers=2, inner=256))
    """Transformer of the content encoder (wav2vec 2.0 large)."""
    emotion: Wav2VecConfig = field(
        default_factory=lambda: Wav2VecConfig(width=128, num_layers=2, inner=256, prosody=True)
    )
    """Transformer of the emotion encoder (wav2vec 2.0 large), which also hears pitch and loudness."""
    own_fronts: bool = False
    """Whether each encoder has a convolutional front end of its own, as in the paper. Otherwise both listen to the rows
    of one speech encoder, which is not a part of this network."""
    content_width: int = 128
    """(512)"""
    emotion_width: int = 64
    """(256)"""
    level_width: int = 16
    """(32)"""
    person_width: int = 16
    """(32)"""
    num_heads: int = 4
    inner: int = 224
    """Of the decoder's feed-forward layer (832)."""
    dropout: float = 0.1
    period: int = round(FPS)
    periodic: bool = True
    """Whether frames have a periodic positional code: the article says so, the released network has none."""
    guided: bool = True
    """Emotion-guided attention: whether the decoder attends to the emotion; without it, it only gets it as input."""
    sounds: tuple[str, ...] = (NEUTRAL,)
    """Names of the emotions that are told apart by the voice."""
    emotions: tuple[str, ...] = (NEUTRAL,)
    """Names of the emotions that can be asked for."""
    num_persons: int = 1

    def __post_init__(self) -> None:
        check_ranges(self, content_width=(1, 8192), emotion_width=(1, 8192), level_width=(1, 1024))
        check_ranges(self, person_width=(1, 1024), num_heads=(1, 256), inner=(1, 32768), dropout=(0, 0.99))
        check_ranges(self, period=(1, 1000), num_persons=(1, 10_000))
        if self.width % 2 or self.width % self.num_heads:
            raise ValueError(f"the widths sum to {self.width}, which must be even and a multiple of num_heads")
        for names in (self.sounds, self.emotions):
            if not names or len(set(names)) < len(names):
                raise ValueError("sounds and emotions must name at least one emotion each, and none twice")
        for name in self.sounds:
            try:
                emotion_named(name)
            except UsageError as error:
                raise ValueError(f"sounds: {error}") from None
        unknown = [name for name in self.emotions if name not in EMOTIONS]
        if unknown or NEUTRAL not in self.emotions:
            found = unknown[0] if unknown else f"no {NEUTRAL}"
            raise ValueError(f"emotions has {found!r:.40}; it must list {NEUTRAL} and others of {', '.join(EMOTIONS)}")
        if not self.emotion.prosody or self.content.prosody:
            raise ValueError("the emotion encoder hears pitch and loudness, the content encoder does not")

    @property
    def width(self) -> int:
        """Of the decoder: content, emotion, level and person side by side."""
        return self.content_width + self.emotion_width + self.level_width + self.person_width


class Heard(NamedTuple):
    """What both encoders make of speech, one row per frame."""

    content: Float[Tensor, "batch frames content"]
    """What is said: the content feature."""
    emotion: Float[Tensor, "batch frames hidden"]
    """How it is said: hidden states of the emotion encoder."""


class EmotionLogits(NamedTuple):
    """What the emotion encoder makes of a whole input."""

    sounds: Float[Tensor, "batch sounds"]
    levels: Float[Tensor, "batch levels"]


class Asked(NamedTuple):
    """The emotion that is asked for in each frame."""

    shares: Float[Tensor, "frames emotions"]
    """Of each of the network's emotions; they sum to 1."""
    levels: Float[Tensor, "frames levels"]
    """See `decode`."""


class Performed(NamedTuple):
    """What a network shows and hears, one row per frame."""

    expression: Float[Tensor, "frames 52"]
    """Not limited to [0, 1]."""
    sounds: Float[Tensor, "frames sounds"]
    """Probability of each emotion in the voice."""
    levels: Float[Tensor, "frames levels"]
    """Probability of each level, if there is an emotion."""


class EmoTalkNetwork(nn.Module):
    """Two encoders and one decoder that is not autoregressive.

    The paper's emotion encoder is a transformer of 24 layers that was trained on hours of acted emotion. Ours is small,
    so a linear map of the input's mean and spread over three seconds is added to its hidden states: such statistics are
    what little data can tell emotions apart by.

    The speech comes as rows at 30 frames a second: those of a front end, or of two, then pitch, voicing and loudness.
    """

    feature_mean: Tensor
    feature_std: Tensor
    context_mean: Tensor
    context_std: Tensor
    mean: Tensor
    spread: Tensor
    amplitude: Tensor
    gap_dirs: Tensor
    """By how many millimeters each channel parts the lips of the head."""

    def __init__(
        self,
        config: EmoTalkConfig,
        num_features: int,
        encoders: tuple[Wav2VecEncoder, Wav2VecEncoder] | None = None,
    ) -> None:
        """Build the network.

        Args:
            config: sizes.
            num_features: columns of the rows, with pitch, voicing and loudness.
            encoders: trained encoders of content and emotion with front ends of their own; new ones if None.
        """
        super().__init__()
        if encoders is None:
            heard = num_features - NUM_PROSODY
            content, emotion = (_encoder(c, config.own_fronts, heard) for c in (config.content, config.emotion))
            encoders = content, emotion
        self.content_encoder, self.emotion_encoder = encoders
        self.config = config = replace(config, content=encoders[0].config, emotion=encoders[1].config)
        for encoder in encoders:
            encoder.freeze_front()
        hidden, width = config.emotion.width, config.width
        self.context = nn.Sequential(nn.Dropout(CONTEXT_DROPOUT), nn.Linear(2 * num_features, hidden))
        self.to_content = nn.Linear(config.content.width, config.content_width)
        self.to_memory = nn.Linear(hidden, width)
        self.to_emotion = nn.Sequential(nn.Linear(width, config.emotion_width), nn.ReLU())
        self.level = nn.Linear(NUM_LEVELS, config.level_width)
        self.person = nn.Linear(config.num_persons, config.person_width)
        self.classifier = nn.Linear(2 * hidden, len(config.sounds) + NUM_LEVELS).requires_grad_(False)
        """Tells emotion and level; fitted when the encoder is trained. Until then all are equally likely."""
        self.asked = nn.Parameter(0.02 * torch.randn(len(config.emotions), hidden))
        """What the emotion encoder would say of each emotion that is asked for by name."""
        self.decoder = GuidedDecoder(config)
        nn.init.zeros_(self.classifier.weight)
        nn.init.zeros_(self.classifier.bias)
        channels = len(ARKIT_NAMES)
        self.register_buffer("feature_mean", torch.zeros(num_features))
        self.register_buffer("feature_std", torch.ones(num_features))
        self.register_buffer("context_mean", torch.zeros(2 * num_features))
        self.register_buffer("context_std", torch.ones(2 * num_features))
        for name, value in (("mean", 0.0), ("spread", 1.0), ("amplitude", 1.0), ("gap_dirs", 0.0)):
            self.register_buffer(name, torch.full((channels,), value))

    def listen(self, rows: Float[Tensor, "batch frames features"]) -> Heard:
        """Encode speech; pitch and loudness are the last columns of the rows."""
        said, _ = self._fronts((rows - self.feature_mean) / self.feature_std)
        return Heard(self.to_content(self.content_encoder.transform(said)), self.feel(rows))

    def feel(self, rows: Float[Tensor, "batch frames features"]) -> Float[Tensor, "batch frames hidden"]:
        """The emotion of `listen` alone."""
        rows = (rows - self.feature_mean) / self.feature_std
        _, felt = self._fronts(rows)
        around = (windowed(rows) - self.context_mean) / self.context_std
        return self.emotion_encoder.transform(felt, rows[..., -NUM_PROSODY:]) + self.context(around)

    def _fronts(self, rows: Float[Tensor, "batch frames features"]) -> tuple[Tensor, Tensor]:
        """What the encoders of content and emotion hear."""
        front = rows[..., :-NUM_PROSODY]
        if not self.config.own_fronts:
            return front, front
        said, felt = front.split([self.config.content.channels[-1], self.config.emotion.channels[-1]], -1)
        return said, felt

    def classify(self, emotion: Float[Tensor, "batch frames hidden"]) -> EmotionLogits:
        """Emotion and level of the whole input, from mean and standard deviation of the hidden states."""
        return _logits(self.classifier(pooled(emotion)))

    def decode(
        self,
        content: Float[Tensor, "batch frames content"],
        emotion: Float[Tensor, "batch frames hidden"],
        level: Float[Tensor, "batch frames levels"],
        person: Float[Tensor, "batch persons"],
    ) -> Float[Tensor, "batch frames 52"]:
        """Expression that says the content with the emotion, in units of each channel's spread around its mean.

        Args:
            content: of `Heard`.
            emotion: of `Heard`, of the same or other speech of this length, or a mixture of `asked`.
            level: one-hot, or in between; zero for no emotion.
            person: one-hot, or a mixture.
        """
        memory = self.to_memory(emotion)
        who = self.person(person)[:, None].expand(-1, content.shape[1], -1)
        fused = torch.cat([content, self.to_emotion(memory), self.level(level), who], 2)
        return self.decoder(fused, memory)

    def expression(self, decoded: Float[Tensor, "batch frames 52"]) -> Float[Tensor, "batch frames 52"]:
        """What `decode` returned as coefficients, not limited to [0, 1]."""
        return decoded * (self.amplitude * self.spread) + self.mean

    def classify_frames(self, emotion: Float[Tensor, "1 frames hidden"]) -> EmotionLogits:
        """Like `classify`, from the frames around each frame of one input: up to `REACH_FRAMES` to either side."""
        return _logits(self.classifier(windowed(emotion)[0]))

    @torch.no_grad()
    def perform(
        self,
        blocks: Iterable[Float[Tensor, "_ features"]],
        num_frames: int,
        person: Float[Tensor, " persons"],
        asked: Asked | None = None,
    ) -> Iterator[Performed]:
        """Yield the motion for speech of any length in consecutive blocks, with what its voice shows.

        Args:
            blocks: consecutive rows.
            num_frames: how many rows there are.
            person: one-hot, or a mixture.
            asked: the emotion that is shown; that of the voice if None.
        """
        spans = chunks(num_frames, CHUNK_FRAMES, OVERLAP_FRAMES)
        rows = chunked_rows(blocks, num_frames, CHUNK_FRAMES, OVERLAP_FRAMES)
        done = (self._perform_chunk(part, person, asked, span) for part, span in zip(rows, spans, strict=True))
        sizes = [len(ARKIT_NAMES), len(self.config.sounds), NUM_LEVELS]
        for block in faded(done, OVERLAP_FRAMES):
            yield Performed(*block.split(sizes, 1))

    def _perform_chunk(
        self, rows: Float[Tensor, "frames features"], person: Float[Tensor, " persons"], asked: Asked | None, span: Span
    ) -> Float[Tensor, "frames _"]:
        """Expression, then probabilities of emotions and levels."""
        heard = self.listen(rows[None])
        logits = self.classify_frames(heard.emotion)
        sounds, levels = logits.sounds.softmax(1), logits.levels.softmax(1)
        if asked is None:
            emotion, level = heard.emotion, levels * (1 - sounds[:, self.calm].sum(1, keepdim=True))
        else:
            emotion = (asked.shares[span.start : span.stop] @ self.asked)[None]
            level = asked.levels[span.start : span.stop]
        decoded = self.decode(heard.content, emotion, level[None], person[None])
        return torch.cat([self.expression(decoded)[0], sounds, levels], 1)

    @property
    def calm(self) -> list[int]:
        """Classes of the voice that mean no emotion."""
        return [index for index, name in enumerate(self.config.sounds) if emotion_named(name) == NEUTRAL]


class GuidedDecoder(nn.Module):
    """The emotion-guided fusion decoder: one post-norm transformer layer over all frames at once.

    A periodic positional code, self attention with a biased causal mask, and attention of each frame to the emotion of
    the same frame. The output layer starts at zero, so an untrained decoder returns the mean face.
    """

    codes: Tensor

    def __init__(self, config: EmoTalkConfig) -> None:
        super().__init__()
        self.config = config
        width = config.width
        self.attention = Attention(width, config.num_heads, config.dropout)
        self.aligned = AlignedAttention(width) if config.guided else None
        self.feed_forward = nn.Sequential(
            nn.Linear(width, config.inner), nn.ReLU(), nn.Dropout(config.dropout), nn.Linear(config.inner, width)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3))
        self.dropout = nn.Dropout(config.dropout)
        self.to_motion = nn.Linear(width, len(ARKIT_NAMES))
        nn.init.zeros_(self.to_motion.weight)
        nn.init.zeros_(self.to_motion.bias)
        self.register_buffer("codes", periodic_code(config.period, width, config.period), persistent=False)

    def forward(
        self, fused: Float[Tensor, "batch frames width"], memory: Float[Tensor, "batch frames width"]
    ) -> Float[Tensor, "batch frames 52"]:
        """Motion of all frames.

        Args:
            fused: content, emotion, level and person.
            memory: the emotion that each frame attends to.
        """
        num_frames, config = fused.shape[1], self.config
        if config.periodic:
            fused = fused + self.codes[torch.arange(num_frames, device=fused.device) % config.period]
        mask = biased_causal_mask(num_frames, config.num_heads, config.period).to(fused)
        x = self.norms[0](fused + self.dropout(self.attention(fused, fused, mask)))
        if self.aligned is not None:
            x = self.norms[1](x + self.dropout(self.aligned(memory)))
        return self.to_motion(self.norms[2](x + self.dropout(self.feed_forward(x))))


class GradientReversal(torch.autograd.Function):
    """Passes values on and turns gradients around (Ganin and Lempitsky 2015): what learns from them unlearns before."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, x: Tensor) -> Tensor:
        """The input."""
        return x.view_as(x)

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, *grad_outputs: Tensor) -> Tensor:
        """The negative gradient."""
        return -grad_outputs[0]


class ContentCritics(nn.Module):
    """What keeps the content feature to what is said; used in training only.

    Phonemes are read from each row, and the emotion of the whole through a gradient reversal.
    """

    def __init__(self, width: int, num_phonemes: int, num_sounds: int) -> None:
        super().__init__()
        self.to_phonemes = nn.Linear(width, num_phonemes)
        self.to_sounds = nn.Sequential(nn.Linear(2 * width, width), nn.ReLU(), nn.Linear(width, num_sounds))

    def phonemes(self, content: Float[Tensor, "batch frames content"]) -> Float[Tensor, "batch frames phonemes"]:
        """Logits of the phonemes."""
        return self.to_phonemes(content)

    def sounds(self, content: Float[Tensor, "batch frames content"]) -> Float[Tensor, "batch sounds"]:
        """Logits of the emotions; the content feature learns to make them wrong."""
        pooled = torch.cat([content.mean(1), content.std(1)], 1)
        return self.to_sounds(GradientReversal.apply(pooled))


class EmotionTeacher(nn.Module):
    """What teaches the emotion encoder to tell emotions and levels apart; used in training only."""

    def __init__(self, hidden: int, num_sounds: int, dropout: float) -> None:
        super().__init__()
        # Means over a recording differ far less than frames do; without the normalization they are learned slowly.
        self.layers = nn.Sequential(
            nn.BatchNorm1d(2 * hidden, affine=False),
            nn.Dropout(dropout),
            nn.Linear(2 * hidden, hidden),
            nn.Tanh(),
            nn.Dropout(dropout),
            nn.Linear(hidden, num_sounds + NUM_LEVELS),
        )

    def forward(self, emotion: Float[Tensor, "batch frames hidden"]) -> EmotionLogits:
        """Emotion and level of the whole input, from hidden states of the emotion encoder."""
        return _logits(self.layers(pooled(emotion)))


def pooled(rows: Float[Tensor, "batch frames width"]) -> Float[Tensor, "batch statistics"]:
    """Mean and standard deviation over all frames."""
    return torch.cat([rows.mean(1), rows.var(1, correction=0).clamp_min(_EPSILON).sqrt()], 1)


def windowed(rows: Float[Tensor, "batch frames width"]) -> Float[Tensor, "batch frames statistics"]:
    """Mean and standard deviation of the frames around each frame, up to `REACH_FRAMES` to either side."""
    columns = rows.transpose(1, 2)
    size = 2 * REACH_FRAMES + 1
    mean, square = (
        functional.avg_pool1d(x, size, 1, REACH_FRAMES, count_include_pad=False) for x in (columns, columns.square())
    )
    return torch.cat([mean, (square - mean.square()).clamp_min(_EPSILON).sqrt()], 1).transpose(1, 2)


def level_vectors(levels: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch levels"]:
    """The decoder's input for levels from 0 to 3: nothing, clear at 2, strong at 3, and straight lines in between."""
    strong = (levels - CLEAR).clamp(0, 1)
    return torch.stack([(levels / CLEAR).clamp(max=1) * (1 - strong), strong], -1)


def _logits(both: Float[Tensor, "batch sounds_and_levels"]) -> EmotionLogits:
    return EmotionLogits(both[:, :-NUM_LEVELS], both[:, -NUM_LEVELS:])


def _encoder(config: Wav2VecConfig, own_front: bool, num_features: int) -> Wav2VecEncoder:
    if own_front:
        return Wav2VecEncoder(config)
    # One convolution that is left out: its size is all that the transformer needs to know of its input.
    listening = replace(config, channels=(num_features,), kernels=(1,), strides=(320,))
    return Wav2VecEncoder(listening, front=False)
