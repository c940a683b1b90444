"""The .usda is read by Pixar's own library and moves like the head model."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from facetalk.core.errors import FacetalkError
from facetalk.exporters import usd, usdz
from facetalk.exporters.usd_text import asset, quoted
from facetalk.head.assets import HeadAssets
from facetalk.head.model import HeadModel
from tests.conftest import make_corrected_toy_head, make_toy_head
from tests.exporters.motions import lively_motion
from tests.exporters.test_glb import few_joints_head, following_head, parted_head, still_but_speaking, textured_head

Ar, Sdf, Usd, UsdGeom, UsdShade, UsdSkel, Vt = (
    pytest.importorskip(f"pxr.{name}", reason="usd-core is not installed")
    for name in ("Ar", "Sdf", "Usd", "UsdGeom", "UsdShade", "UsdSkel", "Vt")
)


@pytest.mark.parametrize("make_head", [make_toy_head, few_joints_head, make_corrected_toy_head, following_head])
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
        assert distance_mm.max() < 0.2  # weights have three decimals


def test_every_face_has_one_material(tmp_path: Path) -> None:
    assets = parted_head()
    usd.write(tmp_path / "a.usda", lively_motion(assets, num_frames=1), HeadModel(assets))
    stage = Usd.Stage.Open(str(tmp_path / "a.usda"))
    mesh = UsdGeom.Mesh(stage.GetPrimAtPath("/Head/Face"))
    subsets = UsdShade.MaterialBindingAPI(mesh.GetPrim()).GetMaterialBindSubsets()
    faces = np.concatenate([np.array(subset.GetIndicesAttr().Get()) for subset in subsets])
    np.testing.assert_array_equal(np.sort(faces), np.arange(len(assets.shape.faces)))
    assert UsdShade.MaterialBindingAPI(mesh.GetPrim()).GetMaterialBindSubsetsFamilyType() == UsdGeom.Tokens.partition
    assert UsdGeom.Subset.ValidateFamily(mesh, UsdGeom.Tokens.face, "materialBind")[0]
    for subset in subsets:
        material, _ = UsdShade.MaterialBindingAPI(subset.GetPrim()).ComputeBoundMaterial()
        assert material.GetSurfaceOutput().HasConnectedSource()


@pytest.mark.parametrize("suffix", ["usda", "usdz"])
@pytest.mark.parametrize("make_head", [parted_head, textured_head])
def test_the_validators_are_silent(tmp_path: Path, make_head: Callable[[], HeadAssets], suffix: str) -> None:
    validation = pytest.importorskip("pxr.UsdValidation", reason="this version of usd-core has no validators")
    assets, path = make_head(), tmp_path / f"a.{suffix}"
    {"usda": usd, "usdz": usdz}[suffix].write(path, lively_motion(assets, num_frames=3), HeadModel(assets))
    context = validation.ValidationContext(validation.ValidationRegistry().GetOrLoadAllValidators())
    assert [error.GetMessage() for error in context.Validate(Usd.Stage.Open(str(path)))] == []


@pytest.mark.parametrize("suffix", ["usda", "usdz"])
def test_materials_read_their_textures_with_st(tmp_path: Path, suffix: str) -> None:
    assets, path = parted_head(), tmp_path / f"take 3 @@@ [x].{suffix}"
    {"usda": usd, "usdz": usdz}[suffix].write(path, lively_motion(assets, num_frames=1), HeadModel(assets))
    stage = Usd.Stage.Open(str(path))
    coords = UsdGeom.PrimvarsAPI(stage.GetPrimAtPath("/Head/Face")).GetPrimvar("st")
    assert coords.GetInterpolation() == UsdGeom.Tokens.faceVarying
    assert len(coords.ComputeFlattened()) == 3 * len(assets.shape.faces)
    seen = {}
    for prim in stage.Traverse():
        shader = UsdShade.Shader(prim)
        if shader and shader.GetShaderId() == "UsdUVTexture":
            value = shader.GetInput("file").Get()
            # What the reader finds is an image, beside the layer or in the package.
            found = Ar.GetResolver().OpenAsset(Ar.ResolvedPath(value.resolvedPath))
            assert bytes(found.GetBuffer())[:2] == b"\xff\xd8"
            (source,), _ = shader.GetInput("st").GetConnectedSources()
            assert UsdShade.Shader(source.source.GetPrim()).GetInput("varname").Get() == "st"
            seen[prim.GetParent().GetName(), prim.GetName()] = shader.GetInput("sourceColorSpace").Get()
    assert {part for part, _ in seen} == {"skin", "eyes", "teeth", "tongue"}
    assert seen["skin", "Normal"] == seen["skin", "Roughness"] == "raw"
    assert seen["eyes", "Color"] == "sRGB"


def test_files_in_a_package_are_stored_at_multiples_of_64_bytes(tmp_path: Path) -> None:
    assets = parted_head()
    usdz.write(tmp_path / "a.usdz", lively_motion(assets, num_frames=1), HeadModel(assets))
    with zipfile.ZipFile(tmp_path / "a.usdz") as archive:
        entries = archive.infolist()
        assert archive.testzip() is None
    data = (tmp_path / "a.usdz").read_bytes()
    assert entries[0].filename == "head.usda"
    for entry in entries:
        assert entry.compress_type == zipfile.ZIP_STORED
        name, extra = (int.from_bytes(data[entry.header_offset + at :][:2], "little") for at in (26, 28))
        assert (entry.header_offset + 30 + name + extra) % 64 == 0


@pytest.mark.parametrize("fps", [24.0, 25.0, 30000 / 1001, 50.0, 60.0])
def test_the_frame_rate_is_exact_and_the_source_is_named(tmp_path: Path, fps: float) -> None:
    assets = make_toy_head()
    motion = lively_motion(assets, num_frames=4, fps=fps).replace(source='/home/me/a "b" \\ c.wav')
    usd.write(tmp_path / "a.usda", motion, HeadModel(assets))
    stage = Usd.Stage.Open(str(tmp_path / "a.usda"))
    assert stage.GetTimeCodesPerSecond() == stage.GetFramesPerSecond() == fps
    notes = stage.GetRootLayer().customLayerData
    assert (notes["fps"], notes["source"]) == (fps, 'a "b" \\ c.wav')


def test_samples_that_interpolation_reproduces_are_omitted(tmp_path: Path) -> None:
    assets = make_toy_head()
    motion = still_but_speaking(assets)
    usd.write(tmp_path / "a.usda", motion, HeadModel(assets))
    stage = Usd.Stage.Open(str(tmp_path / "a.usda"))
    animation = UsdSkel.Animation(stage.GetPrimAtPath("/Head/Skeleton/Performance"))
    attribute = animation.GetBlendShapeWeightsAttr()
    assert 30 <= len(attribute.GetTimeSamples()) <= 36
    assert list(animation.GetTranslationsAttr().GetTimeSamples()) == [0, 89]
    found = np.array([attribute.Get(frame) for frame in range(90)])
    np.testing.assert_allclose(found, motion.expression.numpy(), atol=0.0026)


def test_blend_shapes_turn_the_normals_too(tmp_path: Path) -> None:
    assets = make_toy_head()
    usd.write(tmp_path / "a.usda", lively_motion(assets, num_frames=1), HeadModel(assets))
    stage = Usd.Stage.Open(str(tmp_path / "a.usda"))
    for name in assets.shape.expression_names:
        shape = UsdSkel.BlendShape(stage.GetPrimAtPath(f"/Head/Face/{name}"))
        assert len(shape.GetNormalOffsetsAttr().Get()) == len(shape.GetPointIndicesAttr().Get())


@pytest.mark.parametrize("value", ["plain.jpg", "a@b.jpg", "@@@.jpg", "ünï code.jpg"])
def test_any_name_is_written_so_that_it_is_read_back(value: str) -> None:
    layer = Sdf.Layer.CreateAnonymous(".usda")
    assert layer.ImportFromString(
        f'#usda 1.0\ndef "a"\n{{\n    asset x = {asset(value)}\n    string y = {quoted(value)}\n}}\n'
    )
    prim = layer.GetPrimAtPath("/a")
    assert (prim.attributes["x"].default.path, prim.attributes["y"].default) == (value, value)


def test_two_files_of_one_name_have_textures_of_their_own(tmp_path: Path) -> None:
    assets = make_toy_head()
    for name in ("a.usd", "a.usda"):
        usd.write(tmp_path / name, lively_motion(assets, num_frames=1), HeadModel(assets))
    folders = sorted(path.name for path in tmp_path.iterdir() if path.is_dir())
    assert folders == ["a.usd_textures", "a.usda_textures"]
    assert "./a.usd_textures/" in (tmp_path / "a.usd").read_text() and "a.usda" not in (tmp_path / "a.usd").read_text()


@pytest.mark.parametrize("mine", ["holiday.jpg", "notes.txt"])
def test_a_folder_of_textures_with_other_files_is_never_replaced(tmp_path: Path, mine: str) -> None:
    assets = make_toy_head()
    (tmp_path / "a.usda_textures").mkdir()
    (tmp_path / "a.usda_textures" / mine).write_text("mine")
    with pytest.raises(FacetalkError, match=mine):
        usd.write(tmp_path / "a.usda", lively_motion(assets, num_frames=1), HeadModel(assets))
    assert [path.name for path in sorted(tmp_path.rglob("*"))] == ["a.usda_textures", mine]
    (tmp_path / "a.usda_textures" / mine).unlink()
    for _ in range(2):
        usd.write(tmp_path / "a.usda", lively_motion(assets, num_frames=1), HeadModel(assets))
    assert (tmp_path / "a.usda_textures" / "skin_color.jpg").is_file()
