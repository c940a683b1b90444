import pytest
import torch

from facetalk.networks.attention import Attention
from facetalk.networks.local_attention import LocalBias


def bias(num_heads: int, reach: int) -> LocalBias:
    made = LocalBias(num_heads, reach).requires_grad_(False)
    made.scores.copy_(torch.randn(made.scores.shape, generator=torch.Generator().manual_seed(0)))
    return made


def test_a_mask_adds_the_bias_of_each_offset_and_excludes_the_rest() -> None:
    local = bias(2, reach=1)
    mask = local(torch.tensor([[True, True, True, False]])).dense
    inf = torch.inf
    for head, (before, own, after) in enumerate(local.scores.tolist()):
        expected = [[own, after, -inf, -inf], [before, own, after, -inf], [-inf, before, own, -inf]]
        torch.testing.assert_close(mask[0, head, :3], torch.tensor(expected))
        torch.testing.assert_close(mask[0, head, 3], torch.tensor([-inf, -inf, before, own]))  # padding sees itself


@pytest.mark.parametrize("reach", [0, 1, 5])
@pytest.mark.parametrize("num_frames", [0, 1, 15, 16, 17, 100])
def test_blocks_gather_the_same_as_attention_among_all_frames(num_frames: int, reach: int) -> None:
    generator = torch.Generator().manual_seed(num_frames)
    present = torch.ones(3, num_frames, dtype=torch.bool)
    present[1, num_frames // 2 :] = False
    present[2] = torch.rand(num_frames, generator=generator) < 0.5
    mask = bias(4, reach)(present)
    query, key, value = torch.randn(3, 3, 4, num_frames, 6, generator=generator)
    plain = torch.softmax(query @ key.transpose(-1, -2) / 6**0.5 + mask.dense, -1) @ value
    torch.testing.assert_close(mask.gather(query, key, value), plain, rtol=0, atol=1e-5)


def test_training_and_use_attend_alike() -> None:
    layer = Attention(8, 2).requires_grad_(False)
    x, mask = torch.randn(2, 40, 8), bias(2, 3)(torch.arange(40) < torch.tensor([[40], [25]]))
    torch.testing.assert_close(layer.train()(x, x, mask), layer.eval()(x, x, mask), rtol=0, atol=1e-5)
