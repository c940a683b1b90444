"""Plain geometry of the bundled head's lips, lids, teeth and triangles, by the sculptor's own tables. Millimeters."""

from __future__ import annotations

import numpy as np
import torch
from scipy.ndimage import maximum_filter

from facetalk.head.channels import ARKIT_NAMES, mirrored
from facetalk.head.gaze import channels_to_gaze
from facetalk.head.model import HeadModel
from facetalk.workshop.head.parts import CORNEA, EYE_RADIUS, IRIS_RADIUS
from facetalk.workshop.head.sculpture import Sculpture, mirror_columns

MOUTH = ("mouthFunnel", "mouthPucker", "mouthLeft", "mouthRight", "mouthRollLower", "mouthRollUpper",
         "mouthShrugLower", "mouthShrugUpper", "cheekPuff")  # fmt: skip
MOUTH_SIDED = (
    "mouthSmile",
    "mouthFrown",
    "mouthDimple",
    "mouthStretch",
    "mouthPress",
    "mouthLowerDown",
    "mouthUpperUp",
)
UPPER_SIDED = ("browDown", "browOuterUp", "cheekSquint", "noseSneer")
LIDS = ("eyeBlink", "eyeSquint", "eyeWide")
OPPOSED = ({"mouthLeft", "mouthRight"}, {"mouthSmile", "mouthFrown"}, {"mouthPucker", "mouthSmile"},
           {"mouthPucker", "mouthStretch"}, {"mouthPucker", "mouthDimple"}, {"mouthFunnel", "mouthPress"},
           {"mouthPress", "mouthLowerDown"}, {"mouthPress", "mouthUpperUp"}, {"mouthRollUpper", "mouthUpperUp"},
           {"mouthRollUpper", "mouthShrugUpper"}, {"mouthRollLower", "mouthLowerDown"},
           {"mouthRollLower", "mouthShrugLower"}, {"mouthFunnel", "mouthRollUpper"}, {"mouthFunnel", "mouthRollLower"},
           {"mouthPucker", "mouthRollUpper"}, {"mouthPucker", "mouthRollLower"}, {"cheekPuff", "mouthFunnel"},
           {"mouthFunnel", "mouthStretch"}, {"mouthFunnel", "mouthDimple"})  # fmt: skip
"""Muscles that work against each other: nobody shows both at full strength."""


def plausible_expressions(count: int, seed: int) -> torch.Tensor:
    """Random expressions that a face can make, (count, 52).

    The jaw open by up to 1 in six of ten, with a little shift; mouthClose up to jawOpen in one of five of these. One or
    two mouth actions of 0 to 1 that are not opposed; a sided action on one side, or on both with one up to half weaker.
    One action of brow, cheek or nose, and browInnerUp in one of four. A lid action in half, always a gaze.
    """
    generator = np.random.default_rng(seed)
    rows = np.zeros((count, len(ARKIT_NAMES)), np.float32)

    def put(row: np.ndarray, name: str, amount: float) -> None:
        if name in ARKIT_NAMES:
            row[ARKIT_NAMES.index(name)] = amount
            return
        sides = generator.permutation(["Left", "Right"])
        row[ARKIT_NAMES.index(name + sides[0])] = amount
        row[ARKIT_NAMES.index(name + sides[1])] = amount * (
            generator.uniform(0.5, 1) if generator.random() < 0.75 else 0
        )

    for row in rows:
        if generator.random() < 0.6:
            opening = generator.random()
            put(row, "jawOpen", opening)
            if generator.random() < 0.2:
                put(row, "mouthClose", opening * generator.random())
        put(row, str(generator.choice(["jawLeft", "jawRight", "jawForward"])), 0.3 * generator.random())
        first = str(generator.choice([*MOUTH, *MOUTH_SIDED]))
        second = str(generator.choice([*MOUTH, *MOUTH_SIDED]))
        put(row, first, generator.random())
        if {first, second} not in OPPOSED and generator.random() < 0.6:
            put(row, second, generator.random())
        put(row, str(generator.choice(UPPER_SIDED)), generator.random())
        if generator.random() < 0.25:
            put(row, "browInnerUp", generator.random())
        if generator.random() < 0.5:
            put(row, str(generator.choice(LIDS)), generator.random())
        ways = [str(generator.choice(["eyeLookUp", "eyeLookDown"])), str(generator.choice(["Left", "Right"]))]
        for side in ("Left", "Right"):
            put(row, ways[0] + side, generator.random())
            put(row, ("eyeLookOut" if ways[1] == side else "eyeLookIn") + side, generator.random())
    return torch.from_numpy(rows)


def expression_of(**amounts: float) -> torch.Tensor:
    """One expression; a name without its side sets both."""
    row = torch.zeros(1, len(ARKIT_NAMES))
    for name, amount in amounts.items():
        for full in [name] if name in ARKIT_NAMES else [name + "Left", mirrored(name + "Left")]:
            row[0, ARKIT_NAMES.index(full)] = amount
    return row


def posed(head: HeadModel, expression: torch.Tensor, **betas: float) -> np.ndarray:
    """Vertices with the eyeballs turned as the channels say, (frames, vertices, 3) mm."""
    poses = torch.zeros(len(expression), 5, 3)
    poses[:, 3], poses[:, 4] = channels_to_gaze(expression)
    identity = torch.tensor([betas.get(name, 0.0) for name in head.shape.identity_names])
    return 1000 * head(expression, poses, torch.zeros(len(expression), 3), identity).numpy()


def lip_crossing(sculpture: Sculpture, vertices: np.ndarray) -> np.ndarray:
    """How far the lower lip reaches above the upper one near their inner rims, (frames,) mm; negative where apart."""
    rings = sculpture.rings["mouth"][:3]
    columns = rings.shape[1]
    upper = np.flatnonzero(np.cos(2 * np.pi * np.arange(columns) / columns) > 0.05)
    over = vertices[:, rings[:, upper], 1].min(1)
    under = vertices[:, rings[:, mirror_columns(columns)[upper]], 1].max(1)
    return (under - over).max(1)


def lip_gap(sculpture: Sculpture, vertices: np.ndarray) -> np.ndarray:
    """Largest distance of the inner rims, (frames,) mm."""
    rim = sculpture.rings["mouth"][0]
    return np.linalg.norm(vertices[:, rim] - vertices[:, rim[mirror_columns(len(rim))]], axis=2).max(1)


def lid_gap(sculpture: Sculpture, vertices: np.ndarray, side: str) -> np.ndarray:
    """Opening of one eye's lid margins across the eye, (frames, 13) mm; negative where they cross."""
    margin = vertices[:, sculpture.rings[f"{side}_eye"][0]]
    half = margin.shape[1] // 2
    gaps = []
    for frame in margin:
        x = frame[:, 0] * (1 if side == "left" else -1)
        top, bottom = np.arange(half + 1), np.append(np.arange(half, 2 * half), 0)
        at = np.linspace(x.min(), x.max(), 17)[2:-2]
        up, down = np.argsort(x[top]), np.argsort(x[bottom])
        over = np.interp(at, x[top][up], frame[top][up, 1])
        gaps.append(over - np.interp(at, x[bottom][down], frame[bottom][down, 1]))
    return np.array(gaps)


def eyeball_clearance(sculpture: Sculpture, vertices: np.ndarray, side: str) -> np.ndarray:
    """Least height of the lids, margin outwards, over the turned eyeball with its cornea, (frames,) mm."""
    ball = sculpture.groups[f"{side}_eyeball"]
    pole, back = vertices[:, ball[-2]], vertices[:, ball[-1]]
    axis = (pole - back) / np.linalg.norm(pole - back, axis=1, keepdims=True)
    center = back + EYE_RADIUS * axis
    lids = np.unique(sculpture.rings[f"{side}_eye"])
    offset = vertices[:, lids] - center[:, None]
    distance = np.linalg.norm(offset, axis=2)
    angle = np.arccos(np.clip((offset * axis[:, None]).sum(2) / distance, -1, 1))
    edge = 1.05 * np.arcsin(IRIS_RADIUS / EYE_RADIUS)
    return (distance - EYE_RADIUS - CORNEA * np.clip(1 - (angle / edge) ** 2, 0, 1)).min(1)


def teeth_through_lips(sculpture: Sculpture, vertices: np.ndarray) -> np.ndarray:
    """How far the teeth's front stands before the outside of the lips, (frames,) mm; negative where behind.

    Both rows are compared, each where its crowns are: at a lip vertex the front is the foremost tooth vertex within
    about 1.5 mm across and along, looked up in a map of 1 mm squares.
    """
    lips = np.unique(sculpture.rings["mouth"][1:])
    worst, origin = np.full(len(vertices), -np.inf), np.array([80, 160])
    for row in ("upper_teeth", "lower_teeth"):
        teeth = sculpture.groups[row]
        teeth = teeth[sculpture.points[teeth, 2] > 2]
        for frame, points in enumerate(vertices):
            front = np.full((160, 200), -np.inf)
            x, y = (np.rint(points[teeth, :2]).astype(int) + origin).T
            np.maximum.at(front, (x, y), points[teeth, 2])
            front = maximum_filter(front, 3, mode="constant", cval=-np.inf)
            x, y = (np.rint(points[lips, :2]).astype(int) + origin).T
            worst[frame] = max(worst[frame], (front[x, y] - points[lips, 2]).max())
    return worst


def folded(vertices: np.ndarray, faces: np.ndarray, rest: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Smallest area and least cosine between neighboring triangles that are smooth at rest, for every frame.

    Args:
        vertices: (frames, vertices, 3).
        faces: (triangles, 3).
        rest: (vertices, 3).
    """
    pairs = neighbors(faces)
    at_rest, _ = normals(rest, faces)
    pairs = pairs[(at_rest[pairs[:, 0]] * at_rest[pairs[:, 1]]).sum(1) > 0.7]
    areas, cosines = [], []
    for frame in vertices:
        normal, area = normals(frame, faces)
        areas.append(area.min())
        cosines.append((normal[pairs[:, 0]] * normal[pairs[:, 1]]).sum(1).min())
    return np.array(areas), np.array(cosines)


def normals(points: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Unit normal and area of every triangle."""
    a, b, c = (points[faces[:, i]] for i in range(3))
    cross = np.cross(b - a, c - a)
    length = np.linalg.norm(cross, axis=1)
    return cross / np.maximum(length, 1e-12)[:, None], length / 2


def neighbors(faces: np.ndarray) -> np.ndarray:
    """Pairs of triangles that share an edge, (pairs, 2)."""
    edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), 1)
    order = np.lexsort(edges.T)
    same = (edges[order[1:]] == edges[order[:-1]]).all(1)
    return np.stack([order[:-1][same], order[1:][same]], 1) % len(faces)
