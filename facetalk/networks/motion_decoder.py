"""Speech features and a style code -> motion: StyleTalk's style-controllable dynamic decoder (Ma et al. 2023)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from facetalk.core.config import check_ranges
from facetalk.networks.attention import Attention
from facetalk.networks.local_attention import LocalMask


@dataclass(frozen=True)
class DecoderConfig:
    """Sizes of one decoder; the lower and the upper face have one each."""

    width: int = 128
    num_layers: int = 2
    num_heads: int = 8
    num_experts: int = 8
    """Weight sets that a style mixes."""
    dropout: float = 0.1

    def __post_init__(self) -> None:
        check_ranges(self, width=(1, 8192), num_layers=(1, 100), num_heads=(1, 256), num_experts=(1, 256))
        check_ranges(self, dropout=(0, 0.99))


class StyleMixer(nn.Module):
    """Style -> mixing weight of each weight set: `softmax(MLP(style) / temperature)`."""

    temperature: Tensor

    def __init__(self, style_width: int, num_experts: int) -> None:
        super().__init__()
        inner = max(num_experts, style_width // 4)
        self.network = nn.Sequential(
            nn.Linear(style_width, inner, bias=False), nn.ReLU(), nn.Linear(inner, num_experts, bias=False)
        )
        self.register_buffer("temperature", torch.tensor(1.0))

    def forward(self, style: Float[Tensor, "batch style"]) -> Float[Tensor, "batch experts"]:
        """Return mixing weights that sum to one."""
        return (self.network(style) / self.temperature).softmax(-1)


class DynamicLinear(nn.Module):
    """A linear layer whose weights are a mixture of several sets: `y = x (sum_k m_k W_k) + sum_k m_k b_k`."""

    def __init__(self, width_in: int, width_out: int, num_experts: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(num_experts, width_in, width_out))
        self.bias = nn.Parameter(torch.zeros(num_experts, width_out))
        for matrix in self.weight.data:
            nn.init.xavier_uniform_(matrix)

    def forward(
        self, x: Float[Tensor, "batch frames width_in"], mix: Float[Tensor, "batch experts"]
    ) -> Float[Tensor, "batch frames width_out"]:
        """Apply the mixture of each batch row; the sets are mixed once per clip, not once per frame."""
        weight = torch.einsum("bk,kio->bio", mix, self.weight)
        return torch.baddbmm((mix @ self.bias)[:, None], x, weight)


class DynamicDecoderLayer(nn.Module):
    """Self attention, attention to the speech, feed-forward whose first matrix is dynamic; post-norm."""

    def __init__(self, config: DecoderConfig, style_width: int) -> None:
        super().__init__()
        width = config.width
        self.self_attention = Attention(width, config.num_heads, config.dropout)
        self.speech_attention = Attention(width, config.num_heads, config.dropout)
        self.mixer = StyleMixer(style_width, config.num_experts)
        self.dynamic = DynamicLinear(width, 4 * width, config.num_experts)
        self.linear = nn.Linear(4 * width, width)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3))
        self.dropout = nn.Dropout(config.dropout)

    def forward(
        self,
        x: Float[Tensor, "batch frames width"],
        speech: Float[Tensor, "batch frames width"],
        style: Float[Tensor, "batch style"],
        mask: LocalMask,
    ) -> Float[Tensor, "batch frames width"]:
        """Refine the tokens; `mask` limits both attentions to the frames around each frame."""
        x = self.norms[0](x + self.dropout(self.self_attention(x, x, mask)))
        x = self.norms[1](x + self.dropout(self.speech_attention(x, speech, mask)))
        inner = self.dropout(self.dynamic(x, self.mixer(style)).relu())
        return self.norms[2](x + self.dropout(self.linear(inner)))


class DynamicDecoder(nn.Module):
    """Predicts one group of channels from speech and style.

    The query of a frame is the style added to the frame's own speech token, which identifies the frame as the positions
    in StyleTalk's separate windows do. The speech around it enters through the attention to the speech.
    """

    def __init__(self, config: DecoderConfig, style_width: int, num_channels: int) -> None:
        super().__init__()
        width = config.width
        self.query = nn.Linear(style_width, width)
        self.layers = nn.ModuleList(DynamicDecoderLayer(config, style_width) for _ in range(config.num_layers))
        last = nn.Linear(width // 2, num_channels)
        with torch.no_grad():
            last.weight.mul_(0.1)  # what the decoders add to the linear map starts small
        self.tail = nn.Sequential(
            nn.Linear(width, width // 2), nn.ReLU(), nn.Linear(width // 2, width // 2), nn.ReLU(), last
        )

    def forward(
        self, speech: Float[Tensor, "batch frames width"], style: Float[Tensor, "batch style"], mask: LocalMask
    ) -> Float[Tensor, "batch frames channels"]:
        """Return the channels of the group in units of the style's spread."""
        x = speech + self.query(style)[:, None]
        for layer in self.layers:
            x = layer(x, speech, style, mask)
        return self.tail(x)
