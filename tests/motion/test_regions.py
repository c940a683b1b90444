"""Regional control moves what it names, stays in bounds and lets the lips close."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from facetalk.core.errors import UsageError
from facetalk.core.events import Event
from facetalk.core.motion import POSES, Motion, still_motion
from facetalk.core.rotations import axis_angle_to_matrix
from facetalk.head.channels import ARKIT_NAMES
from facetalk.motion.contacts import CLOSED_LIPS, lip_opening
from facetalk.motion.regions import REGIONS, RegionalControl, controlled, region_of
from tests.conftest import make_toy_head
from tests.exporters.motions import lively_motion


def lively(num_frames: int = 40) -> Motion:
    return lively_motion(make_toy_head(), num_frames)


def babbling(num_frames: int = 200, seed: int = 1) -> Motion:
    """A mouth that opens and closes; mouthClose takes back what jawOpen parts, now and then."""
    generator = torch.Generator().manual_seed(seed)
    expression = 0.3 * torch.rand(num_frames, 52, generator=generator)
    swing = torch.sin(torch.arange(num_frames) / 3) ** 2
    expression[:, ARKIT_NAMES.index("jawOpen")] = 0.3 + 0.3 * swing
    expression[:, ARKIT_NAMES.index("mouthClose")] = 0.5 * (1 - swing)
    expression[:, ARKIT_NAMES.index("eyeBlinkLeft")] = swing
    expression[:, ARKIT_NAMES.index("eyeBlinkRight")] = swing
    return still_motion("toy", expression, ARKIT_NAMES, 30.0, 3)


def test_every_channel_belongs_to_one_region() -> None:
    for name in ARKIT_NAMES:
        assert sum(name.startswith(starts) for starts in REGIONS.values()) == 1, name
    assert region_of("tongueOut") == "mouth"
    assert region_of("exp003") is None


def test_no_control_changes_nothing() -> None:
    motion = lively()
    assert controlled(motion, None) is motion
    assert controlled(motion, RegionalControl()) is motion
    same = controlled(motion, RegionalControl(gains={"mouth": 1.0, "head": 1.0}))
    assert torch.equal(same.expression, motion.expression)
    assert torch.equal(same.poses, motion.poses)


def test_a_channel_goes_before_its_region_and_a_side_before_both() -> None:
    motion = still_motion("toy", torch.full((3, 52), 0.2), ARKIT_NAMES, 30.0, 3)
    gains = {"mouth": 1.5, "mouthSmile": 2.0, "mouthSmileLeft": 0.5, "browInnerUp": 3.0}
    result = controlled(motion, RegionalControl(gains=gains))
    found = {name: round(float(result.channel(name)[0]), 4) for name in ARKIT_NAMES}
    assert found["mouthPucker"] == 0.3
    assert found["mouthSmileRight"] == 0.4
    assert found["mouthSmileLeft"] == 0.1
    assert found["browInnerUp"] == 0.6
    assert found["browDownLeft"] == 0.2


def test_values_stay_in_bounds() -> None:
    result = controlled(lively(), RegionalControl(gains=dict.fromkeys(REGIONS, 4.0), offsets={"cheekPuff": -1.0}))
    assert result.expression.min() == 0
    assert result.expression.max() == 1
    assert result.channel("cheekPuff").max() == 0
    assert result.neck_pose.norm(dim=1).max() <= max(math.radians(80), lively().neck_pose.norm(dim=1).max()) + 1e-5


@pytest.mark.parametrize(
    "options",
    [
        {"gains": {"mouth": 1.3}},
        {"gains": {"mouth": 4.0}},
        {"gains": {"jawOpen": 2.0}},
        {"gains": {"mouthClose": 0.0}},
        {"offsets": {"jawOpen": 0.2}},
        {"gains": {"mouth": 0.7, "jawOpen": 1.4}, "offsets": {"mouthLowerDown": 0.3}},
    ],
)
def test_closed_lips_stay_closed(options: dict[str, Any]) -> None:
    motion = babbling()
    closed = lip_opening(motion) <= CLOSED_LIPS
    assert 20 < closed.sum() < 150
    result = controlled(motion, RegionalControl(**options))
    assert (lip_opening(result)[closed] <= lip_opening(motion)[closed].clamp_min(0) + 1e-5).all()
    assert not torch.equal(result.expression, motion.expression)


def test_protected_lips_do_not_jump() -> None:
    """Between neighboring frames the opening changes at most in proportion to how it did before."""
    jaw = torch.linspace(0, 0.3, 301)
    expression = torch.zeros(301, 52)
    expression[:, ARKIT_NAMES.index("jawOpen")] = jaw
    motion = still_motion("toy", expression, ARKIT_NAMES, 30.0, 3)
    for gain in (1.3, 2.0):
        opening = lip_opening(controlled(motion, RegionalControl(gains={"jawOpen": gain})))
        steps = opening.diff()
        assert steps.min() >= 0
        assert steps.max() < 4 * gain * 0.001


def test_blinks_close_under_a_gain_of_the_eyes_but_not_under_their_own() -> None:
    motion = babbling()
    shut = motion.channel("eyeBlinkLeft") > 0.8
    calmer = controlled(motion, RegionalControl(gains={"eyes": 0.5})).channel("eyeBlinkLeft")
    assert torch.equal(calmer[shut], motion.channel("eyeBlinkLeft")[shut])
    ajar = (motion.channel("eyeBlinkLeft") < 0.3) & (motion.channel("eyeBlinkLeft") > 0.1)
    torch.testing.assert_close(calmer[ajar], 0.5 * motion.channel("eyeBlinkLeft")[ajar])
    half = controlled(motion, RegionalControl(gains={"eyeBlink": 0.5})).channel("eyeBlinkLeft")
    torch.testing.assert_close(half, 0.5 * motion.channel("eyeBlinkLeft"))
    assert controlled(motion, RegionalControl(gains={"eyes": 0.0})).channel("eyeBlinkLeft").max() == 0


@pytest.mark.parametrize("region", REGIONS)
def test_only_one_region_moves(region: str) -> None:
    motion = lively()
    result = controlled(motion, RegionalControl(only=(region,)))
    for column, name in enumerate(ARKIT_NAMES):
        expected = motion.expression[:, column] if region_of(name) == region else torch.zeros(40)
        assert torch.equal(result.expression[:, column], expected), name
    owners = {"jaw_pose": "mouth", "leye_pose": "eyes", "reye_pose": "eyes", "neck_pose": "head"}
    for pose, owner in owners.items():
        expected = getattr(motion, pose) if owner == region else torch.zeros(40, 3)
        assert torch.equal(getattr(result, pose), expected), pose


def test_a_tracked_head_is_scaled_around_its_mean_place() -> None:
    motion = lively().replace(transl=torch.tensor([0.1, 0.2, -0.6]) + 0.01 * torch.randn(40, 3))
    still = controlled(motion, RegionalControl(gains={"head": 0.0}))
    torch.testing.assert_close(still.transl, motion.transl.mean(0).expand(40, 3))
    spread = axis_angle_to_matrix(still.global_orient)
    torch.testing.assert_close(spread, spread[:1].expand_as(spread), atol=1e-5, rtol=0)
    half = controlled(motion, RegionalControl(gains={"head": 0.5}))
    torch.testing.assert_close(half.transl - half.transl.mean(0), 0.5 * (motion.transl - motion.transl.mean(0)))
    torch.testing.assert_close(half.neck_pose, 0.5 * motion.neck_pose)


def test_angles_of_head_and_eyes_can_be_offset() -> None:
    motion = babbling().replace(neck_pose=0.2 * torch.randn(200, 3))
    result = controlled(motion, RegionalControl(offsets={"headYaw": 10.0, "eyesPitch": 5.0}))
    turn = axis_angle_to_matrix(torch.tensor([0.0, math.radians(10), 0.0]))
    expected = turn @ axis_angle_to_matrix(motion.neck_pose)
    torch.testing.assert_close(axis_angle_to_matrix(result.neck_pose), expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(result.leye_pose[:, 0], torch.full((200,), math.radians(5)))
    torch.testing.assert_close(result.channel("eyeLookDownLeft"), torch.full((200,), 5 / 30))


def test_heads_with_other_channels_have_a_head_and_channels_by_name() -> None:
    names = ("exp000", "exp001")
    poses = dict.fromkeys(POSES, torch.full((4, 3), 0.1))
    motion = still_motion("flame", torch.ones(4, 2), names, 30.0, 3).replace(**poses)
    result = controlled(motion, RegionalControl(gains={"exp001": 3.0, "head": 2.0}))
    assert result.expression[0].tolist() == [1, 3]
    torch.testing.assert_close(result.neck_pose, torch.full((4, 3), 0.2))
    for control in (RegionalControl(gains={"mouth": 2.0}), RegionalControl(only=("head",))):
        with pytest.raises(
            UsageError, match=r"channels of the head 'flame' \(exp000, ...\) belong to no known regions"
        ):
            controlled(motion, control)


def test_what_a_resting_region_showed_is_no_event_any_more() -> None:
    motion = babbling().with_events([Event("blink", 1, 1.2), Event("nod", 2, 3), Event("word", 2.5, 3, "no")])
    kinds = {name: [event.kind for event in controlled(motion, control).events] for name, control in {
        "still eyes": RegionalControl(gains={"eyes": 0.0}), "calm eyes": RegionalControl(gains={"eyes": 0.5}),
        "mouth": RegionalControl(only=("mouth",)),
    }.items()}  # fmt: skip
    assert kinds == {"still eyes": ["nod", "word"], "calm eyes": ["blink", "nod", "word"], "mouth": ["word"]}


def test_control_is_read_from_text() -> None:
    control = RegionalControl.parsed("mouth=1.2, upper=0.7,jawOpen=1.1", "eyeSquint=0.05", "mouth,eyes")
    assert control.gains == {"mouth": 1.2, "upper": 0.7, "jawOpen": 1.1}
    assert control.offsets == {"eyeSquint": 0.05}
    assert control.only == ("mouth", "eyes")
    assert RegionalControl.parsed(**control.described()) == control
    assert RegionalControl.parsed() == RegionalControl()
    assert RegionalControl().described() == {"gain": None, "offset": None, "only": None}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"gain": "mouth"}, "cannot read the gain 'mouth'; write it as NAME=NUMBER"),
        ({"gain": ""}, "cannot read the gain ''"),
        ({"gain": "mouth=1,mouth=2"}, "the gain of mouth is given twice"),
        ({"gain": "mouth=loud"}, "the gain of mouth is 'loud', not a finite number"),
        ({"gain": "mouth=nan"}, "not a finite number"),
        ({"gain": "mouth=9"}, "the gain of mouth is 9.0; it must be a number between 0 and 4"),
        ({"gain": "mouth=-1"}, "between 0 and 4"),
        ({"gain": "muoth=1"}, "unknown channel 'muoth'; did you mean mouth?"),
        ({"gain": "jaw=1"}, "unknown channel 'jaw'; did you mean jaw"),
        ({"gain": "jawopen=1"}, "unknown channel 'jawopen'; did you mean jawOpen?"),
        ({"offset": "eyeSqint=0.1"}, "unknown channel 'eyeSqint'; did you mean eyeSquint?"),
        ({"offset": "mouth=0.1"}, "an offset is that of a channel, such as jawOpen"),
        ({"offset": "jawOpen=2"}, "the offset of jawOpen is 2.0; it must be between -1 and 1"),
        ({"offset": "headYaw=100"}, "must be between -90 and 90"),
        ({"only": "nose"}, "unknown region 'nose'; there are: mouth, upper, eyes, head"),
    ],
)
def test_what_makes_no_sense_is_refused(options: dict[str, str], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        RegionalControl.parsed(**options).check()
    assert message in str(caught.value)
