from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from facetalk.core.motion import still_motion
from facetalk.core.timing import SAMPLE_RATE
from facetalk.head.channels import ARKIT_NAMES, LOWER_NAMES, UPPER_NAMES, indices
from facetalk.networks import styletalk as talker_module
from facetalk.networks.motion_decoder import DecoderConfig, DynamicLinear
from facetalk.networks.style_encoder import StyleEncoder, StyleEncoderConfig
from facetalk.networks.styletalk import IDLE_NAMES, LIDS_AT_MOST, Talker, TalkerConfig
from tests.recipes.toy import NUM_FEATURES, ToyEncoder

SMALL = TalkerConfig(
    num_layers=1,
    style=StyleEncoderConfig(width=16, num_layers=1, num_heads=2),
    lower=DecoderConfig(width=32, num_layers=2, num_heads=4),
    upper=DecoderConfig(width=32, num_layers=1, num_heads=4),
)


@pytest.fixture(scope="module")
def talker() -> Talker:
    torch.manual_seed(0)
    made = Talker(SMALL, NUM_FEATURES, ToyEncoder()).eval()
    made.neutral_style[-104:] = 0.2
    return made


def features(num_frames: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(num_frames, NUM_FEATURES, generator=torch.Generator().manual_seed(seed))


def reference(num_frames: int = 80, seed: int = 0) -> torch.Tensor:
    return torch.rand(num_frames, 52, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("num_frames", [1, 20, 61, 150])
def test_speech_in_pieces_gives_the_same_motion_as_in_one(
    talker: Talker, num_frames: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = talker.decode(features(num_frames), talker.neutral_style)
    monkeypatch.setattr(talker_module, "CHUNK_FRAMES", 20)
    torch.testing.assert_close(talker.decode(features(num_frames), talker.neutral_style), whole, atol=1e-5, rtol=1e-4)


def test_what_lies_beyond_the_context_changes_nothing(talker: Talker) -> None:
    first, second = features(120), features(120)
    second[100:] += 3
    a, b = (talker.decode(rows, talker.neutral_style) for rows in (first, second))
    reach = SMALL.context
    torch.testing.assert_close(a[: 100 - reach], b[: 100 - reach])
    assert not torch.allclose(a[95:], b[95:])


def test_a_clip_does_not_depend_on_its_batch_or_padding(talker: Talker) -> None:
    code = talker.style_encoder(reference()[None], torch.ones(1, 80, dtype=torch.bool))
    alone = talker(features(30)[None], torch.ones(1, 30, dtype=torch.bool), code).expression
    rows = torch.stack([torch.cat([features(30), 7 * torch.ones(20, NUM_FEATURES)]), features(50, 1)])
    present = torch.arange(50) < torch.tensor([[30], [50]])
    together = talker(rows, present, code.expand(2, -1)).expression
    torch.testing.assert_close(together[:1, :30], alone, atol=1e-5, rtol=1e-4)


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
    pooled = sum(code[:16] * len(part) for code, part in zip(codes, parts, strict=True)) / num_frames
    torch.testing.assert_close(code[:16], pooled, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(code[16:68], rows.mean(0), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(code[68:], rows.std(0, correction=0), atol=1e-4, rtol=1e-3)


def test_a_smile_in_the_reference_reaches_the_result(talker: Talker) -> None:
    smile = ARKIT_NAMES.index("mouthSmileLeft")
    calm, happy = torch.full((90, 52), 0.1), torch.full((90, 52), 0.1)
    happy[:, smile] = 0.8
    motions = [still_motion("toy", rows, ARKIT_NAMES, 30.0, 3) for rows in (calm, happy)]
    waveform = torch.zeros(SAMPLE_RATE)
    first, second = (talker.speak(waveform, motion)[:, smile].mean() for motion in motions)
    assert second > first + 0.4


def test_of_an_open_reference_only_a_share_opens_the_mouth() -> None:
    torch.manual_seed(0)
    talker = Talker(replace(SMALL, parting_share=0.5, silence=3), NUM_FEATURES).eval()
    jaw, smile = ARKIT_NAMES.index("jawOpen"), ARKIT_NAMES.index("mouthSmileLeft")
    talker.gap_dirs[jaw] = 30.0
    talker.neutral_style[-104:] = 0.1
    rows = torch.zeros(1, 40, NUM_FEATURES)
    rows[:, 20:, 3] = 1.0  # silence
    calmed = talker._calmed(torch.full((1, 1, 52), 0.5), rows)[0]
    assert calmed[0, jaw] == pytest.approx(0.3) and calmed[-1, jaw] == pytest.approx(0.1)
    assert calmed[:, jaw].diff().abs().max() < 0.03  # it comes to rest without a jump
    assert (calmed[:, smile] == 0.5).all()
    # What is calmer than the neutral style stays so.
    assert (talker._calmed(torch.zeros(1, 1, 52), rows)[..., jaw] == 0).all()


def test_speech_does_not_drive_lids_and_gaze(talker: Talker) -> None:
    result = talker.decode(features(60), talker.neutral_style)
    columns = indices(IDLE_NAMES)
    torch.testing.assert_close(result[:, columns], result[:1, columns].expand(60, -1))
    assert result[:, ARKIT_NAMES.index("jawOpen")].std() > 0


def test_blinks_and_glances_in_the_reference_do_not_shift_the_lids(talker: Talker) -> None:
    lid, look = ARKIT_NAMES.index("eyeBlinkLeft"), ARKIT_NAMES.index("eyeLookOutLeft")
    rows = torch.full((90, 52), 0.1)
    rows[20:28, lid] = 1.0
    rows[:, look] = 0.7
    code = talker.encode_style(still_motion("toy", rows, ARKIT_NAMES, 30.0, 3))
    result = talker.decode(features(10), code)
    torch.testing.assert_close(result[:, lid], torch.full((10,), 0.1))
    assert result[:, look].max() == 0


def test_the_lids_of_a_reference_that_looks_down_stay_half_open(talker: Talker) -> None:
    lid, brow = ARKIT_NAMES.index("eyeBlinkLeft"), ARKIT_NAMES.index("browDownLeft")
    rows = torch.full((90, 52), 0.8)
    result = talker.decode(features(10), talker.encode_style(still_motion("toy", rows, ARKIT_NAMES, 30.0, 3)))
    torch.testing.assert_close(result[:, lid], torch.full((10,), LIDS_AT_MOST))
    assert result[:, brow].mean() > 0.6


@pytest.mark.parametrize("samples", [1700, 16_000, 24_321])
def test_speak_returns_a_row_for_every_frame_within_zero_and_one(talker: Talker, samples: int) -> None:
    waveform = torch.randn(samples, generator=torch.Generator().manual_seed(0)).clamp(-1, 1)
    result = talker.speak(waveform)
    assert result.shape == (max(1, round(samples / SAMPLE_RATE * 30)), 52)
    assert 0 <= result.min() <= result.max() <= 1


def test_the_groups_are_disjoint_and_complete(talker: Talker) -> None:
    assert (len(LOWER_NAMES), len(UPPER_NAMES)) == (27, 25)
    assert sorted(talker.columns.tolist()) == list(range(52))
    with torch.no_grad():
        before = talker.decode(features(40), talker.neutral_style)
        bias = list(talker.lower.tail.parameters())[-1]
        bias += 1.0
        after = talker.decode(features(40), talker.neutral_style)
        bias -= 1.0
    changed = (before != after).any(0).nonzero().flatten().tolist()
    assert set(changed) <= set(indices(LOWER_NAMES))
    assert changed


def test_mixing_weight_sets_once_equals_mixing_their_outputs() -> None:
    torch.manual_seed(0)
    layer = DynamicLinear(5, 7, 3)
    torch.nn.init.normal_(layer.bias)
    x, mix = torch.randn(2, 4, 5), torch.softmax(torch.randn(2, 3), 1)
    each = torch.stack([x @ layer.weight[k] + layer.bias[k] for k in range(3)], 1)
    torch.testing.assert_close(layer(x, mix), (mix[:, :, None, None] * each).sum(1))
