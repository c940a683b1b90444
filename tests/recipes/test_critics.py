"""Critics: trained by their own recipes, read back, and used by StyleTalk's."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from facetalk.core.config import override
from facetalk.core.errors import UsageError
from facetalk.data.dataset import read_example
from facetalk.data.manifest import read_manifest
from facetalk.head.assets import HeadAssets
from facetalk.losses.geometry import LipGeometry, MouthVertices
from facetalk.networks.critics import SyncCritic
from facetalk.networks.styletalk import StyleTalkGenerator
from facetalk.recipes import style_critic, styletalk, sync_critic
from facetalk.recipes.parts.fixed_critics import FixedStyleCritic, FixedSyncCritic
from facetalk.recipes.registry import read_training_config
from facetalk.talkers.styletalk import StyleTalk
from facetalk.training.loop import run
from tests.recipes.toy import NUM_FEATURES, ToyEncoder, write_dataset


def options(name: str, *settings: str) -> dict:
    small = ("data.batch_size=6", "loop.validate_every=40", "loop.save_every=40", "loop.log_every=20")
    found = override(read_training_config(name), [*small, *settings])
    found.pop("method")
    return found


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("data"), (4.0, 4.0, 4.0, 4.0))


def sync_task(dataset: Path, assets: HeadAssets, num_steps: int) -> sync_critic.SyncCriticTask:
    steps = (f"loop.num_steps={num_steps}", "data.speeds=[1.0]", "data.shares={}", "data.audio_lags_ms={}")
    config = sync_critic.RECIPE.read_config(options("sync-critic", *steps, "optim.learning_rate=3e-3"))
    examples = [read_example(clip, ToyEncoder().encode, config.data) for clip in read_manifest(dataset)]
    torch.manual_seed(0)
    critic = SyncCritic(NUM_FEATURES, config.critic)
    return sync_critic.SyncCriticTask(config, critic, MouthVertices(assets, 8), examples[:3], examples[3:])


@pytest.mark.slow
def test_the_sync_critic_tells_matching_speech_from_other_speech(
    dataset: Path, toy_assets: HeadAssets, tmp_path: Path
) -> None:
    task = sync_task(dataset, toy_assets, 80)
    figures = run(task, task.config.loop, task.config.optim, tmp_path)
    assert figures["choice_accuracy"] > 0.8
    again = FixedSyncCritic.read(str(tmp_path), toy_assets, NUM_FEATURES)
    example = task.sampler.examples[0]
    motion = example.expression[0][None, :40].requires_grad_()
    similarity, weight = again(motion, example.features[0][None, :40], torch.ones(1, 40))
    assert similarity.shape == weight.shape == (1, 36)
    similarity.sum().backward()
    assert motion.grad is not None and motion.grad.abs().max() > 0
    assert all(parameter.grad is None for parameter in again.critic.parameters())


def test_foreign_speech_is_never_the_right_one() -> None:
    features = torch.arange(6.0)[:, None, None] * 1000 + torch.arange(64.0)[:, None]
    wrong = sync_critic.mismatched(features, torch.Generator().manual_seed(0))
    assert (wrong != features).all()
    same_clip = (wrong // 1000 == features // 1000).all(1).flatten()
    assert same_clip.tolist() == [True, False] * 3
    assert ((wrong - features)[::2].abs().fmod(64) >= 5).all()


def test_the_best_threshold_gives_a_half_for_equal_and_one_for_separate_values() -> None:
    assert sync_critic.best_accuracy(torch.rand(1000), torch.rand(1000)) == pytest.approx(0.5, abs=0.05)
    assert sync_critic.best_accuracy(torch.rand(50) + 1, torch.rand(50)) > 0.98


def test_the_style_critic_learns_styles_and_is_validated_on_other_frames(dataset: Path, tmp_path: Path) -> None:
    config = style_critic.RECIPE.read_config(options("style-critic", "loop.num_steps=60", "data.length=24"))
    task = style_critic.make_task(config, dataset)
    figures = run(task, config.loop, config.optim, tmp_path)
    assert figures["by_chance"] == 0.25
    assert 0 <= figures["accuracy"] <= 1
    critic = FixedStyleCritic.read(str(tmp_path))
    motion = torch.rand(2, 24, 52, requires_grad=True)
    critic.error(motion, ["s1/", "nobody"]).backward()
    assert motion.grad is not None
    assert motion.grad[0].abs().max() > 0 and motion.grad[1].abs().max() == 0
    assert critic.error(motion, ["nobody", "nobody"]) == 0


@pytest.mark.slow
def test_styletalk_learns_with_every_loss_switched_on(dataset: Path, toy_assets: HeadAssets, tmp_path: Path) -> None:
    names = ("sync", "style", "temporal", "triplet")
    settings = [f"loss_weights.{name}=0.1" for name in names]
    config = styletalk.RECIPE.read_config(options("styletalk-tiny", *settings, "loop.num_steps=6", "loop.log_every=2"))
    examples = [read_example(clip, ToyEncoder().encode, config.data) for clip in read_manifest(dataset)]
    sync, style = tmp_path / "sync", tmp_path / "style"
    sync.mkdir()
    sync_task(dataset, toy_assets, 1).export(sync)
    style_critic.make_task(style_critic.RECIPE.read_config(options("style-critic")), dataset).export(style)
    task = styletalk.StyleTalkTask(
        config,
        StyleTalk(StyleTalkGenerator(config.generator, NUM_FEATURES), ToyEncoder(), config.speaking),
        LipGeometry(toy_assets),
        examples,
        [],
        sync=FixedSyncCritic.read(str(sync), toy_assets, NUM_FEATURES),
        style=FixedStyleCritic.read(str(style)),
    )
    (tmp_path / "run").mkdir()
    run(task, config.loop, config.optim, tmp_path / "run")
    logged = (tmp_path / "run" / "log.csv").read_text().splitlines()[0].split(",")
    assert {*names, "critic", "reconstruction"} <= set(logged)


def test_a_loss_that_needs_a_critic_says_how_to_get_one(dataset: Path, tmp_path: Path) -> None:
    for name in ("sync", "style"):
        config = styletalk.RECIPE.read_config(options("styletalk-tiny", f"loss_weights.{name}=1.0"))
        with pytest.raises(UsageError, match=f"facetalk train {name}-critic"):
            styletalk.make_task(config, dataset)
