"""Channels are found under the names of other programs, and nothing else is taken for one."""

from __future__ import annotations

import pytest

from facetalk.head.channel_names import channel_columns, channels_named, combination_named
from facetalk.head.channels import ARKIT_NAMES
from tests.avatars import SPELLINGS


@pytest.mark.parametrize("scheme", SPELLINGS)
def test_every_channel_is_found_in_every_spelling(scheme: str) -> None:
    for name in ARKIT_NAMES:
        assert channels_named(SPELLINGS[scheme](name)) == (name,)


@pytest.mark.parametrize(
    ("name", "channel"),
    [
        ("EYEBLINKLEFT", "eyeBlinkLeft"),
        ("L_eyeBlink", "eyeBlinkLeft"),
        ("Eye_L_Blink", "eyeBlinkLeft"),
        ("head.blendShape.mouthSmile_R", "mouthSmileRight"),
        ("browDownLeft.001", "browDownLeft"),
        ("browInnerUp_L", "browInnerUp"),
        ("Mouth_L", "mouthLeft"),
        ("Brow_Drop_R", "browDownRight"),
    ],
)
def test_a_common_spelling_is_a_channel(name: str, channel: str) -> None:
    assert channels_named(name) == (channel,)


@pytest.mark.parametrize(
    "name", ["", "blink", "mouthOpen", "viseme_aa", "Key 1", "jawOpen_mouthFunnel", "eyeBlinkLeft_half"]
)
def test_other_names_are_no_channels(name: str) -> None:
    assert channels_named(name) == ()


def test_a_name_without_a_side_stands_for_both() -> None:
    assert channels_named("mouthSmile") == ("mouthSmileLeft", "mouthSmileRight")
    assert channels_named("mouth") == ()


def test_correctives_name_their_two_channels() -> None:
    assert combination_named("jawOpen_mouthFunnel") == ("jawOpen", "mouthFunnel")
    assert combination_named("jaw_open_mouth_funnel") == ("jawOpen", "mouthFunnel")
    assert combination_named("eyeBlinkLeft_half") == ("eyeBlinkLeft", "eyeBlinkLeft")
    assert combination_named("eyeBlinkLeft") is None


def test_a_column_of_its_own_comes_before_one_for_both_sides() -> None:
    found = channel_columns(["mouthSmile", "mouthSmile_L", "jawOpen", "JawOpen", "browInnerUp_L", "browInnerUp_R"])
    assert found == {"jawOpen": [2], "mouthSmileLeft": [1], "mouthSmileRight": [0], "browInnerUp": [4, 5]}
    assert list(found) == [name for name in ARKIT_NAMES if name in found]
