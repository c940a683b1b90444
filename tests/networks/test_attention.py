import math

import pytest
import torch

from facetalk.networks.attention import (
    Attention,
    EncoderLayer,
    biased_causal_mask,
    diagonal_mask,
    local_mask,
    periodic_code,
    sinusoid_code,
)


def test_the_sinusoid_code_alternates_sine_and_cosine() -> None:
    code = sinusoid_code(5, 4)
    torch.testing.assert_close(code[0], torch.tensor([0.0, 1.0, 0.0, 1.0]))
    torch.testing.assert_close(code[3, :2], torch.tensor([math.sin(3), math.cos(3)]))
    torch.testing.assert_close(code[3, 2], torch.tensor(math.sin(3 / 100)))


def test_the_periodic_code_repeats() -> None:
    code = periodic_code(65, 8, period=30)
    torch.testing.assert_close(code[:30], code[30:60])
    torch.testing.assert_close(code[:30], sinusoid_code(30, 8))


def test_the_biased_mask_has_the_values_of_the_article() -> None:
    mask = biased_causal_mask(66, num_heads=4, period=30)
    assert mask[0, 65, 0] == -0.5
    assert mask[0, 29, 0] == 0
    assert mask[0, 0, 1] == -math.inf
    assert mask[3, 65, 0] == -2 / 256


def test_local_and_diagonal_masks() -> None:
    assert local_mask(5, 1).sum() == 13
    assert torch.equal(diagonal_mask(4), torch.eye(4, dtype=torch.bool))


def test_attention_with_one_allowed_key_gathers_that_key() -> None:
    layer = Attention(8, 2).eval()
    queries, memory = torch.randn(1, 4, 8), torch.randn(1, 4, 8)
    torch.testing.assert_close(layer(queries, memory, diagonal_mask(4)), layer.out(layer.value(memory)))


def test_attention_agrees_with_the_plain_formula() -> None:
    layer = Attention(8, 2).eval()
    x, memory, mask = torch.randn(3, 5, 8), torch.randn(3, 7, 8), torch.randn(2, 5, 7)
    q, k, v = (
        part.unflatten(-1, (2, 4)).transpose(1, 2) for part in (layer.query(x), layer.key(memory), layer.value(memory))
    )
    plain = torch.softmax(q @ k.transpose(-1, -2) / 2 + mask, -1) @ v
    torch.testing.assert_close(layer(x, memory, mask), layer.out(plain.transpose(1, 2).flatten(2)))


def test_masked_rows_do_not_reach_the_others() -> None:
    layer = EncoderLayer(8, 2, 16).eval()
    x = torch.randn(1, 6, 8)
    other = x.clone()
    other[:, 4:] = 9.0
    mask = (torch.arange(6) < 4)[None, None, None]
    torch.testing.assert_close(layer(x, mask)[:, :4], layer(other, mask)[:, :4])


def test_widths_that_do_not_divide_are_refused() -> None:
    with pytest.raises(ValueError, match="3 heads"):
        Attention(8, 3)
    with pytest.raises(ValueError, match="even"):
        sinusoid_code(4, 5)
