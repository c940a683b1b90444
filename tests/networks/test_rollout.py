import pytest
import torch
from torch import Tensor

from facetalk.networks.attention import Attention, diagonal_mask
from facetalk.networks.rollout import AlignedAttention, RolloutConfig, RolloutDecoder

CONFIG = RolloutConfig(width=16, num_heads=4, inner=16, period=5)


@pytest.fixture
def decoder() -> RolloutDecoder:
    torch.manual_seed(0)
    decoder = RolloutDecoder(CONFIG, memory_width=6, num_channels=3).eval()
    with torch.no_grad():
        decoder.to_motion.weight.normal_(0, 0.5)
        decoder.to_motion.bias.normal_()
    return decoder


def rolled_out_slowly(decoder: RolloutDecoder, memory: Tensor) -> Tensor:
    """The roll-out without a cache: every frame from a pass over all frames before it."""
    motion = torch.zeros(len(memory), memory.shape[1], 3)
    for frame in range(memory.shape[1]):
        motion[:, frame] = decoder(memory[:, : frame + 1], motion[:, : frame + 1])[:, frame]
    return motion


@torch.no_grad()
def test_the_cache_changes_nothing(decoder: RolloutDecoder) -> None:
    memory = torch.randn(2, 23, 6)
    motion, state = decoder.roll_out(memory)
    torch.testing.assert_close(motion, rolled_out_slowly(decoder, memory), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(motion, decoder(memory, motion), atol=1e-5, rtol=1e-5)
    assert state.position == 23


@torch.no_grad()
def test_a_roll_out_can_be_interrupted_anywhere(decoder: RolloutDecoder) -> None:
    memory = torch.randn(1, 17, 6)
    whole, _ = decoder.roll_out(memory)
    first, state = decoder.roll_out(memory[:, :7])
    second, _ = decoder.roll_out(memory[:, 7:], state)
    torch.testing.assert_close(torch.cat([first, second], 1), whole)


@torch.no_grad()
def test_a_trimmed_state_forgets_what_is_older(decoder: RolloutDecoder) -> None:
    _, state = decoder.roll_out(torch.randn(1, 17, 6))
    assert state.trimmed(5).keys.shape[2] == 5
    assert state.trimmed(5).position == 17


def test_an_untrained_decoder_is_still() -> None:
    decoder = RolloutDecoder(CONFIG, memory_width=6, num_channels=3)
    memory = torch.randn(2, 8, 6)
    assert (decoder.roll_out(memory)[0] == 0).all()
    assert (decoder(memory, torch.randn(2, 8, 3)) == 0).all()


def test_no_frame_sees_the_future(decoder: RolloutDecoder) -> None:
    memory, motion = torch.randn(1, 12, 6), torch.randn(1, 12, 3)
    later = motion.clone()
    later[:, 6:] += 1
    before, after = decoder(memory, motion), decoder(memory, later)
    torch.testing.assert_close(before[:, :7], after[:, :7])
    assert (before[:, 7:] != after[:, 7:]).any()


def test_aligned_attention_is_attention_with_the_diagonal_mask() -> None:
    torch.manual_seed(0)
    full, short = Attention(8, 2), AlignedAttention(8)
    short.value.load_state_dict(full.value.state_dict())
    short.out.load_state_dict(full.out.state_dict())
    memory = torch.randn(2, 9, 8)
    torch.testing.assert_close(short(memory), full(torch.randn(2, 9, 8), memory, diagonal_mask(9)))


def test_gradients_pass_through_the_whole_roll_out(decoder: RolloutDecoder) -> None:
    memory = torch.randn(1, 9, 6, requires_grad=True)
    decoder.roll_out(memory)[0][:, -1].sum().backward()
    assert memory.grad is not None
    assert memory.grad[0, 0].abs().sum() > 0


def test_impossible_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="num_heads"):
        RolloutConfig(width=16, num_heads=3)
