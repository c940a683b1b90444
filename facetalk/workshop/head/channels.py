"""The 52 expression channels as displacements of every vertex."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from facetalk.head.channels import ARKIT_NAMES, mirrored
from facetalk.workshop.head import parts
from facetalk.workshop.head.domain import smoothstep
from facetalk.workshop.head.face import Face
from facetalk.workshop.head.muscles import BOTH, SIDED, SIDEWAYS, SIDEWAYS_FAR, Pull
from facetalk.workshop.head.sculpture import LID_GAP, Sculpture, keep_closed, mirror_columns
from facetalk.workshop.head.topology import EYE_COUNT, EYE_LEVELS, MOUTH_LEVELS

JAW_PIVOT = np.array([0.0, -19.0, -68.0])
"""Middle of the axis through both condyles."""
JAW_ANGLE = np.deg2rad(22.0)
JAW_GLIDE = np.array([0.0, -4.0, 9.0])
"""At jawOpen 1 the condyles rotate and glide down the slope of their joint: the chin drops more than it retracts. The
incisors are then about 35 mm apart."""


def turned(points: np.ndarray, pivot: np.ndarray, angle: float | np.ndarray) -> np.ndarray:
    """Displacement by a rotation around the x axis through `pivot`; a positive angle lowers points in front."""
    y, z = points[:, 1] - pivot[1], points[:, 2] - pivot[2]
    c, s = np.cos(angle), np.sin(angle)
    return np.stack([np.zeros(len(points)), c * y - s * z - y, s * y + c * z - z], 1)


def jaw_channels(face: Face) -> dict[str, np.ndarray]:
    """Movements of the mandible and the tissue attached to it."""
    weight = face.jaw[:, None]
    open_jaw = weight * (turned(face.points, JAW_PIVOT, JAW_ANGLE) + JAW_GLIDE)
    # The upper lip and the cheeks give a little; the corners are drawn in as the lips lengthen.
    corner = Pull(61, (10, 12), (-2.4, 0.0, -1.4))
    open_jaw += face.both(
        (corner, Pull(0, (16, 8), (0.0, 0.6, -0.4), "upper"), Pull(205, (15, 18), (-1.2, -1.0, -0.8)))
    )
    side = np.stack([np.full(len(weight), 7.0), np.zeros(len(weight)), np.zeros(len(weight))], 1)
    left = weight * side
    return {
        "jawOpen": open_jaw,
        "jawForward": weight * np.array([0.0, 0.3, 6.0]),
        "jawLeft": left,
        "jawRight": -left,
    }


def mouth_close(face: Face, open_jaw: np.ndarray) -> np.ndarray:
    """Displacement that closes the lips of an open jaw: at jawOpen 1 and mouthClose 1 they touch as at rest."""
    rings = face.head.rings["mouth"]
    columns = rings.shape[1]
    partner = mirror_columns(columns)
    sign = np.cos(2 * np.pi * np.arange(columns) / columns)
    rim = rings[0]
    opened = face.points[rim] + open_jaw[rim]
    upper = np.where((sign >= 0)[:, None], opened, opened[partner])
    lower = np.where((sign >= 0)[:, None], opened[partner], opened)
    meet = upper + 0.42 * (lower - upper)
    meet[:, 2] = np.maximum(upper[:, 2], lower[:, 2]) * 0.6 + 0.4 * meet[:, 2] + 1.0 * np.abs(sign)
    rim_move = meet + 0.03 * np.sign(sign)[:, None] * [0, 1, 0] - opened
    total = np.zeros_like(face.points)
    for level, ring in zip(MOUTH_LEVELS, rings, strict=True):
        total[ring] = rim_move * np.interp(level, [0, 1, 2, 3, 4], [1, 1, 0.98, 0.93, 0.74])
    for index, row in enumerate(face.head.linings["mouth"]):
        total[row] = rim_move * (0.95, 0.75, 0.5, 0.25, 0.1, 0.0, 0.0, 0.0, 0.0)[index]
    face.spread(total, 15.0)
    return total


class Rounding(NamedTuple):
    """A round mouth: profiles over the levels of the lips' rings, 0 inner rim to 4 skin beyond the border."""

    squeeze: tuple[float, ...]
    """Share of the distance to the midline by which the lips are drawn in."""
    forward: tuple[float, ...]
    """Millimeters at the midline of both lips."""
    forward_corner: tuple[float, ...]
    apart: tuple[float, ...]
    """Millimeters away from the line of the lips at the midline, the upper lip up, the lower one down."""
    reach: float
    """How far the skin around follows, mm."""


PUCKER = Rounding(
    (0.40, 0.40, 0.40, 0.38, 0.28), (3.4, 5.4, 6.4, 5.4, 3.2), (4.6, 5.0, 5.0, 4.4, 2.8), (0.0, 0.5, 0.9, 0.8, 0.2), 9.0
)
FUNNEL = Rounding(
    (0.34, 0.34, 0.33, 0.30, 0.20),
    (5.8, 7.0, 7.4, 6.0, 3.2),
    (4.2, 4.4, 4.4, 4.0, 2.6),
    (5.0, 5.2, 4.6, 3.2, 1.4),
    10.0,
)


def rounded(face: Face, shape: Rounding) -> np.ndarray:
    """Displacement of rounded lips: drawn together and pushed forward."""
    rings = face.head.rings["mouth"]
    columns = rings.shape[1]
    sign = np.cos(2 * np.pi * np.arange(columns) / columns)
    middle = sign**2
    total = np.zeros_like(face.points)

    def at(level: float, profile: tuple[float, ...]) -> float:
        return float(np.interp(level, range(5), profile))

    for level, ring in zip(MOUTH_LEVELS, rings, strict=True):
        total[ring, 0] = -at(level, shape.squeeze) * face.points[ring, 0]
        total[ring, 1] = at(level, shape.apart) * np.sign(sign) * np.abs(sign) ** 0.7
        corner, front = at(level, shape.forward_corner), at(level, shape.forward)
        total[ring, 2] = corner + (front - corner) * middle
    for index, row in enumerate(face.head.linings["mouth"]):
        total[row] = total[rings[0]] * (1.0, 0.85, 0.6, 0.3, 0.1, 0.0, 0.0, 0.0, 0.0)[index]
    face.spread(total, shape.reach)
    return total


def roll(face: Face, upper: bool) -> np.ndarray:
    """Displacement of a lip rolled in over its teeth: the red turns inward and its border moves to the lip line."""
    rings = face.head.rings["mouth"]
    columns = rings.shape[1]
    sign = np.cos(2 * np.pi * np.arange(columns) / columns)
    side = smoothstep(0.08, 0.8, sign if upper else -sign)[:, None]
    up = 1.0 if upper else -1.0
    total = np.zeros_like(face.points)
    levels = [0, 1, 2, 3, 3.5, 4]
    # Share of its height over the rim that each ring comes down, so that thin lips at the corners do not fold.
    lowered = [0.0, 0.45, 0.60, 0.64, 0.42, 0.15]
    depth = [-4.2, -4.8, -4.8, -3.2, -2.0, -0.8]
    rim = face.points[rings[0]]
    for level, ring in zip(MOUTH_LEVELS, rings, strict=True):
        height = face.points[ring, 1:2] - rim[:, 1:2]
        total[ring, 1:2] = -np.interp(level, levels, lowered) * height * side
        total[ring, 2:] = np.interp(level, levels, depth) * side
    for row in face.head.linings["mouth"][:3]:
        total[row] = total[rings[0]]
    only = "upper" if upper else "lower"
    near = face.both((Pull(164 if upper else 18, (13, 5), (0.0, -1.0 * up, -0.4), only),))
    near[np.append(np.unique(rings), face.head.linings["mouth"])] = 0
    return total + near


def part_lips(face: Face, move: np.ndarray) -> None:
    """Push the upper lip up where a channel would move the lower lip through it."""
    rings = face.head.rings["mouth"]
    columns = rings.shape[1]
    partner = mirror_columns(columns)
    sign = np.cos(2 * np.pi * np.arange(columns) / columns)
    height = move[rings[0], 1]
    push = np.where(sign > 1e-9, np.maximum(height[partner] - height, 0), 0)
    for level, ring in zip(MOUTH_LEVELS, rings, strict=True):
        move[ring, 1] += push * np.interp(level, [0, 2, 3, 4], [1, 0.8, 0.55, 0.2])
    for row, share in zip(face.head.linings["mouth"][:3], (1.0, 0.7, 0.3), strict=True):
        move[row, 1] += push * share


CLOSED = (
    "mouthPucker", "mouthPress", "mouthSmile", "mouthFrown", "mouthDimple", "cheekPuff", "mouthLeft",
    "mouthRight", "noseSneer",
)  # fmt: skip
"""Channels that leave closed lips closed."""


LID_FALLOFF = ((0, 0.18, 0.4, 0.62, 0.82, 1, 1.3, 1.65, 2), (1, 0.98, 0.86, 0.64, 0.42, 0.26, 0.1, 0.03, 0))
"""Share of the lid margin's motion that the rings around the eye follow, by level of the ring."""


class Lids:
    """The lids of one eye, rotating around the eyeball."""

    def __init__(self, face: Face, side: float) -> None:
        self.face, self.side = face, side
        name = "left" if side > 0 else "right"
        self.rings = face.head.rings[f"{name}_eye"]
        self.linings = face.head.linings[f"{name}_eye"]
        self.center = np.array(parts.EYE_CENTER) * [side, 1, 1]
        self.margin = face.points[self.rings[0]]
        columns = np.arange(EYE_COUNT)
        self.upper = (columns > 0) & (columns < EYE_COUNT // 2)
        self.elevation = self._elevation(self.margin)
        self.meeting = self._meeting()

    def _elevation(self, points: np.ndarray) -> np.ndarray:
        return np.arctan2(points[:, 1] - self.center[1], points[:, 2] - self.center[2])

    def _meeting(self) -> np.ndarray:
        """Elevation at which the lids meet in each column: low, where the lower lid is."""
        x = self.margin[:, 0] * self.side
        half = EYE_COUNT // 2
        top, bottom = np.arange(0, half + 1), np.append(np.arange(half, EYE_COUNT), 0)
        up = np.interp(x, x[top][::-1], self.elevation[top][::-1])
        down = np.interp(x, x[bottom], self.elevation[bottom])
        meeting = down + 0.16 * (up - down)
        meeting[[0, half]] = self.elevation[[0, half]]
        return meeting

    def close(self, amount: float, lower_amount: float) -> np.ndarray:
        """Lids turned toward their meeting line by a share of the way."""
        move = np.zeros_like(self.face.points)
        share = np.where(self.upper, amount, lower_amount)
        angle = -(self.meeting - self.elevation) * share
        falloff = np.interp(EYE_LEVELS, *LID_FALLOFF)
        for level, ring in enumerate(self.rings):
            # A lid that opens takes the fold above it along; one that closes leaves it.
            rate = np.where(share < 0, falloff[level] ** 0.35, falloff[level])
            here = self.face.points[ring]
            lower_rate = np.where(self.upper, rate, rate * np.exp(-EYE_LEVELS[level]))
            move[ring] = turned(here, self.center, angle * lower_rate)
        for row in self.linings:
            move[row] = turned(self.face.points[row], self.center, angle)
        return move

    def shift(self, x: float) -> np.ndarray:
        """Lids drawn sideways by the cornea under them, mm toward the subject's left."""
        move = np.zeros_like(self.face.points)
        half = EYE_COUNT / 2
        middle = np.abs(np.sin(np.pi * np.arange(EYE_COUNT) / half)) ** 1.5
        for level, ring in enumerate(self.rings):
            rate = np.exp(-2.0 * EYE_LEVELS[level]) * middle
            move[ring, 0] = x * rate
        for row in self.linings:
            move[row, 0] = x * middle
        return move


def lid_channels(face: Face, side: float) -> dict[str, np.ndarray]:
    """The seven lid channels of one eye, named without side."""
    lids = Lids(face, side)
    brow = face.pulled((Pull(223, (14, 5), (0.0, 0.9, 0.0)),), side)
    cheek = face.pulled((Pull(230, (13, 5), (0.0, 1.0, 0.5)), Pull(226, (8, 7), (-0.6, 0.2, 0.0))), side)
    crease = face.pulled((Pull(29, (13, 4), (0.0, -0.7, 0.0)),), side)
    for move in (brow, cheek, crease):
        move[lids.rings[:5]] = 0
    return {
        "eyeBlink": lids.close(1.0, 1.0) + crease,
        "eyeLookDown": lids.close(0.42, -0.45),
        "eyeLookUp": lids.close(-0.26, 0.5) + brow * 0.6,
        "eyeLookIn": lids.shift(-0.5 * side),
        "eyeLookOut": lids.shift(0.5 * side),
        "eyeSquint": lids.close(0.24, 2.0) + cheek,
        "eyeWide": lids.close(-0.42, -0.4) + brow,
    }


def tongue_out(face: Face) -> np.ndarray:
    """Displacement of the tongue stretched out of the open mouth."""
    move = np.zeros_like(face.points)
    tongue = face.head.groups["tongue"]
    z = face.points[tongue, 2]
    reach = smoothstep(-36, 8, z)
    # Over the lower teeth, then down over the lip.
    move[tongue, 2] = 46.0 * reach**1.4
    move[tongue, 1] = 9.0 * reach - 14.0 * reach**6
    return move


def all_channels(sculpture: Sculpture) -> np.ndarray:
    """Displacements of the 52 channels in ARKit order, (52, vertices, 3) mm."""
    face = Face(sculpture)
    moves = jaw_channels(face)
    moves["mouthClose"] = mouth_close(face, moves["jawOpen"])
    moves["mouthRollUpper"], moves["mouthRollLower"] = roll(face, True), roll(face, False)
    moves["mouthPucker"], moves["mouthFunnel"] = rounded(face, PUCKER), rounded(face, FUNNEL)
    moves["tongueOut"] = tongue_out(face)
    for name, pulls in BOTH.items():
        moves[name] = moves.get(name, 0) + face.both(pulls)
    left = np.zeros_like(face.points)
    for pull in SIDEWAYS:
        left += face.hill(pull)[:, None] * np.array(pull.move)
    for pull in SIDEWAYS_FAR:
        left += face.hill(pull, -1.0)[:, None] * np.array(pull.move)
    moves["mouthLeft"] = left
    right = left[sculpture.partner] * [-1, 1, 1]
    moves["mouthRight"] = right
    for side, word in ((1.0, "Left"), (-1.0, "Right")):
        moves |= {name + word: move for name, move in lid_channels(face, side).items()}
        for name, pulls in SIDED.items():
            moves[name + word] = face.pulled(pulls, side)
    for name, move in moves.items():
        if name.removesuffix("Left").removesuffix("Right") in CLOSED or name in CLOSED:
            keep_closed(face.head, move)
        elif name != "mouthClose":
            part_lips(face, move)
    stack = keep_off_eyeballs(face, np.stack([moves[name] for name in ARKIT_NAMES]))
    swap = [ARKIT_NAMES.index(mirrored(name)) for name in ARKIT_NAMES]
    return (stack + stack[swap][:, sculpture.partner] * [-1, 1, 1]) / 2


def keep_off_eyeballs(face: Face, moves: np.ndarray) -> np.ndarray:
    """Slide skin around the eyeball where a pull would move it inside."""
    for side in (1.0, -1.0):
        center = np.array(parts.EYE_CENTER) * [side, 1, 1]
        lids = Lids(face, side)
        near = np.unique(lids.rings)
        rest = face.points[near] - center
        for move in moves:
            moved = rest + move[near]
            distance = np.linalg.norm(moved, axis=1)
            least = np.minimum(np.linalg.norm(rest, axis=1), parts.EYE_RADIUS + LID_GAP)
            short = np.maximum(least - distance, 0)
            move[near] += moved / distance[:, None] * short[:, None]
    return moves
