"""Speech and a reference motion -> expression: the generator of StyleTalk on ARKit channels (METHODS 3.3-3.5)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from facetalk.core.motion import Motion
from facetalk.core.timing import FPS, SAMPLE_RATE, frames_for, windows
from facetalk.head.channels import ARKIT_NAMES, BLINK_NAMES, GAZE_NAMES, LOWER_NAMES, UPPER_NAMES, indices
from facetalk.networks.attention import EncoderLayer, LocalBias
from facetalk.networks.lip_contact import close_lips, contact, resting, touch_teeth
from facetalk.networks.motion_decoder import DecoderConfig, DynamicDecoder
from facetalk.networks.style_encoder import StyleEncoder, StyleEncoderConfig

IDLE_NAMES = BLINK_NAMES + GAZE_NAMES
"""Channels that speech does not drive and `motion/gestures/idle.py` moves. The talker holds the lids at the style's
level and looks straight ahead: where somebody looked in the reference depends on where the camera stood."""

LIDS_AT_MOST = 0.45
"""How far a style may close the lids for good. Beyond this a reference looks down; who does not do so looks asleep."""

PARTING_MM = 3.0
"""Channels that part the lips by more than this when they are 1."""

CHUNK_FRAMES = 240
"""Longest stretch that is decoded in one piece; longer speech is cut into such pieces with exact seams."""


DIRECT_TAPS, DIRECT_DILATION = 7, 2
"""Moments that the straight line from features to motion sees: every second frame of 13."""


@runtime_checkable
class SpeechFeatures(Protocol):
    """What the talker needs of a speech encoder: a row of features for every frame at 30 fps."""

    @property
    def width(self) -> int:
        """Number of features in a row."""
        ...

    def encode(self, waveform: Float[Tensor, " samples"]) -> Float[Tensor, "frames features"]:
        """Features of a mono recording at 16 kHz."""
        ...


@dataclass(frozen=True)
class TalkerConfig:
    """Sizes of the generator."""

    num_layers: int = 2
    """Layers of the audio encoder."""
    reach: int = 5
    """Frames to either side that one layer sees: windows of 11."""
    dropout: float = 0.1
    feature_dropout: float = 0.1
    """Share of the features that are silenced at random in training, each for a whole clip."""
    decoder_share: float = 1.0
    """How much of what the decoders add to the straight line is used when they have learned. They learn a few speakers'
    mouths by heart, and of what they find there a part does not hold for others."""
    spread_range: tuple[float, float] = (0.5, 2.0)
    """How much stiller or livelier than the average a reference may make the talker, per channel."""
    parting_share: float = 1.0
    """How much of a style's level above the neutral one is taken over by the channels that part the lips."""
    closing: bool = True
    """Learn apart from the style when the lips meet, and shut them then in any style."""
    closing_range: tuple[float, float] = (0.0, 1.0)
    """Probability of shut lips below which nothing closes, and from which on they are shut. When learning, all of them
    count: a lip half shut tells which way to go."""
    bilabials: tuple[int, ...] = ()
    """Columns of the features that hold the probabilities of P, B and M, which always shut the lips."""
    labiodentals: tuple[int, ...] = ()
    """Columns of the features that hold the probabilities of F and V, which lay the lower lip on the upper teeth."""
    silence: int | None = None
    """Column of the features that holds the probability of silence, in which the mouth of any style comes to rest."""
    style: StyleEncoderConfig = field(default_factory=StyleEncoderConfig)
    lower: DecoderConfig = field(default_factory=DecoderConfig)
    upper: DecoderConfig = field(default_factory=lambda: DecoderConfig(num_layers=1))

    def __post_init__(self) -> None:
        if self.lower.width != self.upper.width:
            raise ValueError(f"both decoders read the same speech: widths {self.lower.width} and {self.upper.width}")
        if not 0 <= self.closing_range[0] < self.closing_range[1]:
            raise ValueError(f"closing_range={self.closing_range} must be two rising probabilities")

    @property
    def context(self) -> int:
        """Frames to either side that can change a frame of the result."""
        by_layers = self.reach * (self.num_layers + 2 * max(self.lower.num_layers, self.upper.num_layers))
        return max(by_layers, DIRECT_DILATION * (DIRECT_TAPS // 2))


class AudioEncoder(nn.Module):
    """Features of speech -> one token per frame that knows the frames around it.

    The first linear layer is StyleTalk's phoneme embedding: on phoneme posteriors it gives their expected embedding.
    """

    def __init__(self, config: TalkerConfig, num_features: int) -> None:
        super().__init__()
        width, num_heads = config.lower.width, config.lower.num_heads
        self.embed = nn.Linear(num_features, width)
        self.project = nn.Linear(width, width)
        self.layers = nn.ModuleList(
            EncoderLayer(width, num_heads, 4 * width, config.dropout) for _ in range(config.num_layers)
        )
        self.biases = nn.ModuleList(LocalBias(num_heads, config.reach) for _ in range(config.num_layers))

    def forward(
        self, features: Float[Tensor, "batch frames features"], allowed: Tensor
    ) -> Float[Tensor, "batch frames width"]:
        """Tokens; `allowed` is added to the scores and bars padding."""
        x = self.project(self.embed(features))
        for layer, bias in zip(self.layers, self.biases, strict=True):
            x = layer(x, bias(features.shape[1]) + allowed)
        return x


class Spoken(NamedTuple):
    """What the generator makes of speech."""

    expression: Float[Tensor, "batch frames n_expression"]
    """Before it is limited to [0, 1]."""
    closure: Float[Tensor, "batch frames"]
    """Logit of the lips' being shut."""


class Talker(nn.Module):
    """The generator. `forward` is what is trained; `speak` is what is used."""

    feature_mean: Tensor
    feature_scale: Tensor
    usual_spread: Tensor
    neutral_style: Tensor
    columns: Tensor
    driven: Tensor
    steady: Tensor
    most: Tensor
    gap_dirs: Tensor
    amplitude: Tensor

    def __init__(self, config: TalkerConfig, num_features: int, speech: SpeechFeatures | None = None) -> None:
        super().__init__()
        self.config = config
        self.audio_encoder = AudioEncoder(config, num_features)
        self.style_encoder = StyleEncoder(len(ARKIT_NAMES), config.style, with_median=indices(IDLE_NAMES))
        style_width = self.style_encoder.code_width
        self.lower = DynamicDecoder(config.lower, style_width, len(LOWER_NAMES))
        self.upper = DynamicDecoder(config.upper, style_width, len(UPPER_NAMES))
        self.decoder_bias = LocalBias(config.lower.num_heads, config.reach)
        self.silencer = nn.Dropout1d(config.feature_dropout)
        # A straight line from the features, which hold a first guess of the mouth; the decoders add to it.
        reach = DIRECT_DILATION * (DIRECT_TAPS // 2)
        self.direct = nn.Conv1d(num_features, len(ARKIT_NAMES), DIRECT_TAPS, dilation=DIRECT_DILATION, padding=reach)
        nn.init.zeros_(self.direct.weight)
        nn.init.zeros_(self.direct.bias)  # type: ignore[arg-type]
        self.closing = nn.Sequential(nn.Linear(config.lower.width, 32), nn.ReLU(), nn.Linear(32, 1))
        self.register_buffer("gap_dirs", torch.zeros(len(ARKIT_NAMES)))
        self.register_buffer("amplitude", torch.ones(len(ARKIT_NAMES)))
        self.register_buffer("feature_mean", torch.zeros(num_features))
        self.register_buffer("feature_scale", torch.ones(num_features))
        self.register_buffer("usual_spread", torch.full((len(ARKIT_NAMES),), 0.1))
        self.register_buffer("neutral_style", torch.zeros(style_width))
        columns = torch.tensor(indices(LOWER_NAMES) + indices(UPPER_NAMES))
        self.register_buffer("columns", columns.argsort(), persistent=False)
        driven = torch.tensor([name not in IDLE_NAMES for name in ARKIT_NAMES], dtype=torch.float32)
        self.register_buffer("driven", driven, persistent=False)
        steady = torch.tensor([name not in GAZE_NAMES for name in ARKIT_NAMES], dtype=torch.float32)
        self.register_buffer("steady", steady, persistent=False)
        most = torch.full((len(ARKIT_NAMES),), torch.inf)
        most[list(indices(BLINK_NAMES))] = LIDS_AT_MOST
        self.register_buffer("most", most, persistent=False)
        self.__dict__["speech"] = speech  # not a submodule: it has its own weights and does not learn here

    speech: SpeechFeatures | None
    """Turns a recording into features; only `speak` needs it."""

    def forward(
        self,
        features: Float[Tensor, "batch frames features"],
        present: Bool[Tensor, "batch frames"],
        style_code: Float[Tensor, "batch style"],
    ) -> Spoken:
        """Expression, and when the lips are shut.

        Args:
            features: of the speech, one row per frame.
            present: False where a row is only padding.
            style_code: from `style_encoder`.
        """
        allowed = torch.zeros_like(present, dtype=features.dtype).masked_fill(~present, -torch.inf)[:, None, None]
        # A padding row may see itself, so that its softmax has something to sum; nobody reads it.
        own = torch.eye(features.shape[1], dtype=torch.bool, device=features.device)
        allowed = allowed.expand(-1, -1, features.shape[1], -1).masked_fill(own, 0.0)
        heard = (features - self.feature_mean) / self.feature_scale * present[..., None]
        heard = self.silencer(heard.transpose(1, 2)).transpose(1, 2)
        speech = self.audio_encoder(heard, allowed)
        mask = self.decoder_bias(features.shape[1]) + allowed
        groups = [group(speech, self._style(style_code), mask) for group in (self.lower, self.upper)]
        share = 1.0 if self.training else self.config.decoder_share
        moves = self.direct(heard.transpose(1, 2)).transpose(1, 2) + share * torch.cat(groups, -1)[..., self.columns]
        _, level, spread = self.style_encoder.split(style_code)
        level = (level * self.steady)[:, None]
        if not self.training:
            level = self._calmed(torch.minimum(level, self.most), features)
        low, high = self.config.spread_range
        spread = self.usual_spread * (spread / self.usual_spread).clamp(low, high) * self.driven * self.amplitude
        expression = level + spread[:, None] * moves
        closure = self.closing(speech)[..., 0]
        if self.config.closing:
            expression = self._touched(expression, closure.sigmoid(), features)
        return Spoken(expression, closure)

    def _touched(
        self,
        expression: Float[Tensor, "batch frames n_expression"],
        shut: Float[Tensor, "batch frames"],
        features: Float[Tensor, "batch frames features"],
    ) -> Float[Tensor, "batch frames n_expression"]:
        """The expression with its contacts: lips that are foreseen or heard to be shut, and F and V when in use."""
        if not self.training:
            doubtful, certain = self.config.closing_range
            bite = contact(features[..., list(self.config.labiodentals)].sum(-1))
            shut = ((shut - doubtful) / (certain - doubtful)).clamp(0, 1) * (1 - bite)  # nearly shut may be an F
            expression = touch_teeth(expression, bite, self.gap_dirs)
        heard_shut = contact(features[..., list(self.config.bilabials)].sum(-1))
        return close_lips(expression, 1 - (1 - shut) * (1 - heard_shut), self.gap_dirs)

    def _calmed(
        self, level: Float[Tensor, "batch 1 n_expression"], features: Float[Tensor, "batch frames features"]
    ) -> Float[Tensor, "batch _ n_expression"]:
        """Levels of a style, with those of the jaw and of parted lips brought nearer to the neutral ones.

        A lively mouth is open on average because it opens far. What is foreseen of its openings is less, and with the
        whole level the lips would stay ajar; in silence the mouth rests as the neutral one does.
        """
        neutral = self.style_encoder.split(self.neutral_style[None])[1]
        taken = torch.full_like(features[..., :1], self.config.parting_share)
        if self.config.silence is not None:
            taken = taken * (1 - resting(features[..., self.config.silence]))[..., None]
        excess = (level - neutral).clamp_min(0) * (self.gap_dirs > PARTING_MM)
        return level - (1 - taken) * excess

    def _style(self, style_code: Tensor) -> Tensor:
        """The style code with its measured parts in like units."""
        pooled, level, spread = self.style_encoder.split(style_code)
        return torch.cat([pooled, level / self.usual_spread, spread / self.usual_spread], 1)

    @torch.no_grad()
    def encode_style(self, motion: Motion) -> Float[Tensor, " style"]:
        """The style code of a reference motion of any length; codes may be averaged to mix styles."""
        if motion.expression_names != ARKIT_NAMES:
            raise ValueError(f"a style needs the 52 ARKit channels; {motion.head!r} motion has other names")
        expression = motion.to_fps(FPS).expression.to(self.neutral_style)
        if motion.confidence is not None:
            seen = motion.to_fps(FPS).confidence.to(expression) > 0.5  # type: ignore[union-attr]
            expression = expression[seen] if bool(seen.sum() >= 8) else expression
        return self.style_encoder.encode_long(expression)

    @torch.no_grad()
    def decode(
        self, features: Float[Tensor, "frames features"], style_code: Float[Tensor, " style"]
    ) -> Float[Tensor, "frames n_expression"]:
        """Expression in [0, 1] of speech of any length; piece by piece, with the same result as in one."""
        pieces = []
        margin = self.config.context
        for window in windows(len(features), CHUNK_FRAMES + 2 * margin, margin):
            piece = features[None, window.read]
            present = torch.ones(piece.shape[:2], dtype=torch.bool, device=piece.device)
            pieces.append(self(piece, present, style_code[None]).expression[0, window.keep])
        return torch.cat(pieces).clamp(0, 1)

    @torch.no_grad()
    def speak(
        self, waveform: Float[Tensor, " samples"], style: Motion | Tensor | None = None
    ) -> Float[Tensor, "frames n_expression"]:
        """The 52 ARKit channels at 30 fps for a recording.

        Args:
            waveform: mono, 16 kHz, any length.
            style: a reference motion, or a style code from `encode_style`; the bundled neutral one if left away.
        """
        if self.speech is None:
            raise ValueError("this talker was built without a speech encoder; load it with load_talker")
        if isinstance(style, Motion):
            style = self.encode_style(style)
        features = self.speech.encode(waveform)
        num_frames = frames_for(len(waveform) / SAMPLE_RATE)
        if len(features) != num_frames:
            raise ValueError(f"the speech encoder gave {len(features)} rows for {num_frames} frames")
        return self.decode(features, self.neutral_style if style is None else style)
