"""OBJ and PLY sequences hold the head model's vertices, read back by trimesh."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh

from facetalk.exporters import obj, ply
from facetalk.exporters.head_mesh import painted_colors
from facetalk.head.model import HeadModel
from tests.exporters.motions import lively_motion
from tests.exporters.test_glb import textured_head

EXPORTERS = {"obj": obj, "ply": ply}


@pytest.mark.parametrize("suffix", EXPORTERS)
def test_each_frame_has_the_vertices_of_the_head_model(tmp_path: Path, suffix: str) -> None:
    assets = textured_head()
    motion = lively_motion(assets, num_frames=35)
    EXPORTERS[suffix].write(tmp_path / "frames", motion, HeadModel(assets))
    truth = HeadModel(assets).pose(motion).vertices.numpy()
    files = sorted((tmp_path / "frames").glob(f"*.{suffix}"))
    assert [path.name for path in files] == [f"frame_{n:05d}.{suffix}" for n in range(35)]
    for number in (0, 31, 32, 34):
        mesh: Any = trimesh.load(files[number], process=False, maintain_order=True, force="mesh")
        points = np.asarray(mesh.vertices)
        # trimesh splits an OBJ at texture seams and sorts its faces by material: compare triangles as points in space.
        found = points[np.asarray(mesh.faces)].reshape(-1, 9)
        wanted = truth[number][assets.shape.faces.numpy()].reshape(-1, 9)
        order = [np.lexsort(np.rint(rows * 1e5).T) for rows in (found, wanted)]
        np.testing.assert_allclose(found[order[0]], wanted[order[1]], atol=2e-6)


def test_an_obj_folder_carries_its_material_and_texture(tmp_path: Path) -> None:
    assets = textured_head()
    obj.write(tmp_path / "frames", lively_motion(assets, num_frames=1), HeadModel(assets))
    names = {path.name for path in (tmp_path / "frames").iterdir()}
    assert names == {"frame_00000.obj", "head.mtl", "texture.png"}
    used = {
        line.split()[1]
        for line in (tmp_path / "frames/frame_00000.obj").read_text().splitlines()
        if line.startswith("usemtl")
    }
    defined = {
        line.split()[1] for line in (tmp_path / "frames/head.mtl").read_text().splitlines() if line.startswith("newmtl")
    }
    assert used and used <= defined


def test_ply_colors_include_the_texture(tmp_path: Path) -> None:
    assets = textured_head()
    ply.write(tmp_path / "frames", lively_motion(assets, num_frames=1), HeadModel(assets))
    mesh: Any = trimesh.load(tmp_path / "frames/frame_00000.ply", process=False)
    np.testing.assert_allclose(mesh.visual.vertex_colors[:, :3], np.rint(painted_colors(assets) * 255), atol=1)
    assert assets.appearance.texture is not None
    vertex = int(assets.shape.faces[4, 1])
    u, v = assets.appearance.uv_coords[assets.appearance.uv_faces[assets.shape.faces == vertex][-1]].tolist()
    texel = assets.appearance.texture[min(int((1 - v) * 16), 15), min(int(u * 32), 31)]
    np.testing.assert_allclose(
        painted_colors(assets)[vertex], assets.appearance.colors[vertex].numpy() * texel / 255, atol=1e-5
    )
