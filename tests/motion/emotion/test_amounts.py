"""The table of what each emotion moves."""

from __future__ import annotations

import pytest
import torch

from facetalk.core.emotions import EMOTIONS, parse_emotions
from facetalk.head.channels import ARKIT_NAMES, mirrored
from facetalk.motion.emotion.amounts import LEVELS, Amounts, both_sides, shipped_amounts

MIRRORED = [ARKIT_NAMES.index(mirrored(name)) for name in ARKIT_NAMES]


def moved(text: str) -> dict[str, float]:
    (row,) = shipped_amounts().moved(parse_emotions(text).frames(1)).tolist()
    return {name: value for name, value in zip(ARKIT_NAMES, row, strict=True) if value}


def test_every_emotion_but_neutral_moves_something_more_with_each_level() -> None:
    amounts = shipped_amounts()
    assert not amounts.counts[0].any() and not amounts.steps[0].any()
    for emotion in range(1, len(EMOTIONS)):
        steps = amounts.steps[emotion].abs()
        assert bool((steps.diff(dim=0) >= 0).all()) and not steps[0].any()
        assert float(steps[1].max()) >= 0.15 and float(steps[3].max()) >= 0.5, "seen at level 1, strong at level 3"
        assert bool((steps[:, ~amounts.counts[emotion]] == 0).all())


def test_faces_are_symmetric_except_in_contempt() -> None:
    for emotion, steps in zip(EMOTIONS, shipped_amounts().steps, strict=True):
        assert torch.equal(steps, steps[:, MIRRORED]) == (emotion != "contempt")


def test_what_faces_are_known_for() -> None:
    assert moved("happy:3")["mouthSmileLeft"] >= 0.5
    sad = moved("sad:3")
    assert sad["browInnerUp"] >= 0.5 and sad["mouthFrownRight"] >= 0.5 and sad["mouthSmileLeft"] < 0
    assert moved("angry:3")["browDownLeft"] >= 0.5
    assert moved("fear:3")["eyeWideLeft"] >= 0.5 and moved("fear:3")["mouthStretchLeft"] >= 0.4
    assert moved("disgusted:3")["noseSneerLeft"] >= 0.5
    assert moved("surprised:3")["browOuterUpLeft"] >= 0.5 and moved("surprised:3")["jawOpen"] > 0.1
    assert "mouthSmileRight" not in moved("contempt:3") and moved("contempt:3")["mouthSmileLeft"] >= 0.3


def test_levels_in_between_are_linear_and_mixtures_add_up() -> None:
    half, one, two = (moved(f"happy:{level}")["mouthSmileLeft"] for level in (0.5, 1, 2))
    assert half == pytest.approx(one / 2)
    assert moved("happy:1.5")["mouthSmileLeft"] == pytest.approx((one + two) / 2)
    both = moved("happy:1,sad:2")
    for name in {*moved("happy:1"), *moved("sad:2")}:
        assert both.get(name, 0) == pytest.approx(moved("happy:1").get(name, 0) + moved("sad:2").get(name, 0), abs=1e-6)
    assert moved("neutral") == {}


def test_a_channel_that_only_must_not_rise_is_held_from_level_one_on() -> None:
    held = shipped_amounts().held(torch.stack([parse_emotions(f"surprised:{level}").levels[0] for level in (0.5, 3)]))
    column = ARKIT_NAMES.index("mouthSmileLeft")
    assert held[:, column].tolist() == [0.5, 1.0]
    assert held[:, ARKIT_NAMES.index("cheekPuff")].tolist() == [0.0, 0.0]


def test_a_table_names_channels_by_both_sides_or_one() -> None:
    row = dict.fromkeys(LEVELS, "0.5") | {"emotion": "happy", "channel": "mouthDimpleLeft"}
    assert Amounts.of_rows([row]).counts.nonzero().tolist() == [[1, ARKIT_NAMES.index("mouthDimpleLeft")]]
    assert [ARKIT_NAMES[column] for column in both_sides("mouthSmile")] == ["mouthSmileLeft", "mouthSmileRight"]
    assert len(both_sides("jawOpen")) == 1
    with pytest.raises(ValueError, match="no such channel: ears"):
        both_sides("ears")
