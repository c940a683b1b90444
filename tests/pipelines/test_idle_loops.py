"""`animate --idle`: a loop without audio."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from facetalk.core.audio_part import AudioPart
from facetalk.core.errors import UsageError
from facetalk.core.motion import still_motion
from facetalk.core.rotations import axis_angle_to_matrix
from facetalk.head.channels import ARKIT_NAMES, BLINK_NAMES, GAZE_NAMES, LOWER_NAMES, indices
from facetalk.io.audio import write_wav
from facetalk.io.motion import read_motion
from facetalk.io.video import VideoReader
from facetalk.io.voices import SpokenText
from facetalk.io.weights import MODEL_FILE
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


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"style": "happy", "style_strength": 0.5}, "--style, --style-strength"),
        ({"part": AudioPart(start_s=1.0)}, "--channel, --from and --to"),
        ({"part": AudioPart(channel=2)}, "--channel, --from and --to"),
        ({"talker": "laughtalk", "laughter": 0.0}, "--talker, --laughter"),
        ({"transcript": "a.txt"}, "--transcript"),
        ({"spoken": SpokenText("Hello")}, "--text"),
    ],
)
def test_options_of_speech_are_refused_for_a_loop(options: dict[str, Any], named: str) -> None:
    with pytest.raises(UsageError, match=f"an idle face says nothing; give --idle without {named}$"):
        AnimateOptions(idle_s=3.0, **options)


def test_gestures_that_hear_speech_make_no_loop(tmp_path: Path) -> None:
    (tmp_path / MODEL_FILE).write_bytes(b"")
    with pytest.raises(UsageError, match="a loop has the gestures 'idle', not"):
        AnimateOptions(idle_s=3.0, gestures=str(tmp_path))
    AnimateOptions(idle_s=3.0, gestures="idle")


@pytest.mark.parametrize("seed", [-(2**63) - 1, 2**64, 10**50])
def test_seeds_that_no_generator_takes_are_refused(seed: int) -> None:
    with pytest.raises(UsageError, match=r"the seed is -?\d{19,}; it must lie between -2\^63 and 2\^64 - 1") as caught:
        AnimateOptions(idle_s=3.0, seed=seed)
    assert len(str(caught.value)) < 120


@pytest.mark.parametrize("seed", [0, 1, 2, -(2**63), 2**64 - 1])
@pytest.mark.parametrize("seconds", [1.0, 7.3])
def test_the_step_from_the_last_frame_to_the_first_is_an_ordinary_one(seed: int, seconds: float) -> None:
    motion = read_motion(animate(idle_s=seconds, formats=("npz",), seed=seed, out=str(seed)).paths["npz"])
    eyelids = [*indices(BLINK_NAMES), *indices(GAZE_NAMES)]
    rest = [column for column in range(52) if column not in eyelids]
    assert torch.equal(motion.expression[0, rest], motion.expression[-1, rest])
    for name, most in (("neck_pose", 0.0), ("global_orient", 0.0), ("transl", 0.0), ("leye_pose", 1e-3)):
        curve = getattr(motion, name)
        steps = curve.diff(dim=0).norm(dim=1)
        assert float((curve[0] - curve[-1]).norm()) <= max(1.5 * float(steps.max()), most), name
    lids = motion.expression[:, indices(BLINK_NAMES)]
    assert float((lids[0] - lids[-1]).abs().max()) <= 0.5  # a blink may go on from the end to the beginning


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
