"""The .usda is read by Pixar's own library and moves like the head model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from facetalk.exporters import usd
from facetalk.head.assets import HeadAssets
from facetalk.head.model import HeadModel
from tests.conftest import make_corrected_toy_head, make_toy_head
from tests.exporters.motions import lively_motion
from tests.exporters.test_glb import few_joints_head

Usd, UsdGeom, UsdShade, UsdSkel, Vt = (
    pytest.importorskip(f"pxr.{name}", reason="usd-core is not installed")
    for name in ("Usd", "UsdGeom", "UsdShade", "UsdSkel", "Vt")
)


@pytest.mark.parametrize("make_head", [make_toy_head, few_joints_head, make_corrected_toy_head])
def test_usd_skel_computes_what_the_head_model_computes(tmp_path: Path, make_head: Callable[[], HeadAssets]) -> None:
    assets = make_head()
    motion = lively_motion(assets, num_frames=6, fps=25)
    usd.write(tmp_path / "a.usda", motion, HeadModel(assets))
    stage = Usd.Stage.Open(str(tmp_path / "a.usda"))
    assert stage.GetTimeCodesPerSecond() == 25
    assert (stage.GetStartTimeCode(), stage.GetEndTimeCode()) == (0, 5)
    assert UsdGeom.GetStageMetersPerUnit(stage) == 1
    assert UsdGeom.GetStageUpAxis(stage) == "Y"
    root = UsdSkel.Root(stage.GetDefaultPrim())
    cache = UsdSkel.Cache()
    cache.Populate(root, Usd.TraverseInstanceProxies())
    (binding,) = cache.ComputeSkelBindings(root, Usd.TraverseInstanceProxies())
    skeleton = cache.GetSkelQuery(binding.GetSkeleton())
    (skinning,) = binding.GetSkinningTargets()
    mesh = UsdGeom.Mesh(skinning.GetPrim())
    shapes = UsdSkel.BlendShapeQuery(UsdSkel.BindingAPI(mesh.GetPrim()))
    indices, offsets = shapes.ComputeBlendShapePointIndices(), shapes.ComputeSubShapePointOffsets()
    truth = HeadModel(assets).pose(motion).vertices.numpy()
    for frame in (0, 2, 5):
        weights = skeleton.GetAnimQuery().ComputeBlendShapeWeights(frame)
        sub_weights, shape_numbers, sub_numbers = shapes.ComputeSubShapeWeights(weights)
        points = Vt.Vec3fArray(mesh.GetPointsAttr().Get())
        assert shapes.ComputeDeformedPoints(sub_weights, shape_numbers, sub_numbers, indices, offsets, points)
        assert skinning.ComputeSkinnedPoints(skeleton.ComputeSkinningTransforms(frame), points, frame)
        distance_mm = 1000 * np.linalg.norm(np.array(points) - truth[frame], axis=1)
        assert distance_mm.max() < 0.1


def test_every_face_has_one_material(tmp_path: Path) -> None:
    assets = make_toy_head()
    usd.write(tmp_path / "a.usda", lively_motion(assets, num_frames=1), HeadModel(assets))
    stage = Usd.Stage.Open(str(tmp_path / "a.usda"))
    mesh = UsdGeom.Mesh(stage.GetPrimAtPath("/Head/Face"))
    subsets = UsdShade.MaterialBindingAPI(mesh.GetPrim()).GetMaterialBindSubsets()
    faces = np.concatenate([np.array(subset.GetIndicesAttr().Get()) for subset in subsets])
    np.testing.assert_array_equal(np.sort(faces), np.arange(len(assets.shape.faces)))
    for subset in subsets:
        material, _ = UsdShade.MaterialBindingAPI(subset.GetPrim()).ComputeBoundMaterial()
        assert material.GetSurfaceOutput().HasConnectedSource()
