import math
from typing import Any

import torch

from facetalk.core.events import Event
from facetalk.core.motion import Motion, still_motion
from facetalk.head.channels import ARKIT_NAMES, GAZE_NAMES
from facetalk.motion.gestures.gaze import Gaze
from facetalk.motion.gestures.laughing import Laughing, laugh_course
from facetalk.motion.gestures.registry import add_gestures


def face(*laughs: tuple[float, float]) -> Motion:
    motion = still_motion("toy", torch.full((300, 52), 0.2), ARKIT_NAMES, 30.0, 3)
    return motion.with_events([Event("laugh", start, end, strength=1.0) for start, end in laughs])


def pulses(hertz: float = 5.0) -> torch.Tensor:
    times = torch.arange(160_000) / 16_000
    noise = torch.randn(160_000, generator=torch.Generator().manual_seed(0))
    return 0.2 * noise * (0.55 - 0.45 * torch.cos(2 * math.pi * hertz * times))


def add(motion: Motion, waveform: torch.Tensor | None = None, **options: Any) -> Motion:
    return Laughing(**options).add(motion, waveform, torch.Generator().manual_seed(0))


def test_without_laughs_nothing_moves() -> None:
    motion = face()
    assert add(motion, pulses()) is motion


def test_the_head_leans_back_while_somebody_laughs() -> None:
    moved = add(face((2.0, 4.0)))
    pitch = moved.neck_pose[:, 0].rad2deg()
    assert (pitch[:60] == 0).all()
    assert -5 < float(pitch.min()) < -3
    assert 110 <= int(pitch.argmin()) <= 135
    assert pitch[299].abs() < 0.2
    assert moved.neck_pose.diff(dim=0).diff(dim=0).rad2deg().abs().max() < 0.1


def test_longer_laughs_lean_further() -> None:
    short, long = (add(face((2.0, end))).neck_pose[:, 0].min() for end in (2.6, 5.0))
    assert long < 2 * short < 0


def test_the_head_bobs_with_the_bursts() -> None:
    smooth, bobbing = add(face((2.0, 6.0))), add(face((2.0, 6.0)), pulses())
    bob = (bobbing.neck_pose - smooth.neck_pose)[90:180, 0].rad2deg()
    spectrum = torch.fft.rfft(bob - bob.mean()).abs()
    assert int(spectrum.argmax()) == 15  # of 90 frames: 5 Hz
    assert 0.2 < float(bob.abs().max()) < 1.0


def test_brows_rise_and_the_mouth_is_left_alone() -> None:
    moved, motion = add(face((2.0, 4.0)), pulses()), face()
    changed = (moved.expression != motion.expression).any(0)
    assert {name for name, moves in zip(ARKIT_NAMES, changed, strict=True) if moves} == {
        *GAZE_NAMES, "browInnerUp", "browOuterUpLeft", "browOuterUpRight"
    }  # fmt: skip
    assert (add(face((2.0, 4.0)), head_motion=0.0).neck_pose == 0).all()


def test_the_eyes_stay_on_their_target_while_the_head_nods() -> None:
    moved = add(face((2.0, 6.0)), pulses())
    for eye in (moved.leye_pose, moved.reye_pose):
        torch.testing.assert_close(eye[:, 0], -moved.neck_pose[:, 0])
        assert (eye[:, 1:] == 0).all()
    lowered = face((2.0, 6.0))
    lowered = lowered.replace(leye_pose=lowered.leye_pose + torch.tensor([0.37, 0.0, 0.0]))
    assert add(lowered).leye_pose[:, 0].max() <= math.radians(22) + 1e-6
    resting = add(face((2.0, 6.0)), gaze=Gaze(amount=0.0))
    assert (resting.leye_pose == 0).all()


def test_no_factor_throws_the_head_back() -> None:
    assert -12 < float(add(face((2.0, 8.0)), pulses(), head_motion=1e9).neck_pose[:, 0].rad2deg().min()) < -6


def test_the_beginning_does_not_depend_on_the_end() -> None:
    whole, start = add(face((2.0, 4.0), (6.0, 8.0)), pulses()), add(face((2.0, 4.0)).cut(0, 150), pulses()[:80_000])
    torch.testing.assert_close(whole.neck_pose[:150], start.neck_pose)


def test_a_course_rises_and_falls_smoothly() -> None:
    course = laugh_course(300, 1.0, 3.0, 1.2)
    assert course[30] == 0
    assert 0.8 < float(course.max()) <= 1
    assert float(course.diff().abs().max()) < 0.05
    assert laugh_course(300, 9.9, 12.0, 1.2).shape == (300,)


def test_every_choice_of_gestures_laughs() -> None:
    sober, laughing = (add_gestures(motion, seed=1) for motion in (face(), face((2.0, 4.0))))
    difference = (laughing.neck_pose - sober.neck_pose)[:, 0].rad2deg()
    assert difference.min() < -3
    assert torch.equal(add_gestures(face((2.0, 4.0)), gestures=()).neck_pose, face().neck_pose)
