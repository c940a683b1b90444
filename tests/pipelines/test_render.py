from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from facetalk.core.camera import Camera
from facetalk.core.errors import FacetalkError, UsageError
from facetalk.core.motion import Motion, still_motion
from facetalk.head.channels import ARKIT_NAMES
from facetalk.head.model import HeadModel
from facetalk.io.video import VideoReader
from facetalk.io.video_writer import VideoWriter
from facetalk.motion.frames import BLOCK, fitted_camera, make_renderer, posed, rendered
from facetalk.motion.head_surface import head_surface
from facetalk.pipelines.records import fingerprint
from facetalk.pipelines.render import render
from facetalk.rendering.camera import project
from facetalk.rendering.renderer import CpuRenderer

SIZE = (80, 60)


def toy_motion(num_frames: int = 10, fps: float = 30.0, seed: int = 0) -> Motion:
    generator = torch.Generator().manual_seed(seed)
    expression = torch.rand(num_frames, len(ARKIT_NAMES), generator=generator)
    motion = still_motion("toy", expression, ARKIT_NAMES, fps, 3)
    return motion.replace(neck_pose=0.1 * torch.randn(num_frames, 3, generator=generator))


def fitted(motion: Motion, source_fps: float = 25.0, size: tuple[int, int] = SIZE) -> Motion:
    K = torch.tensor([[90.0, 0, size[0] / 2], [0, 90.0, size[1] / 2], [0, 0, 1]])
    return motion.replace(
        transl=motion.transl + torch.tensor([0.05, 0.02, -0.6]), camera=Camera(K, size), source_fps=source_fps
    )


def write_clip(path: Path, num_frames: int, fps: float = 25.0, size: tuple[int, int] = SIZE) -> Path:
    with VideoWriter(path, size, fps, torch.randn(round(16000 * num_frames / fps)) * 0.1) as writer:
        for index in range(num_frames):
            writer.write(np.full((size[1], size[0], 3), 20 + 20 * index, np.uint8))
    return path


def frames(path: Path) -> np.ndarray:
    return np.stack([image for _, image in VideoReader(path)]).astype(int)


def test_the_front_camera_shows_the_head_in_a_square(tmp_path: Path, toy_head: HeadModel) -> None:
    ticks: list[tuple[int, int]] = []
    path = render(
        toy_motion(),
        tmp_path / "a.mp4",
        head=toy_head,
        size=64,
        progress=lambda what, done, total: ticks.append((done, total)),
    )
    with VideoReader(path) as video:
        assert video.size == (64, 64) and video.fps == 30 and not video.has_audio
    assert ticks == [(i + 1, 10) for i in range(10)]
    shown = frames(path)
    wall = CpuRenderer(head_surface(toy_head.assets), make_camera(64)).background
    changed = np.abs(shown - wall.astype(int)).max(-1) > 12
    assert 0.1 < changed[:, 4:-4, 4:-4].mean() < 0.9
    assert len(shown) == 10


def make_camera(side: int) -> Camera:
    return Camera(torch.eye(3), (side, side))


def test_a_front_image_does_not_depend_on_where_the_head_was_fitted(tmp_path: Path, toy_head: HeadModel) -> None:
    here = render(toy_motion(3), tmp_path / "here.mp4", head=toy_head, size=64)
    there = render(fitted(toy_motion(3)), tmp_path / "there.mp4", head=toy_head, size=64)
    assert np.abs(frames(here) - frames(there)).mean() < 0.5


def test_the_tracked_camera_is_that_of_the_fitted_video(tmp_path: Path, toy_head: HeadModel) -> None:
    motion = fitted(toy_motion(12))
    path = render(motion, tmp_path / "a.mp4", head=toy_head, camera="tracked")
    with VideoReader(path) as video:
        assert (video.size, video.fps) == (SIZE, 25.0)
    shown = frames(path)
    assert len(shown) == 10
    # Where the mesh is, as the camera's own formula says.
    assert motion.camera is not None
    vertices = toy_head.pose(motion.to_fps(25.0)).vertices
    used = torch.unique(toy_head.shape.faces)
    places = project(vertices[0, used], motion.camera)
    wall = CpuRenderer(head_surface(toy_head.assets), motion.camera).background
    rows, columns = np.nonzero(np.abs(shown[0] - wall.astype(int)).max(-1) > 25)
    low, high = places.amin(0), places.amax(0)
    assert low[0] - 3 < columns.min() and columns.max() < high[0] + 3
    assert low[1] - 3 < rows.min() and rows.max() < high[1] + 3
    assert abs(columns.mean() - float(places[:, 0].mean())) < 8


def test_the_original_lies_behind_the_head(tmp_path: Path, toy_head: HeadModel) -> None:
    source = write_clip(tmp_path / "source.mp4", 10)
    path = render(
        fitted(toy_motion(12)), tmp_path / "over.mp4", head=toy_head, camera="tracked", over=source, audio=source
    )
    assert VideoReader(path).has_audio
    # The corner, where no head is, shows the frame of the same number.
    np.testing.assert_allclose(frames(path)[:, :4, :4].mean((1, 2, 3)), 20 + 20 * np.arange(10), atol=3)


@pytest.mark.parametrize("turn", [1, 2, 3])
def test_an_original_that_was_turned_for_the_fit_is_turned_behind_the_head_too(
    tmp_path: Path, toy_head: HeadModel, turn: int
) -> None:
    upright = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
    upright[:12, :12] = 240
    stored = np.rot90(upright, -turn)
    with VideoWriter(tmp_path / "source.mp4", (stored.shape[1], stored.shape[0]), 25.0) as writer:
        for _ in range(4):
            writer.write(stored)
    motion = fitted(toy_motion(4)).replace(meta={"source_turn": turn})
    path = render(motion, tmp_path / "a.mp4", head=toy_head, camera="tracked", over=tmp_path / "source.mp4")
    corners = [
        frames(path)[0, rows, columns].mean()
        for rows in (slice(6), slice(-6, None))
        for columns in (slice(6), slice(-6, None))
    ]
    assert corners[0] > 200 and max(corners[1:]) < 40


@pytest.mark.parametrize("num_frames", [1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK])
def test_blocks_pose_every_frame_once(toy_head: HeadModel, num_frames: int) -> None:
    motion = toy_motion(num_frames)
    torch.testing.assert_close(
        torch.stack([torch.from_numpy(vertices) for vertices in posed(toy_head, motion)]),
        toy_head.pose(motion).vertices,
    )


def test_frames_come_in_order_from_several_threads(toy_head: HeadModel) -> None:
    motion = toy_motion(25)
    renderer = make_renderer("cpu", head_surface(toy_head.assets), fitted(motion).camera or make_camera(8))
    renderer.threads = 3
    moved = [v + np.array([0, 0, -0.6], np.float32) for v in posed(toy_head, motion)]
    for image, vertices in zip(rendered(renderer, moved), moved, strict=True):
        np.testing.assert_array_equal(image, renderer.render(vertices))


def test_a_frame_that_fails_is_an_error_and_leaves_no_file(tmp_path: Path, toy_head: HeadModel) -> None:
    motion = toy_motion(40)
    motion.transl[30] = math.nan
    with pytest.raises(ValueError, match="not finite"):
        render(motion, tmp_path / "a.mp4", head=toy_head, size=64)
    assert not list(tmp_path.iterdir())


def test_a_face_over_another_video_than_the_fitted_one_is_reported(
    tmp_path: Path, toy_head: HeadModel, caplog: pytest.LogCaptureFixture
) -> None:
    video, other = (write_clip(tmp_path / f"{name}.mp4", frames) for name, frames in (("a", 2), ("b", 3)))
    motion = fitted(toy_motion(2))
    motion = motion.replace(meta={**motion.meta, "video": "a.mp4", "video_fingerprint": fingerprint(video)})
    for over in (video, other):
        render(motion, tmp_path / "out.mp4", head=toy_head, camera="tracked", over=over, overwrite=True)
    warnings = [record.getMessage() for record in caplog.records if "another video" in record.getMessage()]
    assert warnings == [f"the motion was fitted to another video than {other}: a.mp4"]


def test_requests_that_make_no_sense_are_refused(tmp_path: Path, toy_head: HeadModel) -> None:
    out, motion = tmp_path / "a.mp4", toy_motion(2)
    with pytest.raises(UsageError, match="no tracked camera"):
        render(motion, out, head=toy_head, camera="tracked")
    with pytest.raises(UsageError, match="unknown camera 'side'; there are: front, tracked"):
        render(motion, out, head=toy_head, camera="side")
    with pytest.raises(UsageError, match="unknown backend 'cuda'; there are: cpu, pyrender"):
        render(motion, out, head=toy_head, backend="cuda")
    with pytest.raises(UsageError, match="--over needs --camera tracked"):
        render(motion, out, head=toy_head, over=out)
    with pytest.raises(UsageError, match="--camera tracked takes no --size"):
        render(fitted(motion), out, head=toy_head, camera="tracked", size=64)
    with pytest.raises(UsageError, match="unknown head 'flame'"):
        render(motion.replace(head="flame"), out, head=toy_head)
    with pytest.raises(UsageError, match="unknown head 'nobody'"):
        render(motion.replace(head="nobody"), out)
    with pytest.raises(UsageError, match=r"render writes \.mp4 files, not a\.glb; `facetalk export MOTION -o a\.glb`"):
        render(motion, tmp_path / "a.glb", head=toy_head)
    with pytest.raises(UsageError, match=r"render writes \.mp4 files, not a\.avi; give a\.mp4$"):
        render(motion, tmp_path / "a.avi", head=toy_head)
    source = write_clip(tmp_path / "tall.mp4", 2, size=(60, 80))
    with pytest.raises(UsageError, match="is 60x80"):
        render(fitted(motion), out, head=toy_head, camera="tracked", over=source)
    assert not out.exists()
    out.write_bytes(b"old")
    with pytest.raises(FacetalkError, match="exists already"):
        render(motion, out, head=toy_head)
    assert out.read_bytes() == b"old"
    render(motion, out, head=toy_head, size=64, overwrite=True)
    assert len(frames(out)) == 2


def test_what_lies_in_the_mouth_gets_less_light(toy_head: HeadModel) -> None:
    surface = head_surface(toy_head.assets)
    regions = toy_head.points.regions
    assert surface.exposure is not None and surface.translucency is not None
    assert surface.exposure[regions["upper_teeth"].numpy()].max() < 0.96
    outside = np.setdiff1d(
        np.arange(40), np.concatenate([regions[n].numpy() for n in ("upper_teeth", "lower_teeth", "tongue")])
    )
    assert (surface.exposure[outside] == 1).all()
    assert set(np.unique(surface.translucency)) <= {np.float32(x) for x in (0, 0.2, 0.8, 1)}


def test_frames_beyond_4k_are_rendered_smaller_and_reported(caplog: pytest.LogCaptureFixture) -> None:
    motion = fitted(toy_motion(), size=(7680, 4320))
    with caplog.at_level("WARNING"):
        camera = fitted_camera(motion)
    assert camera.image_size == (4096, 2304) and "7680 x 4320 pixels; it is rendered with 4096 x 2304" in caplog.text
    point = torch.tensor([[0.03, 0.02, -0.6]])
    assert motion.camera is not None
    torch.testing.assert_close(project(point, camera), project(point, motion.camera) * 4096 / 7680)
    assert fitted_camera(fitted(toy_motion())).image_size == SIZE
