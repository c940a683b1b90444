"""`animate --idle`: a loop without audio."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from facetalk.core.errors import UsageError
from facetalk.core.motion import still_motion
from facetalk.core.rotations import axis_angle_to_matrix
from facetalk.head.channels import ARKIT_NAMES, LOWER_NAMES, indices
from facetalk.io.audio import write_wav
from facetalk.io.motion import read_motion
from facetalk.io.video import VideoReader
from facetalk.motion.gestures.registry import add_gestures
from facetalk.motion.heads import load_head
from facetalk.pipelines.animate import animate, animate_all
from facetalk.pipelines.animate_jobs import AnimateOptions
from tests.pipelines.performers import use_toys


@pytest.fixture(autouse=True)
def toys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    use_toys(monkeypatch)
    monkeypatch.chdir(tmp_path)


def test_a_loop_has_its_length_no_audio_and_closed_lips() -> None:
    result = animate(idle_s=2, formats=("npz", "mp4"), size=32, seed=4)
    motion = read_motion(result.paths["npz"])
    assert (motion.num_frames, result.seed) == (60, 4)
    assert motion.expression[:, indices(LOWER_NAMES)].abs().max() == 0
    assert (motion.neck_pose[0] - motion.neck_pose[-1]).abs().max() < 0.01
    with VideoReader(result.paths["mp4"]) as video:
        assert not video.has_audio
        assert len(list(video)) == 60
    again = read_motion(animate(idle_s=2, formats=("npz",), out="b", seed=4).paths["npz"])
    assert torch.equal(again.neck_pose, motion.neck_pose)


def test_a_loop_is_made_again_only_with_other_options() -> None:
    options = AnimateOptions(idle_s=1.0, formats=("npz",))
    assert len(animate_all([], options).done) == 1
    assert len(animate_all([], options, skip_existing=True).skipped) == 1
    other = AnimateOptions(idle_s=1.0, formats=("npz",), blinks=2.0)
    assert len(animate_all([], other, skip_existing=True).done) == 1


def test_still_and_gaze_decide_what_moves() -> None:
    motion = read_motion(animate(idle_s=3, formats=("npz",), still=True).paths["npz"])
    assert motion.neck_pose.abs().max() == motion.leye_pose.abs().max() == 0
    aside = read_motion(animate(idle_s=3, formats=("npz",), still=True, look_at="0.5,0,1", out="b").paths["npz"])
    assert aside.leye_pose.diff(dim=0).abs().max() == 0
    assert aside.leye_pose[0, 1] > 0.3


@pytest.mark.parametrize("seconds", [0, 0.5, -3, 4000, float("nan")])
def test_impossible_lengths_are_refused(seconds: float) -> None:
    with pytest.raises(UsageError, match="a loop is 1 to 3600 s long"):
        AnimateOptions(idle_s=seconds)


def test_a_loop_says_nothing(tmp_path: Path) -> None:
    write_wav(tmp_path / "a.wav", torch.zeros(16_000))
    with pytest.raises(UsageError, match="not both"):
        animate(tmp_path / "a.wav", idle_s=3)


def test_a_loop_does_not_follow_a_track_that_moves(tmp_path: Path) -> None:
    track = tmp_path / "track.csv"
    track.write_text("seconds,x,y,z\n0,0.3,0,1\n1,-0.3,0,1\n")
    with pytest.raises(UsageError, match="a loop ends where it begins"):
        AnimateOptions(idle_s=2.0, look_at=str(track))
    track.write_text("seconds,x,y,z\n0,0.3,0,1\n1,0.3,0,1\n")
    AnimateOptions(idle_s=2.0, look_at=str(track))


def test_gestures_move_no_vertex_of_the_lips_relative_to_the_skull() -> None:
    head = load_head("facetalk")
    curves = torch.rand(40, 52, generator=torch.Generator().manual_seed(0)) * 0.5
    talking = still_motion("facetalk", curves, ARKIT_NAMES, 30.0, head.num_betas)
    acting = add_gestures(talking, seed=1, head_motion=1.5)
    lips = head.points.regions["lips"]
    plain, moved = (head.pose(motion).vertices[:, lips] for motion in (talking, acting))
    # The skull turns at the neck, and the neck at the root.
    joints = head.shaped(talking.betas)[1]
    neck, root = (axis_angle_to_matrix(pose) for pose in (acting.neck_pose, acting.global_orient))
    inner = torch.einsum("tij,tvj->tvi", neck, plain - joints[1]) + joints[1]
    expected = torch.einsum("tij,tvj->tvi", root, inner - joints[0]) + joints[0] + acting.transl[:, None]
    torch.testing.assert_close(moved, expected, atol=2e-5, rtol=0)
