"""The file that holds the appearance of a person beside the weights of their network."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path

import torch
from torch import Tensor

from facetalk.core.camera import Camera
from facetalk.core.errors import FacetalkError
from facetalk.io.video import Region
from facetalk.io.weights import TRAIN, completing, read_tensors, write_tensors
from facetalk.neural_rendering.appearance import PersonAppearance
from facetalk.neural_rendering.footage import Scene
from facetalk.neural_rendering.placement import Habits

PERSON_FILE = "person.safetensors"
MOST_SCENES = 1000
PLAUSIBLE = {
    "betas": (-100, 100),
    "colors": (-1e-3, 1.001),
    "key_points": (-1e5, 1e5),
    "intrinsics": (-1e5, 1e5),
    "boxes": (0, 1e5),
    "video_sizes": (1, 1e5),
    "habits.rotation": (-7, 7),
    "habits.transl": (-100, 100),
    "habits.sway": (-100, 100),
    "habits.turns": (-3.2, 3.2),
    "habits.expression": (-100, 100),
    "habits.gaze": (-3.2, 3.2),
}
"""Range of the numbers of each tensor; meters, radians and pixels."""
MOST_PIXELS = 1e3
"""From a keyframe's corner to a point of the head in it, and of a focal length, in units of the frames' side."""
_FPS = (1.0, 1000.0)


def write_person(folder: Path, person: PersonAppearance) -> None:
    """Write the file into an existing folder."""
    scenes = person.scenes
    tensors = {
        "betas": person.betas,
        "colors": person.colors,
        "keyframes": person.keyframes,
        "key_points": person.key_points,
        "plates": torch.stack([scene.plate for scene in scenes]),
        "intrinsics": torch.stack([scene.camera.K for scene in scenes]),
        "boxes": torch.tensor([scene.box for scene in scenes]),
        "video_sizes": torch.tensor([scene.video_size for scene in scenes]),
        **{f"habits.{field.name}": getattr(person.habits, field.name) for field in fields(Habits)},
    }
    described = {"head": person.head, "fps": person.fps, "videos": [scene.fingerprint for scene in scenes]}
    write_tensors(folder / PERSON_FILE, tensors, {"person": json.dumps(described)})


def read_person_file(folder: Path) -> PersonAppearance:
    """Read the file.

    Raises:
        FacetalkError: there is none, or it does not describe a person.
    """
    path = folder / PERSON_FILE
    if not path.is_file():
        remedy = (
            completing(folder) if (folder / "training.yaml").is_file() else "make it with facetalk train render2video"
        )
        raise FacetalkError(f"{folder} holds nobody: it has no {PERSON_FILE}; {remedy}")
    tensors, metadata = read_tensors(path, TRAIN)
    try:
        described = json.loads(metadata["person"])
        return _person(tensors, str(described["head"]), float(described["fps"]), [str(v) for v in described["videos"]])
    except (KeyError, TypeError, ValueError, IndexError, RecursionError) as error:
        raise FacetalkError(f"{path} does not describe a person ({error!s:.120}); {TRAIN}") from None


def _person(tensors: Mapping[str, Tensor], head: str, fps: float, videos: list[str]) -> PersonAppearance:
    size, count, photos = tensors["plates"].shape[1], len(videos), len(tensors["keyframes"])
    vertices, channels = len(tensors["colors"]), tensors["habits.expression"].shape[1]
    shapes = {
        "betas": (len(tensors["betas"]),),
        "colors": (vertices, 3),
        "keyframes": (photos, size, size, 3),
        "key_points": (photos, vertices, 3),
        "plates": (count, size, size, 3),
        "intrinsics": (count, 3, 3),
        "boxes": (count, 4),
        "video_sizes": (count, 2),
        "habits.rotation": (3,),
        "habits.transl": (3,),
        "habits.sway": (3, 3),
        "habits.turns": (2, 3),
        "habits.expression": (2, channels),
        "habits.gaze": (2, 3),
    }
    for name, shape in shapes.items():
        _check(name, tensors[name], shape)
    if not _FPS[0] <= fps <= _FPS[1]:
        raise ValueError(f"{fps} frames a second")
    if not 1 <= count <= MOST_SCENES:
        raise ValueError(f"{count} videos")
    boxes, sizes = tensors["boxes"].tolist(), tensors["video_sizes"].tolist()
    scenes = tuple(
        Scene(Camera(K, (size, size)), Region(*box), (shown[0], shown[1]), video, plate)
        for K, box, shown, video, plate in zip(
            tensors["intrinsics"], boxes, sizes, videos, tensors["plates"], strict=True
        )
    )
    for scene in scenes:
        _check_view(scene)
    points = tensors["key_points"]
    if bool((points[..., 2] <= 0).any()) or float(tensors["habits.transl"][2]) >= 0:
        raise ValueError("a head behind its camera")
    if bool((points[..., :2].abs() > MOST_PIXELS * size * points[..., 2:]).any()):
        raise ValueError("keyframes without a head in them")
    habits = Habits(**{field.name: tensors[f"habits.{field.name}"] for field in fields(Habits)})
    if any(bool((limits[0] > limits[1]).any()) for limits in (habits.turns, habits.expression, habits.gaze)):
        raise ValueError("limits that exclude everything")
    named = (tensors[name] for name in ("betas", "colors", "keyframes", "key_points"))
    return PersonAppearance(head, *named, scenes=scenes, habits=habits, fps=fps)


def _check_view(scene: Scene) -> None:
    """Refuse a part of a video that is not in it, and a camera that sees nothing."""
    box, (width, height) = scene.box, scene.video_size
    if box.width < 1 or box.height != box.width:
        raise ValueError("a view that is not square")
    if box.left + box.width > width or box.top + box.height > height:
        raise ValueError("a view that is not in its video")
    K, size = scene.camera.K, scene.camera.image_size[0]
    if K[2].tolist() != [0, 0, 1] or float(K[0, 1]) != 0 or float(K[1, 0]) != 0:
        raise ValueError("intrinsics of no camera")
    focal = K.diagonal()[:2]
    if not size / MOST_PIXELS <= float(focal.min()) <= float(focal.max()) <= MOST_PIXELS * size:
        raise ValueError("a focal length that no camera has")


_BYTES = ("keyframes", "plates")
_WHOLE = ("boxes", "video_sizes")


def _check(name: str, value: Tensor, shape: tuple[int, ...]) -> None:
    kind = torch.uint8 if name in _BYTES else torch.int64 if name in _WHOLE else torch.float32
    if value.shape != shape or value.dtype != kind:
        raise ValueError(f"{name} is {value.dtype} of shape {tuple(value.shape)}")
    if value.numel() and kind != torch.uint8:
        low, high = PLAUSIBLE[name]
        least, most = (float(bound) for bound in value.aminmax())
        if not low <= least <= most <= high:  # NaN as well
            raise ValueError(f"{name} goes from {least:g} to {most:g}, not within {low:g} to {high:g}")
