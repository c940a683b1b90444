"""The viewer's page in headless Chromium: it plays, scrubs, and shows what we compute and render."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from facetalk.core.events import Event
from facetalk.core.motion import Motion, still_motion
from facetalk.exporters.viewer_page import PageClip, viewer_page
from facetalk.head.model import HeadModel
from facetalk.motion.framing import framed
from facetalk.motion.head_surface import head_surface
from facetalk.motion.heads import load_head
from facetalk.rendering.renderer import CpuRenderer
from tests.chromium import Tab, browser, page_address
from tests.conftest import make_corrected_toy_head
from tests.engines.characters import speaking
from tests.exporters.motions import lively_motion

pytestmark = pytest.mark.slow

EVIL = "</script><img src=x onerror=document.title='broken'>"
SIDE = 480
FRAME = 24


@pytest.fixture(scope="module")
def motion(toy_head: HeadModel) -> Motion:
    """A performance of the toy head with laughter in it."""
    motion, laughter = lively_motion(toy_head.assets, num_frames=60), torch.zeros(60, 55)
    laughter[20:40, 23:25] = 0.3
    motion = motion.replace(expression=motion.expression + laughter[:, :52], laughter=laughter)
    return motion.with_events(
        [Event("word", 0, 1, EVIL), Event("laugh", 0.6, 1.3, strength=0.8), Event("nod", 0.1, 0.5)]
    )


@pytest.fixture(scope="module")
def page(toy_head: HeadModel, motion: Motion, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Address of a page that is drawn in no time."""
    tone = 0.1 * torch.sin(torch.arange(32_000) * 0.1)
    clips = [PageClip(EVIL, motion, toy_head, tone), PageClip("talking", motion.without_laughter(), toy_head)]
    return written(tmp_path_factory.mktemp("viewer") / "toy.html", EVIL, clips)


@pytest.fixture(scope="module")
def head() -> HeadModel:
    return load_head()


@pytest.fixture(scope="module")
def head_page(head: HeadModel, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Address of a page with the bundled head."""
    return written(tmp_path_factory.mktemp("viewer") / "head.html", "head", [PageClip("head", speaking(), head)])


def written(path: Path, title: str, clips: Sequence[PageClip]) -> str:
    path.write_text(viewer_page(title, clips), encoding="utf-8")
    return page_address(path)


@pytest.fixture(scope="module")
def chromium_tab() -> Iterator[Tab]:
    with browser() as tab:
        yield tab


@pytest.fixture
def tab(chromium_tab: Tab, page: str) -> Tab:
    chromium_tab.open(page)
    return chromium_tab


def vertices(tab: Tab, clip: int, frame: int) -> np.ndarray:
    return np.array(tab.run(f"facetalk.vertices({clip}, {frame})")).reshape(-1, 3)


def test_the_page_loads_nothing_and_runs_nothing_else(tab: Tab, page: str) -> None:
    assert tab.run("document.title") == tab.run("document.querySelector('h1').textContent") == EVIL
    assert tab.run("document.images.length") == 0
    assert set(tab.requests) == {page}
    assert tab.messages == []


def test_weights_and_vertices_are_ours(chromium_tab: Tab, head: HeadModel, head_page: str) -> None:
    motion = framed(speaking(), head, 512).motion
    posed = head(motion.expression, motion.poses, motion.transl, motion.betas).numpy()
    chromium_tab.open(head_page)
    for frame in (0, 17, FRAME, 59):
        weights = chromium_tab.run(f"facetalk.weights(0, {frame})")
        ours = [float(motion.channel(name)[frame]) for name in weights]
        np.testing.assert_allclose(list(weights.values()), ours, atol=2e-5)
        assert np.abs(vertices(chromium_tab, 0, frame) - posed[frame]).max() < 5e-5


def test_stage_one_and_the_residual_are_switched_apart(tab: Tab, motion: Motion) -> None:
    smile = "facetalk.weights(0, 30).mouthSmileLeft"
    whole, talking = motion.channel("mouthSmileLeft")[30], motion.without_laughter().channel("mouthSmileLeft")[30]
    for changes, wanted in (
        ({}, whole),
        ({"laughter": False}, talking),
        ({"laughter": True, "speech": False}, whole - talking),
        ({"laughter": False}, 0.0),
    ):
        tab.run(f"facetalk.set({str(changes).replace('True', 'true').replace('False', 'false')})")
        assert tab.run(smile) == pytest.approx(float(wanted), abs=2e-5)
    tab.press("2", "2")
    assert tab.run(smile) == pytest.approx(float(whole - talking), abs=2e-5)


def test_heads_of_other_publishers_are_posed_as_ours(chromium_tab: Tab, tmp_path: Path) -> None:
    assets, generator = make_corrected_toy_head(), torch.Generator().manual_seed(4)
    pose_dirs = 0.003 * torch.randn(36, 40, 3, generator=generator)
    joint_dirs = 0.003 * torch.randn(52, 5, 3, generator=generator)
    shape = replace(assets.shape, pose_dirs=pose_dirs, joint_expression_dirs=joint_dirs)
    head, motion = HeadModel(replace(assets, shape=shape)), lively_motion(assets, num_frames=4)
    chromium_tab.open(written(tmp_path / "toy.html", "toy", [PageClip("toy", motion, head)]))
    shown = framed(motion, head, 512).motion
    posed = head(shown.expression, shown.poses, shown.transl, shown.betas).numpy()
    for frame in range(4):
        assert np.abs(vertices(chromium_tab, 0, frame) - posed[frame]).max() < 2e-4
    assert chromium_tab.messages == []


def test_it_plays_in_step_with_the_audio_and_stops(tab: Tab) -> None:
    tab.press(" ", " ")
    # It repeats, so that a busy machine only takes more rounds until both are seen in the middle of one.
    tab.until("facetalk.time > 0.4 && facetalk.audioTime > 0.2 && Math.abs(facetalk.time - facetalk.audioTime) < 0.1")
    assert tab.run("facetalk.playing")
    tab.run("facetalk.set({loop: false})")
    tab.until("!facetalk.playing")
    assert tab.run("facetalk.time") == pytest.approx(2.0)
    assert tab.run("facetalk.frame()") == 59


def test_it_scrubs_and_steps(tab: Tab) -> None:
    tab.run("const s = document.querySelector('#scrub'); s.value = 0.5; s.dispatchEvent(new Event('input'))")
    assert tab.run("[facetalk.time, facetalk.frame()]") == [1.0, 30]
    tab.press("ArrowRight")
    tab.press("ArrowRight")
    tab.press("ArrowLeft")
    assert tab.run("facetalk.frame()") == 31
    assert tab.run("document.querySelector('#frame').textContent") == "frame 31"
    tab.press("Home")
    assert tab.run("facetalk.time") == 0
    box = tab.run(
        "(b => [b.left + b.width / 4, b.top + 5])(document.querySelector('.rows canvas').getBoundingClientRect())"
    )
    for kind in ("mousePressed", "mouseReleased"):
        tab.call("Input.dispatchMouseEvent", type=kind, x=box[0], y=box[1], button="left", clickCount=1)
    assert tab.run("facetalk.time") == pytest.approx(0.5, abs=0.01)


def test_every_frame_is_reached_whatever_the_rate(chromium_tab: Tab, toy_head: HeadModel, tmp_path: Path) -> None:
    motion = still_motion("toy", torch.rand(200, 52), toy_head.shape.expression_names, 29.97, 3)
    chromium_tab.open(written(tmp_path / "rate.html", "rate", [PageClip("rate", motion, toy_head)]))
    script = "Array.from({length: 200}, (_, i) => { if (i) facetalk.step(1); return facetalk.frame(); })"
    assert chromium_tab.run(script) == list(range(200))


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_picture_is_that_of_our_renderer(chromium_tab: Tab, head: HeadModel, theme: str, head_page: str) -> None:
    motion, camera = framed(speaking(), head, SIDE)
    posed = head(motion.expression, motion.poses, motion.transl, motion.betas)[FRAME].numpy()
    renderer = CpuRenderer(head_surface(head.assets), camera)
    ours = renderer.render(posed).astype(int)
    covered = (ours != renderer.background).any(2)
    tab = chromium_tab
    tab.open(head_page, theme=theme)
    assert tab.run("getComputedStyle(document.documentElement).colorScheme") == theme
    # A square of our size, before a color that no head has.
    tab.run(f"document.querySelector('main').style.gridTemplateRows = '{SIDE}px auto 0'")
    tab.run(f"document.querySelector('#stage').style.cssText = 'width:{SIDE}px;background:#f0f;border-radius:0'")
    tab.run(f"facetalk.seek({FRAME} / 30)")
    theirs = tab.picture("#stage").astype(int)
    seen = np.abs(theirs - [255, 0, 255]).sum(2) > 8
    both = covered & seen
    assert both.sum() / (covered | seen).sum() > 0.99
    assert np.abs(theirs - ours)[both].mean() < 4


def test_the_head_turns_and_comes_back(chromium_tab: Tab, head_page: str) -> None:
    tab = chromium_tab
    tab.open(head_page)
    front = tab.picture("#stage").astype(int)
    tab.run("facetalk.look(35)")
    assert np.abs(tab.picture("#stage").astype(int) - front).mean() > 3
    tab.press("r", "r")
    assert np.abs(tab.picture("#stage").astype(int) - front).mean() < 0.2
    tab.press("w", "w")
    assert np.abs(tab.picture("#stage").astype(int) - front).mean() > 1


def test_a_phone_shows_all_of_it_in_its_width(chromium_tab: Tab, page: str) -> None:
    chromium_tab.open(page, size=(360, 740))
    assert chromium_tab.run("document.documentElement.scrollWidth") == 360
    outside = """[...document.querySelectorAll('button, select, input, .label')].filter(item => {
        const box = item.getBoundingClientRect();
        return box.width && (box.left < 0 || box.right > innerWidth);
    }).map(item => item.id || item.className)"""
    assert chromium_tab.run(outside) == []


def test_everything_that_can_be_used_has_a_name(tab: Tab) -> None:
    nameless = """[...document.querySelectorAll('button, select, input, canvas[role], svg[role]')].filter(item =>
        !(item.getAttribute('aria-label') || item.labels?.[0]?.textContent.trim() || item.textContent.trim())
    ).map(item => item.outerHTML)"""
    assert tab.run(nameless) == []
