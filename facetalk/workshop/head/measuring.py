"""Statistics of tracked faces: their mean, modes of variation and range of motion.

`python -m facetalk.workshop.head.measuring LANDMARKS_DIR MANIFEST.csv` reads MediaPipe's points of many clips, as
`facetalk.workshop.head.landmarks` writes them, and replaces `measurements.npz` next to this module. Only averages over
many people are kept.
"""

from __future__ import annotations

import csv
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np

from facetalk.core.landmarks import (
    MESH_CHIN,
    MESH_FOREHEAD,
    MESH_INNER_EYE_CORNERS,
    MESH_INNER_LIP_CENTERS,
    MESH_LEFT_IRIS,
    MESH_LEFT_LID_CENTERS,
    MESH_MOUTH_CORNERS,
    MESH_NASION,
    MESH_OUTER_EYE_CORNERS,
    MESH_RIGHT_IRIS,
    MESH_RIGHT_LID_CENTERS,
    MESH_RIGID,
    MESH_TEMPLE_SIDES,
    NUM_MESH_SKIN_POINTS,
)

RIGID = (*MESH_RIGID, *MESH_TEMPLE_SIDES, 151, 9, 8)
"""Points that expressions hardly move."""

PUPIL_DISTANCE_MM = 63.0
"""Mean adult distance between the pupils (Dodgson 2004)."""

MAX_FRAMES = 40
"""Number of frames used of each clip."""


def align(points: np.ndarray, reference: np.ndarray, members: tuple[int, ...] = RIGID) -> np.ndarray:
    """Frames moved, turned and scaled so that `members` lie on those of the reference (Procrustes).

    Args:
        points: (frames, 478, 3).
        reference: (478, 3).
    """
    index = list(members)
    source, target = points[:, index], reference[index]
    source_center, target_center = source.mean(1, keepdims=True), target.mean(0)
    u, scale, vt = np.linalg.svd((source - source_center).transpose(0, 2, 1) @ (target - target_center))
    flip = np.sign(np.linalg.det(u @ vt))
    u[:, :, 2] *= flip[:, None]
    scale[:, 2] *= flip
    factor = scale.sum(1) / ((source - source_center) ** 2).sum((1, 2))
    return (points - source_center) @ (u @ vt) * factor[:, None, None] + target_center


def upright(points: np.ndarray) -> np.ndarray:
    """Image points (y down, z away from the viewer) in the head's frame: y up, z forward."""
    return points * np.array([1.0, -1.0, -1.0])


def gap(points: np.ndarray, a: int, b: int) -> np.ndarray:
    """Distance of two points in every frame."""
    return np.linalg.norm(points[:, a] - points[:, b], axis=-1)


def is_frontal(points: np.ndarray) -> np.ndarray:
    """Frames with little yaw and pitch: where MediaPipe's depth is most reliable."""
    middle = points[:, list(MESH_OUTER_EYE_CORNERS)].mean(1)
    width = gap(points, *MESH_OUTER_EYE_CORNERS)
    right, left = MESH_TEMPLE_SIDES
    yaw = np.abs(points[:, right, 2] - points[:, left, 2]) / width
    pitch = np.abs(points[:, MESH_FOREHEAD, 2] - points[:, MESH_CHIN, 2]) / width
    return (yaw < 0.35) & (pitch < 0.8) & (np.abs(points[:, MESH_NASION, 0] - middle[:, 0]) < 0.2 * width)


def speakers_of(manifest_path: Path) -> dict[str, str]:
    """Speaker of each clip, by the name of the clip's landmarks."""
    with manifest_path.open(encoding="utf-8", newline="") as file:
        return {landmarks_name(row["path"]): row["speaker"] for row in csv.DictReader(file)}


def landmarks_name(clip_path: str) -> str:
    """Name of the file with a clip's landmarks, without the suffix."""
    return clip_path.replace("/", "__")


def read_frames(folder: Path, speakers: dict[str, str]) -> dict[str, np.ndarray]:
    """Frontal frames of every speaker, upright, in pixels."""
    frames = defaultdict(list)
    for path in sorted(folder.glob("*.npz")):
        speaker = speakers.get(path.stem)
        if not speaker or sum(map(len, frames[speaker])) > 40 * MAX_FRAMES:
            continue
        points = np.load(path)["points"].astype(np.float64)
        points = points[np.isfinite(points).all((1, 2))]
        points = upright(points[is_frontal(points)])
        if len(points):
            frames[speaker].append(points[:: max(1, len(points) // MAX_FRAMES)])
    return {speaker: np.concatenate(rows) for speaker, rows in frames.items() if sum(map(len, rows)) >= 8}


def at_rest(points: np.ndarray) -> np.ndarray:
    """Mean of the frames with a closed relaxed mouth and open eyes of one person, (478, 3)."""
    mouth, width = gap(points, *MESH_INNER_LIP_CENTERS), gap(points, *MESH_MOUTH_CORNERS)
    eyes = gap(points, *MESH_RIGHT_LID_CENTERS) + gap(points, *MESH_LEFT_LID_CENTERS)
    calm = mouth <= np.percentile(mouth, 20) + 0.5
    calm &= (eyes >= np.percentile(eyes, 40)) & (eyes <= np.percentile(eyes, 90))
    calm &= (width >= np.percentile(width, 10)) & (width <= np.percentile(width, 80))
    return points[calm].mean(0) if calm.sum() >= 2 else points[mouth.argsort()[:3]].mean(0)


def mirror_pairs(face: np.ndarray) -> np.ndarray:
    """Index of each point's mirrored counterpart, (478,)."""
    other = face * np.array([-1.0, 1.0, 1.0])
    distance = np.linalg.norm(face[:, None] - other[None], axis=-1)
    # The irises lie close together: pair them by their own numbers (center, and a ring that starts at one side).
    skin = NUM_MESH_SKIN_POINTS
    distance[skin:, :skin] = distance[:skin, skin:] = np.inf
    pairs = distance.argmin(1)
    if not np.array_equal(pairs[pairs], np.arange(len(face))):
        raise ValueError("the mean face is too crooked to pair its points")
    return pairs


def to_head_frame(face: np.ndarray) -> np.ndarray:
    """Scale to millimeters, midline at x = 0, the outer eye corners at y = z = 0."""
    scale = PUPIL_DISTANCE_MM / np.linalg.norm(face[MESH_RIGHT_IRIS] - face[MESH_LEFT_IRIS])
    return (face - face[list(MESH_OUTER_EYE_CORNERS)].mean(0)) * scale


def symmetric(face: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """Mean of a face and its mirror image."""
    return (face + face[pairs] * np.array([-1.0, 1.0, 1.0])) / 2


def measure(frames: dict[str, np.ndarray], num_modes: int = 10) -> dict[str, np.ndarray]:
    """Mean face and identity modes, millimeters.

    Returns:
        `mean (478, 3)`, `pairs (478,)`, `modes (num_modes, 478, 3)` for one standard deviation each, `variance`
        the share of variance of each mode, `people` the number of speakers.
    """
    first = np.median(np.concatenate([rows[:4] for rows in frames.values() if len(rows) > 100]), 0)
    reference = to_head_frame(next(iter(frames.values()))[0] if not len(first) else first)
    faces = np.stack([to_head_frame(at_rest(align(rows, reference))) for rows in frames.values()])
    for _ in range(3):
        faces = align(faces, reference)
        reference = to_head_frame(np.median(faces, 0))
    pairs = mirror_pairs(level(reference))
    reference = to_head_frame(symmetric(level(reference), pairs))
    faces = align(faces, reference)
    faces = (faces + faces[:, pairs] * np.array([-1.0, 1.0, 1.0])) / 2
    spread = np.linalg.norm(faces - np.median(faces, 0), axis=-1).mean(1)
    faces = faces[spread < 2.5 * np.median(spread)]
    mean = to_head_frame(faces.mean(0))
    offsets = (faces - faces.mean(0)).reshape(len(faces), -1)
    _, sigma, modes = np.linalg.svd(offsets, full_matrices=False)
    sigma = sigma / np.sqrt(len(faces) - 1)
    modes = modes[:num_modes] * sigma[:num_modes, None]
    return {
        "mean": mean.astype(np.float32),
        "pairs": pairs.astype(np.int16),
        "modes": modes.reshape(-1, *mean.shape).astype(np.float32),
        "variance": (sigma**2 / (sigma**2).sum())[:num_modes].astype(np.float32),
        "people": np.array(len(faces)),
    }


def signed_like(modes: np.ndarray, earlier: np.ndarray) -> np.ndarray:
    """Modes with the signs of earlier ones, so that the identity coefficients of saved motions keep their meaning.

    Args:
        modes: (num_modes, 478, 3).
        earlier: (num_modes, 478, 3).
    """
    agreement = (modes * earlier).sum((1, 2), keepdims=True)
    return np.where(agreement < 0, -modes, modes)


def level(face: np.ndarray) -> np.ndarray:
    """Turn a nearly frontal face so that its left-right axis is x and the eye-mouth plane stands upright."""
    sides = zip(*(MESH_OUTER_EYE_CORNERS, MESH_TEMPLE_SIDES, MESH_MOUTH_CORNERS, MESH_INNER_EYE_CORNERS), strict=True)
    right_points, left_points = (list(side) for side in sides)
    left = face[left_points].mean(0) - face[right_points].mean(0)
    x = left / np.linalg.norm(left)
    up = face[MESH_FOREHEAD] - face[MESH_CHIN]
    up = up - x * (up @ x)
    y = up / np.linalg.norm(up)
    return (face - face[list(MESH_OUTER_EYE_CORNERS)].mean(0)) @ np.stack([x, y, np.cross(x, y)]).T


def main(arguments: list[str]) -> None:
    """Measure a folder of landmarks."""
    frames = read_frames(Path(arguments[0]), speakers_of(Path(arguments[1])))
    table, path = measure(frames), Path(__file__).with_name("measurements.npz")
    table["modes"] = signed_like(table["modes"], np.load(path)["modes"])
    np.savez_compressed(path, **table)
    print(f"{table['people']} people, variance of modes {np.round(table['variance'], 3)}")


if __name__ == "__main__":
    main(sys.argv[1:])
