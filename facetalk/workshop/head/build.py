"""Build the bundled head from the measurements."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from facetalk.core.landmarks import IBUG_FROM_MEDIAPIPE, NUM_MESH_POINTS
from facetalk.head.assets import HeadAppearance, HeadAssets, HeadPoints, HeadShape
from facetalk.head.channels import ARKIT_NAMES
from facetalk.head.looks import PAINTED
from facetalk.head.surface_points import SurfacePoints
from facetalk.workshop.head import paint
from facetalk.workshop.head.anatomy import read_measurements
from facetalk.workshop.head.channels import all_channels
from facetalk.workshop.head.correctives import all_correctives
from facetalk.workshop.head.domain import PER_RADIAN, smoothstep
from facetalk.workshop.head.embedding import embed
from facetalk.workshop.head.face import Face
from facetalk.workshop.head.identity import all_directions, identity_names
from facetalk.workshop.head.occlusion import openness, smoothed
from facetalk.workshop.head.parts import EYE_CENTER, IRIS_RADIUS, PUPIL_RADIUS
from facetalk.workshop.head.sculpture import SKIN, Sculpture, hairline, mirror_columns, sculpt, vertex_normals
from facetalk.workshop.head.topology import MOUTH_LEVELS

METERS = 1e-3
JOINTS = np.array(
    [[0.0, -205.0, -95.0], [0.0, -135.0, -88.0], [0.0, -19.0, -68.0], EYE_CENTER, [-EYE_CENTER[0], *EYE_CENTER[1:]]]
)
"""Root at the base of the neck, neck, jaw between the condyles, left and right eye; mm."""


MOUTH_TONES = (
    (0.80, 0.66, 0.66), (0.66, 0.46, 0.46), (0.52, 0.30, 0.30), (0.36, 0.18, 0.18), (0.22, 0.10, 0.10),
    (0.13, 0.06, 0.06), (0.08, 0.03, 0.03), (0.05, 0.02, 0.02), (0.03, 0.01, 0.01),
)  # fmt: skip
"""Color of each row from the lips to the throat, times the texture at the lips' rim."""
NOSTRIL_TONES = ((0.42, 0.31, 0.29), (0.20, 0.11, 0.10), (0.09, 0.04, 0.04), (0.05, 0.02, 0.02))


def skin_weights(face: Face) -> np.ndarray:
    """Share of root, neck, jaw, left eye and right eye in every vertex."""
    head = face.head
    along = np.where(np.isfinite(head.places[:, 1]), head.places[:, 1], 0.0)
    weights = np.zeros((len(head.points), 5))
    weights[:, 1] = smoothstep(-240, -140, along)
    weights[:, 0] = 1 - weights[:, 1]
    jaw = face.jaw * weights[:, 1]
    weights[:, 2] = jaw
    weights[:, 1] -= jaw
    for joint, name in ((3, "left_eyeball"), (4, "right_eyeball")):
        weights[head.groups[name]] = np.eye(5)[joint]
    return weights


def regions(face: Face) -> dict[str, np.ndarray]:
    """Vertex sets, see `facetalk.head.regions`."""
    head = face.head
    x, y = np.abs(face.places[:, 0]), face.places[:, 1]
    inner = np.concatenate([row for rows in head.linings.values() for row in rows])
    outside = np.setdiff1d(head.groups[SKIN], np.unique(inner))
    ears = np.unique(np.concatenate([head.linings["left_ear"], head.linings["right_ear"]]))
    on_skin = np.zeros(len(head.points), bool)
    on_skin[outside] = True
    mouth = head.rings["mouth"]
    columns = mouth.shape[1]
    upper = np.append(np.arange(columns * 3 // 4 + 1, columns), np.arange(0, columns // 4))
    lower_line = np.interp(x, [0, 20, 40, 60], [-40, -38, -44, -60])
    eye_rings = np.concatenate([head.rings["left_eye"], head.rings["right_eye"]])
    low, high = paint.brow_curve(head.face_at, np.linspace(0, 1, 40))
    brow = np.concatenate([low * 0.3 + high * 0.7, low * 0.7 + high * 0.3]) * [-1, 1]
    gap = np.linalg.norm(np.stack([x, y], 1)[:, None] - brow[None], axis=-1).min(1)
    sets = {
        "skin": np.union1d(outside, ears),
        "lips": np.unique(mouth[MOUTH_LEVELS <= 3.4]),
        "upper_lip_inner": mouth[0][upper],
        "lower_lip_inner": mouth[0][mirror_columns(columns)[upper]],
        "mouth": np.flatnonzero(on_skin & (y < lower_line) & (y > -116) & (x < 52)),
        "upper_face": np.flatnonzero(on_skin & (y > -12) & (y < 64) & (x < 78)),
        "eyes": np.unique(eye_rings),
        "brows": np.flatnonzero(on_skin & (gap < 4.0)),
        "irises": irises(head),
        "mouth_lining": np.unique(head.linings["mouth"][3:]),
        "neck": np.flatnonzero(on_skin & ((y < -150) | ((x > 150) & (y < -75)))),
    }
    return sets | {name: head.groups[name] for name in head.groups if name != SKIN}


def irises(head: Sculpture) -> np.ndarray:
    """Vertices of both irises with their dark rims, without the pupils."""
    found = []
    for side, name in ((1.0, "left_eyeball"), (-1.0, "right_eyeball")):
        members = head.groups[name]
        offset = head.points[members] - np.array(EYE_CENTER) * [side, 1, 1]
        reach = np.hypot(offset[:, 0], offset[:, 1])
        ring = (offset[:, 2] > 0) & (reach > PUPIL_RADIUS * 1.04) & (reach < IRIS_RADIUS * 1.04)
        found.append(members[ring])
    return np.concatenate(found)


def uv_layout(head: Sculpture) -> tuple[np.ndarray, np.ndarray]:
    """Texture coordinates and their rows for each triangle's corners; the back midline has a row for either side."""
    places = np.where(np.isfinite(head.places), head.places, 0.0)
    uv = paint.to_texture(places)
    uv[~np.isfinite(head.places[:, 0])] = paint.WHITE_AT
    faces = head.faces.copy()
    edge = np.flatnonzero(places[:, 0] > np.pi * PER_RADIAN - 1e-6)
    copies = {int(vertex): len(uv) + i for i, vertex in enumerate(edge)}
    right = (places[faces][:, :, 0] < 0).any(1)
    for row in np.flatnonzero(right & np.isin(faces, edge).any(1)):
        faces[row] = [copies.get(int(vertex), vertex) for vertex in faces[row]]
    lids = np.concatenate([head.linings["left_eye"], head.linings["right_eye"]])
    faces[np.isin(head.faces, lids).any(1)] = len(uv) + len(edge)
    return np.concatenate([uv, paint.to_texture(places[edge] * [-1, 1]), [paint.PINK_AT]]), faces


def vertex_colors(head: Sculpture) -> np.ndarray:
    """Texture multipliers on the skin, with ambient occlusion; colors on the other parts."""
    colors = head.colors.copy()
    normals = vertex_normals(head.points, head.faces)
    hidden = 1 - smoothed(openness(head.points, head.faces, normals), head.faces)
    hidden = (hidden + hidden[head.partner]) / 2
    skin = head.groups[SKIN]
    # Light that bounces between folds of skin is reddish.
    colors[skin] = 1 - hidden[skin, None] * np.array([0.42, 0.56, 0.58])
    for row, tone in zip(head.linings["mouth"], MOUTH_TONES, strict=True):
        colors[row] = tone
    for name in ("left_nostril", "right_nostril"):
        for row, tone in zip(head.linings[name], NOSTRIL_TONES, strict=True):
            colors[row] = tone
    for name in ("left_eye", "right_eye"):
        colors[head.linings[name]] = lid_rim_colors(head.linings[name])
    return colors


def lid_rim_colors(rows: np.ndarray) -> np.ndarray:
    """Multipliers of the wet rim's pink: shaded by the upper lashes, redder at the inner corner, (rows, n, 3)."""
    columns = np.arange(rows.shape[1])
    half = rows.shape[1] // 2
    upper = np.clip(np.sin(np.pi * columns / half), 0, 1) ** 0.5
    corner = smoothstep(5.5, 1.5, np.abs(columns - half))
    tone = np.array([0.93, 0.90, 0.90]) * (1 - 0.45 * upper[:, None])
    tone += corner[:, None] * (np.array([0.92, 0.74, 0.74]) - tone)
    return np.repeat(tone[None], len(rows), 0)


def gloss_of(head: Sculpture) -> np.ndarray:
    """Specular strength and exponent."""
    gloss = np.tile([0.10, 14.0], (len(head.points), 1))
    gloss[np.unique(head.rings["mouth"][MOUTH_LEVELS <= 2.8])] = [0.22, 26.0]
    gloss[np.unique(head.rings["mouth"][:2])] = [0.03, 20.0]
    gloss[np.unique(head.linings["mouth"])] = [0.05, 20.0]
    hair = (hairline(np.nan_to_num(head.places, nan=-500)) > 4) & np.isfinite(head.places[:, 0])
    gloss[hair] = [0.05, 10.0]
    for name in ("left_nostril", "right_nostril"):
        gloss[np.unique(head.linings[name])] = [0.0, 10.0]
    for name in ("left_eye", "right_eye"):
        gloss[np.unique(head.linings[name])] = [0.45, 45.0]
    for name in ("left_ear", "right_ear"):
        gloss[np.unique(head.linings[name])] = [0.10, 14.0]
    for name, value in (("eyeball", (0.75, 90.0)), ("teeth", (0.30, 45.0)), ("tongue", (0.25, 30.0))):
        for group in head.groups:
            if name in group:
                gloss[head.groups[group]] = value
    return gloss


def read_calibration() -> np.ndarray:
    """Read the displacements of MediaPipe's points, see `calibrating`, (478, 3) mm."""
    with np.load(Path(__file__).with_name("calibration.npz"), allow_pickle=False) as file:
        return file["offsets"].astype(np.float64)


def read_channel_bias() -> np.ndarray:
    """`HeadPoints.detector_bias`, see `calibrating`, (53, 478, 3) meters."""
    with np.load(Path(__file__).with_name("calibration.npz"), allow_pickle=False) as file:
        return file["by_channel"].astype(np.float64)


def build_head(calibrated: bool = True) -> HeadAssets:
    """Build the bundled head; the result is deterministic.

    Args:
        calibrated: place MediaPipe's points where MediaPipe detects them on this head, not where they were measured.
    """
    measurements = read_measurements()
    head = sculpt(measurements)
    face = Face(head)
    identity = all_directions(head, measurements)
    channels = all_channels(head)
    correctives, pairs = all_correctives(face, channels)
    triangles, weights = embed(head, read_calibration() if calibrated else None)
    uv, uv_faces = uv_layout(head)
    texture, layers = paint.paint(head)
    joint_identity = np.zeros((len(identity), 5, 3))
    for joint, name in ((3, "left_eyeball"), (4, "right_eyeball")):
        joint_identity[:, joint] = identity[:, head.groups[name][0]]

    def tensor(values: np.ndarray) -> torch.Tensor:
        return torch.tensor(np.ascontiguousarray(values), dtype=torch.float32)

    def points(rows: Sequence[int]) -> SurfacePoints:
        return SurfacePoints(torch.tensor(triangles[list(rows)]), tensor(weights[list(rows)]))

    return HeadAssets(
        name="facetalk",
        shape=HeadShape(
            template=tensor(head.points * METERS),
            identity_dirs=tensor(identity * METERS),
            identity_names=identity_names(measurements),
            expression_dirs=tensor(channels * METERS),
            expression_names=ARKIT_NAMES,
            faces=torch.tensor(np.ascontiguousarray(head.faces)),
            joints=tensor(JOINTS * METERS),
            joint_identity_dirs=tensor(joint_identity * METERS),
            skin_weights=tensor(skin_weights(face)),
            corrective_dirs=tensor(correctives * METERS),
            corrective_pairs=torch.tensor(pairs),
        ),
        points=HeadPoints(
            landmarks=points(IBUG_FROM_MEDIAPIPE),
            mediapipe=points(range(NUM_MESH_POINTS)),
            mediapipe_ids=torch.arange(NUM_MESH_POINTS),
            regions={name: torch.tensor(np.ascontiguousarray(members)) for name, members in regions(face).items()},
            detector_bias=tensor(read_channel_bias()) if calibrated else None,
        ),
        appearance=HeadAppearance(
            colors=tensor(vertex_colors(head)),
            gloss=tensor(gloss_of(head)),
            uv_coords=tensor(uv),
            uv_faces=torch.tensor(uv_faces),
            texture=texture,
            texture_layers=layers,
        ),
        meta={"look": PAINTED, "license": "as facetalk", "source": "python -m facetalk.workshop.head"},
    )
