"""The viewer's page holds the motion, loads nothing, and runs nothing but its own script."""

from __future__ import annotations

import base64
import hashlib
import re
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from facetalk.core.errors import FacetalkError, InvalidValueError, UsageError
from facetalk.core.events import Event
from facetalk.core.motion import Motion, still_motion
from facetalk.exporters import viewer_page as viewer
from facetalk.exporters.packed_arrays import PackedArrays
from facetalk.exporters.viewer_page import PageClip, viewer_page
from facetalk.head.channels import ARKIT_NAMES
from facetalk.head.model import HeadModel
from facetalk.motion.framing import framed
from facetalk.motion.heads import load_head
from facetalk.pipelines.export import export
from tests.conftest import make_corrected_toy_head
from tests.exporters.motions import eventful, lively_motion
from tests.exporters.page_reader import array_of, read_page


@pytest.fixture
def motion(toy_head: HeadModel) -> Motion:
    return eventful(lively_motion(toy_head.assets, num_frames=40))


def write_page(path: Path, page: str) -> Path:
    path.write_text(page, encoding="utf-8")
    return path


def test_packed_numbers_are_within_half_a_step() -> None:
    generator = np.random.default_rng(0)
    rows = generator.standard_normal((3, 500)).astype(np.float32) * np.array([[1e-6], [1.0], [1e3]], np.float32)
    jumps = np.where(np.arange(500) % 2, 5.0, -5.0)[None].astype(np.float32)
    arrays = PackedArrays()
    entries = [arrays.numbers(rows), arrays.numbers(rows, along_rows=True), arrays.numbers(jumps, along_rows=True)]
    entries += [arrays.numbers(np.zeros((2, 4), np.float32)), arrays.numbers(rows, 0.01)]
    numbers = arrays.indices(np.array([[0, 70000], [1 << 31, 5]]))
    packed = zlib.decompress(base64.b64decode(arrays.text()))
    for entry, values in zip(entries, (rows, rows, jumps, np.zeros((2, 4)), rows), strict=True):
        error = np.abs(array_of(packed, entry) - values)
        assert (error <= 0.51 * np.array(entry["steps"])[:, None]).all()
    assert entries[4]["steps"][0] == 0.01
    assert array_of(packed, numbers).tolist() == [0, 70000, 1 << 31, 5]


def test_the_page_holds_the_motion(tmp_path: Path, toy_head: HeadModel, motion: Motion) -> None:
    page = read_page(export(motion, tmp_path / "clip.html", head=toy_head))
    (clip,) = page["clips"]
    (head,) = page["heads"]
    shown = framed(motion, toy_head, 512).motion
    assert (clip["frames"], clip["fps"], head["channels"]) == (40, 30.0, list(ARKIT_NAMES))
    np.testing.assert_allclose(clip["expression"].T, shown.expression, atol=2e-5)
    np.testing.assert_allclose(clip["poses"].T, shown.poses.flatten(1), atol=5e-5)
    np.testing.assert_allclose(clip["transl"].T, shown.transl, atol=1e-5)
    np.testing.assert_allclose(head["dirs"].reshape(52, -1, 3), toy_head.expression_dirs, atol=6e-6)
    np.testing.assert_allclose(head["skin"].T, toy_head.skin_weights, atol=2e-5)
    template, joints = toy_head.shaped(motion.betas)
    np.testing.assert_allclose(clip["template"].T, template, atol=1e-5)
    np.testing.assert_allclose(clip["joints"], joints, atol=1e-6)
    assert head["faces"].reshape(-1, 3).tolist() == toy_head.shape.faces.tolist()
    kinds = [(page["kinds"][kind], label) for kind, _, _, label, _ in clip["events"]]
    assert kinds == [(event.kind, event.label) for event in motion.events]
    assert clip["audio"] is None and page["audio"] == []


def test_channels_that_never_move_are_left_out(tmp_path: Path) -> None:
    head = HeadModel(make_corrected_toy_head())  # with correctives of the channels 17 and 23, 3 and 40, and 0 halfway
    expression = torch.zeros(6, 52)
    expression[:, 17], expression[3, 23], expression[4, 3] = 0.5, -0.2, 1.0
    motion = still_motion("toy", expression, ARKIT_NAMES, 30.0, 3)
    (entry,) = read_page(export(motion, tmp_path / "clip.html", head=head))["heads"]
    assert entry["channels"] == [ARKIT_NAMES[index] for index in (3, 17, 23)]
    assert entry["pairs"] == [[1, 2]]
    assert entry["dirs"].shape == (4, 3 * 40)
    assert head.shape.corrective_dirs is not None
    np.testing.assert_allclose(entry["dirs"][3].reshape(-1, 3), head.shape.corrective_dirs[0], atol=6e-6)


def test_laughter_is_apart(tmp_path: Path, toy_head: HeadModel, motion: Motion) -> None:
    laughter = torch.zeros(40, 55)
    laughter[:, 23], laughter[:, 54] = torch.linspace(0, 0.5, 40), 0.1
    page = read_page(export(motion.replace(laughter=laughter), tmp_path / "clip.html", head=toy_head))
    np.testing.assert_allclose(page["clips"][0]["laughter"].T, laughter, atol=2e-5)


def test_motions_of_one_head_share_it(tmp_path: Path, toy_head: HeadModel, motion: Motion) -> None:
    still, samples = still_motion("toy", torch.zeros(5, 52), ARKIT_NAMES, 25.0, 3), torch.zeros(16000)
    other = HeadModel(replace(toy_head.assets, name="other"))
    clips = [
        PageClip("a", motion, toy_head, samples),
        PageClip("b", still, toy_head),
        PageClip("c", still.replace(head="other"), other),
    ]
    page = read_page(write_page(tmp_path / "a.html", viewer_page("three", clips)))
    assert [(clip["head"], clip["audio"]) for clip in page["clips"]] == [(0, 0), (0, None), (1, None)]
    assert [len(head["channels"]) for head in page["heads"]] == [52, 0]
    assert base64.b64decode(page["audio"][0])[4:8] == b"ftyp"


def test_nothing_in_a_motion_becomes_part_of_the_page(tmp_path: Path, toy_head: HeadModel, motion: Motion) -> None:
    evil = "</script><script>alert(1)</script><!--<img src=x onerror=alert(1)>"
    hostile = motion.replace(source=evil, meta={"style": evil, "seed": 10**19, "talker": {"a": evil}})
    hostile = hostile.with_events([Event("word", 0, 1, evil)])
    page = viewer_page(evil, [PageClip(evil, hostile, toy_head)])
    assert page.count("<script") == 2 and page.count("</script>") == 2
    assert "<script>alert" not in page and "<img" not in page
    data = read_page(write_page(tmp_path / "a.html", page))
    assert data["title"] == data["clips"][0]["name"] == evil
    assert ["seed", str(10**19)] in data["clips"][0]["facts"]


def test_the_browser_may_run_this_script_only_and_load_nothing(toy_head: HeadModel, motion: Motion) -> None:
    page = viewer_page("a", [PageClip("a", motion, toy_head)])
    (script,) = re.findall(r'<script type="module">(.*?)</script>', page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    assert policy.startswith(f"default-src 'none'; script-src 'sha256-{digest}'; ")
    assert "connect-src" not in policy and "http" not in policy
    assert not re.findall(r"^(?:import|export) ", script, re.MULTILINE)
    assert not re.findall(r"""(?:src|href)=["'](?!data:,)""", page)


def test_impossible_motions_are_refused(toy_head: HeadModel, motion: Motion) -> None:
    broken = motion.replace(expression=torch.full((40, 52), torch.nan))
    with pytest.raises(InvalidValueError, match="not finite in expression"):
        export(broken, "never.html", head=toy_head)
    with pytest.raises(UsageError, match="shows 1 to 16 motions, not 17; name those"):
        viewer_page("a", [PageClip("a", motion, toy_head)] * 17)
    still = still_motion("toy", torch.zeros(40_000, 52), ARKIT_NAMES, 1.0, 3)
    with pytest.raises(UsageError, match=r"holds 2 hours of motion, not 11\.1; facetalk edit --trim"):
        viewer_page("a", [PageClip("a", still, toy_head)])
    fast = still_motion("toy", torch.zeros(500_000, 52), ARKIT_NAMES, 1000.0, 3)
    with pytest.raises(UsageError, match="holds 432000 frames, not 500000; facetalk export --fps 30"):
        viewer_page("a", [PageClip("a", fast, toy_head)])
    with pytest.raises(InvalidValueError, match="the motion has 9 betas"):
        viewer_page("a", [PageClip("a", motion.replace(betas=torch.zeros(9)), toy_head)])
    with pytest.raises(FacetalkError, match="no such file"):
        viewer_page("a", [PageClip("a", motion, toy_head, Path("nowhere.wav"))])


@pytest.mark.slow
def test_ten_minutes_take_less_than_twenty_megabytes(tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(0)
    frames, seconds = 18_000, 600
    # White noise, which does not compress: real curves take a third of it.
    expression = torch.rand(frames, 52, generator=generator)
    motion = still_motion("facetalk", expression, ARKIT_NAMES, 30.0, 33)
    motion = motion.replace(
        neck_pose=0.1 * torch.randn(frames, 3, generator=generator), laughter=torch.rand(frames, 55) / 2
    )
    audio = 0.3 * torch.randn(16_000 * seconds, generator=generator)
    page = viewer_page("long", [PageClip("long", motion, load_head(), audio)])
    assert 6e6 < len(page) < 20e6
    assert seconds < viewer.MOST_HOURS * 3600
