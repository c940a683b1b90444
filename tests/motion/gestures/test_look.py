"""Where a face looks is read from a word, a place or a table."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from facetalk.core.errors import FacetalkError, UsageError
from facetalk.motion.gestures.look import look_target


def track(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_the_camera_is_no_place() -> None:
    assert look_target(None) is None
    assert look_target("camera") is None


def test_a_place_is_three_numbers() -> None:
    torch.testing.assert_close(look_target("0.3,-0.1, 1.2"), torch.tensor([[0.3, -0.1, 1.2]]))


def test_a_track_is_straight_between_its_rows(tmp_path: Path) -> None:
    found = look_target(track(tmp_path / "t.csv", "seconds,x,y,z\n0,0,0,1\n1,0.3,0,1\n"))
    assert found is not None
    assert found.shape == (31, 3)
    torch.testing.assert_close(found[15], torch.tensor([0.15, 0.0, 1.0]))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("up", "cannot look at 'up'; give camera"),
        ("1,2", "cannot look at '1,2'"),
        ("0,0,-1", "in front of the face"),
        ("0,0,0.01", "0.1 to 1000 m"),
        ("0,x,1", "not a finite number"),
        ("nan,0,1", "not a finite number"),
    ],
)
def test_what_is_no_place_is_refused(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        look_target(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x", "it must have seconds, x, y, z"),
        ("seconds,x,y\n0,0,0\n", "it must have seconds, x, y, z"),
        ("seconds,x,y,z\n", "has no rows"),
        ("seconds,x,y,z\n0,0,0\n", "line 2: 3 fields"),
        ("seconds,x,y,z\n0,0,0,1\n0,0,0,1\n", "must increase"),
        ("seconds,x,y,z\n-1,0,0,1\n", "times are from 0"),
        ("seconds,x,y,z\n0,0,0,-1\n", "line 2: cannot look at 0,0,-1"),
    ],
)
def test_what_is_no_track_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(FacetalkError, match=message):
        look_target(track(tmp_path / "t.csv", text))


def test_a_missing_track_is_named(tmp_path: Path) -> None:
    with pytest.raises(FacetalkError, match=r"gone\.csv"):
        look_target(tmp_path / "gone.csv")
