"""FACIAL's recipe on clips of a few seconds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from facetalk.core.errors import FacetalkError, UsageError
from facetalk.head.behavior import NUM_STATES, WINDOW
from facetalk.io.motion import read_motion, write_motion
from facetalk.io.video import VideoInfo
from facetalk.io.video_writer import VideoWriter
from facetalk.networks.registry import load
from facetalk.pipelines import train_person
from facetalk.pipelines.batch import Outcome, Report
from facetalk.pipelines.train import train
from facetalk.recipes.facial import RECIPE, FacialTask, make_task
from tests.data.test_behavior import dataset

TINY = {
    "loop": {"num_steps": 2, "log_every": 1, "validate_every": 2, "save_every": 2},
    "movement_steps": 1,
    "network": {"plane_width": 4, "width": 8, "code": 4, "movement": {"width": 6, "components": 2}},
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
    assert float(tuned.blink_rate) == pytest.approx(
        (2 + 9) / (500 / 30 + 30), rel=0.02
    )  # one blink in each clip, and the usual ones


def test_terms_are_finite_and_the_critic_learns_on_the_same_windows(clips: Path) -> None:
    task = tiny_task(clips)
    batch = task.sample(torch.Generator().manual_seed(0))
    alone = task.loss_terms(0, batch)
    assert alone.keys() == {"movement"} and task.critic_loss() is None
    terms = task.loss_terms(1, batch)
    assert terms.keys() == {"pose", "eye", "expression", "spectrum", "adversarial"}
    assert terms.keys() | alone.keys() == task.loss_weights.keys()
    assert all(torch.isfinite(term) for term in terms.values())
    loss = task.critic_loss()
    assert loss is not None
    loss.backward()
    assert all(parameter.grad is None for parameter in task.model.parameters())


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


def clip_of(seconds: float, has_audio: bool = True) -> VideoInfo:
    return VideoInfo((64, 64), 25.0, seconds, has_audio, 0)


def fit_instead(monkeypatch: pytest.MonkeyPatch, lengths: tuple[int, ...] = (200, 2 * WINDOW)) -> list[Path]:
    """Let videos of a minute be fitted by making a dataset; returns the folders that it goes to."""
    fitted: list[Path] = []

    def fit_videos(videos: Sequence[Path], out_dir: Path, *, report: Report, **options: object) -> None:
        fitted.append(out_dir)
        out_dir.mkdir(parents=True, exist_ok=True)
        dataset(out_dir, lengths)
        seen = {"number": 2, "of": 2, "center": [0.7, 0.5], "time_share": 1.0}
        report(Outcome(Path("video.mp4"), "done", details={"person": seen}))

    monkeypatch.setattr(train_person, "fit_videos", fit_videos)
    monkeypatch.setattr(train_person, "read_video_info", lambda path: clip_of(60))
    monkeypatch.setattr(train_person, "find_videos", lambda videos: [Path(video) for video in videos])
    return fitted


def test_a_person_is_fitted_before_the_weights_are_tuned(
    clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    fitted = fit_instead(monkeypatch)
    train(written(tmp_path), clips, tmp_path / "general")
    small = ["loop.num_steps=1", "data.batch_size=2", f"start={tmp_path / 'general'}"]
    caplog.clear()
    train("facial", None, tmp_path / "person", person=["video.mp4"], settings=small)
    assert fitted == [tmp_path / "person/clips"]
    assert load("gestures", tmp_path / "person").config.width == 8
    assert read_motion(tmp_path / "person/clips/c0.npz").num_frames == 200
    (message,) = caplog.messages
    assert "video.mp4: tuned to person 2 of 2" in message and "facetalk fit --face" in message
    with pytest.raises(FacetalkError, match="is not empty"):
        train("facial", None, tmp_path / "person", person=["video.mp4"], settings=small)


def test_a_second_attempt_goes_on_with_what_was_fitted(
    clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit_instead(monkeypatch, (100,))
    small = ["loop.num_steps=1", "data.batch_size=2"]
    with pytest.raises(FacetalkError, match="none of the 1 clips has audio and is longer than a window"):
        train("facial", None, tmp_path / "person", person=["video.mp4"], settings=small)
    assert [path.name for path in (tmp_path / "person").iterdir()] == ["clips"]
    (tmp_path / "person/training.yaml").write_text("interrupted before the first checkpoint")
    fit_instead(monkeypatch)
    train("facial", None, tmp_path / "person", person=["video.mp4"], settings=small)


@pytest.mark.parametrize(
    ("info", "complaint"),
    [
        (clip_of(60, has_audio=False), "video.mp4 has no audio; behavior is learned together with the speech"),
        (clip_of(2), r"video.mp4 is 2\.0 s long; give a video of more than 4\.3 s"),
    ],
)
def test_videos_that_teach_nothing_are_refused_before_they_are_fitted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, info: VideoInfo, complaint: str
) -> None:
    fitted = fit_instead(monkeypatch)
    monkeypatch.setattr(train_person, "read_video_info", lambda path: info)
    with pytest.raises(FacetalkError, match=complaint):
        train("facial", None, tmp_path / "run", person=["video.mp4"])
    assert not fitted and not (tmp_path / "run").exists()


def test_a_video_that_states_no_length_is_measured_before_it_is_fitted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted = fit_instead(monkeypatch)
    with VideoWriter(tmp_path / "short.mp4", (16, 16), 10) as writer:
        for _ in range(40):
            writer.write(np.zeros((16, 16, 3), np.uint8))
    monkeypatch.setattr(train_person, "read_video_info", lambda path: replace(clip_of(4), duration_s=None))
    with pytest.raises(FacetalkError, match=r"short.mp4 is 4\.0 s long; give a video of more than 4\.3 s"):
        train("facial", None, tmp_path / "run", person=[tmp_path / "short.mp4"])
    assert not fitted and not (tmp_path / "run").exists()


def test_little_of_a_person_is_a_warning(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    fit_instead(monkeypatch)
    monkeypatch.setattr(train_person, "read_video_info", lambda path: clip_of(10))
    train_person.check_person(["a.mp4", "b.mp4"], needs_audio=True)
    assert caplog.messages == ["20 s say little about a person; two or three minutes are a sensible least"]


def test_a_face_that_never_moves_has_no_behavior(tmp_path: Path) -> None:
    folder = dataset(tmp_path, (200,))
    still = read_motion(folder / "c0.npz")
    write_motion(folder / "c0.npz", still.replace(global_orient=torch.zeros(200, 3)))
    with pytest.raises(FacetalkError, match="no head or brow moves in the 1 clips; a still image"):
        make_task(RECIPE.read_config({"start": "facial"}), folder)


def test_a_face_that_is_not_found_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fit_videos(videos: object, out_dir: Path, *, report: Report, **options: object) -> None:
        out_dir.mkdir(parents=True)
        (out_dir / "manifest.csv").write_text("name\n")
        report(Outcome(Path("video.mp4"), "failed", error=FacetalkError("video.mp4: no face was found")))

    fit_instead(monkeypatch)
    monkeypatch.setattr(train_person, "fit_videos", fit_videos)
    with pytest.raises(FacetalkError, match=r"^video\.mp4: no face was found$"):
        train("facial", None, tmp_path / "run", person=["video.mp4"])
    assert not (tmp_path / "run").exists()


def test_what_cannot_be_tuned_to_a_person_is_refused(clips: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="laughter cannot be tuned to a person; what can: facial"):
        train("laughter", None, tmp_path / "run", person=["video.mp4"])
    with pytest.raises(UsageError, match="not both"):
        train("facial", clips, tmp_path / "run", person=["video.mp4"])


def test_a_person_that_cannot_be_fitted_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "no.mp4").write_bytes(b"nothing")
    with pytest.raises(FacetalkError, match=r"no\.mp4"):
        train("facial", None, tmp_path / "run", person=[tmp_path / "no.mp4"], settings=[f"start={tmp_path}"])
