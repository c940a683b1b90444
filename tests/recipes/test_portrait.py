"""The portrait renderer learns from a video of the bundled head."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from facetalk.core.errors import FacetalkError, UsageError
from facetalk.motion.portrait.crop import CROP_PX, WINDOW_PX
from facetalk.networks.portrait import PortraitConfig
from facetalk.networks.registry import load
from facetalk.recipes.parts.portrait_data import FOLDER, PortraitDataConfig, chosen_frames, stored_clip
from facetalk.recipes.parts.portrait_pairs import ClipScene
from facetalk.recipes.portrait import PortraitLossWeights, PortraitTask, PortraitTrainingConfig, make_task
from facetalk.training.loop import LoopConfig, run
from facetalk.training.optim import OptimConfig
from tests.motion.portrait.scenes import shared
from tests.recipes.toy_portraits import speaking, write_portraits

TINY = PortraitConfig(code=8, widths=(8, 8))
DATA = PortraitDataConfig(frames_per_clip=6, batch_size=2, dev_speakers=("b",))


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_portraits(folder)
    return folder


def config(**changes: object) -> PortraitTrainingConfig:
    return PortraitTrainingConfig(bfloat16=False, data=DATA, net=TINY, **changes)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def task(dataset: Path, landmark_networks: None) -> PortraitTask:
    torch.manual_seed(0)
    return make_task(config(), dataset)


@pytest.mark.slow
def test_a_portrait_network_learns_and_comes_back(task: PortraitTask, dataset: Path, tmp_path: Path) -> None:
    before = task.validate()
    after = run(task, LoopConfig(num_steps=12), OptimConfig(learning_rate=5e-3, warmup_steps=2, average=0.0), tmp_path)
    assert after["error"] < before["error"] and after["error_still"] == before["error_still"]
    assert after["error_guess"] < after["error_warped"] < after["error_still"]
    torch.testing.assert_close(load("portrait", tmp_path).motion_mean, task.model.motion_mean, atol=0.01, rtol=0.01)
    again = make_task(config(start=str(tmp_path)), dataset)
    kept = task.model.mapping.first.weight
    torch.testing.assert_close(again.model.mapping.first.weight, kept, atol=0.01, rtol=0.01)


@pytest.mark.slow
def test_a_photo_warped_by_the_fit_looks_more_like_the_target_than_the_photo(task: PortraitTask) -> None:
    batch = task.sample(torch.Generator().manual_seed(0))
    assert batch.photo.shape == (2, 3, CROP_PX, CROP_PX) and batch.target.shape == (2, 3, WINDOW_PX, WINDOW_PX)
    one, again = (task.sampler.sample(torch.Generator().manual_seed(0)) for _ in range(2))
    torch.testing.assert_close(one[0].flow, again[0].flow)
    assert 1 < float(batch.weight.max()) <= 4 and 60 < float(batch.mouth[0, 0]) < 130


@pytest.mark.slow
def test_the_target_lies_where_the_photo_is_expected_also_where_its_fit_is_off(task: PortraitTask) -> None:
    clip = task.sampler._clips[0]
    index = len(clip.frames) // 2
    images, points = np.array(clip.images), clip.points.clone()
    images[index], points[index] = np.roll(images[index], 4, 1), points[index] + torch.tensor([4.0, 0.0])
    off = replace(clip, images=images, points=points)
    pair, other = (ClipScene(shared(), part, 0).pair(index) for part in (clip, off))
    shown = (pair.cues[0] > 0.9).expand(3, -1, -1)
    rolled = pair.target.roll(4, 2)
    apart, before = (float((image - pair.target)[shown].abs().mean()) for image in (other.target, rolled))
    assert apart < 0.3 * before


@pytest.mark.slow
def test_damaged_frames_are_refused_in_one_line(task: PortraitTask, dataset: Path) -> None:
    clip = task.sampler._clips[0].clip
    path = dataset / FOLDER / f"{clip.name}.npz"
    content = path.read_bytes()
    path.write_bytes(content[:100])
    with pytest.raises(FacetalkError, match="are damaged"):
        stored_clip(clip, DATA)
    path.write_bytes(content)


def test_frames_are_spread_over_a_clip_and_include_blinks_and_wide_mouths() -> None:
    frames = chosen_frames(speaking(), DATA)
    assert {0, 23} <= set(frames) and len(frames) <= 6 + 8
    jaw = speaking().channel("jawOpen")
    assert int(jaw.argmax()) in frames and float(speaking().channel("eyeBlinkLeft")[frames].max()) == 1
    unsure = speaking().replace(confidence=torch.zeros(24))
    assert chosen_frames(unsure, DATA) == []


def test_videos_are_needed() -> None:
    with pytest.raises(UsageError, match="--data DIR"):
        make_task(config(), None)
    assert np.isfinite(PortraitLossWeights().pixels)
