"""The head as USD text: a UsdSkel character with blend shapes, and a motion as its animation.

Meters, y up, one time code per frame. Samples that linear interpolation reproduces are omitted, see `keys`. Written
without the USD library, which is large; trimesh writes no USD.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from facetalk.core.motion import Motion
from facetalk.core.version import __version__
from facetalk.exporters.head_mesh import vertex_normals
from facetalk.exporters.keys import ROTATION_TOLERANCE, TRANSLATION_TOLERANCE_M, WEIGHT_TOLERANCE, needed_keys
from facetalk.exporters.part_textures import textured_parts
from facetalk.exporters.tracks import joint_places, joint_rotations, shape_dirs, shape_names, shape_weights
from facetalk.exporters.usd_materials import SCOPE, materials
from facetalk.exporters.usd_text import numbers, quoted, samples, shift, texts, tuples
from facetalk.head.assets import HeadAssets
from facetalk.head.model import HeadModel
from facetalk.head.skinning import JOINT_NAMES, JOINT_PARENTS

_SMALLEST_MOVE_M = 2e-6
"""Displacements below two micrometers are omitted from a blend shape."""
_SMALLEST_TURN = 2e-3
"""Changes of a unit normal below this are omitted."""
_THOUSANDTHS = [f"{number / 1000:g}" for number in range(1001)]
"""Weights as text; a fourth decimal would be less than a tenth of a millimeter."""


def document(head: HeadModel, motion: Motion, texture_folder: str) -> Iterator[str]:
    """The whole layer, block by block.

    Args:
        head: the head.
        motion: in its coefficients.
        texture_folder: where the images are, relative to the layer.
    """
    template, joints = (part.numpy() for part in head.shaped(motion.betas))
    yield f"""#usda 1.0
(
    customLayerData = {{
        string creator = "facetalk {__version__}"
        double fps = {float(motion.fps)!r}
        string source = {quoted(Path(motion.source).name)}
    }}
    defaultPrim = "Head"
    metersPerUnit = 1
    upAxis = "Y"
    startTimeCode = 0
    endTimeCode = {motion.num_frames - 1}
    timeCodesPerSecond = {float(motion.fps)!r}
    framesPerSecond = {float(motion.fps)!r}
)

def SkelRoot "Head" (
    prepend apiSchemas = ["SkelBindingAPI"]
    kind = "component"
)
{{
"""
    yield from _skeleton(head, joints, motion)
    yield from _mesh(head.assets, template)
    yield from materials(textured_parts(head.assets), texture_folder)
    yield "}\n"


def joint_paths() -> list[str]:
    """Joints as USD names them, each after its parents: `root/neck/jaw`."""
    paths: list[str] = []
    for name, parent in zip(JOINT_NAMES, JOINT_PARENTS, strict=True):
        paths.append(name if parent < 0 else f"{paths[parent]}/{name}")
    return paths


def _skeleton(head: HeadModel, joints: np.ndarray, motion: Motion) -> Iterator[str]:
    parents = np.array([[0.0, 0.0, 0.0] if parent < 0 else joints[parent] for parent in JOINT_PARENTS])
    names = texts(joint_paths())
    yield f"""    def Skeleton "Skeleton" (
        prepend apiSchemas = ["SkelBindingAPI"]
    )
    {{
        uniform token[] joints = {names}
        uniform matrix4d[] bindTransforms = [{", ".join(shift(place) for place in joints)}]
        uniform matrix4d[] restTransforms = [{", ".join(shift(place) for place in joints - parents)}]
        rel skel:animationSource = </Head/Skeleton/Performance>

        def SkelAnimation "Performance"
        {{
            uniform token[] joints = {names}
            uniform token[] blendShapes = {texts(shape_names(head.shape))}
            half3[] scales = {tuples(np.ones_like(joints))}
"""
    rotations, places = joint_rotations(motion), joint_places(head, motion)
    weights = shape_weights(head.shape, motion)
    keys = np.flatnonzero(needed_keys(rotations.reshape(len(rotations), -1), ROTATION_TOLERANCE))
    yield from samples("quatf[] rotations", keys, (tuples(rotations[key], 5) for key in keys))
    keys = np.flatnonzero(needed_keys(places.reshape(len(places), -1), TRANSLATION_TOLERANCE_M))
    yield from samples("float3[] translations", keys, (tuples(places[key]) for key in keys))
    keys = np.flatnonzero(needed_keys(weights, WEIGHT_TOLERANCE))
    yield from samples("float[] blendShapeWeights", keys, (_weights(weights[key]) for key in keys))
    yield "        }\n    }\n\n"


def _weights(row: np.ndarray) -> str:
    # Without spaces, and from a table: an hour has eight million weights.
    thousandths = np.rint(row * 1000).astype(np.int64)
    if thousandths.min() >= 0 and thousandths.max() <= 1000:
        return "[" + ",".join([_THOUSANDTHS[value] for value in thousandths.tolist()]) + "]"
    return "[" + ",".join([f"{value / 1000:g}" for value in thousandths.tolist()]) + "]"


def _mesh(assets: HeadAssets, template: np.ndarray) -> Iterator[str]:
    faces, normals = assets.shape.faces.numpy(), vertex_normals(template, assets.shape.faces.numpy())
    names = shape_names(assets.shape)
    yield f"""    def Mesh "Face" (
        prepend apiSchemas = ["SkelBindingAPI", "MaterialBindingAPI"]
    )
    {{
        uniform token subdivisionScheme = "none"
        uniform bool doubleSided = true
        float3[] extent = {tuples(np.stack([template.min(0), template.max(0)]))}
        point3f[] points = {tuples(template)}
        normal3f[] normals = {tuples(normals, 4)} (
            interpolation = "vertex"
        )
        int[] faceVertexCounts = {numbers(np.full(len(faces), 3))}
        int[] faceVertexIndices = {numbers(faces.ravel())}
"""
    yield _texture_coordinates(assets)
    yield _binding(assets.shape.skin_weights.numpy(), names)
    for name, offsets in zip(names, shape_dirs(assets.shape), strict=True):
        yield _blend_shape(name, offsets, vertex_normals(template + offsets, faces) - normals)
    yield '\n        uniform token subsetFamily:materialBind:familyType = "partition"\n'
    for part in textured_parts(assets):
        yield f"""
        def GeomSubset "{part.name}" (
            prepend apiSchemas = ["MaterialBindingAPI"]
        )
        {{
            uniform token elementType = "face"
            uniform token familyName = "materialBind"
            int[] indices = {numbers(part.members)}
            rel material:binding = <{SCOPE}/{part.name}>
        }}
"""
    yield "    }\n\n"


def _texture_coordinates(assets: HeadAssets) -> str:
    """Those of all parts in one table; each part's own textures are read with them."""
    corners = np.empty((len(assets.shape.faces), 3), np.int64)
    coords, start = [], 0
    for part in textured_parts(assets):
        corners[part.members] = part.uv_faces + start
        coords.append(part.uv_coords)
        start += len(part.uv_coords)
    return f"""        texCoord2f[] primvars:st = {tuples(np.concatenate(coords))} (
            interpolation = "faceVarying"
        )
        int[] primvars:st:indices = {numbers(corners.ravel())}
"""


def _binding(weights: np.ndarray, names: tuple[str, ...]) -> str:
    """How the mesh follows the skeleton and its blend shapes."""
    num_joints = weights.shape[1]
    return f"""        matrix4d primvars:skel:geomBindTransform = {shift(np.zeros(3))}
        int[] primvars:skel:jointIndices = {numbers(np.tile(np.arange(num_joints), len(weights)))} (
            elementSize = {num_joints}
            interpolation = "vertex"
        )
        float[] primvars:skel:jointWeights = {numbers(weights.ravel())} (
            elementSize = {num_joints}
            interpolation = "vertex"
        )
        uniform token[] skel:blendShapes = {texts(names)}
        rel skel:blendShapeTargets = [{", ".join(f"</Head/Face/{name}>" for name in names)}]
        rel skel:skeleton = </Head/Skeleton>
"""


def _blend_shape(name: str, offsets: np.ndarray, turned: np.ndarray) -> str:
    moved = (np.abs(offsets).max(1) > _SMALLEST_MOVE_M) | (np.abs(turned).max(1) > _SMALLEST_TURN)
    return f"""
        def BlendShape "{name}"
        {{
            uniform vector3f[] offsets = {tuples(offsets[moved], 4)}
            uniform vector3f[] normalOffsets = {tuples(turned[moved], 3)}
            uniform int[] pointIndices = {numbers(np.flatnonzero(moved))}
        }}
"""
