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
from facetalk.io.weights import read_tensors, write_tensors
from facetalk.neural_rendering.appearance import PersonAppearance
from facetalk.neural_rendering.footage import Scene
from facetalk.neural_rendering.placement import Habits

PERSON_FILE = "person.safetensors"
MOST_SCENES = 1000
LARGEST = 1e5
"""Of any number in the file."""
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
        raise FacetalkError(f"{folder} holds nobody: it has no {PERSON_FILE}; make it with facetalk train render2video")
    tensors, metadata = read_tensors(path)
    try:
        described = json.loads(metadata["person"])
        return _person(tensors, str(described["head"]), float(described["fps"]), [str(v) for v in described["videos"]])
    except (KeyError, TypeError, ValueError, IndexError, RecursionError) as error:
        raise FacetalkError(f"{path} does not describe a person ({error!s:.120}); train it again") from None


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
    if any(scene.box.width < 1 or scene.box.height != scene.box.width for scene in scenes):
        raise ValueError("a view that is not square")
    if bool((tensors["key_points"][..., 2] <= 0).any()) or bool((tensors["intrinsics"][:, [0, 1], [0, 1]] <= 0).any()):
        raise ValueError("a head behind its camera")
    habits = Habits(**{field.name: tensors[f"habits.{field.name}"] for field in fields(Habits)})
    if any(bool((limits[0] > limits[1]).any()) for limits in (habits.turns, habits.expression, habits.gaze)):
        raise ValueError("limits that exclude everything")
    named = (tensors[name] for name in ("betas", "colors", "keyframes", "key_points"))
    return PersonAppearance(head, *named, scenes=scenes, habits=habits, fps=fps)


_BYTES = ("keyframes", "plates")
_WHOLE = ("boxes", "video_sizes")


def _check(name: str, value: Tensor, shape: tuple[int, ...]) -> None:
    kind = torch.uint8 if name in _BYTES else torch.int64 if name in _WHOLE else torch.float32
    if value.shape != shape or value.dtype != kind:
        raise ValueError(f"{name} is {value.dtype} of shape {tuple(value.shape)}")
    if value.numel() and kind != torch.uint8 and not float(value.abs().max()) <= LARGEST:  # NaN as well
        raise ValueError(f"{name} holds values that are not finite or beyond {LARGEST:g}")
