"""What the shipped head's channels, correctives and identity directions may never do.

The checks go through the sculptor's tables (rings of the openings, parts) and the finished file. Bounds are in
millimeters; `face_geometry` says what is measured and what counts as a plausible expression.
"""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch

from facetalk.head.channels import ARKIT_NAMES, mirrored
from facetalk.head.correctives import blend_shape_names
from facetalk.head.model import HeadModel
from facetalk.motion.heads import load_head_assets
from facetalk.workshop.head.anatomy import read_measurements
from facetalk.workshop.head.sculpture import Sculpture, sculpt
from tests.workshop.head import face_geometry as geometry
from tests.workshop.head.face_geometry import expression_of, plausible_expressions, posed

PENETRATION = 0.3
TRAIT_NAMES = (
    "faceWidth", "jawWidth", "chinLength", "chinForward", "noseWidth", "noseLength", "noseBridge", "noseTip",
    "lipFullness", "mouthWidth", "browHeight", "browRidge", "cheekbones", "cheekFat", "foreheadHeight", "eyeSpacing",
    "eyeSize", "age", "sex", "earSize", "skullWidth", "skullHeight", "neckWidth",
)  # fmt: skip


@pytest.fixture(scope="module")
def head() -> HeadModel:
    return HeadModel(load_head_assets("facetalk"))


@pytest.fixture(scope="module")
def sculpture() -> Sculpture:
    return sculpt(read_measurements())


@pytest.fixture(scope="module")
def random_faces(head: HeadModel) -> np.ndarray:
    """A thousand plausible expressions, (1000, vertices, 3) mm."""
    return posed(head, plausible_expressions(1000, seed=0)).astype(np.float32)


def test_correctives_and_identities_mirror_themselves_or_their_partner(head: HeadModel, sculpture: Sculpture) -> None:
    flip = torch.tensor([-1.0, 1, 1])
    assets = head.assets
    assert assets.shape.corrective_dirs is not None and assets.shape.corrective_pairs is not None
    pairs = [tuple(sorted(ARKIT_NAMES[i] for i in pair)) for pair in assets.shape.corrective_pairs.tolist()]
    others = [pairs.index(tuple(sorted(map(mirrored, pair)))) for pair in pairs]
    partner = torch.from_numpy(sculpture.partner)
    reflected = assets.shape.corrective_dirs[others][:, partner] * flip
    torch.testing.assert_close(assets.shape.corrective_dirs, reflected, rtol=0, atol=2e-5)
    torch.testing.assert_close(
        assets.shape.identity_dirs, assets.shape.identity_dirs[:, partner] * flip, rtol=0, atol=3e-5
    )


def test_correctives_have_names_after_the_52_channels(head: HeadModel) -> None:
    names = blend_shape_names(head.shape)
    assert names[:52] == ARKIT_NAMES and len(set(names)) == len(names)
    wanted = {"eyeBlinkLeft_half", "eyeBlinkRight_eyeSquintRight", "eyeBlinkLeft_eyeLookDownLeft",
              "jawOpen_mouthFunnel", "jawOpen_mouthPucker", "jawOpen_mouthSmileLeft",
              "mouthSmileLeft_mouthSmileRight"}  # fmt: skip
    assert wanted <= set(names)


@pytest.mark.slow
def test_no_triangle_folds_or_collapses_over_a_thousand_expressions(head: HeadModel, random_faces: np.ndarray) -> None:
    faces = head.shape.faces.numpy()
    outside = faces[np.isin(faces, head.points.regions["skin"].numpy()).all(1)]
    areas, cosines = geometry.folded(random_faces, outside, 1000 * head.template.numpy())
    assert areas.min() > 1e-3, "mm^2"
    # Lips at the corner of a closing mouth and the skin at the inner corner of a shut eye crease by up to 132 degrees;
    # a triangle that is turned over would come near -1.
    assert cosines.min() > -0.75


CLOSED = (
    {}, {"mouthPress": 0.5}, {"mouthPress": 1}, {"mouthPucker": 0.5}, {"mouthPucker": 1}, {"mouthSmile": 1},
    {"mouthSmileLeft": 1}, {"mouthFrown": 1}, {"mouthDimple": 1}, {"cheekPuff": 1},
    {"mouthRollUpper": 1, "mouthRollLower": 1}, *({"jawOpen": x, "mouthClose": x} for x in (0.1, 0.3, 0.5, 0.8, 1)),
    {"jawOpen": 0.5, "mouthClose": 0.5, "mouthPress": 1}, {"jawOpen": 0.4, "mouthClose": 0.4, "mouthPucker": 1},
    {"jawOpen": 0.4, "mouthClose": 0.4, "mouthSmile": 1},
)  # fmt: skip


def test_closed_lips_meet_and_do_not_cross(head: HeadModel, sculpture: Sculpture) -> None:
    vertices = posed(head, torch.cat([expression_of(**amounts) for amounts in CLOSED]))
    assert geometry.lip_crossing(sculpture, vertices).max() < PENETRATION
    assert geometry.lip_gap(sculpture, vertices).max() < PENETRATION


@pytest.mark.parametrize("side", ["left", "right"])
def test_shut_lids_meet_whatever_else_moves_them(head: HeadModel, sculpture: Sculpture, side: str) -> None:
    partners = (
        "eyeSquint",
        "eyeLookDown",
        "eyeLookUp",
        "eyeLookIn",
        "eyeLookOut",
        "eyeWide",
        "cheekSquint",
        "browDown",
    )
    shut = [expression_of(eyeBlink=1), *(expression_of(eyeBlink=1, **{name: 1.0}) for name in partners)]
    gaps = geometry.lid_gap(sculpture, posed(head, torch.cat(shut)), side)
    assert np.abs(gaps).max() < PENETRATION


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_half_blink_leaves_half_the_opening(head: HeadModel, sculpture: Sculpture, side: str) -> None:
    amounts = torch.cat([expression_of(eyeBlink=x) for x in (0, 0.25, 0.5, 0.75, 1)])
    gaps = geometry.lid_gap(sculpture, posed(head, amounts), side).mean(1)
    np.testing.assert_allclose(gaps / gaps[0], [1, 0.75, 0.5, 0.25, 0], atol=0.04)


@pytest.mark.parametrize("side", ["left", "right"])
def test_the_eyeball_stays_behind_the_lids_over_gaze_and_blink(
    head: HeadModel, sculpture: Sculpture, side: str
) -> None:
    ways = [{}, *({name: x} for name in ("eyeLookUp", "eyeLookDown", "eyeLookIn", "eyeLookOut") for x in (0.5, 1.0))]
    ways += [{a: 1.0, b: 1.0} for a, b in product(("eyeLookUp", "eyeLookDown"), ("eyeLookIn", "eyeLookOut"))]
    grid = [expression_of(eyeBlink=blink, **way) for blink in (0, 0.25, 0.5, 0.75, 1) for way in ways]
    grid += [expression_of(eyeBlink=x, **{name: 1.0}) for x in (0, 0.5, 1) for name in ("eyeSquint", "eyeWide")]
    assert geometry.eyeball_clearance(sculpture, posed(head, torch.cat(grid)), side).min() > 0


def test_teeth_stay_behind_the_lips(sculpture: Sculpture, random_faces: np.ndarray) -> None:
    assert geometry.teeth_through_lips(sculpture, random_faces).max() < 0


def test_the_slow_look_at_teeth_and_lips_agrees(sculpture: Sculpture, random_faces: np.ndarray) -> None:
    lips = np.unique(sculpture.rings["mouth"][1:])
    for points in random_faces[::400]:
        depths = []
        for row in ("upper_teeth", "lower_teeth"):
            tooth = points[sculpture.groups[row]]
            near = (np.abs(points[lips][:, None, :2] - tooth[None, :, :2]) < 1.0).all(2)
            depths.append(np.where(near, tooth[None, :, 2] - points[lips][:, None, 2], -np.inf).max())
        assert geometry.teeth_through_lips(sculpture, points[None])[0] >= max(depths)


def test_tongue_and_lower_teeth_move_with_the_jaw(head: HeadModel, sculpture: Sculpture) -> None:
    rest, opened = posed(head, torch.cat([expression_of(), expression_of(jawOpen=1)]))
    drop = {name: float((rest - opened)[sculpture.groups[name], 1].mean()) for name in sculpture.groups}
    assert drop["upper_teeth"] == 0
    assert drop["lower_teeth"] > 20 and drop["tongue"] > 10


def test_the_tongue_comes_out_between_the_lips(head: HeadModel, sculpture: Sculpture) -> None:
    (out,) = posed(head, expression_of(jawOpen=0.5, tongueOut=1))
    tongue, rim = out[sculpture.groups["tongue"]], out[sculpture.rings["mouth"][0]]
    assert tongue[:, 2].max() > rim[:, 2].max() + 8
    at_lips = tongue[np.abs(tongue[:, 2] - rim[len(rim) // 2, 2]) < 3]
    assert rim[len(rim) // 2, 1] - 1.0 < at_lips[:, 1].mean() < rim[0, 1]


def test_identity_directions_have_names_with_a_meaning(head: HeadModel) -> None:
    assert set(TRAIT_NAMES) <= set(head.shape.identity_names) and len(TRAIT_NAMES) >= 20
    points = 1000 * head.points.mediapipe.on(head.identity_dirs).flatten(1)
    traits = points[[head.shape.identity_names.index(name) for name in TRAIT_NAMES]]
    unit = torch.nn.functional.normalize(traits[traits.norm(dim=1) > 3], dim=1)
    alike = (unit @ unit.T - torch.eye(len(unit))).abs().max()
    assert float(alike) < 0.8, "two names for the same change"


@pytest.mark.parametrize("amount", [-2.0, 2.0])
def test_every_identity_keeps_lips_lids_and_teeth_in_place(
    head: HeadModel, sculpture: Sculpture, amount: float
) -> None:
    shown = torch.cat([expression_of(), expression_of(eyeBlink=1), expression_of(eyeBlink=0.5)])
    for name in head.shape.identity_names:
        vertices = posed(head, shown, **{name: amount})
        assert geometry.lip_crossing(sculpture, vertices[:1])[0] < PENETRATION, name
        assert geometry.lip_gap(sculpture, vertices[:1])[0] < PENETRATION, name
        assert geometry.teeth_through_lips(sculpture, vertices[:1])[0] < 0, name
        assert geometry.eyeball_clearance(sculpture, vertices, "left").min() > 0, name
        assert np.abs(geometry.lid_gap(sculpture, vertices[1:2], "left")).max() < PENETRATION, name
