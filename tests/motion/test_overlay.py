"""The overlay of a fitted head: face only, soft edge, in the tone of the video."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from facetalk.core.camera import Camera
from facetalk.core.motion import Motion, still_motion
from facetalk.head.looks import Look
from facetalk.head.model import HeadModel
from facetalk.io.video import VideoReader
from facetalk.io.video_writer import VideoWriter
from facetalk.motion import overlay
from facetalk.motion.frames import make_renderer, posed
from facetalk.motion.head_surface import head_surface
from facetalk.motion.heads import load_head
from facetalk.motion.overlay import hair, head_opacity, overlay_renderer, sampled_frames, with_video_tone
from facetalk.rendering.color import linear_to_srgb, srgb_to_linear
from facetalk.rendering.surface import Surface

SIDE = 96
CAMERA = Camera(torch.tensor([[200.0, 0, 48], [0, 200.0, 48], [0, 0, 1]]), (SIDE, SIDE))


@pytest.fixture(scope="module")
def head() -> HeadModel:
    return load_head()


def in_front(head: HeadModel, num_frames: int = 4) -> Motion:
    names = head.shape.expression_names
    motion = still_motion(head.name, torch.zeros(num_frames, len(names)), names, 30.0, head.num_betas)
    return motion.replace(transl=torch.tensor([0.0, 0.05, -0.7]).expand(num_frames, 3), camera=CAMERA)


def tinted(surface: Surface, factor: tuple[float, float, float]) -> Surface:
    return replace(surface, colors=linear_to_srgb(srgb_to_linear(surface.colors) * factor).astype(np.float32))


def write_video(path: Path, images: list[np.ndarray]) -> Path:
    with VideoWriter(path, (SIDE, SIDE), 30.0) as writer:
        for image in images:
            writer.write(image)
    return path


def film(path: Path, head: HeadModel, motion: Motion, surface: Surface) -> Path:
    """A video of a head with this surface before a gray wall."""
    renderer = make_renderer("cpu", surface, CAMERA)
    wall = np.full((SIDE, SIDE, 3), 128, np.uint8)
    return write_video(path, [renderer.render(mesh, wall) for mesh in posed(head, motion)])


def test_face_and_brows_are_drawn_and_neck_and_hair_are_not(head: HeadModel) -> None:
    opacity, regions = head_opacity(head.assets), head.points.regions
    assert (opacity[regions["neck"].numpy()] == 0).all()
    assert (opacity[regions["lips"].numpy()] > 0.99).all()
    assert (opacity[regions["brows"].numpy()] > 0.99).all()
    assert (opacity[hair(head.assets)] == 0).all() and hair(head.assets).sum() > 500
    assert ((opacity > 0.1) & (opacity < 0.9)).sum() > 100


@pytest.mark.parametrize("tint", [(1.0, 1.0, 1.0), (0.25, 0.2, 0.18), (0.6, 0.7, 1.0)])
def test_the_skin_takes_the_tone_of_the_video(
    tmp_path: Path, head: HeadModel, tint: tuple[float, float, float]
) -> None:
    motion, surface = in_front(head), head_surface(head.assets)
    video = film(tmp_path / "a.mp4", head, motion, tinted(surface, tint))
    renderer = overlay_renderer("cpu", head, motion, CAMERA, video)
    for (_, image), mesh in zip(VideoReader(video), posed(head, motion), strict=True):
        face = renderer.coverage.of(mesh) == 255
        drawn = renderer.render(mesh, np.zeros_like(image))
        np.testing.assert_allclose(drawn[face].mean(0), image[face].mean(0), atol=8)


def test_a_beard_does_not_make_the_skin_darker(tmp_path: Path, head: HeadModel) -> None:
    motion, surface = in_front(head), head_surface(head.assets)
    bearded = surface.colors.copy()
    low = head.shape.template.numpy()[:, 1] < head.shape.template.numpy()[head.points.regions["lips"], 1].max()
    bearded[low] *= 0.1
    video = film(tmp_path / "a.mp4", head, motion, replace(surface, colors=bearded))
    toned = with_video_tone(surface, head, motion, CAMERA, video)
    np.testing.assert_allclose(toned.colors, surface.colors, atol=0.08)


def test_the_video_stays_as_it_is_around_the_face(tmp_path: Path, head: HeadModel) -> None:
    motion = in_front(head)
    generator = np.random.default_rng(0)
    images = [generator.integers(0, 255, (SIDE, SIDE, 3), dtype=np.uint8) for _ in range(4)]
    renderer = overlay_renderer("cpu", head, motion, CAMERA, write_video(tmp_path / "a.mp4", images))
    mesh = next(iter(posed(head, motion)))
    shown = renderer.render(mesh, images[0])
    shares = renderer.coverage.of(mesh)
    np.testing.assert_array_equal(shown[shares == 0], images[0][shares == 0])
    assert 0.05 < (shares == 255).mean() < 0.5
    # The shoulders, which the whole head would draw, are not drawn.
    whole = make_renderer("cpu", head_surface(head.assets), CAMERA).render(mesh, images[0])
    assert (whole[-6:] != images[0][-6:]).mean() > 0.3
    np.testing.assert_array_equal(shown[-6:], images[0][-6:])


def test_a_chosen_skin_tone_is_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def never(*args: object) -> Surface:
        raise AssertionError("the tone was estimated")

    monkeypatch.setattr(overlay, "with_video_tone", never)
    deep = load_head("facetalk", Look(skin="deep"))
    overlay_renderer("cpu", deep, in_front(deep), CAMERA, tmp_path / "none.mp4")


def test_a_face_that_is_not_in_the_image_keeps_its_color(tmp_path: Path, head: HeadModel) -> None:
    motion, surface = in_front(head), head_surface(head.assets)
    video = film(tmp_path / "a.mp4", head, motion, tinted(surface, (0.2, 0.2, 0.2)))
    away = motion.replace(transl=motion.transl + torch.tensor([5.0, 0, 0]))
    toned = with_video_tone(surface, head, away, CAMERA, video)
    np.testing.assert_allclose(toned.colors, surface.colors, atol=1e-4)


def test_frames_with_a_doubtful_fit_are_not_sampled() -> None:
    motion = still_motion("toy", torch.zeros(100, 1), ("jawOpen",), 30.0, 0)
    confidence = torch.ones(100)
    confidence[20:60] = 0.1
    frames = sampled_frames(motion.replace(confidence=confidence))
    assert len(frames) == 8 and not any(20 <= frame < 60 for frame in frames)
    assert max(sampled_frames(motion.cut(0, 3))) == 2
    assert max(sampled_frames(motion.replace(fps=1.0))) < 60
