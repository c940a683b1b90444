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
from facetalk.exporters.tracks import shape_names
from facetalk.head.assets import HeadAssets
from facetalk.head.channels import ARKIT_NAMES
from facetalk.head.model import HeadModel
from facetalk.head.translucency import mouth_exposure
from facetalk.motion.heads import load_head_assets
from facetalk.rendering.color import linear_to_srgb, srgb_to_linear
from tests.conftest import make_corrected_toy_head, make_toy_head
from tests.exporters.motions import lively_motion

DTYPES = {5126: np.float32, 5125: np.uint32, 5123: np.uint16, 5122: np.int16, 5121: np.uint8}
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


def at_frame(reader: Reader, sampler: Any, frame: int) -> np.ndarray:
    """Values of a sampler at a frame, interpolated as the standard says for short ways: linearly."""
    times = reader.array(sampler.input)[:, 0].astype(np.float64)
    values = reader.array(sampler.output).astype(np.float64).reshape(len(times), -1)
    moment = frame / reader.file.scenes[0].extras["fps"]
    return np.array([np.interp(moment, times, column) for column in values.T])


def world_matrices(reader: Reader, frame: int) -> dict[int, np.ndarray]:
    """World transform of each node at a frame."""
    nodes = reader.file.nodes
    local = []
    for node in nodes:
        matrix = np.eye(4)
        matrix[:3, 3] = node.translation or [0, 0, 0]
        local.append(matrix)
    animation = reader.file.animations[0]
    for channel in animation.channels:
        value = at_frame(reader, animation.samplers[channel.sampler], frame)
        if channel.target.path == "translation":
            local[channel.target.node][:3, 3] = value
        if channel.target.path == "rotation":
            local[channel.target.node][:3, :3] = quaternion_matrix(value)
    world: dict[int, np.ndarray] = {}

    def place(number: int, above: np.ndarray) -> None:
        world[number] = above @ local[number]
        for child in nodes[number].children or []:
            place(child, world[number])

    for root in reader.file.scenes[0].nodes:
        place(root, np.eye(4))
    return world


def evaluate(reader: Reader, frame: int, mesh_number: int = 0) -> np.ndarray:
    """Posed vertices of a mesh as a viewer computes them: morph, then skin."""
    (node,) = [number for number, node in enumerate(reader.file.nodes) if node.mesh == mesh_number]
    (primitive,) = reader.file.meshes[mesh_number].primitives
    animation = reader.file.animations[0]
    points = reader.array(primitive.attributes.POSITION).astype(np.float64)
    for channel in animation.channels:
        if channel.target.path == "weights" and channel.target.node == node:
            weights = at_frame(reader, animation.samplers[channel.sampler], frame)
            for weight, target in zip(weights, primitive.targets, strict=True):
                points = points + weight * reader.array(target["POSITION"])
    skin = reader.file.skins[reader.file.nodes[node].skin]
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


def parted_head() -> HeadAssets:
    """A head with eyes, teeth and a tongue."""
    assets = make_toy_head()
    names = ("left_eyeball", "right_eyeball", "upper_teeth", "lower_teeth", "tongue")
    regions = {name: torch.arange(6 * i, 6 * i + 6) for i, name in enumerate(names)}
    return replace(assets, points=replace(assets.points, regions={**assets.points.regions, **regions}))


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


def following_head() -> HeadAssets:
    """FLAME's structure: correctives of the joints' rotations, joints that follow the expression, wide coefficients."""
    assets = make_toy_head()
    generator = torch.Generator().manual_seed(4)
    shape = replace(
        assets.shape,
        expression_names=tuple(f"exp{i:03d}" for i in range(len(assets.shape.expression_names))),
        pose_dirs=torch.randn(36, 40, 3, generator=generator) * 0.003,
        joint_expression_dirs=torch.randn(52, 5, 3, generator=generator) * 0.002,
        expression_bounds=torch.tensor([-4.0, 4.0]).repeat(52, 1),
    )
    return replace(assets, name="flame:toy", shape=shape)


HEADS = {
    "plain": make_toy_head,
    "parted": parted_head,
    "textured": textured_head,
    "few_joints": few_joints_head,
    "corrected": make_corrected_toy_head,
    "following": following_head,
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
    for number, mesh in enumerate(reader.file.meshes):
        stored = reader.array(mesh.primitives[0].attributes.POSITION)
        source = np.linalg.norm(stored[:, None] - rest[None], axis=2).argmin(1)
        for frame in (0, 3, 8):
            distance_mm = 1000 * np.linalg.norm(evaluate(reader, frame, number) - truth[frame][source], axis=1)
            # Twenty channels of this cloud are wide open, each off by up to a 255th.
            assert distance_mm.max() < 0.5
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
    names = [item.name for table in (file.nodes, file.meshes, file.skins) for item in table]
    assert len(set(names)) == len(names)
    check_meshes(reader, assets)
    check_animation(reader, motion)


def check_meshes(reader: Reader, assets: HeadAssets) -> None:
    parts, faces = part_faces(assets), 0
    for mesh, (name, members) in zip(reader.file.meshes, parts.items(), strict=True):
        (primitive,) = mesh.primitives
        attributes, targets = primitive.attributes, primitive.targets or []
        names = mesh.extras.get("targetNames", [])
        assert len(mesh.weights or []) == len(names) == len(targets)
        assert name != "skin" or names == list(shape_names(assets.shape))
        counts = {reader.file.accessors[n].count for n in vars(attributes).values() if isinstance(n, int)}
        counts |= {reader.file.accessors[n].count for target in targets for n in target.values()}
        assert len(counts) == 1, "all attributes and targets have one row per vertex"
        indices = reader.array(primitive.indices)[:, 0]
        np.testing.assert_array_equal(np.unique(indices), np.arange(counts.pop()))
        faces += len(indices) // 3
        assert len(indices) // 3 == len(members)
        assert attributes.COLOR_0 is None
        assert reader.file.accessors[attributes.POSITION].min
        assert all(reader.file.accessors[target["POSITION"]].min for target in targets)
        normals = reader.array(attributes.NORMAL)
        np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1, atol=1e-5)
        if attributes.TANGENT is not None:
            tangents = reader.array(attributes.TANGENT)
            np.testing.assert_allclose(np.linalg.norm(tangents[:, :3], axis=1), 1, atol=1e-5)
            np.testing.assert_allclose((tangents[:, :3] * normals).sum(1), 0, atol=1e-4)
        sets = [n for n in range(2) if getattr(attributes, f"WEIGHTS_{n}", None) is not None]
        weights = sum(reader.array(getattr(attributes, f"WEIGHTS_{n}")).sum(1) for n in sets)
        np.testing.assert_allclose(weights, 1, atol=1e-6)
        assert reader.file.materials[primitive.material].name == name
    assert faces == len(assets.shape.faces)
    np.testing.assert_array_equal(reader.array(reader.file.skins[0].inverseBindMatrices)[:, 15], 1)


def check_animation(reader: Reader, motion: Motion) -> None:
    (animation,) = reader.file.animations
    targets = [(channel.target.node, channel.target.path) for channel in animation.channels]
    assert len(set(targets)) == len(targets)
    frames = np.arange(motion.num_frames) / motion.fps
    for sampler in animation.samplers:
        times = reader.array(sampler.input)[:, 0]
        assert (np.diff(times) > 0).all()
        assert (times[0], times[-1]) == (0, np.float32(frames[-1]))
        assert np.abs(times[:, None] - frames).min(1).max() < 1e-6, "keys are at frames"
        assert reader.file.accessors[sampler.input].min
    for channel in animation.channels:
        values = reader.array(animation.samplers[channel.sampler].output)
        if channel.target.path == "rotation":
            assert ((values[1:] * values[:-1]).sum(1) >= 0).all(), "neighboring quaternions take the short way"


def still_but_speaking(assets: HeadAssets) -> Motion:
    """A second of speech between two seconds of rest; the eyes never move."""
    motion = lively_motion(assets, num_frames=90)
    active = torch.zeros(90, 1)
    active[30:60] = 1
    still = {name: getattr(motion, name) * 0 for name in ("leye_pose", "reye_pose", "global_orient", "transl")}
    return motion.replace(expression=motion.expression * active, **still)


def test_keys_that_interpolation_reproduces_are_omitted(tmp_path: Path) -> None:
    assets = make_toy_head()
    motion = still_but_speaking(assets)
    glb.write(tmp_path / "a.glb", motion, HeadModel(assets))
    reader = Reader(tmp_path / "a.glb")
    animation = reader.file.animations[0]
    keys = {}
    for channel in animation.channels:
        name = (reader.file.nodes[channel.target.node].name, channel.target.path)
        keys[name] = reader.file.accessors[animation.samplers[channel.sampler].input].count
    assert keys["left_eye", "rotation"] == keys["root", "translation"] == 2
    assert 30 <= keys["toy_skin", "weights"] <= 36
    (sampler,) = [
        animation.samplers[channel.sampler]
        for channel in animation.channels
        if channel.target.path == "weights" and reader.file.nodes[channel.target.node].name == "toy_skin"
    ]
    found = np.stack([at_frame(reader, sampler, frame) for frame in range(90)])
    np.testing.assert_allclose(found, motion.expression.numpy(), atol=0.004)


def test_an_animation_is_stored_in_few_bytes(tmp_path: Path) -> None:
    assets = parted_head()
    sizes = []
    for num_frames in (100, 300):
        glb.write(tmp_path / "a.glb", lively_motion(assets, num_frames), HeadModel(assets))
        sizes.append((tmp_path / "a.glb").stat().st_size)
    # 52 weights of a byte for each of the four meshes, five rotations of eight bytes, a translation, and times.
    assert (sizes[1] - sizes[0]) / 200 < 4 * 52 + 5 * 8 + 12 + 9 * 4 + 8


def test_a_single_frame_is_a_pose_with_one_key(tmp_path: Path) -> None:
    assets = parted_head()
    motion = lively_motion(assets, num_frames=1)
    glb.write(tmp_path / "a.glb", motion, HeadModel(assets))
    reader = Reader(tmp_path / "a.glb")
    for sampler in reader.file.animations[0].samplers:
        np.testing.assert_array_equal(reader.array(sampler.input), [[0]])
    check_animation(reader, motion)


def test_rate_and_source_are_in_the_extras(tmp_path: Path) -> None:
    assets = make_toy_head()
    motion = lively_motion(assets, fps=30000 / 1001).replace(source="/home/me/private/take 3.wav")
    glb.write(tmp_path / "a.glb", motion, HeadModel(assets))
    file: Any = pygltflib.GLTF2().load(str(tmp_path / "a.glb"))
    for extras in (file.scenes[0].extras, file.animations[0].extras):
        assert extras == {"fps": 30000 / 1001, "frames": 9, "source": "take 3.wav"}


def test_only_what_moves_a_mesh_is_its_morph_target(tmp_path: Path) -> None:
    assets = parted_head()
    offsets = assets.shape.expression_dirs.clone()
    eyes = np.unique(assets.shape.faces[torch.from_numpy(part_faces(assets)["eyes"])])
    offsets[:, eyes] = 0
    offsets[[3, 40], eyes[0]] = 0.01
    assets = replace(assets, shape=replace(assets.shape, expression_dirs=offsets))
    glb.write(tmp_path / "a.glb", lively_motion(assets), HeadModel(assets))
    file: Any = pygltflib.GLTF2().load(str(tmp_path / "a.glb"))
    by_name = {mesh.name: mesh for mesh in file.meshes}
    names = assets.shape.expression_names
    assert by_name["toy_eyes_mesh"].extras["targetNames"] == [names[3], names[40]]
    assert by_name["toy_skin_mesh"].extras["targetNames"] == list(names)


def test_trimesh_opens_it_too(tmp_path: Path) -> None:
    assets = textured_head()
    glb.write(tmp_path / "a.glb", lively_motion(assets), HeadModel(assets))
    scene: Any = trimesh.load(tmp_path / "a.glb")
    assert sum(len(mesh.faces) for mesh in scene.geometry.values()) == len(assets.shape.faces)


def image_at(reader: Reader, number: int) -> np.ndarray:
    view = reader.file.bufferViews[reader.file.images[number].bufferView]
    with Image.open(io.BytesIO(reader.blob[view.byteOffset : view.byteOffset + view.byteLength])) as image:
        return np.asarray(image)


def test_textures_show_the_colors_of_each_part(tmp_path: Path) -> None:
    assets = parted_head()
    painted, parts = assets.appearance.colors.clone(), part_faces(assets)
    colors = {"skin": [0.8, 0.6, 0.5], "eyes": [0.2, 0.4, 0.9], "teeth": [0.9, 0.9, 0.7], "tongue": [0.7, 0.3, 0.3]}
    for part, members in parts.items():
        painted[assets.shape.faces[torch.from_numpy(members)].flatten()] = torch.tensor(colors[part])
    assets = replace(assets, appearance=replace(assets.appearance, colors=painted))
    glb.write(tmp_path / "a.glb", lively_motion(assets), HeadModel(assets))
    reader = Reader(tmp_path / "a.glb")
    assert [material.name for material in reader.file.materials] == list(colors)
    light = {"eyes": np.ones(40), "teeth": mouth_exposure(assets) ** 0.5, "tongue": mouth_exposure(assets) ** 0.5}
    for mesh in reader.file.meshes[1:]:  # the skin's faces mix their corners' colors with those of other parts
        (primitive,) = mesh.primitives
        material = reader.file.materials[primitive.material]
        image = image_at(reader, material.pbrMetallicRoughness.baseColorTexture.index)
        corners = reader.array(primitive.indices).reshape(-1, 3)
        u, v = reader.array(primitive.attributes.TEXCOORD_0)[corners].mean(1).T
        found = image[np.floor(v * image.shape[0]).astype(int), np.floor(u * image.shape[1]).astype(int)]
        faces = assets.shape.faces.numpy()[parts[material.name]]
        linear = srgb_to_linear(np.array(colors[material.name])) * light[material.name][faces].mean(1)[:, None]
        np.testing.assert_allclose(found, 255 * linear_to_srgb(linear), atol=6)


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
    assert path.stat().st_size < 6e6
    reader = Reader(path)
    truth = HeadModel(assets).pose(motion).vertices.numpy()
    counts = {}
    for number, (part, faces) in enumerate(part_faces(assets).items()):
        # Triangles of the file are in the head's order, which says which head vertex each file vertex repeats.
        (primitive,) = reader.file.meshes[number].primitives
        counts[part] = reader.file.accessors[primitive.attributes.POSITION].count
        source = np.full(counts[part], -1)
        source[reader.array(primitive.indices)[:, 0]] = assets.shape.faces.numpy()[faces].ravel()
        assert (source >= 0).all()
        for frame in range(3):
            distance_mm = 1000 * np.linalg.norm(evaluate(reader, frame, number) - truth[frame][source], axis=1)
            assert distance_mm.max() < 0.2
    assert counts["eyes"] < 1.2 * 1028 and counts["tongue"] < 1.5 * 226
    names = [mesh.extras.get("targetNames", []) for mesh in reader.file.meshes]
    assert tuple(names[0][:52]) == ARKIT_NAMES
    assert names[1] == [] and names[2] == ["jawForward", "jawLeft", "jawRight", "jawOpen"]
    roughness = {material.name: material.pbrMetallicRoughness.roughnessFactor for material in reader.file.materials}
    assert roughness["eyes"] < roughness["teeth"] < roughness["tongue"]
    skin = reader.file.materials[0]
    assert skin.normalTexture and skin.pbrMetallicRoughness.metallicRoughnessTexture
