"""Morph targets of an avatar and what drives each of them: ARKit channels, visemes, or expressions of VRM."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from facetalk.audio.visemes import OCULUS_VISEMES
from facetalk.core.words import words
from facetalk.head.channel_names import channel_columns, channels_named, combination_named
from facetalk.head.channels import ARKIT_NAMES, LOWER_NAMES
from facetalk.io.gltf import GltfFile
from facetalk.io.gltf_morphs import MorphMesh
from facetalk.io.vrm import VOWELS, vrm_expressions

ENOUGH_MOUTH_CHANNELS = 5
"""With fewer ARKit shapes of the mouth, visemes are used where there are any."""
_VISEME_WORDS = ("viseme", "v")
_VISEME_SPELLINGS = {"i": "ih", "o": "oh", "u": "ou"}
_MOUTH_OPEN = (("mouth", "open"), ("open", "mouth"))

# Expressions of VRM as sums of ARKit channels.
_VRM_SUMS: Mapping[str, tuple[str, ...]] = {
    "blinkLeft": ("eyeBlinkLeft",),
    "blinkRight": ("eyeBlinkRight",),
    "blink": ("eyeBlinkLeft", "eyeBlinkRight"),
    "lookUp": ("eyeLookUpLeft", "eyeLookUpRight"),
    "lookDown": ("eyeLookDownLeft", "eyeLookDownRight"),
    "lookLeft": ("eyeLookOutLeft", "eyeLookInRight"),
    "lookRight": ("eyeLookInLeft", "eyeLookOutRight"),
}
"""Their mean is the expression's weight."""


class Source(NamedTuple):
    """A curve that drives a morph target."""

    kind: str
    """`arkit`: the product of one or two channels, of which the same twice means a channel halfway; or `viseme`."""
    names: tuple[str, ...]


class Driver(NamedTuple):
    """One source of a morph target's weight."""

    target: int
    source: Source
    gain: float


@dataclass(frozen=True)
class ShapeMatch:
    """What moves the morph targets of an avatar."""

    meshes: tuple[MorphMesh, ...]
    drivers: Mapping[int, tuple[Driver, ...]] = field(default_factory=dict)
    """By node."""
    shapes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The shapes or expressions that each matched channel drives; visemes are named as `viseme aa`."""
    visemes: tuple[str, ...] = ()
    """The visemes of Oculus that it has, if these move the mouth."""
    mouth: str = ""
    """What moves the mouth: `ARKit`, `Oculus visemes`, `VRM expressions`, or nothing."""


def match_shapes(file: GltfFile, meshes: Sequence[MorphMesh], eye_bones: bool) -> ShapeMatch:
    """Find what drives each morph target.

    Args:
        file: the avatar.
        meshes: see `morph_meshes`.
        eye_bones: whether bones turn the eyes, so that expressions of VRM need not.
    """
    by_name = [(mesh.node, driver) for mesh in meshes for driver in _arkit_drivers(mesh)]
    expressions = vrm_expressions(file, meshes)
    channels = {name for _, driver in by_name for name in driver.source.names}
    for name, binds in expressions.items():  # "perfect sync": ARKit channels as expressions
        named = channels_named(name)
        if len(named) == 1 and named[0] not in channels:
            by_name += [(node, Driver(target, Source("arkit", named), gain)) for node, target, gain in binds]
    channels = {driver.source.names[0] for _, driver in by_name if len(driver.source.names) == 1}
    mouth_channels = channels.intersection(LOWER_NAMES)
    visemes = [(mesh.node, driver) for mesh in meshes for driver in _viseme_drivers(mesh)]
    vowels = list(_vrm_mouth(expressions))
    mouth, sounds = "ARKit", []
    if "jawOpen" not in channels or len(mouth_channels) < ENOUGH_MOUTH_CHANNELS:
        if len({driver.source.names for _, driver in visemes}) >= ENOUGH_MOUTH_CHANNELS:
            mouth, sounds = "Oculus visemes", visemes
        elif vowels:
            mouth, sounds = "VRM expressions", vowels
        elif not mouth_channels:
            openings = [(mesh.node, driver) for mesh in meshes for driver in _opening_drivers(mesh)]
            mouth, by_name = ("ARKit" if openings else ""), by_name + openings
    if sounds:
        lower = set(LOWER_NAMES)
        by_name = [(node, driver) for node, driver in by_name if not lower.intersection(driver.source.names)]
    upper = [] if not expressions else list(_vrm_upper(expressions, channels, eye_bones))
    return _match(meshes, [*by_name, *sounds, *upper], mouth)


def _arkit_drivers(mesh: MorphMesh) -> Iterator[Driver]:
    names = mesh.target_names
    for channel, columns in channel_columns(names).items():
        for column in columns:
            share = 1 / len(channels_named(names[column]))
            yield Driver(column, Source("arkit", (channel,)), share)
    known = set(channel_columns(names))
    for column, name in enumerate(names):
        pair = combination_named(name)
        if pair is not None and known.issuperset(pair):
            yield Driver(column, Source("arkit", pair), 1.0)


def _viseme_drivers(mesh: MorphMesh) -> Iterator[Driver]:
    for column, name in enumerate(mesh.target_names):
        viseme = _oculus_viseme(name)
        if viseme is not None:
            yield Driver(column, Source("viseme", (viseme,)), 1.0)


def _oculus_viseme(name: str) -> str | None:
    """The viseme that a name such as `viseme_PP` or `vrc.v_aa` stands for."""
    parts = words(name)
    if len(parts) < 2 or parts[-2] not in _VISEME_WORDS:
        return None
    spelled = _VISEME_SPELLINGS.get(parts[-1], parts[-1])
    return next((viseme for viseme in OCULUS_VISEMES if viseme.lower() == spelled), None)


def _opening_drivers(mesh: MorphMesh) -> Iterator[Driver]:
    for column, name in enumerate(mesh.target_names):
        if words(name)[-2:] in _MOUTH_OPEN:
            yield Driver(column, Source("arkit", ("jawOpen",)), 1.0)


def _vrm_mouth(expressions: Mapping[str, list[tuple[int, int, float]]]) -> Iterator[tuple[int, Driver]]:
    for name, viseme in VOWELS.items():
        for node, target, gain in expressions.get(name, ()):
            yield node, Driver(target, Source("viseme", (viseme,)), gain)


def _vrm_upper(
    expressions: Mapping[str, list[tuple[int, int, float]]], channels: set[str], eye_bones: bool
) -> Iterator[tuple[int, Driver]]:
    """Blinks and gaze of VRM, where no ARKit shape has them."""
    for name, parts in _VRM_SUMS.items():
        looks = name.startswith("look")
        both = name == "blink" and {"blinkLeft", "blinkRight"} <= expressions.keys()
        if both or channels.intersection(parts) or (looks and eye_bones):
            continue
        for node, target, gain in expressions.get(name, ()):
            yield from ((node, Driver(target, Source("arkit", (part,)), gain / len(parts))) for part in parts)


def _match(meshes: Sequence[MorphMesh], drivers: Sequence[tuple[int, Driver]], mouth: str) -> ShapeMatch:
    by_node: dict[int, list[Driver]] = {}
    shapes: dict[str, dict[str, None]] = {}
    names = {mesh.node: mesh.target_names for mesh in meshes}
    for node, driver in drivers:
        by_node.setdefault(node, []).append(driver)
        kind, parts = driver.source
        if len(parts) == 1:
            label = parts[0] if kind == "arkit" else f"viseme {parts[0]}"
            shapes.setdefault(label, {})[names[node][driver.target]] = None
    order = [*ARKIT_NAMES, *(f"viseme {name}" for name in OCULUS_VISEMES)]
    named = {label: tuple(shapes[label]) for label in order if label in shapes}
    visemes = tuple(name for name in OCULUS_VISEMES if f"viseme {name}" in shapes)
    return ShapeMatch(tuple(meshes), {node: tuple(found) for node, found in by_node.items()}, named, visemes, mouth)
