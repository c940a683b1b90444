"""A character of the user's as something that a motion can move: morph targets and bones, and a report of what fits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.core.errors import FacetalkError
from facetalk.core.motion import Motion
from facetalk.core.rotations import (
    axis_angle_to_matrix,
    axis_angle_to_quaternion,
    matrix_to_axis_angle,
    quaternion_product,
)
from facetalk.core.words import words
from facetalk.head.channels import ARKIT_NAMES
from facetalk.head.correctives import corrective_weights
from facetalk.io.gltf import GltfFile, read_gltf
from facetalk.io.gltf_morphs import morph_meshes
from facetalk.io.gltf_nodes import NodeTree, read_nodes
from facetalk.motion.avatar_bones import AvatarBones, find_bones, parent_axes
from facetalk.motion.avatar_report import AvatarReport, avatar_report, nothing_found
from facetalk.motion.avatar_shapes import ShapeMatch, Source, match_shapes
from facetalk.motion.visemes import viseme_weights

JAW_OPEN = 0.35
"""Rotation of a jaw bone for `jawOpen` at 1, radians: 20 degrees open a mouth about as far as the shape does."""
JAW_ASIDE = 0.1
"""The same for `jawLeft` and `jawRight`."""
NECK_SHARE = 0.4
"""Share of the head's rotation that the bones of the neck take together, where head and neck have bones."""

_BLOCK = 4096
"""Frames that are computed together."""


@dataclass(frozen=True, eq=False)
class Avatar:
    """A character, and what moves which part of it."""

    file: GltfFile
    tree: NodeTree
    shapes: ShapeMatch
    bones: AvatarBones
    """Bones that turn; not those of eyes and jaw that shapes move."""
    report: AvatarReport


class AvatarPlay:
    """What one motion does to an avatar, for any stretch of its frames."""

    def __init__(self, avatar: Avatar, motion: Motion) -> None:
        """Take a motion with ARKit's channels; visemes, which depend on all of it, are solved once."""
        self.avatar, self.motion = avatar, motion
        self._columns = [motion.expression_names.index(name) for name in ARKIT_NAMES]
        visemes = avatar.shapes.visemes
        self._visemes = viseme_weights(motion, visemes) if visemes else motion.expression[:, :0]

    def weights(self, start: int = 0, stop: int | None = None) -> Iterator[tuple[int, Float[np.ndarray, "_ targets"]]]:
        """Yield each node whose morph targets move, with their weights; targets that nothing drives keep their own.

        Args:
            start: the first frame.
            stop: the frame after the last; all that follow if not given.
        """
        part = slice(start, stop)
        expression, visemes = self.motion.expression[part][:, self._columns], self._visemes[part]
        for mesh in self.avatar.shapes.meshes:
            drivers = self.avatar.shapes.drivers.get(mesh.node, ())
            if not drivers:
                continue
            weights = np.tile(np.array(mesh.defaults, np.float32), (len(expression), 1))
            weights[:, [driver.target for driver in drivers]] = 0
            for driver in drivers:
                weights[:, driver.target] += driver.gain * self._curve(driver.source, expression, visemes)
            yield mesh.node, weights

    def turns(self, start: int = 0, stop: int | None = None) -> Iterator[tuple[int, Float[np.ndarray, "_ 4"]]]:
        """Yield each node that turns, with its rotation relative to its parent: unit quaternions (x, y, z, w).

        Args:
            start: the first frame.
            stop: the frame after the last; all that follow if not given.
        """
        part = self.motion.cut(start, self.motion.num_frames if stop is None else stop)
        for role, nodes in self.avatar.bones.nodes.items():
            turn = self._turn(role, part)
            for node in nodes:
                yield node, self._in_own_axes(node, turn / len(nodes))

    def _curve(self, source: Source, expression: Tensor, visemes: Tensor) -> Float[np.ndarray, " _"]:
        kind, names = source
        if kind == "viseme":
            return visemes[:, self.avatar.shapes.visemes.index(names[0])].numpy()
        columns = [ARKIT_NAMES.index(name) for name in names]
        if len(columns) == 1:
            return expression[:, columns[0]].numpy()
        return corrective_weights(expression, torch.tensor([columns]))[:, 0].numpy()

    def _turn(self, role: str, motion: Motion) -> Float[Tensor, "_ 3"]:
        """Axis-angle of all bones of a role together, in the frame of a motion."""
        if role == "left_eye":
            return motion.leye_pose
        if role == "right_eye":
            return motion.reye_pose
        if role == "jaw":
            opening = motion.channel("jawOpen")
            if "mouthClose" not in self.avatar.shapes.shapes:
                opening = (opening - motion.channel("mouthClose")).clamp_min(0)
            aside = motion.channel("jawLeft") - motion.channel("jawRight")
            return torch.stack([JAW_OPEN * opening, JAW_ASIDE * aside, torch.zeros_like(aside)], 1)
        both = {"head", "neck"} <= self.avatar.bones.nodes.keys()
        share = {"head": 1 - NECK_SHARE, "neck": NECK_SHARE}[role] if both else 1.0
        return head_turn(motion) * share

    def _in_own_axes(self, node: int, turn: Float[Tensor, "_ 3"]) -> Float[np.ndarray, "_ 4"]:
        tree = self.avatar.tree
        axes = torch.from_numpy(parent_axes(tree, self.avatar.bones, node)).to(turn)
        x, y, z, w = tree.rotations[node].tolist()
        rest = turn.new_tensor([w, x, y, z])
        blocks = [axis_angle_to_quaternion(part @ axes.T) for part in turn.split(_BLOCK)]
        return torch.cat([quaternion_product(block, rest.expand_as(block)) for block in blocks]).numpy()[
            :, [1, 2, 3, 0]
        ]


def head_turn(motion: Motion) -> Float[Tensor, "frames 3"]:
    """Rotation of the head as a whole, axis-angle."""
    if not bool(motion.global_orient.any()):
        return motion.neck_pose
    rows = zip(motion.global_orient.split(_BLOCK), motion.neck_pose.split(_BLOCK), strict=True)
    return torch.cat([matrix_to_axis_angle(axis_angle_to_matrix(a) @ axis_angle_to_matrix(b)) for a, b in rows])


def read_avatar(path: Path | str) -> Avatar:
    """Read a character and find what a motion moves in it.

    Args:
        path: `.glb`, `.gltf` or `.vrm` file.

    Raises:
        FacetalkError: the file is damaged, or nothing in it moves a mouth; the message lists what was found.
    """
    file = read_gltf(path)
    tree, meshes = read_nodes(file), morph_meshes(file)
    bones = find_bones(file, tree, [mesh.node for mesh in meshes])
    shapes = match_shapes(file, meshes, {"left_eye", "right_eye"} <= bones.nodes.keys())
    avatar = _without_doubles(Avatar(file, tree, shapes, bones, avatar_report(file.path.name, tree, shapes, bones)))
    if not avatar.report.mouth:
        raise FacetalkError(nothing_found(file.path, shapes))
    return avatar


def _without_doubles(avatar: Avatar) -> Avatar:
    """The avatar without the bones whose part shapes move already."""
    shapes, nodes = avatar.shapes, dict(avatar.bones.nodes)
    if _eyeball_shapes(shapes) or not {"left_eye", "right_eye"} <= nodes.keys():
        nodes = {role: found for role, found in nodes.items() if role not in ("left_eye", "right_eye")}
    if shapes.mouth not in ("", "ARKit") or "jawOpen" in shapes.shapes:
        nodes.pop("jaw", None)
    bones = replace(avatar.bones, nodes=nodes)
    return replace(avatar, bones=bones, report=avatar_report(avatar.file.path.name, avatar.tree, shapes, bones))


def _eyeball_shapes(shapes: ShapeMatch) -> bool:
    """Whether a mesh of its own for the eyes has shapes for the gaze, so that bones would turn them twice."""
    for mesh in shapes.meshes:
        parts = set(words(mesh.name))
        drives = any(driver.source.names[0].startswith("eyeLook") for driver in shapes.drivers.get(mesh.node, ()))
        if drives and parts & {"eye", "eyes", "eyeball", "eyeballs"} and not parts & {"lash", "lashes", "lid", "lids"}:
            return True
    return False
