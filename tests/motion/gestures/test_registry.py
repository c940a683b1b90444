"""The contract of every gesture in the table, and the function that adds them."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from facetalk.audio.seed import recording_seed
from facetalk.core.errors import UsageError
from facetalk.core.events import Event
from facetalk.core.motion import POSES, Motion, still_motion
from facetalk.head.channels import ARKIT_NAMES
from facetalk.motion.gestures.base import Gesture, StreamedGesture
from facetalk.motion.gestures.gaze import Gaze
from facetalk.motion.gestures.registry import GESTURES, add_gestures, load_gesture


@dataclass(frozen=True)
class Nod:
    """A toy gesture: lowers the head by half the loudness of the frame."""

    head_motion: float = 1.0
    blinks: float = 1.0
    gaze: Gaze | None = None

    def add(
        self, motion: Motion, waveform: torch.Tensor | None, generator: torch.Generator, in_place: bool = False
    ) -> Motion:
        loudness = torch.zeros(motion.num_frames) if waveform is None else waveform[: motion.num_frames].abs()
        neck_pose = motion.neck_pose.clone()
        neck_pose[:, 0] += self.head_motion * loudness / 2
        return motion.replace(neck_pose=neck_pose)


@pytest.fixture(autouse=True)
def toy_gesture(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(GESTURES, "nod", f"{__name__}:Nod")


ROOT = Path(__file__).resolve().parents[3]


def talking(num_frames: int, fps: float = 30.0) -> Motion:
    curves = torch.rand(2000, 52, generator=torch.Generator().manual_seed(5))[:num_frames]
    return still_motion("toy", 0.6 * curves, ARKIT_NAMES, fps, 3)


def speech(num_frames: int) -> torch.Tensor:
    return torch.rand(2000 * 533, generator=torch.Generator().manual_seed(6))[: num_frames * 533]


def added(name: str, num_frames: int, seed: int = 0) -> Motion:
    generator = torch.Generator().manual_seed(seed)
    return load_gesture(name).add(talking(num_frames), speech(num_frames), generator)


NAMES = [*GESTURES, "nod"]


@pytest.mark.parametrize("name", NAMES)
def test_a_gesture_keeps_length_head_and_limits_and_leaves_its_input_alone(name: str) -> None:
    assert isinstance(load_gesture(name), Gesture)
    motion = talking(90)
    before = motion.expression.clone()
    result = load_gesture(name).add(motion, speech(90), torch.Generator().manual_seed(0))
    assert (result.num_frames, result.head, result.fps) == (90, "toy", 30.0)
    assert result.expression_names == ARKIT_NAMES
    assert 0 <= result.expression.min() <= result.expression.max() <= 1
    assert torch.equal(motion.expression, before)
    assert not all(torch.equal(getattr(result, pose), getattr(motion, pose)) for pose in POSES)


@pytest.mark.parametrize("name", GESTURES)
@pytest.mark.parametrize("size", [1, 3, 50, 400])
def test_a_gesture_that_comes_piece_by_piece_is_that_of_the_whole_motion(name: str, size: int) -> None:
    gesture = load_gesture(name)
    if not isinstance(gesture, StreamedGesture):
        pytest.skip("needs the whole motion")
    motion, waveform = talking(400), 0.3 * torch.randn(400 * 1600 // 3, generator=torch.Generator().manual_seed(6))
    whole = gesture.add(motion, waveform, torch.Generator().manual_seed(0))
    stream, parts, heard = gesture.start(torch.Generator().manual_seed(0)), [], 0
    for first in range(0, 400, size):
        until = -(-(first + size) // 3) * 1600
        parts.append(stream.add(motion.cut(first, first + size), waveform[heard:until]))
        heard = until
    for field in ("expression", *POSES, "transl"):
        streamed = torch.cat([getattr(part, field) for part in parts])
        torch.testing.assert_close(streamed, getattr(whole, field), rtol=0, atol=1e-5, msg=field)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("seed", [0, 7])
def test_the_first_300_frames_do_not_depend_on_the_length(name: str, seed: int) -> None:
    short, long = added(name, 300, seed), added(name, 1700, seed).cut(0, 300)
    for field in ("expression", *POSES, "transl"):
        assert torch.equal(getattr(short, field), getattr(long, field)), field


@pytest.mark.parametrize("name", NAMES)
def test_a_gesture_of_size_zero_changes_nothing_and_needs_no_audio(name: str) -> None:
    motion = talking(60)
    gesture = load_gesture(name, head_motion=0, blinks=0, gaze=Gaze(amount=0))
    result = gesture.add(motion, None, torch.Generator().manual_seed(0))
    for field in ("expression", *POSES, "transl"):
        torch.testing.assert_close(getattr(result, field), getattr(motion, field))


def test_gestures_are_added_one_after_the_other() -> None:
    motion, waveform = talking(60), speech(60)
    both = add_gestures(motion, waveform, gestures=("idle", "nod"), seed=4, head_motion=0.5)
    idle = add_gestures(motion, waveform, gestures="idle", seed=4, head_motion=0.5)
    torch.testing.assert_close(both.neck_pose[:, 0], idle.neck_pose[:, 0] + waveform[:60].abs() / 4)
    assert torch.equal(both.expression, idle.expression)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "nod"])
def test_gestures_can_save_the_copy_of_a_motion(name: str) -> None:
    motion = talking(60).with_events([Event("laugh", 0.5, 1.5, strength=1.0)])
    before = motion.expression.clone()
    copied = add_gestures(motion, speech(60), gestures=name, seed=4)
    assert torch.equal(motion.expression, before) and not torch.equal(copied.expression, before)
    written = add_gestures(motion, speech(60), gestures=name, seed=4, in_place=True)
    assert written.expression is motion.expression and torch.equal(written.expression, copied.expression)
    assert torch.equal(written.neck_pose, copied.neck_pose) and written.events == copied.events


def test_a_seed_is_a_generator_with_that_seed() -> None:
    by_seed = add_gestures(talking(60), seed=4)
    by_generator = add_gestures(talking(60), generator=torch.Generator().manual_seed(4))
    assert torch.equal(by_seed.neck_pose, by_generator.neck_pose)
    assert not torch.equal(by_seed.neck_pose, add_gestures(talking(60), seed=5).neck_pose)


def test_what_cannot_be_added_is_refused() -> None:
    with pytest.raises(UsageError, match="unknown gesture 'wave'; known gestures: facial, idle, nod"):
        add_gestures(talking(5), gestures=("wave",))
    with pytest.raises(UsageError, match="unknown gesture 'aaa") as caught:
        add_gestures(talking(5), gestures="a" * 5000)
    assert len(str(caught.value)) < 200
    with pytest.raises(UsageError, match="between 0 and 10"):
        add_gestures(talking(5), blinks=-1)
    with pytest.raises(ValueError, match="30 fps"):
        add_gestures(talking(5, fps=25.0))


@pytest.mark.parametrize("options", [{"blinks": float("inf")}, {"head_motion": float("nan")}, {"seed": 10**30}])
def test_numbers_that_no_generator_takes_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(UsageError):
        add_gestures(talking(5), **options)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("gestures", ["facial", "idle"])
def test_without_a_seed_a_longer_recording_begins_exactly_as_its_first_part(gestures: str) -> None:
    waveform = torch.cat([torch.zeros(4000), speech(240)])
    whole = add_gestures(talking(240), waveform, gestures=gestures)
    part = add_gestures(talking(90), waveform[:48_000], gestures=gestures)
    for name in ("expression", "neck_pose", "global_orient", "leye_pose", "transl"):
        assert torch.equal(getattr(part, name)[:88], getattr(whole, name)[:88]), name


def test_without_a_seed_the_recording_decides() -> None:
    first, second = (torch.randn(32_000, generator=torch.Generator().manual_seed(seed)) for seed in (1, 2))
    moved = add_gestures(talking(60), first).neck_pose
    assert torch.equal(add_gestures(talking(60), first.clone()).neck_pose, moved)
    assert torch.equal(add_gestures(talking(60), first, seed=recording_seed(first)).neck_pose, moved)
    assert not torch.equal(add_gestures(talking(60), second).neck_pose, moved)
    assert torch.equal(add_gestures(talking(60)).neck_pose, add_gestures(talking(60), seed=0).neck_pose)


WRONG = """
from facetalk import add_gestures
from facetalk.core.errors import UsageError
from tests.motion.gestures.test_registry import talking

for options in ({"gestures": 5}, {"gestures": [5]}, {"gestures": None}, {"gaze": 0.5}):
    try:
        add_gestures(talking(5), **options)
    except UsageError as error:
        print(error)
"""


@pytest.mark.slow
def test_arguments_of_other_types_are_refused_in_one_line() -> None:
    """In a program of its own, where types are not checked."""
    run = subprocess.run([sys.executable, "-c", WRONG], capture_output=True, text=True, cwd=ROOT, check=True)
    *gestures, gaze = run.stdout.splitlines()
    assert len(gestures) == 3 and all(line.startswith("unknown gesture ") for line in gestures)
    assert gaze == "gaze is 0.5; give a Gaze, such as Gaze(0.5)"
