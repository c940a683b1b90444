"""An avatar's vertices move as the standard says, and its picture shows its colors."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.spatial.transform import Rotation

from facetalk.core.errors import FacetalkError
from facetalk.core.motion import Motion, still_motion
from facetalk.head.channels import ARKIT_NAMES
from facetalk.io.gltf import CompressedError
from facetalk.io.video import VideoReader
from facetalk.motion.avatar import AvatarPlay, read_avatar
from facetalk.motion.avatar_mesh import AvatarMesh, avatar_mesh
from facetalk.motion.avatar_surface import avatar_surface
from facetalk.pipelines.export import export
from tests.avatars import little_avatar, read_document, write_document
from tests.motion.test_avatar import lively


def by_hand(mesh: AvatarMesh, path: Path, motion: Motion, frame: int) -> np.ndarray:
    """Vertices of the little avatar in the file's world, one after the other."""
    avatar = mesh.avatar
    (weights,) = [rows[frame] for _, rows in AvatarPlay(avatar, motion).weights()]
    turns = {node: rows[frame] for node, rows in AvatarPlay(avatar, motion).turns()}
    world = np.eye(4)
    bound = np.eye(4)
    for node in range(3):  # each bone is the parent of the next
        for matrix, rotation in ((world, turns.get(node)), (bound, None)):
            local = np.eye(4)
            local[:3, :3] = Rotation.from_quat(
                avatar.tree.rotations[node] if rotation is None else rotation
            ).as_matrix()
            local[:3, 3] = avatar.tree.translations[node]
            matrix[:] = matrix @ local
    from tests.exporters.test_glb import Reader

    reader = Reader(path)
    primitive = reader.file.meshes[0].primitives[0]
    points = reader.array(primitive.attributes.POSITION).astype(np.float64)
    for weight, target in zip(weights, primitive.targets, strict=True):
        points = points + weight * reader.array(target["POSITION"])
    matrix = world @ np.linalg.inv(bound)
    return points @ matrix[:3, :3].T + matrix[:3, 3]


def test_vertices_are_morphed_then_skinned(tmp_path: Path) -> None:
    path, motion = little_avatar(tmp_path / "a.glb"), lively(40)
    mesh = avatar_mesh(read_avatar(path))
    back = np.linalg.inv(mesh.place)
    for frame, vertices in enumerate(mesh.posed(motion)):
        if frame not in (0, 7, 39):
            continue
        found = vertices @ back[:3, :3].T + back[:3, 3]
        expected = by_hand(mesh, path, motion, frame)
        distance = np.linalg.norm(found[:, None] - expected[None], axis=2).min(1)
        assert len(found) == len(expected) and distance.max() < 1e-4


def test_a_head_is_scaled_and_faces_the_viewer(tmp_path: Path) -> None:
    def backwards_giant(document: dict[str, Any]) -> None:
        document["extensions"] = {"VRM": {"specVersion": "0.0"}}
        document["nodes"][-1]["scale"] = [100, 100, 100]

    mesh = avatar_mesh(read_avatar(little_avatar(tmp_path / "a.glb", bones=(), change=backwards_giant)))
    rest = mesh.at_rest()
    assert np.ptp(rest[:, 1]) == pytest.approx(0.24, abs=1e-3)
    np.testing.assert_allclose(mesh.place[:3, :3] / mesh.place[1, 1], np.diag([-1, 1, -1]), atol=1e-9)


def test_repeated_vertices_are_joined_unless_they_move_apart(tmp_path: Path) -> None:
    document, binary = read_document(little_avatar(tmp_path / "a.glb", ["jawOpen"], bones=()))
    accessors, views = document["accessors"], document["bufferViews"]
    place = {name: views[accessors[number]["bufferView"]]["byteOffset"]
             for name, number in document["meshes"][0]["primitives"][0]["attributes"].items()}  # fmt: skip
    target = document["meshes"][0]["primitives"][0]["targets"][0]["POSITION"]
    place["moved"] = views[accessors[target]["bufferView"]]["byteOffset"]
    data = bytearray(binary)
    for copy, original, alike in ((5, 4, True), (9, 8, False)):
        for name in ("POSITION", "moved") if alike else ("POSITION",):
            start = place[name]
            data[start + 12 * copy : start + 12 * copy + 12] = data[start + 12 * original : start + 12 * original + 12]
    write_document(tmp_path / "b.glb", document, bytes(data))
    (part,) = avatar_mesh(read_avatar(tmp_path / "b.glb")).parts
    assert part.num_vertices == 11


DRACO = {"KHR_draco_mesh_compression": {"bufferView": 0}}


def png(color: tuple[int, int, int, int]) -> bytes:
    file = io.BytesIO()
    Image.new("RGBA", (8, 8), color).save(file, "PNG")
    return file.getvalue()


def textured(path: Path, color: tuple[int, int, int, int], mode: str) -> Path:
    document, binary = read_document(little_avatar(path))
    image = png(color)
    document["bufferViews"].append({"buffer": 0, "byteOffset": len(binary), "byteLength": len(image)})
    document["buffers"][0]["byteLength"] += len(image)
    document["images"] = [{"bufferView": len(document["bufferViews"]) - 1, "mimeType": "image/png"}]
    document["textures"] = [{"source": 0}]
    document["materials"] = [{"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}}, "alphaMode": mode}]
    return write_document(path, document, binary + image)


def test_a_texture_colors_the_surface_and_cuts_it_out(tmp_path: Path) -> None:
    solid = textured(tmp_path / "a.glb", (255, 0, 0, 0), "OPAQUE")
    surface, rows = avatar_surface(avatar_mesh(read_avatar(solid)))
    assert len(surface.faces) == 10 and surface.colors.min() > 0.999 and len(rows) == 12
    assert surface.texture is not None and surface.uv_coords is not None and surface.uv_faces is not None
    side = len(surface.texture)
    corner = surface.uv_coords[surface.uv_faces[3, 1]]
    assert surface.texture[int((1 - corner[1]) * side), int(corner[0] * side)].tolist() == [255, 0, 0]
    cut = textured(tmp_path / "b.glb", (255, 0, 0, 0), "MASK")
    assert len(avatar_surface(avatar_mesh(read_avatar(cut)))[0].faces) == 0


def test_both_sides_of_a_surface_are_drawn(tmp_path: Path) -> None:
    mesh = avatar_mesh(read_avatar(little_avatar(tmp_path / "a.glb")))
    surface, rows = avatar_surface(mesh)
    assert len(surface.faces) == 20 and len(rows) == 24
    np.testing.assert_array_equal(rows[surface.faces[:10]], rows[surface.faces[10:]][:, ::-1])


def test_a_video_shows_the_character(tmp_path: Path) -> None:
    path = little_avatar(tmp_path / "a.glb")
    motion = still_motion("facetalk", torch.zeros(3, 52), ARKIT_NAMES, 30.0, 0)
    export(motion, tmp_path / "a.mp4", avatar=path, size=64)
    with VideoReader(tmp_path / "a.mp4") as video:
        images = [image for _, image in video]
        assert (len(images), video.size, video.fps) == (3, (64, 64), 30)
    red_over_blue = images[1][..., 0].astype(float) - images[1][..., 2]
    assert (red_over_blue > 15).mean() > 0.02  # skin in front of a bluish wall


def test_compressed_geometry_has_no_video_but_a_file(tmp_path: Path) -> None:
    def compressed(document: dict[str, Any]) -> None:
        document["extensionsRequired"] = ["EXT_meshopt_compression"]
        document["extensionsUsed"] = ["EXT_meshopt_compression"]

    document, binary = read_document(little_avatar(tmp_path / "a.glb", change=compressed))
    for view in document["bufferViews"]:
        view["extensions"] = {"EXT_meshopt_compression": {"buffer": 0, "byteOffset": 0, "byteLength": 4}}
    path = write_document(tmp_path / "b.glb", document, binary)
    export(lively(), tmp_path / "out.glb", avatar=path)
    with pytest.raises(CompressedError, match="meshopt"):
        export(lively(), tmp_path / "out.mp4", avatar=path)
    assert not (tmp_path / "out.mp4").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d["meshes"][0]["primitives"][0].update(indices=0), "not whole numbers"),
        (lambda d: d["meshes"][0]["primitives"][0].update(material=5), "names number 5"),
        (lambda d: d["meshes"][0]["primitives"][0]["attributes"].update(WEIGHTS_0=0), "3 numbers in each row"),
        (lambda d: d["meshes"][0]["primitives"][0].update(mode=1), "no triangles"),
        (lambda d: d["skins"][0].update(joints=[0]), "bound to joint"),
        (lambda d: d["skins"][0].update(joints=[]), "no joints"),
        (lambda d: d["materials"][0]["pbrMetallicRoughness"].update(baseColorFactor=[2, 0, 0, 1]), "four numbers"),
        (
            lambda d: d["meshes"][0]["primitives"][0].update(extensions={"KHR_draco_mesh_compression": {"a": 1}}),
            "Draco",
        ),
        (lambda d: d.update(scene=4), "names number 4"),
    ],
)
def test_damaged_geometry_is_refused(change: Any, message: str, tmp_path: Path) -> None:
    path = little_avatar(tmp_path / "a.glb", change=change)
    with pytest.raises(FacetalkError, match=message):
        avatar_surface(avatar_mesh(read_avatar(path)))
