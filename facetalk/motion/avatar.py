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
from facetalk.head.viseme_shapes import VISEME_SETS, to_visemes
from facetalk.io.gltf import GltfFile, read_gltf
from facetalk.io.gltf_morphs import morph_meshes
from facetalk.io.gltf_nodes import NodeTree, read_nodes
from facetalk.motion.avatar_bones import AvatarBones, find_bones, parent_axes
from facetalk.motion.avatar_report import AvatarReport, avatar_report, nothing_found
from facetalk.motion.avatar_shapes import ShapeMatch, Source, match_shapes

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

    def morph_weights(self, motion: Motion) -> Iterator[tuple[int, Float[np.ndarray, "frames targets"]]]:
        """Each node whose morph targets move, with their weights; targets that nothing drives keep their own.

        Args:
            motion: with ARKit's channels.
        """
        sources = _Sources(motion.expression)
        for mesh in self.shapes.meshes:
            drivers = self.shapes.drivers.get(mesh.node, ())
            if not drivers:
                continue
            weights = np.tile(np.array(mesh.defaults, np.float32), (motion.num_frames, 1))
            weights[:, [driver.target for driver in drivers]] = 0
            for driver in drivers:
                weights[:, driver.target] += driver.gain * sources.curve(driver.source)
            yield mesh.node, weights

    def turns(self, motion: Motion) -> Iterator[tuple[int, Float[np.ndarray, "frames 4"]]]:
        """Each node that turns, with its rotation relative to its parent: unit quaternions (x, y, z, w).

        Args:
            motion: with ARKit's channels.
        """
        for role, nodes in self.bones.nodes.items():
            turn = self._turn(role, motion)
            for node in nodes:
                yield node, self._in_own_axes(node, turn / len(nodes))

    def _turn(self, role: str, motion: Motion) -> Float[Tensor, "frames 3"]:
        """Axis-angle of all bones of a role together, in the frame of a motion."""
        if role == "left_eye":
            return motion.leye_pose
        if role == "right_eye":
            return motion.reye_pose
        if role == "jaw":
            opening = motion.channel("jawOpen")
            if "mouthClose" not in self.shapes.shapes:
                opening = (opening - motion.channel("mouthClose")).clamp_min(0)
            aside = motion.channel("jawLeft") - motion.channel("jawRight")
            return torch.stack([JAW_OPEN * opening, JAW_ASIDE * aside, torch.zeros_like(aside)], 1)
        share = {"head": 1 - NECK_SHARE, "neck": NECK_SHARE}[role] if {"head", "neck"} <= self.bones.nodes.keys() else 1
        return head_turn(motion) * share

    def _in_own_axes(self, node: int, turn: Float[Tensor, "frames 3"]) -> Float[np.ndarray, "frames 4"]:
        axes = torch.from_numpy(parent_axes(self.tree, self.bones, node)).to(turn)
        x, y, z, w = self.tree.rotations[node].tolist()
        rest = turn.new_tensor([w, x, y, z])
        blocks = [axis_angle_to_quaternion(part @ axes.T) for part in turn.split(_BLOCK)]
        return torch.cat([quaternion_product(block, rest) for block in blocks]).numpy()[:, [1, 2, 3, 0]]


def head_turn(motion: Motion) -> Float[Tensor, "frames 3"]:
    """Rotation of the head as a whole, axis-angle."""
    if not bool(motion.global_orient.any()):
        return motion.neck_pose
    rows = zip(motion.global_orient.split(_BLOCK), motion.neck_pose.split(_BLOCK), strict=True)
    return torch.cat([matrix_to_axis_angle(axis_angle_to_matrix(a) @ axis_angle_to_matrix(b)) for a, b in rows])


class _Sources:
    """The curves that drive morph targets; a set of visemes is solved once."""

    def __init__(self, expression: Float[Tensor, "frames 52"]) -> None:
        self._expression = expression
        self._visemes: dict[str, Tensor] = {}

    def curve(self, source: Source) -> Float[np.ndarray, " frames"]:
        """The values of one source."""
        kind, names = source
        if kind != "arkit":
            if kind not in self._visemes:
                self._visemes[kind] = to_visemes(self._expression, kind)
            return self._visemes[kind][:, VISEME_SETS[kind].index(names[0])].numpy()
        columns = [ARKIT_NAMES.index(name) for name in names]
        if len(columns) == 1:
            return self._expression[:, columns[0]].numpy()
        return corrective_weights(self._expression, torch.tensor([columns]))[:, 0].numpy()


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
