"""Recordings of the phone: both spellings, dropped frames by their times, and every rate."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from facetalk.core.errors import FacetalkError
from facetalk.exporters.csv import timecode
from facetalk.head.channels import ARKIT_NAMES
from facetalk.importers.registry import import_motion
from tests.avatars import SPELLINGS


def recording(
    path: Path,
    frames: Sequence[int],
    fps: float,
    first: float = 3723.0,
    scheme: str = "Live Link",
    short: Sequence[int] = (),
) -> Path:
    """Rows whose `jawOpen` is the time in seconds, divided by ten."""
    names = [SPELLINGS[scheme](name) for name in ARKIT_NAMES]
    lines = [",".join(["Timecode", "BlendshapeCount", *names, "HeadYaw", "HeadPitch", "HeadRoll"])]
    for frame in frames:
        code = timecode(round(first * fps) + frame, fps)
        values = [0.0] * 55
        values[ARKIT_NAMES.index("jawOpen")] = frame / fps / 10
        values[52] = 0.3
        cells = "" if frame in short else "," + ",".join(map(str, values))
        lines.append(f"{code},{0 if frame in short else 55}{cells}")
    path.write_text("\r\n".join(lines) + "\r\n")
    return path


@pytest.mark.parametrize("fps", [24, 24000 / 1001, 25, 30000 / 1001, 30, 50, 60000 / 1001, 60])
def test_every_frame_rate_is_known_by_the_timecodes(fps: float, tmp_path: Path) -> None:
    motion = import_motion(recording(tmp_path / "a.csv", range(200), fps))
    assert motion.fps == pytest.approx(fps, rel=1e-6) and motion.num_frames == 200
    expected = torch.arange(200) / fps / 10
    torch.testing.assert_close(motion.channel("jawOpen"), expected.float(), atol=2e-4, rtol=0)


def test_dropped_frames_are_filled_by_their_times(tmp_path: Path) -> None:
    kept = [frame for frame in range(240) if frame % 7 and not 100 < frame < 130]
    path = recording(tmp_path / "a.csv", [0, *kept], 60, short=(31, 32))
    motion = import_motion(path)
    assert (motion.fps, motion.num_frames) == (60, 240)
    torch.testing.assert_close(motion.channel("jawOpen"), torch.arange(240) / 600, atol=1e-4, rtol=0)


@pytest.mark.parametrize("scheme", SPELLINGS)
def test_columns_may_be_spelled_as_arkit_does(scheme: str, tmp_path: Path) -> None:
    motion = import_motion(recording(tmp_path / "a.csv", range(90), 30, scheme=scheme))
    torch.testing.assert_close(motion.channel("jawOpen"), torch.arange(90) / 300, atol=1e-5, rtol=0)
    torch.testing.assert_close(motion.neck_pose[5], torch.tensor([0, 0.3, 0]), atol=1e-6, rtol=0)


def test_midnight_and_repeated_timecodes_do_not_stop_the_clock(tmp_path: Path) -> None:
    path = recording(tmp_path / "a.csv", [*range(40), 39, 38, *range(40, 90)], 30, first=86_399.0)
    text = path.read_text()
    for hour in ("24:00:00", "24:00:01"):
        text = text.replace(hour, hour.replace("24", "00"))
    path.write_text(text)
    motion = import_motion(path)
    assert (motion.num_frames, motion.fps) == (90, 30)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("Timecode,BlendshapeCount,JawOpen\n", "no row with values"),
        ("Timecode,BlendshapeCount,JawOpen\n1:2:3:4.5,1,x\n", "not a number"),
        ("Timecode,BlendshapeCount,JawOpen\n1:2:3:4.5,1,nan\n", "not finite"),
        ("Timecode,BlendshapeCount,JawOpen\n1:2:3:4.5,1,1e99\n", "not finite"),
        ("Timecode,BlendshapeCount,JawOpen\nnoon,1,0\n", "not a timecode"),
        ("Timecode,BlendshapeCount,JawOpen\n1:2:3:4.5,1,0,7\n", "4 columns"),
        ("Timecode,BlendshapeCount,Smirk\n1:2:3:4.5,1,0\n", "no channel of ARKit"),
        ("Timecode,BlendshapeCount,JawOpen\n0:0:0:0,1,0\n9:0:0:0,1,0\n", "the rest were dropped"),
        ("Timecode,BlendshapeCount,JawOpen\n0:0:0:999,1,0\n", "999 frames"),
        ("time_s,sil,PP\n0,1,0\n", "not a recording"),
        ("Timecode,BlendshapeCount,JawOpen\n0:0:0:0,1," + "0" * 200_000 + "\n", "longer than"),
    ],
)
def test_broken_tables_are_refused(content: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(content)
    with pytest.raises(FacetalkError, match=message):
        import_motion(tmp_path / "a.csv")


def test_rows_out_of_order_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "take.csv"
    rows = [f"00:00:{frame // 30:02d}:{frame % 30:02d}.000,1,{frame / 100}" for frame in (*range(50, 99), *range(50))]
    path.write_text("\n".join(("Timecode,BlendshapeCount,jawOpen", *rows)), encoding="utf-8")
    with pytest.raises(FacetalkError, match="its timecode goes back"):
        import_motion(path)
