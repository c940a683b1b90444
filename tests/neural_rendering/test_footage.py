"""Square frames around a head, and what is collected from them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from facetalk.core.errors import FacetalkError
from facetalk.neural_rendering.appearance import cluster_centers, collect, keyframes, plate
from facetalk.neural_rendering.footage import cropped_intrinsics, read_footage, scene_of, video_motion, view_box
from facetalk.rendering.camera import project
from tests.neural_rendering.people import VIDEO, footage, head, person_motion, wall, write_video


def test_a_point_keeps_its_place_in_the_cropped_image() -> None:
    motion = person_motion(3)
    assert motion.camera is not None
    scene = scene_of(motion, head(), 32)
    point = torch.tensor([[0.02, -0.03, -0.8]])
    whole = project(point, motion.camera) - torch.tensor([scene.box.left, scene.box.top])
    torch.testing.assert_close(project(point, scene.camera), whole * 32 / scene.box.width)
    torch.testing.assert_close(cropped_intrinsics(motion.camera, scene.box, 32), scene.of(motion.camera))


@pytest.mark.parametrize("shift", [(-0.3, 0.0, 0.0), (0.3, 0.3, 0.0), (0.0, 0.0, 0.4), (0.0, 0.0, -9.0)])
def test_the_view_is_a_square_inside_the_video(shift: tuple[float, float, float]) -> None:
    motion = person_motion(5)
    box = view_box(motion.replace(transl=motion.transl + torch.tensor(shift)), head())
    assert box.width == box.height >= 1
    assert 0 <= box.left <= VIDEO[0] - box.width and 0 <= box.top <= VIDEO[1] - box.height


def test_a_video_is_read_in_step_with_its_motion(tmp_path: Path) -> None:
    motion = person_motion(8)
    write_video(tmp_path / "a.mp4", motion)
    found = read_footage(tmp_path / "a.mp4", motion.to_fps(30.0), head(), 32, 0.5, 60.0)
    expected = footage(8)
    assert (found.num_frames, found.motion.fps, tuple(found.frames.shape)) == (8, 25.0, (8, 32, 32, 3))
    middle = found.frames[:, 8:20, 10:22].float() - expected.frames[:, 8:20, 10:22].float()
    assert float(middle.abs().mean()) < 12  # scaled and encoded, but the same frames
    assert motion.camera is not None
    other = motion.replace(camera=replace(motion.camera, image_size=(64, 48)))
    with pytest.raises(FacetalkError, match="96x80 pixels; it was fitted with 64x48"):
        read_footage(tmp_path / "a.mp4", other, head(), 32, 0.5, 60.0)
    with pytest.raises(FacetalkError, match="not fitted to a video"):
        video_motion(motion.replace(camera=None))


def test_the_plate_is_the_wall_and_keyframes_are_frames() -> None:
    clip = footage(30)
    found = plate(clip, head()).numpy()
    border = np.abs(found[:, :4].astype(float) - wall((32, 32))[:, :4]).mean()
    assert border < 2
    chosen = keyframes(clip, 3)
    assert len(set(chosen)) == 3 and max(chosen) < 30
    closed = clip.motion.channel("eyeBlinkLeft")
    assert float(closed[chosen[-1]]) == 1 and float(closed[keyframes(clip, 1)[0]]) == 0
    person = collect([clip], head(), 3)
    assert person.key_points.shape == (3, len(person.colors), 3) and len(person.scenes) == 1
    skin = person.colors[head().points.regions["skin"]].mean(0)
    assert float(skin[0]) > float(skin[2])  # red rather than blue


def test_a_video_without_a_certain_fit_is_refused() -> None:
    clip = replace(footage(24), trusted=torch.zeros(24, dtype=torch.bool))
    with pytest.raises(FacetalkError, match="certain fit"):
        collect([clip], head(), 2)


def test_clusters_are_found_where_the_rows_are() -> None:
    noise = 0.1 * torch.randn(30, 2, generator=torch.Generator().manual_seed(0))
    places = torch.tensor([[0.0, 0.0], [5.0, 0.0], [0.0, 7.0]])
    found = cluster_centers(noise + places.repeat(10, 1), 3)
    assert sorted(torch.cdist(found, places).argmin(1).tolist()) == [0, 1, 2]
    assert float(torch.cdist(found, places).amin(1).max()) < 0.1
    assert torch.isfinite(cluster_centers(torch.ones(5, 2), 3)).all()
