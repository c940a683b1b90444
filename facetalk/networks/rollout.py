"""Speech features -> motion, one frame after the other: the autoregressive decoder of FaceFormer (Fan et al. 2022)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from facetalk.core.config import check_ranges
from facetalk.core.timing import FPS
from facetalk.networks.attention import Attention, biased_causal_mask, periodic_code


@dataclass(frozen=True)
class RolloutConfig:
    """Sizes of a decoder."""

    width: int = 128
    num_heads: int = 4
    inner: int = 256
    """Width of the feed-forward layer."""
    period: int = round(FPS)
    """Frames after which the positional code repeats, and for each of which older frames count less: a second."""
    dropout: float = 0.1

    def __post_init__(self) -> None:
        check_ranges(self, width=(2, 8192), num_heads=(1, 256), inner=(1, 32768), period=(1, 1000), dropout=(0, 0.99))
        if self.width % 2 or self.width % self.num_heads:
            raise ValueError(f"width={self.width} must be even and a multiple of num_heads={self.num_heads}")


class RolloutState(NamedTuple):
    """What a roll-out has seen so far: with it the next frame costs one step."""

    keys: Float[Tensor, "batch heads past head_width"]
    values: Float[Tensor, "batch heads past head_width"]
    last: Float[Tensor, "batch channels"] | None
    """The latest frame; None before the first one."""
    position: int
    """Number of frames so far."""

    def trimmed(self, num_frames: int) -> RolloutState:
        """The state with only its latest frames, which bounds the cost of a step."""
        return self._replace(keys=self.keys[:, :, -num_frames:], values=self.values[:, :, -num_frames:])


class AlignedAttention(nn.Module):
    """Attention of each frame to the memory of the same frame.

    With the diagonal mask of FaceFormer there is one key for every query, its weight is 1, and queries and keys have no
    effect: what remains is a linear map.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.value = nn.Linear(width, width)
        self.out = nn.Linear(width, width)

    def forward(self, memory: Float[Tensor, "*batch width"]) -> Float[Tensor, "*batch width"]:
        """What every frame takes from its memory."""
        return self.out(self.value(memory))


class RolloutDecoder(nn.Module):
    """Past frames and speech -> the next frame, in units of each channel's spread around its mean.

    One post-norm transformer layer with a periodic positional code and a biased causal mask. The output layer starts at
    zero, so an untrained decoder returns the mean face, or no residual.
    """

    codes: Tensor

    def __init__(self, config: RolloutConfig, memory_width: int, num_channels: int) -> None:
        super().__init__()
        self.config = config
        width = config.width
        self.start = nn.Parameter(0.02 * torch.randn(width))
        self.embed = nn.Linear(num_channels, width)
        self.read_memory = nn.Linear(memory_width, width)
        self.attention = Attention(width, config.num_heads, config.dropout)
        self.aligned = AlignedAttention(width)
        self.feed_forward = nn.Sequential(
            nn.Linear(width, config.inner), nn.ReLU(), nn.Dropout(config.dropout), nn.Linear(config.inner, width)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3))
        self.dropout = nn.Dropout(config.dropout)
        self.to_motion = nn.Linear(width, num_channels)
        nn.init.zeros_(self.to_motion.weight)
        nn.init.zeros_(self.to_motion.bias)
        self.register_buffer("codes", periodic_code(config.period, width, config.period), persistent=False)

    def forward(
        self, memory: Float[Tensor, "batch frames memory"], motion: Float[Tensor, "batch frames channels"]
    ) -> Float[Tensor, "batch frames channels"]:
        """Each frame from the given frames before it (teacher forcing).

        Args:
            memory: features of the speech, one row per frame.
            motion: the true motion; its last frame is not used.
        """
        batch, num_frames = memory.shape[:2]
        first = self.start.expand(batch, 1, -1)
        codes = self.codes[torch.arange(num_frames, device=memory.device) % self.config.period]
        x = self.dropout(torch.cat([first, self.embed(motion[:, :-1])], 1) + codes)
        mask = biased_causal_mask(num_frames, self.config.num_heads, self.config.period).to(x)
        attended = self.attention(x, x, mask)
        return self._rest(x, attended, self.aligned(self.read_memory(memory)))

    def roll_out(
        self, memory: Float[Tensor, "batch frames memory"], state: RolloutState | None = None
    ) -> tuple[Float[Tensor, "batch frames channels"], RolloutState]:
        """Each frame from the decoder's own frames before it, with cached keys and values.

        The bias of an older frame depends on its age only, so that the cache changes nothing.

        Args:
            memory: features of the speech, one row per frame.
            state: of the roll-out that is continued; a new one if None.

        Returns:
            The motion, and the state after it.
        """
        state = state or self.initial_state(len(memory))
        heard = self.aligned(self.read_memory(memory))
        frames = []
        for index in range(memory.shape[1]):
            frame, state = self._step(heard[:, index : index + 1], state)
            frames.append(frame)
        return torch.cat(frames, 1), state

    def initial_state(self, batch: int) -> RolloutState:
        """The state before the first frame."""
        heads = self.config.num_heads
        none = self.start.new_zeros(batch, heads, 0, self.config.width // heads)
        return RolloutState(none, none, None, 0)

    def _step(
        self, heard: Float[Tensor, "batch 1 width"], state: RolloutState
    ) -> tuple[Float[Tensor, "batch 1 channels"], RolloutState]:
        """The next frame."""
        before = self.start.expand(len(heard), -1) if state.last is None else self.embed(state.last)
        x = self.dropout(before[:, None] + self.codes[state.position % self.config.period])
        query, key, value = self.attention.heads(x, x)
        keys, values = torch.cat([state.keys, key], 2), torch.cat([state.values, value], 2)
        dropout = self.attention.dropout if self.training else 0.0
        bias = self._age_bias(keys.shape[2])
        gathered = functional.scaled_dot_product_attention(query, keys, values, attn_mask=bias, dropout_p=dropout)
        frame = self._rest(x, self.attention.joined(gathered), heard)
        return frame, RolloutState(keys, values, frame[:, 0], state.position + 1)

    def _age_bias(self, num_keys: int) -> Float[Tensor, "heads 1 keys"]:
        """The last row of `biased_causal_mask`: what is added to the scores of the frames up to now."""
        heads, period = self.config.num_heads, self.config.period
        ages = torch.arange(num_keys - 1, -1, -1, device=self.start.device)
        slopes = 2.0 ** (-8.0 * torch.arange(1, heads + 1, device=self.start.device) / heads)
        return -slopes[:, None, None] * torch.div(ages, period, rounding_mode="floor")

    def _rest(self, x: Tensor, attended: Tensor, heard: Tensor) -> Tensor:
        """The layer after its self attention, and the output."""
        x = self.norms[0](x + self.dropout(attended))
        x = self.norms[1](x + self.dropout(heard))
        return self.to_motion(self.norms[2](x + self.dropout(self.feed_forward(x))))
