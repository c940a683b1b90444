"""`.usda` files: the head as a UsdSkel character with blend shapes, and a motion as its animation.

The blend shapes are the expression channels and, after them, the correctives of channels that act together. Meters, y
up, one time code per frame. Plain text, written without the USD library, which is large; trimesh writes no USD.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from facetalk.core.motion import Motion
from facetalk.core.progress import Progress, no_progress
from facetalk.core.rotations import axis_angle_to_matrix, matrix_to_quaternion
from facetalk.exporters.base import DEFAULTS, ExportOptions, at_frame_rate, check_same_head
from facetalk.exporters.head_mesh import painted_colors, part_faces, vertex_normals
from facetalk.head.assets import HeadAssets
from facetalk.head.correctives import blend_shape_dirs, blend_shape_names, blend_shape_weights
from facetalk.head.model import HeadModel
from facetalk.head.skinning import JOINT_NAMES, JOINT_PARENTS
from facetalk.io.files import replacing
from facetalk.rendering.color import srgb_to_linear

_SMALLEST_MOVE_M = 2e-6
_ROUGHNESS = {"skin": 0.5, "eyes": 0.1, "teeth": 0.25, "tongue": 0.35}
"""Roughness of each part's material; the color comes from the vertices."""


def write(
    path: Path,
    motion: Motion,
    head: HeadModel,
    options: ExportOptions = DEFAULTS,
    progress: Progress = no_progress,
) -> None:
    """Write the head with one identity and one motion as USD text, see `Exporter`."""
    check_same_head(motion, head)
    motion = at_frame_rate(motion, options)
    with replacing(path) as temporary, temporary.open("w", encoding="ascii") as file:
        for block in _document(head, motion):
            file.write(block)


def joint_paths() -> list[str]:
    """Joints as USD names them, each after its parents: `root/neck/jaw`."""
    paths: list[str] = []
    for name, parent in zip(JOINT_NAMES, JOINT_PARENTS, strict=True):
        paths.append(name if parent < 0 else f"{paths[parent]}/{name}")
    return paths


def _document(head: HeadModel, motion: Motion) -> Iterator[str]:
    assets = head.assets
    template, joints = (part.numpy() for part in head.shaped(motion.betas))
    yield f"""#usda 1.0
(
    defaultPrim = "Head"
    metersPerUnit = 1
    upAxis = "Y"
    startTimeCode = 0
    endTimeCode = {motion.num_frames - 1}
    timeCodesPerSecond = {motion.fps:.12g}
    framesPerSecond = {motion.fps:.12g}
)

def SkelRoot "Head" (
    prepend apiSchemas = ["SkelBindingAPI"]
)
{{
"""
    yield from _skeleton(assets, joints, motion)
    yield from _mesh(assets, template)
    yield from _materials(assets)
    yield "}\n"


def _skeleton(assets: HeadAssets, joints: np.ndarray, motion: Motion) -> Iterator[str]:
    parents = np.array([[0.0, 0.0, 0.0] if parent < 0 else joints[parent] for parent in JOINT_PARENTS])
    names = _texts(joint_paths())
    yield f"""    def Skeleton "Skeleton" (
        prepend apiSchemas = ["SkelBindingAPI"]
    )
    {{
        uniform token[] joints = {names}
        uniform matrix4d[] bindTransforms = [{", ".join(_shift(place) for place in joints)}]
        uniform matrix4d[] restTransforms = [{", ".join(_shift(place) for place in joints - parents)}]
        rel skel:animationSource = </Head/Skeleton/Performance>

        def SkelAnimation "Performance"
        {{
            uniform token[] joints = {names}
            uniform token[] blendShapes = {_texts(blend_shape_names(assets.shape))}
"""
    quaternions = matrix_to_quaternion(axis_angle_to_matrix(motion.poses)).numpy()
    places = np.broadcast_to(joints - parents, (motion.num_frames, *joints.shape)).copy()
    places[:, 0] += motion.transl.numpy()
    yield f"            half3[] scales = {_tuples(np.ones_like(joints))}\n"
    yield _samples("quatf[] rotations", [_tuples(rows) for rows in quaternions])
    yield _samples("float3[] translations", [_tuples(rows) for rows in places])
    yield _samples(
        "float[] blendShapeWeights",
        [_numbers(row) for row in blend_shape_weights(assets.shape, motion.expression).numpy()],
    )
    yield "        }\n    }\n\n"


def _mesh(assets: HeadAssets, template: np.ndarray) -> Iterator[str]:
    faces = assets.shape.faces.numpy()
    weights = assets.shape.skin_weights.numpy()
    num_joints = weights.shape[1]
    low, high = template.min(0), template.max(0)
    shapes = [f"</Head/Face/{name}>" for name in blend_shape_names(assets.shape)]
    yield f"""    def Mesh "Face" (
        prepend apiSchemas = ["SkelBindingAPI", "MaterialBindingAPI"]
    )
    {{
        uniform token subdivisionScheme = "none"
        float3[] extent = {_tuples(np.stack([low, high]))}
        point3f[] points = {_tuples(template)}
        normal3f[] normals = {_tuples(vertex_normals(template, faces))} (
            interpolation = "vertex"
        )
        int[] faceVertexCounts = {_numbers(np.full(len(faces), 3))}
        int[] faceVertexIndices = {_numbers(faces.ravel())}
        color3f[] primvars:displayColor = {_tuples(srgb_to_linear(painted_colors(assets)))} (
            interpolation = "vertex"
        )
        texCoord2f[] primvars:st = {_tuples(assets.appearance.uv_coords.numpy())} (
            interpolation = "faceVarying"
        )
        int[] primvars:st:indices = {_numbers(assets.appearance.uv_faces.numpy().ravel())}
        matrix4d primvars:skel:geomBindTransform = {_shift(np.zeros(3))}
        int[] primvars:skel:jointIndices = {_numbers(np.tile(np.arange(num_joints), len(weights)))} (
            elementSize = {num_joints}
            interpolation = "vertex"
        )
        float[] primvars:skel:jointWeights = {_numbers(weights.ravel())} (
            elementSize = {num_joints}
            interpolation = "vertex"
        )
        uniform token[] skel:blendShapes = {_texts(blend_shape_names(assets.shape))}
        rel skel:blendShapeTargets = [{", ".join(shapes)}]
        rel skel:skeleton = </Head/Skeleton>
"""
    for name, offsets in zip(blend_shape_names(assets.shape), blend_shape_dirs(assets.shape).numpy(), strict=True):
        yield _blend_shape(name, offsets)
    for name, members in part_faces(assets).items():
        yield f"""
        def GeomSubset "{name}" (
            prepend apiSchemas = ["MaterialBindingAPI"]
        )
        {{
            uniform token elementType = "face"
            uniform token familyName = "materialBind"
            int[] indices = {_numbers(members)}
            rel material:binding = </Head/Materials/{name}>
        }}
"""
    yield "    }\n\n"


def _blend_shape(name: str, offsets: np.ndarray) -> str:
    moved = np.flatnonzero(np.abs(offsets).max(1) > _SMALLEST_MOVE_M)
    return f"""
        def BlendShape "{name}"
        {{
            uniform vector3f[] offsets = {_tuples(offsets[moved])}
            uniform int[] pointIndices = {_numbers(moved)}
        }}
"""


def _materials(assets: HeadAssets) -> Iterator[str]:
    yield '    def Scope "Materials"\n    {\n'
    for name in part_faces(assets):
        here = f"/Head/Materials/{name}"
        yield f"""        def Material "{name}"
        {{
            token outputs:surface.connect = <{here}/Surface.outputs:surface>

            def Shader "Surface"
            {{
                uniform token info:id = "UsdPreviewSurface"
                color3f inputs:diffuseColor.connect = <{here}/Paint.outputs:result>
                float inputs:roughness = {_ROUGHNESS[name]}
                token outputs:surface
            }}

            def Shader "Paint"
            {{
                uniform token info:id = "UsdPrimvarReader_float3"
                string inputs:varname = "displayColor"
                float3 outputs:result
            }}
        }}
"""
    yield "    }\n"


def _samples(attribute: str, values: Sequence[str]) -> str:
    rows = "".join(f"                {frame}: {value},\n" for frame, value in enumerate(values))
    return f"            {attribute}.timeSamples = {{\n{rows}            }}\n"


def _shift(place: np.ndarray) -> str:
    """A translation as USD writes matrices: row by row, with points as rows."""
    x, y, z = (f"{value:.7g}" for value in place)
    return f"( (1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), ({x}, {y}, {z}, 1) )"


def _tuples(rows: np.ndarray) -> str:
    one = "(" + ", ".join(["%.6g"] * rows.shape[1]) + ")"
    return "[" + ", ".join([one] * len(rows)) % tuple(rows.ravel().tolist()) + "]"


def _numbers(values: np.ndarray) -> str:
    if values.dtype.kind in "iu":
        return "[" + ", ".join(map(str, values.tolist())) + "]"
    return "[" + ", ".join(f"{value:.6g}" for value in values.tolist()) + "]"


def _texts(values: Sequence[str]) -> str:
    return "[" + ", ".join(f'"{value}"' for value in values) + "]"
