"""FACIAL's recipe on clips of a few seconds."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import yaml

from facetalk.core.errors import FacetalkError, UsageError
from facetalk.head.behavior import NUM_STATES, WINDOW
from facetalk.io.motion import read_motion
from facetalk.losses.behavior import power
from facetalk.networks.facial import FacialConfig, FacialNetwork, smooth_noise
from facetalk.networks.registry import load
from facetalk.pipelines.train import train
from facetalk.recipes.facial import RECIPE, FacialTask, make_task, set_sway
from tests.data.test_behavior import dataset

TINY = {
    "loop": {"num_steps": 2, "log_every": 1, "validate_every": 2, "save_every": 2},
    "network": {"plane_width": 4, "width": 8, "code": 4, "noise": 2},
    "data": {"batch_size": 2, "dev_speakers": ["s2"]},
}


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return dataset(tmp_path_factory.mktemp("clips"), (200, 300, 160))


def tiny_task(clips: Path, **options: object) -> FacialTask:
    torch.manual_seed(0)
    return make_task(RECIPE.read_config({**TINY, **options}), clips)


def written(folder: Path, **options: object) -> Path:
    path = folder / "tiny.yaml"
    path.write_text(yaml.safe_dump({"method": "facial", **TINY, **options}))
    return path


def test_a_run_writes_weights_that_load_and_a_second_one_starts_from_them(clips: Path, tmp_path: Path) -> None:
    figures = train(written(tmp_path), clips, tmp_path / "run").metrics
    assert {"spectral_db", "spread_ratio", "speech", "blinks_per_s"} <= figures.keys()
    network = load("gestures", tmp_path / "run")
    assert network.num_features == 8
    assert float(network.blink_rate) == pytest.approx(0.3)
    again = written(tmp_path, start=str(tmp_path / "run"), blink_rate=None)
    train(again, clips, tmp_path / "tuned")
    tuned = load("gestures", tmp_path / "tuned")
    assert torch.equal(tuned.feature_mean, network.feature_mean)
    assert float(tuned.blink_rate) == pytest.approx(2 / (500 / 30), rel=0.02)  # one blink in each of two clips


def test_terms_are_finite_and_the_critic_learns_on_the_same_windows(clips: Path) -> None:
    task = tiny_task(clips)
    batch = task.sample(torch.Generator().manual_seed(0))
    terms = task.loss_terms(0, batch)
    assert terms.keys() == {"pose", "eye", "expression", "spectrum", "adversarial"} == task.loss_weights.keys()
    assert all(torch.isfinite(term) for term in terms.values())
    task.critic_loss().backward()
    assert all(parameter.grad is None for parameter in task.model.parameters())


def test_the_noise_alone_has_the_power_that_is_wanted() -> None:
    torch.manual_seed(1)
    config = FacialConfig(plane_width=4, width=8, code=4, noise=3)
    wanted = power(smooth_noise(config, 300)).unflatten(1, (-1, 3)).mean(2) @ torch.tensor([2.0, 1.0, 0.0, 0.1, 0.0])
    network = FacialNetwork(8, NUM_STATES, config)
    set_sway(network, wanted[:, None].expand(-1, NUM_STATES))
    found = power(smooth_noise(config, 300) @ network.sway.weight.T)
    assert (found.log() - wanted[:, None].log()).abs().mean() < 0.35


def test_generated_behavior_is_measured_after_training(clips: Path) -> None:
    task = tiny_task(clips)
    task.model.eval()
    task.validate()
    assert task.model.usual.shape == (NUM_STATES,)
    assert (task.model.usual_spread > 0).all()


def test_speakers_can_be_chosen(clips: Path) -> None:
    only = tiny_task(clips, data={"batch_size": 2, "only": ["s1", "s2"], "dev_speakers": ["s2"]})
    assert [example.clip.speaker for example in only.sampler.examples] == ["s1"]
    kept = tiny_task(clips, data={"batch_size": 2, "held_out": ["s0"], "dev_speakers": ["s2"]})
    assert [example.clip.speaker for example in kept.validation] == ["s0"]


def test_a_person_is_fitted_before_the_weights_are_tuned(
    clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from facetalk.pipelines import train as pipeline

    fitted: list[Path] = []

    def fit_videos(videos: object, out_dir: Path, **options: object) -> object:
        fitted.append(Path(out_dir))
        dataset(_made(Path(out_dir)), (200, 2 * WINDOW))
        return type("Summary", (), {"failed": {}})()

    monkeypatch.setattr(pipeline, "fit_videos", fit_videos)
    train(written(tmp_path), clips, tmp_path / "general")
    small = ["loop.num_steps=1", "data.batch_size=2", f"start={tmp_path / 'general'}"]
    train("facial", None, tmp_path / "person", person=["video.mp4"], settings=small)
    assert fitted == [tmp_path / "person/clips"]
    assert load("gestures", tmp_path / "person").config.width == 8
    assert read_motion(tmp_path / "person/clips/c0.npz").num_frames == 200


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder


def test_what_cannot_be_tuned_to_a_person_is_refused(clips: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="laughter cannot be tuned to a person; what can: facial"):
        train("laughter", None, tmp_path / "run", person=["video.mp4"])
    with pytest.raises(UsageError, match="not both"):
        train("facial", clips, tmp_path / "run", person=["video.mp4"])


def test_a_person_that_cannot_be_fitted_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "no.mp4").write_bytes(b"nothing")
    with pytest.raises(FacetalkError, match=r"no\.mp4"):
        train("facial", None, tmp_path / "run", person=[tmp_path / "no.mp4"], settings=[f"start={tmp_path}"])
