from __future__ import annotations

from pathlib import Path

import pytest
import torch

from facetalk.core.config import override
from facetalk.core.errors import FacetalkError, UsageError
from facetalk.data.dataset import read_example
from facetalk.data.manifest import read_manifest
from facetalk.head.assets import HeadAssets
from facetalk.head.channels import ARKIT_NAMES, indices
from facetalk.losses.geometry import LipGeometry
from facetalk.networks.styletalk import StyleTalkGenerator
from facetalk.recipes.evaluation.talker import compare_mouths
from facetalk.recipes.parts.average_styles import emotion_styles, mean_style
from facetalk.recipes.parts.linear_map import windowed
from facetalk.recipes.registry import read_training_config
from facetalk.recipes.styletalk import (
    RECIPE,
    StyleTalkConfig,
    StyleTalkTask,
    make_task,
    widened,
)
from facetalk.talkers.styletalk import StyleTalk
from facetalk.training.loop import run
from tests.recipes.toy import NUM_FEATURES, ToyEncoder, write_dataset


def tiny_config(*settings: str) -> StyleTalkConfig:
    options = override(read_training_config("styletalk-tiny"), settings)
    options.pop("method")
    return RECIPE.read_config(options)


def make_toy_task(folder: Path, assets: HeadAssets, config: StyleTalkConfig, num_validation: int = 0) -> StyleTalkTask:
    examples = [read_example(clip, ToyEncoder().encode, config.data) for clip in read_manifest(folder)]
    torch.manual_seed(0)
    talker = StyleTalk(StyleTalkGenerator(config.generator, NUM_FEATURES), ToyEncoder(), config.speaking)
    cut = len(examples) - num_validation
    return StyleTalkTask(config, talker, LipGeometry(assets), examples[:cut], examples[cut:])


@pytest.mark.slow
def test_the_tiny_preset_learns_one_clip_by_heart(tmp_path: Path, toy_assets: HeadAssets) -> None:
    config = tiny_config("loop.num_steps=150")
    task = make_toy_task(write_dataset(tmp_path / "data", (3.0,)), toy_assets, config)
    (tmp_path / "run").mkdir()
    run(task, config.loop, config.optim, tmp_path / "run")
    example = task.sampler.examples[0]
    code = task.model.style_encoder(example.expression[0][None], torch.ones(1, 90, dtype=torch.bool))[0]
    error = (task.talker.decode(example.features[0], code) - example.expression[0]).square().mean(0).sqrt()
    moving = example.expression[0].std(0) > 1e-3
    assert (error / example.expression[0].std(0))[moving].max() < 0.05


@pytest.mark.slow
def test_a_finished_run_reports_the_validation_speakers_beside_both_baselines(
    tmp_path: Path, toy_assets: HeadAssets
) -> None:
    config = tiny_config("loop.num_steps=80")
    task = make_toy_task(write_dataset(tmp_path / "data", (3.0, 3.0, 2.0, 3.0)), toy_assets, config, num_validation=2)
    (tmp_path / "run").mkdir()
    figures = run(task, config.loop, config.optim, tmp_path / "run")
    assert figures["r_open"] > figures["shuffled_r_open"] + 0.2
    assert figures["lip_mm"] < figures["still_lip_mm"] < figures["shuffled_lip_mm"]
    assert (tmp_path / "run" / "model.safetensors").is_file()
    assert (tmp_path / "run" / "config.yaml").is_file()


def test_figures_of_the_truth_and_of_half_the_truth(toy_assets: HeadAssets) -> None:
    true = torch.rand(50, 52, generator=torch.Generator().manual_seed(0))
    geometry = LipGeometry(toy_assets)
    exact, half = compare_mouths(true, true, geometry), compare_mouths(0.5 * true, true, geometry)
    assert exact["r_open"] == pytest.approx(1, abs=1e-4)
    assert (exact["gain_wide"], exact["lip_mm"]) == pytest.approx((1, 0))
    assert half["r_wide"] == pytest.approx(1, abs=1e-4)
    assert half["gain_open"] == pytest.approx(0.5, abs=1e-4)
    assert half["lip_mm"] == pytest.approx(0.5 * half["still_lip_mm"], rel=1e-3)


def test_the_neutral_style_leaves_named_emotions_out(tmp_path: Path, toy_assets: HeadAssets) -> None:
    folder = write_dataset(tmp_path / "data", (2.5, 2.5))
    text = (folder / "manifest.csv").read_text().replace("clip1,s1,,", "clip1,s1,angry,")
    (folder / "manifest.csv").write_text(text)
    task = make_toy_task(folder, toy_assets, tiny_config())
    task.model.eval()
    both = task.sampler.examples
    torch.testing.assert_close(mean_style(task.model, both), mean_style(task.model, both[:1]))
    assert not torch.allclose(mean_style(task.model, both), mean_style(task.model, both[1:]))


def test_the_linear_map_is_initialized_by_ridge_regression(tmp_path: Path, toy_assets: HeadAssets) -> None:
    task = make_toy_task(write_dataset(tmp_path, (3.0,)), toy_assets, tiny_config("direct_ridge=0.1"))
    talker, example = task.model, task.sampler.examples[0]
    heard = (example.features[0] - talker.feature_mean) / talker.feature_scale
    moved = example.expression[0] - example.expression[0].mean(0)
    spread = talker.usual_spread * (moved.std(0, correction=0) / talker.usual_spread).clamp(0.5, 2.0)
    x = windowed(heard) - windowed(heard).mean(0)
    squares = x.T @ x
    squares = squares + 0.1 * squares.diagonal().mean() * torch.eye(len(squares))
    slow = torch.linalg.solve(squares, x.T @ (moved / spread))
    by_layer = talker.direct(heard.T[None])[0].T - talker.direct.bias
    jaw = 17
    torch.testing.assert_close(by_layer[:, jaw], (windowed(heard) @ slow)[:, jaw], atol=1e-3, rtol=1e-2)


def test_emotions_of_three_speakers_get_a_style(tmp_path: Path, toy_assets: HeadAssets) -> None:
    folder = write_dataset(tmp_path / "data", (2.0, 2.0, 2.0, 2.0))
    text = (folder / "manifest.csv").read_text()
    for name in ("clip0,s0", "clip1,s1", "clip2,s2"):
        text = text.replace(f"{name},,", f"{name},glad,")
    (folder / "manifest.csv").write_text(text.replace("clip3,s3,,", "clip3,s3,sad,"))
    talker = make_toy_task(folder, toy_assets, tiny_config()).model.eval()
    examples = make_toy_task(folder, toy_assets, tiny_config()).sampler.examples
    styles = emotion_styles(talker, examples)
    assert list(styles) == ["glad"]
    codes = torch.stack([talker.style_encoder.encode_long(example.expression[0]) for example in examples[:3]])
    torch.testing.assert_close(styles["glad"][:84], codes.mean(0)[:84])  # the learned part and the levels


def test_the_amplitude_is_set_to_what_was_asked_for(tmp_path: Path, toy_assets: HeadAssets) -> None:
    config = tiny_config("amplitude=[0.3, 0.6]")
    task = make_toy_task(write_dataset(tmp_path / "data", (3.0, 3.0)), toy_assets, config)
    task.model.eval()
    jaw, pucker, brow = (ARKIT_NAMES.index(name) for name in ("jawOpen", "mouthPucker", "browInnerUp"))
    task.geometry.curve_dirs.zero_()
    task.geometry.curve_dirs[jaw, 0], task.geometry.curve_dirs[pucker, 1] = 30.0, -20.0
    task.validate()
    found = []
    for example in task.sampler.examples:
        made = task.talker.decode(example.features[0], task.model.neutral_style)
        spreads = [task.geometry.curves(motion).std(0) for motion in (made, example.expression[0])]
        found.append(spreads[0] / spreads[1].clamp_min(0.5))
    ratios = torch.stack(found).sum(0) / 2
    for amplitude, ratio, target in zip(task.model.amplitude[[jaw, pucker]], ratios, (0.3, 0.6), strict=True):
        assert 0.3 <= amplitude <= 3.0
        assert amplitude in (0.3, 3.0) or float(ratio) == pytest.approx(target, abs=0.05)
    assert task.model.amplitude[brow] == 1.0


def test_widening_adds_width_in_proportion_to_opening(tmp_path: Path, toy_assets: HeadAssets) -> None:
    clip = read_manifest(write_dataset(tmp_path, (2.0,)))[0]
    example = read_example(clip, ToyEncoder().encode, tiny_config().data)
    # A head whose stretch does not open the mouth, so that the rule can be read off directly.
    geometry = LipGeometry(toy_assets)
    geometry.curve_dirs[indices(("mouthStretchLeft", "mouthStretchRight")), 0] = 0
    before, after = (geometry.curves(e.expression[0]) for e in (example, widened(example, geometry, 0.1)))
    torch.testing.assert_close(after[:, 0], before[:, 0])
    torch.testing.assert_close(after[:, 1] - before[:, 1], 0.1 * before[:, 0], atol=1e-4, rtol=1e-3)


def test_training_without_data_says_how_to_get_some() -> None:
    with pytest.raises(UsageError, match="facetalk fit"):
        make_task(tiny_config(), None)


def test_a_dataset_of_validation_speakers_only_is_refused(tmp_path: Path, toy_assets: HeadAssets) -> None:
    with pytest.raises(FacetalkError, match="no clip to train on"):
        make_toy_task(write_dataset(tmp_path, (2.0,)), toy_assets, tiny_config(), num_validation=1)
