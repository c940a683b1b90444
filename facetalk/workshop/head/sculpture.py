"""The head at rest: the draped skin, its openings lined, and the parts inside."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from facetalk.workshop.head import parts
from facetalk.workshop.head.anatomy import HeadSurface, Measurements, face_places
from facetalk.workshop.head.domain import smoothstep
from facetalk.workshop.head.ears import ear_rings
from facetalk.workshop.head.topology import EYE_LEVELS, MOUTH_HALF, MOUTH_LEVELS, Sheet, lay_out, strip

LID_GAP = 1.2
"""Height of the lid margin over the eyeball, mm: room for half-closed lids, which move in straight lines."""

SKIN, MOUTH_INSIDE, LID_RIM = "skin", "mouth_inside", "lid_rim"


@dataclass(eq=False)
class Sculpture:
    """The head at rest in millimeters, and where everything is."""

    points: np.ndarray
    faces: np.ndarray
    places: np.ndarray
    """Map coordinates of skin vertices and of the linings' columns; NaN for separate parts."""
    colors: np.ndarray
    groups: dict[str, np.ndarray] = field(default_factory=dict)
    """Vertex numbers by part."""
    rings: dict[str, np.ndarray] = field(default_factory=dict)
    """Rings of the openings, level 0 at the rim."""
    linings: dict[str, np.ndarray] = field(default_factory=dict)
    """Rings inwards from the rim, level 0 next to it."""
    face_at: np.ndarray = field(default_factory=lambda: np.zeros((0, 2)))
    """Map places of the 478 measured points."""
    num_sheet_faces: int = 0
    """The first triangles of `faces` are those of the map."""
    partner: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    """Number of each vertex's mirror image."""


def mirror_columns(count: int) -> np.ndarray:
    """Partner on the other lip of each column of the mouth's rings."""
    column = np.arange(count)
    half = MOUTH_HALF - 1
    return np.where(column <= half, half - column, 3 * half - column) % count


def keep_closed(head: Sculpture, move: np.ndarray) -> None:
    """Give both lips' inner rims the same displacement, their mean."""
    rings = head.rings["mouth"]
    partner = mirror_columns(rings.shape[1])
    change = (move[rings[0]][partner] - move[rings[0]]) / 2
    for level, ring in zip(MOUTH_LEVELS, rings, strict=True):
        move[ring] += change * np.interp(level, [0, 1, 2, 3], [1, 0.75, 0.35, 0])
    for row, share in zip(head.linings["mouth"][:3], (1.0, 0.7, 0.3), strict=True):
        move[row] += change * share


class _Growing:
    """Vertices and faces that are added to a sheet."""

    def __init__(self, sheet: Sheet, points: np.ndarray) -> None:
        self.points = [points]
        self.places = [sheet.places]
        self.faces = [sheet.faces]
        self.count = len(points)
        self.sheet_places = sheet.places

    def add(self, points: np.ndarray, places: np.ndarray | None = None) -> np.ndarray:
        self.points.append(points)
        self.places.append(np.full((len(points), 2), np.nan) if places is None else places)
        self.count += len(points)
        return np.arange(self.count - len(points), self.count)

    def close_bottom(self) -> None:
        """A plate under the bust."""
        low = np.flatnonzero(self.sheet_places[:, 1] < self.sheet_places[:, 1].min() + 1e-6)
        low = low[np.argsort(self.sheet_places[low, 0])]
        edge = self.points[0][low]
        inner = self.add(edge.mean(0) + 0.93 * (edge - edge.mean(0)) - [0, 5, 0], self.sheet_places[low])
        tip = self.add((edge.mean(0) - [0, 5, 0])[None], self.sheet_places[low[len(low) // 2]][None])
        self.faces += [strip(inner, low, True), parts.fan(inner, int(tip[0]))[:, ::-1]]

    def line(self, rings: np.ndarray, points: np.ndarray, tip: np.ndarray | None = None) -> np.ndarray:
        """Continue an opening inwards by rows of points; `tip` closes the end."""
        rim, next_ring = rings[0], rings[1]
        a, b, c = (self.sheet_places[i] for i in (rim[0], rim[1], next_ring[1]))
        flip = (b - a)[0] * (c - a)[1] - (b - a)[1] * (c - a)[0] < 0
        rows, previous = [], rim
        for row in points:
            here = self.add(row, self.sheet_places[rim])
            band = strip(here, previous, True)
            self.faces.append(band[:, ::-1] if flip else band)
            rows.append(here)
            previous = here
        if tip is not None:
            end = self.add(tip[None], self.sheet_places[rim[:1]])
            cap = parts.fan(previous, int(end[0]))
            self.faces.append(cap if flip else cap[:, ::-1])
            rows.append(np.repeat(end, len(rim)))
        return np.stack(rows)


def close_lips(points: np.ndarray, rings: np.ndarray) -> None:
    """Let the inner rims of both lips touch, and shape the red: fullness, corners and a soft border."""
    rim = rings[0]
    partner = rim[mirror_columns(len(rim))]
    fill_lips(points, rings)
    points[rim] = (points[rim] + points[partner]) / 2
    sign = np.cos(2 * np.pi * np.arange(len(rim)) / len(rim))
    points[rim, 1] += 0.03 * sign
    points[rim, 2] -= 1.2 * np.abs(sign)


def fill_lips(points: np.ndarray, rings: np.ndarray) -> None:
    """Tubercle and bow of the upper lip, two pillows of the lower, the border's pale roll and the corners' pits."""
    sign = np.cos(2 * np.pi * np.arange(rings.shape[1]) / rings.shape[1])
    upper, lower = np.clip(sign, 0, 1) ** 0.5, np.clip(-sign, 0, 1) ** 0.5
    corner = points[rings[0], 0].max()
    for level, ring in zip(MOUTH_LEVELS, rings, strict=True):
        x = np.abs(points[ring, 0])
        red = np.exp(-(((level - 1.6) / 0.9) ** 2))
        border = np.exp(-(((level - 3.1) / 0.35) ** 2))
        middle, beside = np.exp(-((x / 4.0) ** 2)), np.exp(-(((x - 7.5) / 4.5) ** 2))
        peak = np.exp(-(((x - 5.2) / 2.6) ** 2))
        points[ring, 2] += upper * (red * (0.9 * middle + 0.5 * beside) + 0.35 * border)
        points[ring, 2] += lower * (red * (1.0 * beside + 0.55 * middle) + 0.15 * border)
        points[ring, 1] += upper * np.exp(-(((level - 3.0) / 0.7) ** 2)) * (0.65 * peak - 0.35 * middle)
        pit = np.exp(-(((x - corner - 1.2) / 2.6) ** 2)) * np.exp(-(((level - 2.6) / 1.2) ** 2))
        points[ring, 2] -= 1.1 * pit


def shape_philtrum(points: np.ndarray) -> None:
    """The groove over the upper lip between its two ridges, and the hollow beside the nose's wings."""
    x, y, z = np.abs(points[:, 0]), points[:, 1], points[:, 2]
    here = smoothstep(-44.5, -48.5, y) * smoothstep(-61.5, -57.0, y) * (z > 15)
    width = 1 + 0.25 * smoothstep(-47, -58, y)
    points[:, 2] += here * (0.55 * np.exp(-(((x / width - 4.9) / 2.0) ** 2)) - 0.95 * np.exp(-((x / width / 2.9) ** 2)))
    along = np.clip((-37 - y) / 24, 0, 1)
    gap = x - (22.5 + 11.5 * along)
    fold = smoothstep(-33, -40, y) * smoothstep(-66, -56, y) * (z > 0)
    points[:, 2] += fold * (0.7 * np.exp(-(((gap - 5.5) / 4.0) ** 2)) - 0.7 * np.exp(-((gap / 3.4) ** 2)))


LID_FOLD = ((0, 0.18, 0.4, 0.62, 0.82, 1, 1.3, 1.65, 2), (0, -0.25, -0.9, -1.55, -0.35, 0.75, 0.75, 0.3, 0))
"""How far the upper lid lies over the measured skin, mm, by the ring's level: sunk on the eyeball up to the crease."""
LID_HANG = ((0, 0.62, 0.82, 1, 1.3, 1.65, 2), (0, -0.2, -1.3, -1.5, -0.9, -0.3, 0))
"""How far the skin over the crease hangs down, mm."""
LID_OPEN = ((0, 0.18, 0.4, 0.62, 0.82), (0.55, 0.5, 0.35, 0.15, 0))
"""The measured lids include lashes: the margin itself is higher, mm."""


def fold_lids(points: np.ndarray, rings: np.ndarray, side: float) -> None:
    """The upper lid's crease: skin over it hangs, skin under it follows the eyeball."""
    center = np.array(parts.EYE_CENTER) * [side, 1, 1]
    columns = np.arange(rings.shape[1]) / (rings.shape[1] / 2)
    over = np.clip(np.sin(np.pi * columns), 0, 1) ** 0.6
    for level, ring in zip(EYE_LEVELS, rings, strict=True):
        out = points[ring] - center
        out /= np.linalg.norm(out, axis=1, keepdims=True)
        points[ring] += (over * np.interp(level, *LID_FOLD))[:, None] * out
        points[ring, 1] += over * (np.interp(level, *LID_HANG) + np.interp(level, *LID_OPEN))


def seat_lids(points: np.ndarray, rings: np.ndarray, side: float) -> None:
    """Move the lids onto the eyeball and carve the fold of the upper lid."""
    center = np.array(parts.EYE_CENTER) * [side, 1, 1]
    fold_lids(points, rings, side)
    for level, ring in enumerate(rings):
        offset = points[ring] - center
        distance = np.linalg.norm(offset, axis=1)
        wanted = parts.EYE_RADIUS + LID_GAP + 0.25 * level
        flat = np.hypot(offset[:, 0], offset[:, 1])
        if level == 0:
            on_ball = flat < wanted * 0.985
            depth = np.sqrt(np.maximum(wanted**2 - flat**2, 0))
            points[ring[on_ball], 2] = center[2] + np.maximum(depth, 3.5)[on_ball]
        else:
            push = np.log1p(np.exp((wanted - distance) * 2.5)) / 2.5
            points[ring] += offset / distance[:, None] * push[:, None]


def lid_lining(points: np.ndarray, ring: np.ndarray, side: float) -> np.ndarray:
    """Rows behind the lid margin: the rim's thickness, then into the eyeball; at the corners a web closes the gap."""
    center = np.array(parts.EYE_CENTER) * [side, 1, 1]
    margin = points[ring]
    offset = margin - center
    distance = np.linalg.norm(offset, axis=1, keepdims=True)
    direction = offset / distance
    outward = direction * [1, 1, 0]
    deep = direction + 0.22 * outward / np.linalg.norm(outward, axis=1, keepdims=True)
    rows = [
        center + direction * np.minimum(distance - 0.5, parts.EYE_RADIUS + 0.55),
        center + direction * (parts.EYE_RADIUS - 0.2),
        center + deep / np.linalg.norm(deep, axis=1, keepdims=True) * (parts.EYE_RADIUS - 1.5),
    ]
    column = np.arange(len(ring))
    half = len(ring) // 2
    paired = (margin + margin[-column % len(ring)]) / 2
    inner = smoothstep(6.5, 1.5, np.abs(column - half))
    outer = smoothstep(3.5, 0.5, np.minimum(column, len(ring) - column))
    web = np.maximum(inner, outer)[:, None]
    for index, depth in enumerate((0.9, 1.9, 3.4)):
        closing = (0.25, 0.8, 1.0)[index]
        target = margin + closing * (paired - margin) - [0, 0, depth]
        rows[index] = rows[index] + web * (target - rows[index])
    return np.stack(rows)


def mouth_lining(points: np.ndarray, rim: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows from the lips' inner rim into the mouth, and the point at the throat."""
    base = points[rim]
    sign = np.cos(2 * np.pi * np.arange(len(rim)) / len(rim))
    lift = np.sign(sign) * np.sqrt(np.abs(sign))
    rows = []
    # (backwards, height, share of the width, of the lips' curvature)
    steps = ((1.6, 0.5, 1.0, 1.0), (3.6, 2.4, 1.0, 1.0), (5.6, 6.0, 1.04, 1.0), (7.0, 12.0, 1.1, 0.9),
             (15.0, 17.0, 1.2, 0.7), (30.0, 18.5, 1.2, 0.4), (48.0, 14.0, 0.9, 0.2), (58.0, 8.0, 0.5, 0.0))  # fmt: skip
    middle = base[0]
    for back, height, width, curve in steps:
        y = middle[1] + (base[:, 1] - middle[1]) * curve + height * lift
        z = middle[2] + (base[:, 2] - middle[2]) * curve - back
        rows.append(np.stack([base[:, 0] * width, y, z], 1))
    return np.stack(rows), np.array([0.0, middle[1] - 6, middle[2] - 64])


def nostril_lining(points: np.ndarray, rim: np.ndarray, side: float) -> tuple[np.ndarray, np.ndarray]:
    """Rows up into the nose."""
    base = points[rim]
    center = base.mean(0)
    inward = np.array([-0.12 * side, 0.8, -0.55])
    rows = [
        center + (base - center) * share + inward * depth for share, depth in ((0.93, 1.0), (0.88, 3.0), (0.7, 7.0))
    ]
    return np.stack(rows), center + inward * 9.0


def sculpt(measurements: Measurements) -> Sculpture:
    """The head at rest."""
    face_at = face_places(measurements.mean, measurements.pairs)
    sheet = lay_out(face_at)
    surface = HeadSurface(measurements)
    points = surface(sheet.places)
    points[np.abs(sheet.places[:, 0]) < 1e-6, 0] = 0
    raise_hair(points, sheet)
    refine(points, sheet.rings)
    growing = _Growing(sheet, points)
    linings = {}
    for side, name in ((1.0, "left"), (-1.0, "right")):
        eye = sheet.rings[f"{name}_eye"]
        linings[f"{name}_eye"] = growing.line(eye, lid_lining(points, eye[0], side))
        nostril = sheet.rings[f"{name}_nostril"]
        linings[f"{name}_nostril"] = growing.line(nostril, *nostril_lining(points, nostril[0], side))
        ear = sheet.rings[f"{name}_ear"]
        rows = ear_rings(points[ear[0]] * [side, 1, 1]) * [side, 1, 1]
        linings[f"{name}_ear"] = growing.line(ear, rows, rows[-1].mean(0))
    linings["mouth"] = growing.line(sheet.rings["mouth"], *mouth_lining(points, sheet.rings["mouth"][0]))
    growing.close_bottom()
    groups = {SKIN: np.arange(growing.count)}
    colors = [np.ones((growing.count, 3))]
    ball = parts.eyeball()
    pieces = {
        "left_eyeball": ball,
        "right_eyeball": parts.mirrored(ball),
        "upper_teeth": parts.teeth_row(True),
        "lower_teeth": parts.teeth_row(False),
        "tongue": parts.tongue(),
    }
    for name, piece in pieces.items():
        growing.faces.append(piece.faces + growing.count)
        groups[name] = growing.add(piece.points)
        colors.append(piece.colors)
    head = Sculpture(
        np.concatenate(growing.points),
        np.concatenate(growing.faces),
        np.concatenate(growing.places),
        np.concatenate(colors),
        groups,
        sheet.rings,
        linings,
        face_at,
        len(sheet.faces),
    )
    head.partner = mirror_vertices(head)
    # Rounding in the splines leaves micrometers of crookedness.
    head.points = (head.points + head.points[head.partner] * [-1, 1, 1]) / 2
    return head


def mirror_vertices(sculpture: Sculpture) -> np.ndarray:
    """Number of each vertex's mirror image."""
    from scipy.spatial import KDTree

    # Inner and outer walls lie close together: pair within a part, and tell layers apart by their map place.
    extra = np.abs(np.nan_to_num(sculpture.places, nan=0.0)) * [1, 0] + np.nan_to_num(sculpture.places, nan=0.0) * [
        0,
        1,
    ]
    labels = np.zeros(len(sculpture.points))
    for index, name in enumerate(sculpture.groups):
        labels[sculpture.groups[name]] = 1000.0 * index
    for name in ("left_eyeball", "right_eyeball"):
        labels[sculpture.groups[name]] = 1e5
    key = np.concatenate([sculpture.points, extra * 0.01, labels[:, None]], 1)
    flip = np.array([-1, 1, 1, 1, 1, 1.0])
    distance, found = KDTree(key).query(key * flip)
    partner = np.asarray(found)
    if distance.max() > 0.02 or not np.array_equal(partner[partner], np.arange(len(partner))):
        raise ValueError(f"the head is not its own mirror image: {distance.max()} mm")
    return partner


HAIR_THICKNESS = 3.0


def hairline(places: np.ndarray) -> np.ndarray:
    """How far a place lies inside the hair, mm; negative on bare skin."""
    x, y = np.abs(places[..., 0]), places[..., 1]
    around = [0, 25, 46, 60, 72, 90, 110, 124, 134, 146, 153, 164, 182, 192, 203, 214, 245, 315]
    border = [74, 73, 68, 58, 43, 29, 19, 4, -9, -13, 0, 12, 15, 4, -20, -42, -68, -80]
    return y - np.interp(x, around, border)


def raise_hair(points: np.ndarray, sheet: Sheet) -> None:
    """Give the cropped hair a little volume."""
    normal = vertex_normals(points, sheet.faces)
    points += HAIR_THICKNESS * smoothstep(-6, 26, hairline(sheet.places))[:, None] * normal


def vertex_normals(points: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Outward unit normals."""
    a, b, c = (points[faces[:, i]] for i in range(3))
    normal = np.zeros_like(points)
    for i in range(3):
        np.add.at(normal, faces[:, i], np.cross(b - a, c - a))
    return normal / np.linalg.norm(normal, axis=1, keepdims=True)


WING_GROOVE = ((19.8, -42.0, 20.0), (21.8, -37.0, 18.0), (20.6, -32.0, 20.5), (17.0, -28.5, 26.0), (12.5, -28.6, 34.0))
"""Along the back and top of the left wing of the nose, mm."""


def ridge(points: np.ndarray, path: np.ndarray, width: float) -> np.ndarray:
    """1 on a line through points, falling off as a Gaussian across it and toward its ends."""
    best = np.zeros(len(points))
    for index, (start, end) in enumerate(pairwise(path)):
        along = np.clip((points - start) @ (end - start) / ((end - start) @ (end - start)), 0, 1)
        gap = np.linalg.norm(points - start - along[:, None] * (end - start), axis=1)
        strength = np.interp((index + along) / (len(path) - 1), [0, 0.25, 0.6, 1], [0.5, 1, 0.8, 0.25])
        best = np.maximum(best, strength * np.exp(-((gap / width) ** 2)))
    return best


def shape_nose(points: np.ndarray, rings: dict[str, np.ndarray]) -> None:
    """Wings of the nose set off by a groove from cheek and tip, their rims drawn over the nostrils."""

    def hill(center: tuple[float, float, float], size: tuple[float, float, float], side: float) -> np.ndarray:
        return np.exp(-(((points - np.array(center) * [side, 1, 1]) / size) ** 2).sum(1))[:, None]

    for side, name in ((1.0, "left"), (-1.0, "right")):
        points += hill((15.5, -36.0, 28.5), (4.0, 4.2, 6.5), side) * [1.2 * side, 0.0, 0.9]
        points += hill((19.0, -42.0, 23.5), (3.4, 2.8, 4.5), side) * [-2.0 * side, 1.3, 0.0]
        points += hill((11.6, -33.0, 38.0), (2.0, 4.2, 3.0), side) * [-0.5 * side, 0.0, -0.6]
        groove = ridge(points, np.array(WING_GROOVE) * [side, 1, 1], 2.2)[:, None]
        points += groove * [-0.7 * side, 0.1, -1.9]
        points += hill((2.2, -42.5, 36.0), (3.0, 3.5, 6.0), side) * [0.0, -0.7, 0.0]
        rim = rings[f"{name}_nostril"]
        for ring, share in zip(rim, (1.0, 0.85, 0.4), strict=True):
            height = points[ring, 1] - points[ring, 1].mean()
            over = smoothstep(-0.6, 1.3, height / max(np.abs(height).max(), 1e-6) * 1.3)
            points[ring] += (share * over)[:, None] * [0.3 * side, -1.0, 0.7]


def refine(points: np.ndarray, rings: dict[str, np.ndarray]) -> None:
    """What the measured points are too coarse for: lips, lids."""
    close_lips(points, rings["mouth"])
    shape_philtrum(points)
    shape_nose(points, rings)
    for side, name in ((1.0, "left"), (-1.0, "right")):
        seat_lids(points, rings[f"{name}_eye"], side)
