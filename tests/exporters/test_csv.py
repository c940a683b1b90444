"""The CSV holds each curve under its own name, and the angles turn the right way."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import pytest
import torch

from facetalk.core.motion import Motion
from facetalk.exporters import csv as csv_exporter
from facetalk.exporters.csv import timecode
from facetalk.head.assets import HeadAssets
from facetalk.head.channels import ARKIT_NAMES
from facetalk.head.model import HeadModel
from facetalk.motion import retarget
from tests.exporters.motions import lively_motion


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_every_curve_stands_under_its_name(tmp_path: Path, toy_assets: HeadAssets) -> None:
    motion = lively_motion(toy_assets)
    csv_exporter.write(tmp_path / "a.csv", motion, HeadModel(toy_assets))
    rows = rows_of(tmp_path / "a.csv")
    assert len(rows) == motion.num_frames
    assert list(rows[0])[:4] == ["Timecode", "BlendShapeCount", "EyeBlinkLeft", "EyeLookDownLeft"]
    assert list(rows[0])[-1] == "RightEyeRoll"
    assert rows[0]["BlendShapeCount"] == "61"
    for name in ARKIT_NAMES:
        column = [float(row[name[0].upper() + name[1:]]) for row in rows]
        torch.testing.assert_close(torch.tensor(column), motion.channel(name), atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("axis_angle", "column"), [((0, 0.3, 0), "HeadYaw"), ((0.3, 0, 0), "HeadPitch"), ((0, 0, 0.3), "HeadRoll")]
)
@pytest.mark.parametrize("joint", ["global_orient", "neck_pose"])
def test_the_head_turns_about_one_axis_at_a_time(
    tmp_path: Path, toy_assets: HeadAssets, axis_angle: tuple[float, ...], column: str, joint: str
) -> None:
    motion = lively_motion(toy_assets, num_frames=2)
    still = torch.zeros(2, 3)
    motion = motion.replace(global_orient=still, neck_pose=still).replace(**{joint: still + torch.tensor(axis_angle)})
    csv_exporter.write(tmp_path / "a.csv", motion, HeadModel(toy_assets))
    row = rows_of(tmp_path / "a.csv")[1]
    angles = {name: float(row[name]) for name in ("HeadYaw", "HeadPitch", "HeadRoll")}
    assert angles == pytest.approx({name: 0.3 if name == column else 0.0 for name in angles}, abs=1e-6)


@pytest.mark.parametrize("fps", [24.0, 29.97, 30.0, 60.0])
def test_timecodes_count_real_time(fps: float) -> None:
    for frame in (0, 1, 29, 30, 31, 1798, 200_000):
        hours, minutes, seconds, part = timecode(frame, fps).split(":")
        moment = int(hours) * 3600 + int(minutes) * 60 + int(seconds) + float(part) / round(fps)
        assert math.isclose(moment, frame / fps, abs_tol=0.0011 / round(fps))
    assert timecode(30, 30.0) == "00:00:01:00.000"
    assert timecode(31, 30.0) == "00:00:01:01.000"


def test_a_head_without_arkit_channels_is_converted(
    tmp_path: Path, toy_assets: HeadAssets, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = tuple(f"psi{i}" for i in range(len(ARKIT_NAMES)))
    motion = lively_motion(toy_assets)
    converted = []

    def to_arkit(source: Motion, head: HeadModel | None) -> Motion:
        converted.append((source.expression_names, head))
        return source.replace(expression_names=ARKIT_NAMES)

    monkeypatch.setattr(retarget, "to_arkit", to_arkit)
    head = HeadModel(toy_assets)
    csv_exporter.write(tmp_path / "a.csv", motion.replace(expression_names=names), head)
    assert converted == [(names, head)]
    assert float(rows_of(tmp_path / "a.csv")[3]["JawOpen"]) == pytest.approx(
        float(motion.channel("jawOpen")[3]), abs=1e-6
    )


def test_blocks_of_frames_join_without_a_seam(
    tmp_path: Path, toy_assets: HeadAssets, monkeypatch: pytest.MonkeyPatch
) -> None:
    motion = lively_motion(toy_assets, num_frames=9)
    csv_exporter.write(tmp_path / "whole.csv", motion, HeadModel(toy_assets))
    monkeypatch.setattr(csv_exporter, "_BLOCK", 4)
    csv_exporter.write(tmp_path / "blocks.csv", motion, HeadModel(toy_assets))
    assert (tmp_path / "blocks.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()
