from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from facetalk.core.errors import FacetalkError
from facetalk.data.dataset import DataConfig, Example, Sampler, pad, read_example, sync_weight
from facetalk.data.manifest import Clip, read_manifest
from tests.recipes.toy import NUM_FEATURES, ToyEncoder, write_dataset


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("data"))


def make_example(name: str, num_frames: int, speaker: str = "s", weight: float = 1.0) -> Example:
    rows = torch.arange(num_frames, dtype=torch.float32)[:, None]
    features, expression = rows.expand(-1, NUM_FEATURES), rows.expand(-1, 52)
    return Example(Clip(Path(), name, speaker), (features,), (expression,), (torch.ones(num_frames),), weight)


def test_an_example_has_a_row_of_features_for_every_row_of_motion_at_every_speed(folder: Path) -> None:
    config = DataConfig(speeds=(0.9, 1.0, 1.1))
    example = read_example(read_manifest(folder)[0], ToyEncoder().encode, config)
    assert [len(rows) for rows in example.features] == [len(rows) for rows in example.expression]
    assert [len(rows) for rows in example.features] == [90, 100, 82]
    # Audio and motion are stretched together: loudness still opens the mouth.
    for features, expression in zip(example.features, example.expression, strict=True):
        pair = torch.stack([features[:, 0], expression[:, 17]])
        assert torch.corrcoef(pair)[0, 1] > 0.9


def test_late_audio_is_compensated_by_delaying_the_motion(folder: Path) -> None:
    clip = read_manifest(folder)[0]
    plain = read_example(clip, ToyEncoder().encode, DataConfig())
    late = read_example(clip, ToyEncoder().encode, DataConfig(audio_lags_ms={"s?": 100.0, "*": 0.0}))
    torch.testing.assert_close(late.features[0], plain.features[0])
    torch.testing.assert_close(late.expression[0][3:], plain.expression[0][:-3], atol=1e-5, rtol=1e-4)


def test_the_offset_in_the_manifest_is_removed_unless_that_is_switched_off(folder: Path) -> None:
    clip = replace(read_manifest(folder)[0], av_offset_ms=-100.0)  # the mouth is early: the audio is late
    late = read_example(clip, ToyEncoder().encode, DataConfig(audio_lags_ms={"*": 100.0}))
    fixed = read_example(clip, ToyEncoder().encode, DataConfig(audio_lags_ms={"*": 0.0}))
    plain = read_example(clip, ToyEncoder().encode, DataConfig(fix_sync=False))
    torch.testing.assert_close(fixed.expression[0][3:], plain.expression[0][:-3], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(late.expression[0][6:], plain.expression[0][:-6], atol=1e-5, rtol=1e-4)


def test_the_share_of_a_speaker_changes_how_often_the_clips_are_sampled(folder: Path) -> None:
    clip = read_manifest(folder)[0]
    config = DataConfig(shares={"s0": 0.25}, sync_full=0.4)
    assert read_example(clip, ToyEncoder().encode, config).weight == pytest.approx(0.25)


def test_badly_synced_clips_count_less() -> None:
    config = DataConfig(sync_floor=0.1, sync_full=0.3, unsynced_weight=0.2)
    weights = [sync_weight(value, config) for value in (None, 0.5, 0.2, 0.0, -0.3)]
    assert weights == pytest.approx([1.0, 1.0, 0.6, 0.2, 0.2])


def test_a_batch_keeps_audio_and_motion_together_and_pads_short_clips() -> None:
    sampler = Sampler([make_example("long", 200), make_example("short", 20, "t")], DataConfig(batch_size=40))
    batch = sampler.sample(torch.Generator().manual_seed(0))
    torch.testing.assert_close(batch.features[..., 0], batch.expression[..., 0])
    lengths = batch.present.sum(1)
    assert set(lengths.tolist()) == {64, 20}
    assert (batch.weight == batch.present).all()


def test_a_reference_does_not_reveal_the_motion_of_its_clip() -> None:
    examples = [make_example("a", 100), make_example("b", 40), make_example("c", 30, "other")]
    sampler = Sampler(examples, DataConfig(own_share=0.0, reference_frames=(64, 64)))
    generator = torch.Generator().manual_seed(0)
    joined = sampler.reference(0, generator)[:, 0]
    assert len(joined) == 64
    assert joined.max() < 40  # clip b, and b again
    alone = sampler.reference(2, generator)[:, 0]
    assert sorted(alone.tolist()) == list(range(30))
    assert alone.tolist() != list(range(30))


def test_own_frames_are_taken_as_often_as_asked() -> None:
    examples = [make_example("a", 100), make_example("b", 40)]
    sampler = Sampler(examples, DataConfig(own_share=0.5, reference_frames=(64, 64)))
    generator = torch.Generator().manual_seed(0)
    own = [bool(sampler.reference(0, generator).max() >= 40) for _ in range(200)]
    assert 0.4 < sum(own) / 200 < 0.6


def test_the_same_seed_gives_the_same_batch() -> None:
    sampler = Sampler([make_example("a", 100), make_example("b", 90)], DataConfig())
    first, second = (sampler.sample(torch.Generator().manual_seed(3)) for _ in range(2))
    torch.testing.assert_close(first.features, second.features)
    torch.testing.assert_close(first.reference, second.reference)


def test_clips_of_weight_zero_are_never_sampled() -> None:
    sampler = Sampler([make_example("a", 100), make_example("b", 90, "t", 0.0)], DataConfig())
    assert set(sampler.sample(torch.Generator().manual_seed(0)).style_ids) == {"s/"}


def test_pad_marks_where_the_rows_are() -> None:
    rows, present = pad([torch.ones(2, 3), torch.ones(4, 3)])
    assert rows.shape == (2, 4, 3)
    assert present.tolist() == [[True, True, False, False], [True] * 4]


def test_a_sampler_without_clips_is_refused() -> None:
    with pytest.raises(FacetalkError, match="no clip to train on"):
        Sampler([], DataConfig())
