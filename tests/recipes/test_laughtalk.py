from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from facetalk.core.errors import FacetalkError, UsageError
from facetalk.data.manifest import Clip
from facetalk.data.voiced import VoicedExample
from facetalk.head.assets import HeadAssets
from facetalk.head.channels import ARKIT_NAMES, GAZE_NAMES, indices
from facetalk.head.controls import Controls
from facetalk.losses.geometry import LipGeometry, PointGeometry
from facetalk.networks.laughtalk import LaughTalkNetwork
from facetalk.networks.wav2vec import Wav2VecEncoder
from facetalk.recipes.laughtalk import RECIPE, LaughTalkTask, with_stage_1
from facetalk.recipes.parts.laughing_data import Laugh, LaughTalkDataConfig, LaughTalkSampler
from facetalk.recipes.parts.laughing_set import completed
from tests.networks.test_laughtalk import TINY

CONTROLS = Controls(ARKIT_NAMES)
SMALL: dict[str, Any] = {"length": 30, "batch_size": 3}


def example(seed: int, label: str = "", num_frames: int = 60) -> VoicedExample:
    generator = torch.Generator().manual_seed(seed)
    waveform = 0.1 * torch.randn(round(num_frames / 30 * 16_000), generator=generator)
    rows = torch.rand(num_frames, 52, generator=generator)
    return VoicedExample(Clip(Path(), f"c{seed}", f"s{seed}", label), waveform.half(), rows, torch.ones(num_frames))


def laugh() -> Laugh:
    generator = torch.Generator().manual_seed(9)
    return Laugh(torch.randn(8000, generator=generator).half(), torch.full((15, 52), 0.9))


def sampler(**changes: Any) -> LaughTalkSampler:
    config = LaughTalkDataConfig(**{**SMALL, **changes})
    return LaughTalkSampler([example(0), example(1)], [example(2, "laughing")], [laugh()], config)


def make_task(assets: HeadAssets, **changes: Any) -> LaughTalkTask:
    config = RECIPE.read_config({"optim": {"restart_step": 5}, "loop": {"num_steps": 10}, "bfloat16": False, **changes})
    config = replace(config, data=LaughTalkDataConfig(**SMALL))
    torch.manual_seed(0)
    network = LaughTalkNetwork(TINY, 52)
    return LaughTalkTask(config, network, CONTROLS, (PointGeometry(assets), LipGeometry(assets)), sampler(), [])


def test_loud_laughs_move_the_face_more() -> None:
    batch = sampler(laugh_shares=(0.0, 1.0, 0.0), growth=(0.5, 1.5)).sample(torch.Generator().manual_seed(0)).laughing
    inside = [(waveform.abs().max(), rows.amax()) for waveform, rows in zip(batch.waveform, batch.rows, strict=True)]
    assert [float(size) for _, size in sorted(inside)] == sorted(float(size) for _, size in inside)


def test_a_laugh_interrupts_speech_and_shows_only_there() -> None:
    batch = sampler(laugh_shares=(0.0, 1.0, 0.0), growth=(1.0, 1.0)).sample(torch.Generator().manual_seed(0)).laughing
    assert batch.rows.shape == (3, 30, 52)
    for waveform, rows, shown in zip(batch.waveform, batch.rows, batch.shown, strict=True):
        inside = shown == 1
        assert 15 <= int(inside.sum()) <= 17
        assert (rows[inside] == 0.9).all()
        first = int(inside.nonzero()[0])
        loud = waveform[round((first + 2) / 30 * 16_000) :][:2000].square().mean()
        assert loud > 0.3 * waveform.square().mean()


def test_real_laughter_is_shown_whole_and_speech_not_at_all() -> None:
    real = sampler(laugh_shares=(1.0, 0.0, 0.0)).sample(torch.Generator().manual_seed(0)).laughing
    speech = sampler(laugh_shares=(0.0, 0.0, 1.0)).sample(torch.Generator().manual_seed(0)).laughing
    assert (real.shown == 1).all()
    assert (speech.shown == 0).all()


def test_the_same_seed_gives_the_same_batch() -> None:
    first, second = (sampler().sample(torch.Generator().manual_seed(3)) for _ in range(2))
    for stage, other in zip(first, second, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(stage, other, strict=True))


def test_without_examples_it_says_which_are_missing() -> None:
    config = LaughTalkDataConfig(**SMALL)
    with pytest.raises(FacetalkError, match="no clip of neutral speech"):
        LaughTalkSampler([], [example(2)], [], config)
    with pytest.raises(FacetalkError, match=r"data\.laughing.*data\.recordings"):
        LaughTalkSampler([example(0)], [], [], config)
    with pytest.raises(UsageError, match="where stage 2 begins"):
        RECIPE.read_config({"optim": {"restart_step": 2000}})


def test_stage_2_leaves_stage_1_alone(toy_assets: HeadAssets) -> None:
    task = make_task(toy_assets)
    batch = task.sample(torch.Generator().manual_seed(0))
    first = task.loss_terms(0, batch)
    assert set(first) == {"talk_expression", "talk_landmarks", "talk_velocity", "talk_curves"}
    second = task.loss_terms(5, batch)
    assert set(second) == {"laugh_vertices", "laugh_expression", "laugh_landmarks", "laugh_rhythm"}
    torch.stack(list(second.values())).sum().backward()
    trained = {name for name, value in task.model.named_parameters() if value.grad is not None}
    assert trained
    assert all(name.startswith("laugh.") for name in trained)
    assert not any("feature_extractor" in name for name in trained)


def test_speech_alone_asks_for_no_residual(toy_assets: HeadAssets) -> None:
    task = make_task(toy_assets)
    batch = sampler(laugh_shares=(0.0, 0.0, 1.0)).sample(torch.Generator().manual_seed(0))
    terms = task.loss_terms(9, batch)
    assert terms["laugh_vertices"] == 0
    assert terms["laugh_expression"] == 0


def test_the_gaze_is_left_alone(toy_assets: HeadAssets) -> None:
    task = make_task(toy_assets)
    columns = indices(GAZE_NAMES)
    assert (task.model.mean[columns] == 0).all()
    task.loss_terms(0, task.sample(torch.Generator().manual_seed(0)))["talk_expression"].backward()
    weight = task.model.talk.decoder.to_motion.weight.grad
    assert weight is not None
    assert (weight[columns] == 0).all()
    assert weight.abs().sum() > 0


def test_the_movement_is_enlarged_to_that_of_the_clips(toy_assets: HeadAssets) -> None:
    task = make_task(toy_assets, amplitude=0.9)
    with torch.no_grad():
        task.model.talk.decoder.to_motion.weight.normal_(0, 0.02)
    task.loss_terms(5, task.sample(torch.Generator().manual_seed(0)))
    assert 1 < float(task.model.amplitude) <= 3


def test_targets_of_laughter_are_symmetric_with_raised_cheeks() -> None:
    rows = torch.zeros(2, 52)
    rows[:, ARKIT_NAMES.index("mouthSmileLeft")] = 0.8
    rows[:, ARKIT_NAMES.index("mouthSmileRight")] = 0.4
    rows[:, ARKIT_NAMES.index("eyeBlinkLeft")] = 0.9
    found = completed(rows, CONTROLS)
    named = {name: float(found[0, ARKIT_NAMES.index(name)]) for name in ARKIT_NAMES}
    assert named["mouthSmileLeft"] == named["mouthSmileRight"] == pytest.approx(0.6)
    assert named["cheekSquintLeft"] == pytest.approx(0.42)
    assert named["eyeBlinkLeft"] == named["eyeBlinkRight"] == pytest.approx(0.35)
    assert torch.equal(completed(rows, Controls(tuple(f"e{i}" for i in range(52)))), rows)


def test_stage_2_can_be_trained_on_top_of_a_trained_stage_1(toy_assets: HeadAssets, tmp_path: Path) -> None:
    trained = make_task(toy_assets)
    with torch.no_grad():
        trained.model.talk.decoder.to_motion.weight.normal_(0, 0.1)
        trained.model.amplitude.fill_(1.5)
    trained.export(tmp_path)
    options = {"start": str(tmp_path), "loop": {"num_steps": 10}, "bfloat16": False, "optim": {"restart_step": 0}}
    config = replace(RECIPE.read_config(options), data=LaughTalkDataConfig(**SMALL), head="toy")
    network = with_stage_1(config, Wav2VecEncoder(TINY.nonverbal), 52)
    parts = (PointGeometry(toy_assets), LipGeometry(toy_assets))
    task = LaughTalkTask(config, network, CONTROLS, parts, sampler(), [])
    waveform = torch.randn(16_000)
    expected = trained.model.eval().talking(waveform)
    torch.testing.assert_close(task.model.eval().talking(waveform), expected, atol=1e-2, rtol=1e-2)
    assert "laugh_vertices" in task.loss_terms(0, task.sample(torch.Generator().manual_seed(0)))
    with pytest.raises(UsageError, match=r"set optim\.restart_step=0"):
        RECIPE.read_config({**options, "optim": {"restart_step": 5}})
    with pytest.raises(UsageError, match="not a LaughTalk for the head toy"):
        with_stage_1(config, Wav2VecEncoder(TINY.nonverbal), 55)
