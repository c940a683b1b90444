"""OBJ and PLY sequences hold the head model's vertices, read back by trimesh."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh

from facetalk.head.model import HeadAssets, HeadModel
from facetalk.io.mesh import (
    painted_colors,
    part_faces,
    split_at_seams,
    vertex_normals,
    write_obj_sequence,
    write_ply_sequence,
)
from tests.io.motions import lively_motion
from tests.io.test_gltf import few_joints_head, textured_head

WRITERS = {"obj": write_obj_sequence, "ply": write_ply_sequence}


@pytest.mark.parametrize("suffix", WRITERS)
def test_each_frame_has_the_vertices_of_the_head_model(tmp_path: Path, suffix: str) -> None:
    assets = textured_head()
    motion = lively_motion(assets, num_frames=35)
    WRITERS[suffix](tmp_path / "frames", assets, motion)
    truth = HeadModel(assets).pose(motion).vertices.numpy()
    files = sorted((tmp_path / "frames").glob(f"*.{suffix}"))
    assert [path.name for path in files] == [f"frame_{n:05d}.{suffix}" for n in range(35)]
    for number in (0, 31, 32, 34):
        mesh: Any = trimesh.load(files[number], process=False, maintain_order=True, force="mesh")
        points = np.asarray(mesh.vertices)
        # trimesh splits an OBJ at texture seams and sorts its faces by material: compare triangles as points in space.
        found = points[np.asarray(mesh.faces)].reshape(-1, 9)
        wanted = truth[number][assets.faces.numpy()].reshape(-1, 9)
        order = [np.lexsort(np.rint(rows * 1e5).T) for rows in (found, wanted)]
        np.testing.assert_allclose(found[order[0]], wanted[order[1]], atol=2e-6)


def test_an_obj_folder_carries_its_material_and_texture(tmp_path: Path) -> None:
    assets = textured_head()
    write_obj_sequence(tmp_path / "frames", assets, lively_motion(assets, num_frames=1))
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
    write_ply_sequence(tmp_path / "frames", assets, lively_motion(assets, num_frames=1))
    mesh: Any = trimesh.load(tmp_path / "frames/frame_00000.ply", process=False)
    np.testing.assert_allclose(mesh.visual.vertex_colors[:, :3], np.rint(painted_colors(assets) * 255), atol=1)
    assert assets.texture is not None
    vertex = int(assets.faces[4, 1])
    u, v = assets.uv_coords[assets.uv_faces[assets.faces == vertex][-1]].tolist()
    texel = assets.texture[min(int((1 - v) * 16), 15), min(int(u * 32), 31)]
    np.testing.assert_allclose(painted_colors(assets)[vertex], assets.colors[vertex].numpy() * texel / 255, atol=1e-5)


def test_parts_share_out_all_faces_once(toy_assets: HeadAssets) -> None:
    members = np.concatenate(list(part_faces(toy_assets).values()))
    np.testing.assert_array_equal(np.sort(members), np.arange(len(toy_assets.faces)))


def test_seams_double_vertices_and_keep_every_corner() -> None:
    assets = few_joints_head()
    faces, uv_faces, uv_coords = (a.numpy() for a in (assets.faces, assets.uv_faces, assets.uv_coords))
    mesh = split_at_seams(faces, uv_faces, uv_coords)
    assert len(mesh.source) == faces.size, "each corner of this head has its own texture coordinate"
    np.testing.assert_array_equal(mesh.source[mesh.faces], faces)
    np.testing.assert_array_equal(mesh.uv_coords[mesh.faces], uv_coords[uv_faces])
    whole = split_at_seams(faces, faces, np.zeros((len(assets.template), 2)))
    assert len(whole.source) == len(np.unique(faces))


def test_normals_are_the_area_weighted_mean_of_face_normals() -> None:
    chance = np.random.default_rng(3)
    vertices, faces = chance.normal(size=(9, 3)), chance.permuted(np.tile(np.arange(8), (12, 1)), axis=1)[:, :3]
    slow = np.zeros((9, 3))
    for a, b, c in faces:
        for corner in (a, b, c):
            slow[corner] += np.cross(vertices[b] - vertices[a], vertices[c] - vertices[a])
    slow[8] = [0, 0, 1]  # no face touches the ninth vertex
    slow /= np.linalg.norm(slow, axis=1, keepdims=True)
    np.testing.assert_allclose(vertex_normals(vertices, faces), slow, atol=1e-5)
