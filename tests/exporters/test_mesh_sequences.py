"""OBJ and PLY sequences hold the head model's vertices, read back by trimesh."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import trimesh
from PIL import Image

from facetalk.core.motion import still_motion
from facetalk.exporters import obj, ply
from facetalk.exporters.head_mesh import vertex_normals
from facetalk.head.model import HeadModel
from facetalk.motion.heads import load_head_assets
from tests.exporters.motions import lively_motion
from tests.exporters.test_glb import parted_head, textured_head

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


@pytest.mark.parametrize("suffix", EXPORTERS)
def test_normals_are_those_of_the_posed_mesh(tmp_path: Path, suffix: str) -> None:
    assets = parted_head()
    motion = lively_motion(assets, num_frames=3)
    EXPORTERS[suffix].write(tmp_path / "frames", motion, HeadModel(assets))
    truth = vertex_normals(HeadModel(assets).pose(motion).vertices.numpy()[2], assets.shape.faces.numpy())
    path = tmp_path / f"frames/frame_00002.{suffix}"
    if suffix == "ply":
        found = np.asarray(trimesh.load(path, process=False).vertex_normals)  # type: ignore[attr-defined]
    else:
        rows = [line.split() for line in path.read_text().splitlines()]
        table = np.array([row[1:] for row in rows if row[0] == "vn"], np.float64)
        corners = [corner.split("/") for row in rows if row[0] == "f" for corner in row[1:]]
        assert all(vertex == normal for vertex, _, normal in corners)
        found = table
    np.testing.assert_allclose(found, truth, atol=1e-3)


def test_an_obj_folder_carries_its_materials_and_textures(tmp_path: Path) -> None:
    assets = parted_head()
    obj.write(tmp_path / "frames", lively_motion(assets, num_frames=1), HeadModel(assets))
    lines = [line.split() for line in (tmp_path / "frames/frame_00000.obj").read_text().splitlines()]
    materials: dict[str, dict[str, str]] = {}
    for line in (tmp_path / "frames/head.mtl").read_text().splitlines():
        key, _, value = line.partition(" ")
        if key == "newmtl":
            materials[value] = {}
        elif key:
            materials[list(materials)[-1]][key] = value
    assert [row[1] for row in lines if row[0] == "usemtl"] == list(materials) == ["skin", "eyes", "teeth", "tongue"]
    assert all(len(row) == 4 for row in lines if row[0] == "v"), "a vertex color would be multiplied with the texture"
    textures = {values[key] for values in materials.values() for key in ("map_Kd", "norm") if key in values}
    assert {path.name for path in (tmp_path / "frames").iterdir()} == {"frame_00000.obj", "head.mtl", *textures}
    for values in materials.values():
        with Image.open(tmp_path / "frames" / values["map_Kd"]) as image:
            assert image.mode == "RGB"
    coords = np.array([row[1:] for row in lines if row[0] == "vt"], np.float64)
    used = {int(corner.split("/")[1]) for row in lines if row[0] == "f" for corner in row[1:]}
    assert used == set(range(1, len(coords) + 1))
    assert ((coords >= 0) & (coords <= 1)).all()


def test_ply_colors_are_the_mean_of_the_texture_around_each_vertex(tmp_path: Path) -> None:
    assets = load_head_assets("facetalk")
    motion = still_motion(assets.name, torch.zeros(1, 52), assets.shape.expression_names, 30.0, 0)
    ply.write(tmp_path / "frames", motion, HeadModel(assets))
    mesh: Any = trimesh.load(tmp_path / "frames/frame_00000.ply", process=False)
    colors = mesh.visual.vertex_colors[:, :3].astype(float)
    # Cheeks are light and reddish, lips redder, hair dark, the white of the eyes bright, pupils black.
    regions = {name: members.numpy() for name, members in assets.points.regions.items()}
    top = assets.shape.template.numpy()[:, 1].argmax()
    face, lips = (
        colors[regions["mouth"]].mean(0),
        colors[np.setdiff1d(regions["lips"], regions["mouth_lining"])].mean(0),
    )
    assert face[0] > face[1] > face[2] > 80
    assert lips[0] / lips[1] > face[0] / face[1]
    assert colors[top].max() < 90
    assert colors[regions["left_eyeball"]].max() > 200 and colors[regions["left_eyeball"]].max(1).min() < 30
