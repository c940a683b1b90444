"""The .glb is legal glTF 2.0, and what is in it moves like the head model: read by others, not by our own writer."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pygltflib
import pytest
import torch
import trimesh
from PIL import Image

from facetalk.core.motion import Motion
from facetalk.exporters import glb
from facetalk.exporters.head_mesh import part_faces
from facetalk.head.assets import HeadAssets
from facetalk.head.correctives import blend_shape_names
from facetalk.head.model import HeadModel
from facetalk.motion.heads import load_head_assets
from tests.conftest import make_corrected_toy_head, make_toy_head
from tests.exporters.motions import lively_motion

DTYPES = {5126: np.float32, 5125: np.uint32, 5123: np.uint16, 5121: np.uint8}
WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}


class Reader:
    """Accessors of a .glb by the book."""

    def __init__(self, path: Path) -> None:
        self.file: Any = pygltflib.GLTF2().load(str(path))
        self.blob = self.file.binary_blob()

    def read(self, view_number: int, offset: int, dtype: Any, count: int, width: int) -> np.ndarray:
        view = self.file.bufferViews[view_number]
        size = np.dtype(dtype).itemsize
        start = (view.byteOffset or 0) + (offset or 0)
        assert start % size == 0, "an accessor starts at a multiple of its component size"
        assert (offset or 0) + size * count * width <= view.byteLength, "an accessor stays inside its view"
        return np.frombuffer(self.blob, dtype, count * width, start).reshape(count, width)

    def array(self, number: int) -> np.ndarray:
        accessor = self.file.accessors[number]
        dtype, width = DTYPES[accessor.componentType], WIDTHS[accessor.type]
        if accessor.bufferView is None:
            values = np.zeros((accessor.count, width), dtype)
        else:
            values = self.read(accessor.bufferView, accessor.byteOffset, dtype, accessor.count, width).copy()
        if accessor.sparse is not None:
            sparse = accessor.sparse
            assert 1 <= sparse.count <= accessor.count
            kind = DTYPES[sparse.indices.componentType]
            rows = self.read(sparse.indices.bufferView, sparse.indices.byteOffset, kind, sparse.count, 1)[:, 0]
            assert (np.diff(rows.astype(np.int64)) > 0).all(), "sparse indices increase"
            assert rows.max() < accessor.count
            values[rows] = self.read(sparse.values.bufferView, sparse.values.byteOffset, dtype, sparse.count, width)
        if accessor.min:
            np.testing.assert_array_equal(values.min(0), np.array(accessor.min, dtype))
            np.testing.assert_array_equal(values.max(0), np.array(accessor.max, dtype))
        return values / np.iinfo(dtype).max if accessor.normalized else values


def quaternion_matrix(q: np.ndarray) -> np.ndarray:
    x, y, z, w = q / np.linalg.norm(q)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )


def world_matrices(reader: Reader, frame: int) -> dict[int, np.ndarray]:
    """World transform of each node at a key frame."""
    nodes = reader.file.nodes
    local = []
    for node in nodes:
        matrix = np.eye(4)
        matrix[:3, 3] = node.translation or [0, 0, 0]
        local.append(matrix)
    animation = reader.file.animations[0]
    for channel in animation.channels:
        values = reader.array(animation.samplers[channel.sampler].output)
        if channel.target.path == "translation":
            local[channel.target.node][:3, 3] = values[frame]
        if channel.target.path == "rotation":
            local[channel.target.node][:3, :3] = quaternion_matrix(values[frame])
    world: dict[int, np.ndarray] = {}

    def place(number: int, above: np.ndarray) -> None:
        world[number] = above @ local[number]
        for child in nodes[number].children or []:
            place(child, world[number])

    for root in reader.file.scenes[0].nodes:
        place(root, np.eye(4))
    return world


def evaluate(reader: Reader, frame: int) -> np.ndarray:
    """Posed vertices as a viewer computes them: morph, then skin."""
    mesh = reader.file.meshes[0]
    primitive = mesh.primitives[0]
    animation = reader.file.animations[0]
    (weights_channel,) = [c for c in animation.channels if c.target.path == "weights"]
    weights = reader.array(animation.samplers[weights_channel.sampler].output).reshape(-1, len(primitive.targets))[
        frame
    ]
    points = reader.array(primitive.attributes.POSITION).astype(np.float64)
    for weight, target in zip(weights, primitive.targets, strict=True):
        points = points + weight * reader.array(target["POSITION"])
    skin = reader.file.skins[0]
    inverse = reader.array(skin.inverseBindMatrices).reshape(-1, 4, 4).transpose(0, 2, 1)
    world = world_matrices(reader, frame)
    matrices = np.stack([world[node] @ inverse[i] for i, node in enumerate(skin.joints)])
    homogeneous = np.hstack([points, np.ones((len(points), 1))])
    posed = np.zeros((len(points), 4))
    for number in range(2):
        joints = getattr(primitive.attributes, f"JOINTS_{number}", None)
        if joints is None:
            continue
        joint_rows = reader.array(joints)
        weight_rows = reader.array(getattr(primitive.attributes, f"WEIGHTS_{number}"))
        posed += np.einsum("vk,vkab,vb->va", weight_rows, matrices[joint_rows], homogeneous)
    return posed[:, :3]


def textured_head() -> HeadAssets:
    assets = make_toy_head()
    image = np.random.default_rng(0).integers(0, 255, (16, 32, 3), dtype=np.uint8)
    return replace(assets, appearance=replace(assets.appearance, texture=image))


def few_joints_head() -> HeadAssets:
    """Nobody on more than three joints, so one set of four is enough; texture seams; a channel that moves nothing."""
    assets = make_toy_head()
    weights = assets.shape.skin_weights.clone()
    weights[:, 3:] = 0
    offsets = assets.shape.expression_dirs.clone()
    offsets[5] = 0
    offsets[6, 10:] = 0
    return replace(
        assets,
        shape=replace(assets.shape, skin_weights=weights / weights.sum(1, keepdim=True), expression_dirs=offsets),
        appearance=replace(
            assets.appearance,
            uv_coords=torch.rand(3 * len(assets.shape.faces), 2),
            uv_faces=torch.arange(3 * len(assets.shape.faces)).reshape(-1, 3),
        ),
    )


HEADS = {
    "plain": make_toy_head,
    "textured": textured_head,
    "few_joints": few_joints_head,
    "corrected": make_corrected_toy_head,
}


@pytest.mark.parametrize("kind", HEADS)
def test_a_viewer_sees_what_the_head_model_computes(tmp_path: Path, kind: str) -> None:
    assets = HEADS[kind]()
    motion = lively_motion(assets)
    glb.write(tmp_path / "a.glb", motion, HeadModel(assets))
    reader = Reader(tmp_path / "a.glb")
    truth = HeadModel(assets).pose(motion).vertices.numpy()
    # Which head vertex each file vertex repeats, found from the mesh at rest and not from the writer.
    rest = HeadModel(assets).shaped(motion.betas)[0].numpy()
    stored = reader.array(reader.file.meshes[0].primitives[0].attributes.POSITION)
    source = np.linalg.norm(stored[:, None] - rest[None], axis=2).argmin(1)
    for frame in (0, 3, 8):
        distance_mm = 1000 * np.linalg.norm(evaluate(reader, frame) - truth[frame][source], axis=1)
        assert distance_mm.max() < 0.1
    moved_mm = 1000 * np.linalg.norm(truth[0] - rest, axis=1)
    assert moved_mm.max() > 10, "the test motion moves the head"


@pytest.mark.parametrize("kind", HEADS)
def test_the_file_obeys_the_standard(tmp_path: Path, kind: str) -> None:
    assets = HEADS[kind]()
    motion = lively_motion(assets, fps=25)
    path = tmp_path / "a.glb"
    glb.write(path, motion, HeadModel(assets))
    data = path.read_bytes()
    assert data[:4] == b"glTF"
    assert int.from_bytes(data[4:8], "little") == 2
    assert int.from_bytes(data[8:12], "little") == len(data)
    json_length = int.from_bytes(data[12:16], "little")
    assert json_length % 4 == 0 and data[16:20] == b"JSON"
    assert (len(data) - 28 - json_length) % 4 == 0
    reader = Reader(path)
    file = reader.file
    assert file.buffers[0].byteLength == len(reader.blob)
    for view in file.bufferViews:
        assert view.byteOffset % 4 == 0
        assert view.byteLength > 0 and view.byteOffset + view.byteLength <= len(reader.blob)
    for number, accessor in enumerate(file.accessors):
        assert np.isfinite(reader.array(number)).all()
        assert accessor.count > 0
    check_mesh(reader, assets)
    check_animation(reader, motion)


def check_mesh(reader: Reader, assets: HeadAssets) -> None:
    (mesh,) = reader.file.meshes
    assert mesh.extras["targetNames"] == list(blend_shape_names(assets.shape))
    assert len(mesh.weights) == len(blend_shape_names(assets.shape))
    faces = 0
    for primitive in mesh.primitives:
        attributes = primitive.attributes
        counts = {reader.file.accessors[n].count for n in vars(attributes).values() if isinstance(n, int)}
        counts |= {reader.file.accessors[n].count for target in primitive.targets for n in target.values()}
        assert len(counts) == 1, "all attributes and targets have one row per vertex"
        indices = reader.array(primitive.indices)
        assert indices.max() < counts.pop()
        faces += len(indices) // 3
        assert len(primitive.targets) == len(blend_shape_names(assets.shape))
        assert reader.file.accessors[attributes.POSITION].min
        assert all(reader.file.accessors[target["POSITION"]].min for target in primitive.targets)
        np.testing.assert_allclose(np.linalg.norm(reader.array(attributes.NORMAL), axis=1), 1, atol=1e-5)
        sets = [n for n in range(2) if getattr(attributes, f"WEIGHTS_{n}", None) is not None]
        weights = sum(reader.array(getattr(attributes, f"WEIGHTS_{n}")).sum(1) for n in sets)
        np.testing.assert_allclose(weights, 1, atol=1e-6)
        assert primitive.material < len(reader.file.materials)
    assert faces == len(assets.shape.faces)
    np.testing.assert_array_equal(reader.array(reader.file.skins[0].inverseBindMatrices)[:, 15], 1)


def check_animation(reader: Reader, motion: Motion) -> None:
    (animation,) = reader.file.animations
    paths = sorted((c.target.node, c.target.path) for c in animation.channels)
    assert paths == sorted([(0, "weights"), (1, "translation"), *[(node, "rotation") for node in range(1, 6)]])
    for sampler in animation.samplers:
        times = reader.array(sampler.input)[:, 0]
        np.testing.assert_allclose(times, np.arange(motion.num_frames) / motion.fps, atol=1e-6)
        assert reader.file.accessors[sampler.input].min
    for channel in animation.channels:
        values = reader.array(animation.samplers[channel.sampler].output)
        if channel.target.path == "rotation":
            assert ((values[1:] * values[:-1]).sum(1) >= 0).all(), "neighboring quaternions take the short way"


def test_trimesh_opens_it_too(tmp_path: Path) -> None:
    assets = textured_head()
    glb.write(tmp_path / "a.glb", lively_motion(assets), HeadModel(assets))
    scene: Any = trimesh.load(tmp_path / "a.glb")
    assert sum(len(mesh.faces) for mesh in scene.geometry.values()) == len(assets.shape.faces)


def test_texture_and_texture_coordinates_keep_their_place(tmp_path: Path) -> None:
    assets = textured_head()
    glb.write(tmp_path / "a.glb", lively_motion(assets), HeadModel(assets))
    reader = Reader(tmp_path / "a.glb")
    (image,) = reader.file.images
    view = reader.file.bufferViews[image.bufferView]
    image = Image.open(io.BytesIO(reader.blob[view.byteOffset : view.byteOffset + view.byteLength]))
    assert image.size == (32, 16)
    uv = reader.array(reader.file.meshes[0].primitives[0].attributes.TEXCOORD_0)
    # glTF counts v from the top, the head from the bottom.
    np.testing.assert_allclose(sorted(1 - uv[:, 1]), sorted(assets.appearance.uv_coords[:, 1].numpy()), atol=1e-6)


def test_a_motion_of_another_head_is_refused(tmp_path: Path) -> None:
    assets = make_toy_head()
    with pytest.raises(ValueError, match="retarget"):
        glb.write(tmp_path / "a.glb", lively_motion(assets).replace(head="other"), HeadModel(assets))
    assert not list(tmp_path.iterdir())


def test_the_bundled_head_is_small_and_exact(tmp_path: Path) -> None:
    assets = load_head_assets("facetalk")
    motion = lively_motion(assets, num_frames=3)
    motion = motion.replace(expression=0.6 * motion.expression, betas=0.5 * motion.betas)
    path = tmp_path / "a.glb"
    glb.write(path, motion, HeadModel(assets))
    assert path.stat().st_size < 8e6
    reader = Reader(path)
    truth = HeadModel(assets).pose(motion).vertices.numpy()
    # Triangles of the file in the head's order, part by part, say which head vertex each file vertex repeats.
    source = np.full(reader.file.accessors[reader.file.meshes[0].primitives[0].attributes.POSITION].count, -1)
    members = part_faces(assets)
    for primitive, faces in zip(reader.file.meshes[0].primitives, members.values(), strict=True):
        source[reader.array(primitive.indices)[:, 0]] = assets.shape.faces.numpy()[faces].ravel()
    assert (source >= 0).all()
    for frame in range(3):
        distance_mm = 1000 * np.linalg.norm(evaluate(reader, frame) - truth[frame][source], axis=1)
        assert distance_mm.max() < 0.1
    names = [material.name for material in reader.file.materials]
    assert names == ["skin", "eyes", "teeth", "tongue"]
    roughness = {material.name: material.pbrMetallicRoughness.roughnessFactor for material in reader.file.materials}
    assert roughness["eyes"] < roughness["skin"]
