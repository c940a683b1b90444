"""Eyeballs, teeth, gums, tongue and ears, made by formula. Millimeters."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from facetalk.workshop.head.domain import smoothstep
from facetalk.workshop.head.topology import strip

EYE_RADIUS = 12.2
IRIS_RADIUS = 5.9
PUPIL_RADIUS = 1.9
CORNEA = 0.35
EYE_CENTER = (31.5, 0.6, -5.1)
"""Left eyeball; the pupils are 63 mm apart."""

# fmt: off
UPPER_WIDTHS = (8.6, 6.7, 7.6, 7.0, 6.8, 10.0, 9.6)
LOWER_WIDTHS = (5.4, 6.0, 6.8, 7.0, 7.1, 11.0, 10.5)
"""Crown widths from the midline backwards, mm (Ash and Nelson, dental anatomy)."""
# fmt: on


@dataclass(eq=False)
class Part:
    """A piece of mesh and what is painted on it."""

    points: np.ndarray
    faces: np.ndarray
    colors: np.ndarray


def joined(parts: list[Part]) -> Part:
    """Several pieces as one."""
    starts = np.cumsum([0] + [len(part.points) for part in parts[:-1]])
    return Part(
        np.concatenate([part.points for part in parts]),
        np.concatenate([part.faces + start for part, start in zip(parts, starts, strict=True)]),
        np.concatenate([part.colors for part in parts]),
    )


def mirrored(part: Part) -> Part:
    """The piece on the other side."""
    return Part(part.points * [-1, 1, 1], part.faces[:, ::-1], part.colors)


def fan(rim: np.ndarray, tip: int) -> np.ndarray:
    """Triangles from a closed row to one vertex."""
    return np.stack([np.full(len(rim), tip), rim, np.roll(rim, -1)], 1)


def tube(sections: np.ndarray, caps: tuple[bool, bool] = (True, True)) -> tuple[np.ndarray, np.ndarray]:
    """Mesh through closed sections (k, n, 3) that turn counter-clockwise seen against the direction of travel."""
    k, n = sections.shape[:2]
    number = np.arange(k * n).reshape(k, n)
    faces = [strip(a, b, True)[:, ::-1] for a, b in pairwise(number)]
    points = [sections.reshape(-1, 3)]
    total = k * n
    for wanted, row, flip in ((caps[0], 0, False), (caps[1], -1, True)):
        if wanted:
            points.append(sections[row].mean(0, keepdims=True))
            face = fan(number[row], total)
            faces.append(face[:, ::-1] if flip else face)
            total += 1
    return np.concatenate(points), np.concatenate(faces)


def eyeball() -> Part:
    """The left eyeball looking along z: sclera, limbus, iris a little behind a slight cornea, pupil."""
    iris = np.arcsin(IRIS_RADIUS / EYE_RADIUS)
    pupil = np.arcsin(PUPIL_RADIUS / EYE_RADIUS)
    inner = np.linspace(pupil, iris, 7)[1:-1]
    angles = np.concatenate(
        [[pupil * 0.96, pupil], inner, [iris, iris * 1.09], [iris * 1.3, 0.85, 1.05, 1.3, 1.6, 2.2, 3.05]]
    )
    count = 32
    turn = 2 * np.pi * np.arange(count) / count
    rings = []
    for angle in angles:
        # Cornea: the front bulges a little with the limbus as its edge.
        bulge = CORNEA * np.clip(1 - (angle / (1.05 * iris)) ** 2, 0, 1)
        radius = EYE_RADIUS + bulge
        ring = [np.sin(angle) * np.cos(turn), np.sin(angle) * np.sin(turn), np.full(count, np.cos(angle))]
        rings.append(radius * np.stack(ring, 1))
    sections = np.stack(rings)
    points, faces = tube(sections)
    points[-2] = [0, 0, EYE_RADIUS + CORNEA]
    points[-1] = [0, 0, -EYE_RADIUS]
    angle = np.append(np.repeat(angles, count), [0, np.pi])
    white, blood = np.array([0.93, 0.91, 0.89]), np.array([0.86, 0.68, 0.64])
    colors = white + (blood - white) * smoothstep(0.8, 1.6, angle)[:, None]
    # The shadow of the upper lid and its lashes.
    colors *= 1 - 0.42 * smoothstep(1.0, 6.5, points[:, 1])[:, None]
    part = Part(points + EYE_CENTER, faces, colors)
    spokes = 0.5 + 0.5 * np.sin(np.append(np.tile(np.arange(count) * 2.6, len(angles)), [0, 0]) + 9 * angle)
    depth = smoothstep(pupil, iris, angle)
    brown = np.array([0.47, 0.31, 0.17]) * (0.75 + 0.5 * spokes[:, None] * (1 - 0.4 * depth[:, None]))
    inside = angle <= iris + 1e-6
    part.colors[inside] = brown[inside]
    part.colors[np.abs(angle - iris) < 1e-6] = [0.13, 0.09, 0.07]
    part.colors[np.abs(angle - iris * 1.09) < 1e-6] = [0.74, 0.71, 0.69]
    part.colors[angle <= pupil + 1e-6] = [0.015, 0.012, 0.012]
    return part


def arch(
    widths: tuple[float, ...], half_width: float, depth: float, front: float
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Center (x, z) and outward direction of each tooth on the left side of an elliptic arch."""
    t = np.linspace(0, np.pi / 2, 400)
    x, z = half_width * np.sin(t), front - depth * (1 - np.cos(t))
    length = np.append(0, np.cumsum(np.hypot(np.diff(x), np.diff(z))))
    middles = np.cumsum(widths) - np.array(widths) / 2
    places = []
    for middle in middles:
        at = np.array([np.interp(middle, length, x), np.interp(middle, length, z)])
        angle = np.interp(middle, length, t)
        normal = np.array([np.sin(angle) / half_width, np.cos(angle) / depth])
        places.append((at, normal / np.linalg.norm(normal)))
    return places


def tooth(
    at: np.ndarray, normal: np.ndarray, width: float, gum_y: float, edge_y: float, thick: float, molar: bool
) -> Part:
    """One crown between the gum line and its edge."""
    side = np.array([normal[1], -normal[0]])
    count = 12
    turn = 2 * np.pi * np.arange(count) / count
    # (share of the way to the edge, width, thickness)
    if molar:
        profile = ((-0.25, 0.78, 0.85), (0.15, 0.9, 1.0), (0.55, 0.98, 1.05), (0.85, 0.95, 0.95), (1.0, 0.72, 0.66))
    else:
        profile = (
            (-0.25, 0.68, 1.0),
            (0.1, 0.8, 1.05),
            (0.45, 0.95, 0.85),
            (0.8, 0.99, 0.5),
            (0.95, 0.95, 0.33),
            (1.0, 0.82, 0.2),
        )
    sections = []
    for share, wide, deep in profile:
        # A superellipse: flat front, rounded corners.
        c, s = np.cos(turn), np.sin(turn)
        p = np.sign(c) * np.abs(c) ** 0.6 * width / 2 * wide * 1.03
        q = np.sign(s) * np.abs(s) ** 0.6 * thick / 2 * deep
        lean = (0.0 if molar else 1.1) * (share - 0.3) - 0.5 * (1 - deep) * thick * (0.0 if molar else 0.35)
        horizontal = at + p[:, None] * side + (q + lean)[:, None] * normal
        y = np.full(count, gum_y + share * (edge_y - gum_y))
        sections.append(np.stack([horizontal[:, 0], y, horizontal[:, 1]], 1))
    stack = np.stack(sections)
    points, faces = tube(stack, (False, True))
    if edge_y < gum_y:
        faces = faces[:, ::-1]
    share = np.append(np.repeat([row[0] for row in profile], count), 1.0)
    ivory, root = np.array([0.97, 0.945, 0.89]), np.array([0.90, 0.82, 0.70])
    colors = root + (ivory - root) * smoothstep(-0.1, 0.45, share)[:, None]
    return Part(points, faces, colors)


def teeth_row(upper: bool) -> Part:
    """A row of fourteen teeth with its gum."""
    widths = UPPER_WIDTHS if upper else LOWER_WIDTHS
    half_width, depth, front = (27.5, 43.0, 15.2) if upper else (25.0, 41.0, 11.8)
    gum, edge = (-59.4, -70.0) if upper else (-77.0, -69.4)
    # The upper edges lie on the curve of a smile; the lower incisors stand level.
    lengths = (1.0, 0.95, 1.0, 0.94, 0.91, 0.88, 0.85) if upper else (1.0, 1.0, 1.04, 0.97, 0.93, 0.9, 0.88)
    parts = []
    for index, (at, normal) in enumerate(arch(widths, half_width, depth, front)):
        molar = index >= 3
        edge_y = gum + (edge - gum) * lengths[index]
        thick = 9.5 if index >= 5 else 8.0 if molar else 5.4
        one = tooth(at, normal, widths[index], gum, edge_y, thick, molar)
        one.colors *= (1.0, 0.98, 0.93, 0.80, 0.66, 0.50, 0.36)[index]
        parts += [one, mirrored(one)]
    return joined([*parts, gum_part(half_width, depth, front, gum, 1.0 if upper else -1.0)])


def gum_part(half_width: float, depth: float, front: float, gum_y: float, up: float) -> Part:
    """The gum: a ridge along the arch."""
    t = np.linspace(-np.pi / 2, np.pi / 2, 33)
    middle = np.stack([half_width * np.sin(t), front - depth * (1 - np.cos(t))], 1)
    normal = np.stack([np.sin(t) / half_width, np.cos(t) / depth], 1)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    profile = ((-4.4, -0.6), (0.0, -1.0), (3.3, -0.9), (3.9, 2.0), (3.2, 6.0), (-4.6, 6.5), (-5.6, 2.5))
    sections = []
    for across, height in profile:
        scallop = 0.5 * np.cos(t * 14) * (height < 0)
        flat = middle + across * normal
        sections.append(np.stack([flat[:, 0], gum_y + up * (height + scallop), flat[:, 1]], 1))
    points, faces = tube(np.stack(sections, 1))
    if up < 0:
        faces = faces[:, ::-1]
    return Part(points, faces, np.tile([0.70, 0.36, 0.35], (len(points), 1)))


def tongue() -> Part:
    """The tongue at rest behind the lower teeth, root to tip."""
    along = np.linspace(0, 1, 14)
    count = 16
    turn = 2 * np.pi * np.arange(count) / count
    sections = []
    for s in along:
        z = -38 + 45.0 * s
        half = 19.5 * np.sqrt(np.clip(1 - s**5 * 0.86, 0, 1)) * (0.86 + 0.14 * np.sin(np.pi * s))
        top = -66.5 - 5.0 * s**2
        thick = 11.0 * (1 - 0.72 * s**1.6)
        c, q = np.cos(turn), np.sin(turn)
        x = half * np.sign(c) * np.abs(c) ** 0.8
        y = top - thick / 2 + thick / 2 * np.sign(q) * np.abs(q) ** 0.75
        groove = -1.2 * np.exp(-((x / 3.2) ** 2)) * (q > 0) * np.sin(np.pi * np.clip(s, 0, 0.95))
        sections.append(np.stack([x, y + groove, np.full(count, z)], 1))
    points, faces = tube(np.stack(sections))
    faces = faces[:, ::-1]
    points[-1, 2] += 1.5
    shade = 1 - 0.35 * smoothstep(-5, -36, points[:, 2])[:, None]
    return Part(points, faces, np.array([0.72, 0.36, 0.36]) * shade)
