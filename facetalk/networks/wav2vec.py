"""Waveform -> hidden states at 30 frames a second: wav2vec 2.0 encoders (Baevski et al. 2020) through `transformers`.

The architecture is that of `Wav2Vec2Model`, so published weights fit. As in FaceFormer (Fan et al. 2022) the output of
the convolutional front end, 50 rows a second, is resampled to 30 and the transformer runs at that rate.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from facetalk.audio.torchaudio_compat import load_torchaudio
from facetalk.core.config import check_ranges
from facetalk.core.timing import FPS, SAMPLE_RATE

FRONT_RATE = 50
"""Rows per second of every front end."""

FRONT_NORMS = ("layer", "group")

NUM_PROSODY = 3
"""Further inputs of an encoder with `prosody`: see `facetalk.audio.prosody`."""

_LOWEST_HZ, _HIGHEST_HZ = 60.0, 7600.0
"""Tones of the first layer of a front end that is trained from nothing."""
_PHASES = 4
_EPSILON = 1e-5


@dataclass(frozen=True)
class Wav2VecConfig:
    """Sizes of an encoder: those of our small one, or of any published one (see `config_of`)."""

    width: int = 192
    num_layers: int = 4
    num_heads: int = 4
    inner: int = 768
    """Width of the feed-forward layers."""
    channels: tuple[int, ...] = (256, 256, 192)
    """Of the front end's convolutions; 2 % of the operations of wav2vec 2.0 base."""
    kernels: tuple[int, ...] = (400, 3, 3)
    strides: tuple[int, ...] = (80, 2, 2)
    """Their product is 320 samples, a fiftieth of a second."""
    front_norm: str = "layer"
    """`layer` normalizes every row of every convolution, `group` the first one's channels over the whole input."""
    front_bias: bool = True
    norm_first: bool = True
    """Whether layers normalize their input instead of their output."""
    position_taps: int = 32
    """Kernel of the convolution that codes positions."""
    position_groups: int = 16
    dropout: float = 0.1
    prosody: bool = False
    """Whether pitch and loudness are further inputs of the transformer."""

    def __post_init__(self) -> None:
        check_ranges(self, width=(1, 8192), num_layers=(1, 100), num_heads=(1, 256), inner=(1, 32768))
        check_ranges(self, channels=(1, 8192), kernels=(1, 4096), strides=(1, 4096), dropout=(0, 0.99))
        check_ranges(self, position_taps=(1, 1024), position_groups=(1, 1024))
        if not len(self.channels) == len(self.kernels) == len(self.strides):
            raise ValueError("channels, kernels and strides must be lists of the same length")
        if math.prod(self.strides) * FRONT_RATE != SAMPLE_RATE:
            raise ValueError(f"strides={list(self.strides)} must multiply to {SAMPLE_RATE // FRONT_RATE} samples")
        if self.width % self.num_heads or self.width % self.position_groups:
            raise ValueError(f"width={self.width} must be a multiple of num_heads and of position_groups")
        if self.front_norm not in FRONT_NORMS:
            raise ValueError(f"front_norm={self.front_norm!r} must be one of {', '.join(FRONT_NORMS)}")

    @property
    def field(self) -> int:
        """Samples that one row of the front end sees."""
        size = 1
        for kernel, stride in zip(reversed(self.kernels), reversed(self.strides), strict=True):
            size = (size - 1) * stride + kernel
        return size

    @property
    def front_operations(self) -> float:
        """Multiplications of the front end for each second of audio."""
        rate, inputs, total = float(SAMPLE_RATE), 1, 0.0
        for channels, kernel, stride in zip(self.channels, self.kernels, self.strides, strict=True):
            rate /= stride
            total += rate * kernel * inputs * channels
            inputs = channels
        return total


BASE = Wav2VecConfig(
    width=768,
    num_layers=12,
    num_heads=12,
    inner=3072,
    channels=(512,) * 7,
    kernels=(10, 3, 3, 3, 3, 2, 2),
    strides=(5, 2, 2, 2, 2, 2, 2),
    front_norm="group",
    front_bias=False,
    norm_first=False,
    position_taps=128,
)
"""wav2vec 2.0 base."""


class Wav2VecEncoder(nn.Module):
    """Waveform -> one row per video frame.

    Row t describes the audio around second (t + 0.5) / 30. Every row depends on the whole input.
    """

    def __init__(self, config: Wav2VecConfig | None = None, front: bool = True) -> None:
        """Build the encoder.

        Args:
            config: sizes.
            front: whether it has a convolutional front end; without one, only `transform` works.
        """
        super().__init__()
        self.config = config = config or Wav2VecConfig()
        transformers = load_transformers()
        self.model: Any = transformers.Wav2Vec2Model(_transformers_config(transformers, config))
        if not front:
            self.model.feature_extractor = nn.Identity()
        elif config.front_norm == "layer":
            set_tones(self.model.feature_extractor.conv_layers[0].conv)
        self.prosody = nn.Linear(NUM_PROSODY, config.width) if config.prosody else None
        if self.prosody is not None:
            nn.init.zeros_(self.prosody.weight)
            nn.init.zeros_(self.prosody.bias)

    def forward(
        self,
        waveform: Float[Tensor, "batch samples"],
        num_frames: int,
        prosody: Float[Tensor, "batch frames 3"] | None = None,
    ) -> Float[Tensor, "batch frames width"]:
        """Hidden states of the first `num_frames` frames.

        Args:
            waveform: 16 kHz, with zero mean and unit variance over the recording (`standardized`).
            num_frames: how many frames; beyond the end of the waveform there is silence.
            prosody: what `facetalk.audio.prosody` returns; only for encoders with `prosody`.
        """
        return self.transform(self.front(waveform, num_frames), prosody)

    def front(
        self, waveform: Float[Tensor, "batch samples"], num_frames: int
    ) -> Float[Tensor, "batch frames channels"]:
        """Output of the convolutional front end, resampled to 30 rows a second."""
        hop = SAMPLE_RATE // FRONT_RATE
        num_rows = math.ceil(num_frames * FRONT_RATE / FPS) + 1
        before = max(0, (self.config.field - hop) // 2)
        needed = (num_rows - 1) * hop + self.config.field
        padded = functional.pad(waveform, (before, max(0, needed - before - waveform.shape[1])))[:, :needed]
        rows = self.model.feature_extractor(padded)
        # Row k is centered on second (k + 0.5) / 50, and frame t on second (t + 0.5) / 30.
        return functional.interpolate(rows, scale_factor=FPS / FRONT_RATE, mode="linear").transpose(1, 2)[
            :, :num_frames
        ]

    def transform(
        self, rows: Float[Tensor, "batch frames channels"], prosody: Float[Tensor, "batch frames 3"] | None = None
    ) -> Float[Tensor, "batch frames width"]:
        """Hidden states from the output of the front end; see `forward`."""
        projected, _ = self.model.feature_projection(rows)
        if self.prosody is not None:
            if prosody is None:
                raise ValueError("this encoder needs the prosody of the waveform")
            projected = projected + self.prosody(prosody)
        return self.model.encoder(projected).last_hidden_state

    def freeze_front(self) -> None:
        """Keep the weights of the front end as they are, as in LaughTalk (Sung-Bin et al. 2024) and FaceFormer."""
        self.model.feature_extractor.requires_grad_(False)
        self.model.feature_extractor._requires_grad = False  # transformers would otherwise track its input


def standardized(waveform: Float[Tensor, "*batch samples"]) -> Float[Tensor, "*batch samples"]:
    """Waveforms with zero mean and unit variance, as wav2vec 2.0 takes them."""
    centered = waveform - waveform.mean(-1, keepdim=True)
    return centered / (centered.square().mean(-1, keepdim=True) + _EPSILON**2).sqrt()


@torch.no_grad()
def set_tones(convolution: nn.Conv1d) -> None:
    """Start the first convolution of a front end as a filter bank: windowed tones on the mel scale in four phases.

    The sum of a rectified tone and its shifted copies is nearly the band's magnitude, so that the next layer starts
    from a spectrogram. Rising gain balances the falling spectrum of speech.
    """
    count, size = convolution.out_channels, convolution.kernel_size[0]
    bands = -(-count // _PHASES)
    mel = torch.linspace(_mel(_LOWEST_HZ), _mel(_HIGHEST_HZ), bands + 1)
    hertz = 700 * (10 ** (mel / 2595) - 1)
    middle, width = hertz[:-1], hertz.diff()
    seconds = (torch.arange(size) - (size - 1) / 2) / SAMPLE_RATE
    phases = torch.arange(_PHASES) * (2 * math.pi / _PHASES)
    # Wide bands get short windows; the kernel's length bounds those of the narrow ones.
    spread = (0.5 / width).clamp(max=size / SAMPLE_RATE / 4)
    window = torch.exp(-0.5 * (seconds / spread[:, None]) ** 2)
    tones = torch.cos(2 * math.pi * middle[:, None, None] * seconds - phases[:, None]) * window[:, None]
    tones = tones / window.sum(1)[:, None, None] * (middle / 1000).clamp_min(0.3)[:, None, None]
    convolution.weight.copy_(tones.flatten(0, 1)[:count, None])
    if convolution.bias is not None:
        convolution.bias.zero_()


def load_transformers() -> Any:
    """The transformers package. It imports torchaudio by itself, which may need the stand-in for its extension."""
    load_torchaudio()
    import transformers  # takes seconds; only those who encode with wav2vec 2.0 wait for it

    return transformers


def config_of(described: Any) -> Wav2VecConfig:
    """The sizes that a `transformers.Wav2Vec2Config` describes.

    Raises:
        ValueError: it describes something that `Wav2VecEncoder` does not build.
    """
    if described.hidden_act != "gelu" or described.feat_extract_activation != "gelu" or described.add_adapter:
        raise ValueError("only encoders with GELU activations and without an adapter are supported")
    return Wav2VecConfig(
        width=described.hidden_size,
        num_layers=described.num_hidden_layers,
        num_heads=described.num_attention_heads,
        inner=described.intermediate_size,
        channels=tuple(described.conv_dim),
        kernels=tuple(described.conv_kernel),
        strides=tuple(described.conv_stride),
        front_norm=described.feat_extract_norm,
        front_bias=described.conv_bias,
        norm_first=described.do_stable_layer_norm,
        position_taps=described.num_conv_pos_embeddings,
        position_groups=described.num_conv_pos_embedding_groups,
    )


def _transformers_config(transformers: Any, config: Wav2VecConfig) -> Any:
    dropout = dict.fromkeys(
        ("hidden_dropout", "attention_dropout", "activation_dropout", "feat_proj_dropout"), config.dropout
    )
    return transformers.Wav2Vec2Config(
        hidden_size=config.width,
        num_hidden_layers=config.num_layers,
        num_attention_heads=config.num_heads,
        intermediate_size=config.inner,
        conv_dim=config.channels,
        conv_kernel=config.kernels,
        conv_stride=config.strides,
        conv_bias=config.front_bias,
        feat_extract_norm=config.front_norm,
        do_stable_layer_norm=config.norm_first,
        num_conv_pos_embeddings=config.position_taps,
        num_conv_pos_embedding_groups=config.position_groups,
        layerdrop=0.0,
        apply_spec_augment=False,
        mask_time_prob=0.0,
        mask_feature_prob=0.0,
        **dropout,
    )


def _mel(hertz: float) -> float:
    return 2595 * math.log10(1 + hertz / 700)
