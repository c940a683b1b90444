"""The geometry of an avatar: one set of vertices that morph targets and bones move, turned to face the viewer.

Vertices that a file repeats where texture coordinates or normals break are joined again, as long as they move alike, so
that shading is smooth across the seams. What lies far below the head is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from facetalk.core.motion import Motion
from facetalk.io.gltf_nodes import rotation_matrix
from facetalk.io.gltf_primitives import Primitive, Skin, read_primitives
from facetalk.motion.avatar import Avatar, AvatarPlay

_BLOCK = 32
"""Frames whose joints are placed together."""
_BELOW = 0.7
"""How much of the body below the head is drawn, in heights of the head."""
_FARTHEST_M = 1e4
_HEIGHT_M = 0.24
"""Height of a head, to which avatars in other units are scaled."""


@dataclass(frozen=True, eq=False)
class AvatarPart:
    """A primitive with joined vertices."""

    node: int
    material: int | None
    positions: Float[np.ndarray, "vertices 3"]
    targets: tuple[int, ...]
    moves: Float[np.ndarray, "targets vertices 3"]
    """Displacement at weight 1 of each of the targets."""
    joints: Int[np.ndarray, "vertices slots"] | None
    shares: Float[np.ndarray, "vertices slots"] | None
    faces: Int[np.ndarray, "faces 3"]
    uv_coords: Float[np.ndarray, "faces 3 2"] | None
    """Of the corners of the faces; the origin is at the upper left."""

    @property
    def num_vertices(self) -> int:
        """Number of vertices."""
        return len(self.positions)

    def cut(self, shown: Bool[np.ndarray, " faces"]) -> AvatarPart:
        """Some of the triangles, without vertices that none of them uses."""
        used, faces = np.unique(self.faces[shown], return_inverse=True)
        return AvatarPart(
            self.node,
            self.material,
            self.positions[used],
            self.targets,
            self.moves[:, used],
            None if self.joints is None else self.joints[used],
            None if self.shares is None else self.shares[used],
            faces.reshape(-1, 3),
            None if self.uv_coords is None else self.uv_coords[shown],
        )


@dataclass(frozen=True, eq=False)
class AvatarMesh:
    """An avatar as vertices over time."""

    avatar: Avatar
    parts: tuple[AvatarPart, ...]
    skins: Mapping[int, Skin]
    place: Float[np.ndarray, "4 4"]
    """Takes the file's world to that of a motion: the face towards +z, y up, meters."""

    def posed(self, motion: Motion) -> Iterator[Float[np.ndarray, "vertices 3"]]:
        """Vertices of all parts in each frame, meters.

        Args:
            motion: with ARKit's channels.
        """
        play = AvatarPlay(self.avatar, motion)
        for start in range(0, motion.num_frames, _BLOCK):
            stop = min(start + _BLOCK, motion.num_frames)
            weights, turns = dict(play.weights(start, stop)), dict(play.turns(start, stop))
            for frame in range(stop - start):
                world = self._turned({node: rows[frame] for node, rows in turns.items()})
                yield self._vertices({node: rows[frame] for node, rows in weights.items()}, world)

    def at_rest(self, more: float = 0.0) -> Float[np.ndarray, "vertices 3"]:
        """Vertices without any animation, meters; with `more`, every morph target has so much more weight."""
        weights = {mesh.node: np.array(mesh.defaults, np.float32) + more for mesh in self.avatar.shapes.meshes}
        return self._vertices(weights, self.avatar.tree.world)

    def head_vertices(self) -> Int[np.ndarray, " members"]:
        """Vertices that belong to the head: bound to it or to what it carries, or all of a model without bones."""
        tree, nodes = self.avatar.tree, self.avatar.bones.nodes
        top = next((nodes[role][0] for role in ("head", "neck") if role in nodes), None)
        carried = set(tree.order) if top is None else tree.below(top)
        chosen = []
        for part in self.parts:
            if part.joints is None or part.shares is None:
                chosen.append(np.full(part.num_vertices, part.node in carried))
                continue
            inside = np.array([joint in carried for joint in self.skins[part.node].joints])
            chosen.append((part.shares * inside[part.joints]).sum(1) > 0.5)
        members = np.flatnonzero(np.concatenate(chosen))
        return members if len(members) else np.arange(sum(part.num_vertices for part in self.parts))

    def _turned(self, turns: Mapping[int, np.ndarray]) -> Float[np.ndarray, "nodes 4 4"]:
        """Places of all nodes with some of them turned."""
        tree, world = self.avatar.tree, self.avatar.tree.world.copy()
        moved: set[int] = set()
        for node in tree.order:
            above = tree.parents[node]
            if node not in turns and above not in moved:
                continue
            moved.add(node)
            local = tree.local[node].copy()
            if node in turns:
                local[:3, :3] = rotation_matrix(turns[node].astype(np.float64)) * tree.scales[node]
            world[node] = local if above < 0 else world[above] @ local
        return world

    def _vertices(
        self, weights: Mapping[int, np.ndarray], world: Float[np.ndarray, "nodes 4 4"]
    ) -> Float[np.ndarray, "vertices 3"]:
        found = []
        for part in self.parts:
            points, own = part.positions, weights.get(part.node)
            if own is not None and part.targets:
                points = points + np.tensordot(own[list(part.targets)], part.moves, 1)
            found.append(self._placed(part, points, world))
        return np.concatenate(found).astype(np.float32)

    def _placed(self, part: AvatarPart, points: np.ndarray, world: np.ndarray) -> np.ndarray:
        """Points of a part in the world of a motion."""
        if part.joints is None or part.shares is None:
            matrix = self.place @ world[part.node]
            return points @ matrix[:3, :3].T + matrix[:3, 3]
        skin = self.skins[part.node]
        matrices = (self.place @ world[list(skin.joints)] @ skin.inverse_bind)[:, :3].astype(np.float32)
        blended = np.einsum("vs,vsij->vij", part.shares, matrices[part.joints])
        return np.einsum("vij,vj->vi", blended[..., :3], points) + blended[..., 3]


def avatar_mesh(avatar: Avatar) -> AvatarMesh:
    """Read the geometry of an avatar.

    Raises:
        CompressedError: it is compressed.
        GltfError: it is damaged.
    """
    file, tree = avatar.file, avatar.tree
    scene = _scene_nodes(avatar)
    nodes = [number for number, entry in enumerate(file.table("nodes")) if "mesh" in entry and number in scene]
    defaults = {mesh.node: mesh.defaults for mesh in avatar.shapes.meshes}
    targets = {
        node: sorted(
            {driver.target for driver in avatar.shapes.drivers.get(node, ())}
            | {number for number, weight in enumerate(values) if weight}
        )
        for node, values in defaults.items()
    }
    primitives, skins = read_primitives(file, nodes, targets)
    world = tree.world
    parts = tuple(_joined(primitive, _is_mirrored(primitive, world)) for primitive in primitives)
    parts = tuple(part for part in parts if len(part.faces))
    if not parts:
        raise file.error("its meshes have no triangles")
    with np.errstate(over="ignore", invalid="ignore"):
        turned = AvatarMesh(avatar, parts, skins, _facing(avatar))
        rest, head = turned.at_rest(), turned.head_vertices()
        low, high = rest[head].min(0), rest[head].max(0)
        scale = _HEIGHT_M / max(float(high[1] - low[1]), 1e-9)
        place = np.diag([scale, scale, scale, 1.0]) @ turned.place
        kept = _near(parts, rest, float(low[1] - _BELOW * (high[1] - low[1])))
        mesh = AvatarMesh(avatar, kept, skins, place)
        if not kept or not np.abs(mesh.at_rest(1.0)).max() < _FARTHEST_M:
            raise file.error("its vertices are not those of a head: some are too far away to be shown")
    return mesh


def _scene_nodes(avatar: Avatar) -> set[int]:
    """Nodes of the scene that is shown; all where the file names none."""
    scenes = avatar.file.table("scenes")
    if not scenes:
        return set(avatar.tree.order)
    scene = avatar.file.numbered("scenes", avatar.file.document.get("scene", 0), "the document")
    roots = scene.get("nodes", [])
    shown = {root for root in roots if isinstance(root, int)} if isinstance(roots, list) else set()
    for node in avatar.tree.order:
        if avatar.tree.parents[node] in shown:
            shown.add(node)
    return shown


def _facing(avatar: Avatar) -> Float[np.ndarray, "4 4"]:
    """Turns the character to face +z."""
    _, up, forward = avatar.bones.frame.T
    matrix = np.eye(4)
    matrix[:3, :3] = [np.cross(up, forward), up, forward]
    return matrix


def _is_mirrored(primitive: Primitive, world: np.ndarray) -> bool:
    """Whether a node's negative scale turns its triangles inside out; a skin does not follow its node."""
    return primitive.joints is None and bool(np.linalg.det(world[primitive.node][:3, :3]) < 0)


def _joined(primitive: Primitive, mirrored: bool) -> AvatarPart:
    """Join vertices at one place that move alike."""
    mark = np.zeros_like(primitive.positions)
    for number, offsets in primitive.moves.items():  # a sum in which no two sets of displacements look the same
        mark += offsets * np.float32(1 + 0.37 * np.sin(1.7 * number + 1))
    keys = [primitive.positions, mark]
    if primitive.joints is not None and primitive.shares is not None:
        keys += [primitive.joints.astype(np.float32), primitive.shares]
    table = np.ascontiguousarray(np.hstack(keys), np.float32) + np.float32(0)  # without negative zeros
    packed = table.view(np.dtype((np.void, table.dtype.itemsize * table.shape[1])))[:, 0]
    _, rows, number_of = np.unique(packed, return_index=True, return_inverse=True)
    corners = primitive.faces[:, ::-1] if mirrored else primitive.faces
    faces = number_of.reshape(-1)[corners]
    solid = (faces[:, 0] != faces[:, 1]) & (faces[:, 1] != faces[:, 2]) & (faces[:, 2] != faces[:, 0])
    moves = [offsets[rows] for offsets in primitive.moves.values()]
    return AvatarPart(
        node=primitive.node,
        material=primitive.material,
        positions=primitive.positions[rows],
        targets=tuple(primitive.moves),
        moves=np.stack(moves) if moves else np.zeros((0, len(rows), 3), np.float32),
        joints=None if primitive.joints is None else primitive.joints[rows],
        shares=None if primitive.shares is None else primitive.shares[rows],
        faces=faces[solid],
        uv_coords=None if primitive.uv_coords is None else primitive.uv_coords[corners[solid]],
    )


def _near(parts: Sequence[AvatarPart], rest: Float[np.ndarray, "vertices 3"], lowest: float) -> tuple[AvatarPart, ...]:
    """The parts without the triangles below a height."""
    kept, start = [], 0
    for part in parts:
        height = rest[start : start + part.num_vertices, 1]
        start += part.num_vertices
        shown = height[part.faces].max(1) > lowest
        if shown.any():
            kept.append(part.cut(shown))
    return tuple(kept)
