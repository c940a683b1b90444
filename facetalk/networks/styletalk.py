"""Speech features and a style code -> expression: StyleTalk's generator, on ARKit channels (Ma et al. 2023)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from facetalk.core.config import check_ranges
from facetalk.core.memory import giving_back_memory
from facetalk.head.channels import ARKIT_NAMES, GAZE_NAMES, IDLE_NAMES, LOWER_NAMES, UPPER_NAMES, indices
from facetalk.io.audio import Waveform
from facetalk.networks.attention import EncoderLayer
from facetalk.networks.local_attention import LocalBias
from facetalk.networks.motion_decoder import DecoderConfig, DynamicDecoder
from facetalk.networks.style_encoder import StyleEncoder, StyleEncoderConfig
from facetalk.networks.temporal import TemporalConfig, TemporalEnsemble

DIRECT_TAPS, DIRECT_DILATION = 7, 2
"""Frames that the linear map from features to motion sees: every second one of 13."""


@runtime_checkable
class SpeechFeatures(Protocol):
    """A source of speech features: audio in, one row for every frame at 30 fps out."""

    @property
    def width(self) -> int:
        """Number of features in a row."""
        ...

    def columns(self, *names: str) -> tuple[int, ...]:
        """Return the columns that hold the probabilities of these phonemes, such as `P` or `SIL`.

        Raises:
            ValueError: the features do not have one of them.
        """
        ...

    def encode(self, waveform: Float[Tensor, " samples"]) -> Float[Tensor, "frames features"]:
        """Return the features of mono audio at 16 kHz."""
        ...


@runtime_checkable
class StreamedFeatures(SpeechFeatures, Protocol):
    """Speech features that can be computed block by block."""

    def encode_blocks(self, waveform: Waveform) -> Iterator[Float[Tensor, "frames features"]]:
        """Yield the rows of `encode` in consecutive blocks."""
        ...


@runtime_checkable
class FeatureStream(Protocol):
    """The features of a recording that comes piece by piece."""

    @property
    def width(self) -> int:
        """Number of features in a row."""
        ...

    def feed(
        self, samples: Float[Tensor, " samples"], with_ending: bool = False
    ) -> tuple[Float[Tensor, "_ features"], Float[Tensor, "_ features"]]:
        """Take the next samples.

        Args:
            samples: 16 kHz, any number.
            with_ending: whether the second part of the result is wanted; else it is empty.

        Returns:
            The next rows that no later audio can change, and those that would follow if the recording ended here.
        """
        ...


@runtime_checkable
class LiveFeatures(SpeechFeatures, Protocol):
    """Speech features that can be computed while the audio comes."""

    @property
    def look_ahead_s(self) -> float:
        """How much audio after the middle of a frame counts for its row, seconds."""
        ...

    def start(self) -> FeatureStream:
        """Begin a recording that comes piece by piece."""
        ...


def feature_blocks(speech: SpeechFeatures, waveform: Waveform) -> Iterator[Float[Tensor, "frames features"]]:
    """Yield the features of a recording, in consecutive blocks if the source of the features can do that."""
    if isinstance(speech, StreamedFeatures):
        yield from giving_back_memory(speech.encode_blocks(waveform), every=4)
    else:
        yield speech.encode(waveform[:])


@dataclass(frozen=True)
class GeneratorConfig:
    """Sizes of the generator."""

    num_layers: int = 2
    """Layers of the audio encoder."""
    reach: int = 5
    """Frames to either side that one layer sees: windows of 11."""
    dropout: float = 0.1
    feature_dropout: float = 0.1
    """Share of the features that are set to zero at random in training, each for a whole clip."""
    spread_range: tuple[float, float] = (0.5, 2.0)
    """Smallest and largest spread of a channel that a style may ask for, relative to the channel's usual spread."""
    temporal: TemporalConfig = field(default_factory=TemporalConfig)
    style: StyleEncoderConfig = field(default_factory=StyleEncoderConfig)
    lower: DecoderConfig = field(default_factory=DecoderConfig)
    upper: DecoderConfig = field(default_factory=lambda: DecoderConfig(num_layers=1))

    def __post_init__(self) -> None:
        check_ranges(self, num_layers=(1, 100), reach=(1, 1000), dropout=(0, 0.99), feature_dropout=(0, 0.99))
        if self.lower.width != self.upper.width:
            raise ValueError(f"both decoders read the same speech: widths {self.lower.width} and {self.upper.width}")

    @property
    def context(self) -> int:
        """Frames to either side that can change a frame of the result."""
        by_layers = self.reach * (self.num_layers + 2 * max(self.lower.num_layers, self.upper.num_layers))
        return max(by_layers, DIRECT_DILATION * (DIRECT_TAPS // 2), self.temporal.reach)


class AudioEncoder(nn.Module):
    """Features of speech -> one token per frame that knows the frames around it.

    The first linear layer is StyleTalk's phoneme embedding: on phoneme posteriors it gives their expected embedding.
    """

    def __init__(self, config: GeneratorConfig, num_features: int) -> None:
        super().__init__()
        width, num_heads = config.lower.width, config.lower.num_heads
        self.embed = nn.Linear(num_features, width)
        self.project = nn.Linear(width, width)
        self.layers = nn.ModuleList(
            EncoderLayer(width, num_heads, 4 * width, config.dropout) for _ in range(config.num_layers)
        )
        self.biases = nn.ModuleList(LocalBias(num_heads, config.reach) for _ in range(config.num_layers))

    def forward(
        self, features: Float[Tensor, "batch frames features"], present: Bool[Tensor, "batch frames"]
    ) -> Float[Tensor, "batch frames width"]:
        """Return tokens; padding, where `present` is False, does not count."""
        x = self.project(self.embed(features))
        for layer, bias in zip(self.layers, self.biases, strict=True):
            x = layer(x, bias(present))
        return x


class Generated(NamedTuple):
    """What the generator makes of speech and a style: the parts of an expression."""

    level: Float[Tensor, "batch 1 n_expression"]
    """Mean of each channel in this style."""
    spread: Float[Tensor, "batch 1 n_expression"]
    """How far each channel moves in this style."""
    linear: Float[Tensor, "batch frames n_expression"]
    """Movement that the linear map predicts, in units of the spread."""
    temporal: Float[Tensor, "batch members frames n_expression"]
    """Movement that each temporal network predicts, in units of the spread."""
    temporal_share: float
    """Share of the temporal networks in `base`."""
    refinement: Float[Tensor, "batch frames n_expression"]
    """Movement that the decoders add, in units of the spread."""

    @property
    def base(self) -> Float[Tensor, "batch frames n_expression"]:
        """Movement that the linear map and the temporal networks predict together, in units of the spread."""
        if not self.temporal.shape[1]:
            return self.linear
        return self.linear.lerp(self.temporal.mean(1), self.temporal_share)

    def expression(
        self, refinement_share: float = 1.0, level: Float[Tensor, "batch _ n_expression"] | None = None
    ) -> Float[Tensor, "batch frames n_expression"]:
        """Return the expression, not limited to [0, 1].

        Args:
            refinement_share: how much of what the decoders add is used; all of it in training.
            level: replaces the style's level.
        """
        moves = self.base + refinement_share * self.refinement
        return (self.level if level is None else level) + self.spread * moves


class StyleTalkGenerator(nn.Module):
    """Audio encoder, style encoder and the two style-controllable decoders of StyleTalk, on top of a linear map."""

    feature_mean: Tensor
    feature_scale: Tensor
    usual_spread: Tensor
    neutral_style: Tensor
    columns: Tensor
    driven: Tensor
    gazeless: Tensor
    gap_dirs: Tensor
    amplitude: Tensor

    def __init__(self, config: GeneratorConfig, num_features: int) -> None:
        super().__init__()
        self.config = config
        self.audio_encoder = AudioEncoder(config, num_features)
        self.style_encoder = StyleEncoder(len(ARKIT_NAMES), config.style, with_median=indices(IDLE_NAMES))
        style_width = self.style_encoder.code_width
        self.lower = DynamicDecoder(config.lower, style_width, len(LOWER_NAMES))
        self.upper = DynamicDecoder(config.upper, style_width, len(UPPER_NAMES))
        self.decoder_bias = LocalBias(config.lower.num_heads, config.reach)
        self.channel_dropout = nn.Dropout1d(config.feature_dropout)
        # The features contain a first estimate of the mouth, which a linear map carries over; the decoders add to it.
        reach = DIRECT_DILATION * (DIRECT_TAPS // 2)
        self.direct = nn.Conv1d(num_features, len(ARKIT_NAMES), DIRECT_TAPS, dilation=DIRECT_DILATION, padding=reach)
        nn.init.zeros_(self.direct.weight)
        nn.init.zeros_(self.direct.bias)  # type: ignore[arg-type]
        self.temporal = TemporalEnsemble(config.temporal, num_features, len(ARKIT_NAMES))
        self.register_buffer("gap_dirs", torch.zeros(len(ARKIT_NAMES)))
        self.register_buffer("amplitude", torch.ones(len(ARKIT_NAMES)))
        self.register_buffer("feature_mean", torch.zeros(num_features))
        self.register_buffer("feature_scale", torch.ones(num_features))
        self.register_buffer("usual_spread", torch.full((len(ARKIT_NAMES),), 0.1))
        self.register_buffer("neutral_style", torch.zeros(style_width))
        order = torch.tensor(indices(LOWER_NAMES) + indices(UPPER_NAMES)).argsort()
        self.register_buffer("columns", order, persistent=False)
        self.register_buffer("driven", _all_but(IDLE_NAMES), persistent=False)
        self.register_buffer("gazeless", _all_but(GAZE_NAMES), persistent=False)

    def forward(
        self,
        features: Float[Tensor, "batch frames features"],
        present: Bool[Tensor, "batch frames"],
        style_code: Float[Tensor, "batch style"],
    ) -> Generated:
        """Predict the parts of the expression.

        Args:
            features: of the speech, one row per frame.
            present: False where a row is only padding.
            style_code: from `style_encoder`.
        """
        heard = (features - self.feature_mean) / self.feature_scale * present[..., None]
        heard = self.channel_dropout(heard.transpose(1, 2)).transpose(1, 2)
        speech = self.audio_encoder(heard, present)
        mask = self.decoder_bias(present)
        groups = [group(speech, self._scaled(style_code), mask) for group in (self.lower, self.upper)]
        level, spread = self._level_and_spread(style_code)
        return Generated(
            level=level[:, None],
            spread=spread[:, None],
            linear=self.direct(heard.transpose(1, 2)).transpose(1, 2),
            temporal=self.temporal(heard, present),
            temporal_share=self.config.temporal.share,
            refinement=torch.cat(groups, -1)[..., self.columns],
        )

    def _level_and_spread(self, style_code: Tensor) -> tuple[Tensor, Tensor]:
        """Return both for every channel; the gaze has no level, and channels that speech does not drive no spread."""
        _, level, spread = self.style_encoder.split(style_code)
        low, high = self.config.spread_range
        spread = self.usual_spread * (spread / self.usual_spread).clamp(low, high) * self.driven * self.amplitude
        return level * self.gazeless, spread

    def _scaled(self, style_code: Tensor) -> Tensor:
        """Return the style code with level and spread in units of the usual spread."""
        pooled, level, spread = self.style_encoder.split(style_code)
        return torch.cat([pooled, level / self.usual_spread, spread / self.usual_spread], 1)


def _all_but(names: tuple[str, ...]) -> Float[Tensor, " n_expression"]:
    """1 for every ARKit channel that is not among the names, 0 for those."""
    return torch.tensor([name not in names for name in ARKIT_NAMES], dtype=torch.float32)
