from __future__ import annotations

import pytest
import torch
from torch import nn

from facetalk.head.channels import ARKIT_NAMES, GAZE_NAMES, IDLE_NAMES, LOWER_NAMES, UPPER_NAMES, indices
from facetalk.networks.motion_decoder import DecoderConfig, DynamicLinear
from facetalk.networks.style_encoder import StyleEncoder, StyleEncoderConfig
from facetalk.networks.styletalk import Generated, GeneratorConfig, StyleTalkGenerator
from facetalk.networks.temporal import TemporalConfig

NUM_FEATURES = 6

SMALL = GeneratorConfig(
    num_layers=1,
    temporal=TemporalConfig(members=2, width=8),
    style=StyleEncoderConfig(width=16, num_layers=1, num_heads=2),
    lower=DecoderConfig(width=32, num_layers=2, num_heads=4),
    upper=DecoderConfig(width=32, num_layers=1, num_heads=4),
)


@pytest.fixture(scope="module")
def generator() -> StyleTalkGenerator:
    torch.manual_seed(0)
    made = StyleTalkGenerator(SMALL, NUM_FEATURES).eval().requires_grad_(False)
    made.neutral_style[-104:] = 0.2
    return made


def features(num_frames: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(num_frames, NUM_FEATURES, generator=torch.Generator().manual_seed(seed))


def reference(num_frames: int = 80, seed: int = 0) -> torch.Tensor:
    return torch.rand(num_frames, 52, generator=torch.Generator().manual_seed(seed))


def generate(generator: StyleTalkGenerator, rows: torch.Tensor) -> Generated:
    return generator(rows[None], torch.ones(1, len(rows), dtype=torch.bool), generator.neutral_style[None])


def test_what_lies_beyond_the_context_changes_nothing(generator: StyleTalkGenerator) -> None:
    first, second = features(120), features(120)
    second[100:] += 3
    a, b = (generate(generator, rows).expression()[0] for rows in (first, second))
    torch.testing.assert_close(a[: 100 - SMALL.context], b[: 100 - SMALL.context])
    assert not torch.allclose(a[95:], b[95:])


def test_a_clip_does_not_depend_on_its_batch_or_padding(generator: StyleTalkGenerator) -> None:
    code = generator.style_encoder(reference()[None], torch.ones(1, 80, dtype=torch.bool))
    alone = generator(features(30)[None], torch.ones(1, 30, dtype=torch.bool), code)
    rows = torch.stack([torch.cat([features(30), 7 * torch.ones(20, NUM_FEATURES)]), features(50, 1)])
    present = torch.arange(50) < torch.tensor([[30], [50]])
    together = generator(rows, present, code.expand(2, -1))
    torch.testing.assert_close(together.expression()[:1, :30], alone.expression(), atol=1e-5, rtol=1e-4)


def test_an_expression_is_the_level_and_as_much_of_the_movement_as_is_asked_for(
    generator: StyleTalkGenerator,
) -> None:
    made = generate(generator, features(20))
    half, level = made.expression(0.5), torch.rand(1, 20, 52)
    torch.testing.assert_close(half, made.level + made.spread * (made.base + 0.5 * made.refinement))
    torch.testing.assert_close(made.expression(0.5, level) - level, half - made.level)


def test_speech_does_not_drive_lids_and_gaze_and_the_gaze_has_no_level(generator: StyleTalkGenerator) -> None:
    made = generate(generator, features(60))
    assert made.spread[..., indices(IDLE_NAMES)].abs().max() == 0
    assert made.level[..., indices(GAZE_NAMES)].abs().max() == 0
    assert made.level[..., ARKIT_NAMES.index("eyeBlinkLeft")] == pytest.approx(0.2)
    assert made.expression()[0, :, ARKIT_NAMES.index("jawOpen")].std() > 0


@pytest.mark.parametrize(("asked", "given"), [(0.01, 0.05), (0.15, 0.15), (0.9, 0.2)])
def test_the_spread_of_a_style_is_limited_to_a_range_of_the_usual_one(
    generator: StyleTalkGenerator, asked: float, given: float
) -> None:
    code = generator.neutral_style.clone()
    code[-52:] = asked
    made = generator(features(4)[None], torch.ones(1, 4, dtype=torch.bool), code[None])
    assert made.spread[0, 0, ARKIT_NAMES.index("jawOpen")] == pytest.approx(given)


def test_the_style_code_does_not_see_padding() -> None:
    torch.manual_seed(0)
    encoder = StyleEncoder(52, SMALL.style).eval()
    alone = encoder(reference(70)[None], torch.ones(1, 70, dtype=torch.bool))
    padded = torch.cat([reference(70), 5 * torch.ones(30, 52)])[None]
    torch.testing.assert_close(encoder(padded, torch.arange(100)[None] < 70), alone, atol=1e-5, rtol=1e-4)
    assert alone.shape[1] == encoder.code_width


@pytest.mark.parametrize("num_frames", [64, 256, 257, 700])
def test_a_reference_of_any_length_counts_as_a_whole(num_frames: int) -> None:
    torch.manual_seed(0)
    encoder = StyleEncoder(52, SMALL.style).eval()
    rows = reference(num_frames)
    code = encoder.encode_long(rows)
    parts = rows.tensor_split(-(-num_frames // SMALL.style.max_frames))
    codes = [encoder(part[None], torch.ones(1, len(part), dtype=torch.bool))[0] for part in parts]
    pooled = torch.stack([code[:16] * len(part) for code, part in zip(codes, parts, strict=True)]).sum(0) / num_frames
    torch.testing.assert_close(code[:16], pooled, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(code[16:68], rows.mean(0), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(code[68:], rows.std(0, correction=0), atol=1e-4, rtol=1e-3)


def test_the_groups_are_disjoint_and_complete(generator: StyleTalkGenerator) -> None:
    assert (len(LOWER_NAMES), len(UPPER_NAMES)) == (27, 25)
    assert sorted(generator.columns.tolist()) == list(range(52))
    before = generate(generator, features(40)).expression()
    last = generator.lower.tail[-1]
    assert isinstance(last, nn.Linear)
    last.bias.add_(1.0)
    after = generate(generator, features(40)).expression()
    last.bias.sub_(1.0)
    changed = (before != after).any(0).any(0).nonzero().flatten().tolist()
    assert set(changed) <= set(indices(LOWER_NAMES))
    assert changed


def test_decoders_of_different_widths_are_refused() -> None:
    with pytest.raises(ValueError, match="widths 32 and 64"):
        GeneratorConfig(lower=DecoderConfig(width=32), upper=DecoderConfig(width=64))


def test_mixing_weight_sets_once_equals_mixing_their_outputs() -> None:
    torch.manual_seed(0)
    layer = DynamicLinear(5, 7, 3)
    torch.nn.init.normal_(layer.bias)
    x, mix = torch.randn(2, 4, 5), torch.softmax(torch.randn(2, 3), 1)
    each = torch.stack([x @ layer.weight[k] + layer.bias[k] for k in range(3)], 1)
    torch.testing.assert_close(layer(x, mix), (mix[:, :, None, None] * each).sum(1))
