"""What of a performance an avatar shows, and what it does not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facetalk.head.channels import ARKIT_NAMES
from facetalk.io.gltf_nodes import NodeTree
from facetalk.motion.avatar_bones import AvatarBones
from facetalk.motion.avatar_shapes import ShapeMatch

_SHOWN = 12
"""Names that a message lists."""


@dataclass(frozen=True)
class AvatarReport:
    """What moves and what does not."""

    name: str
    mouth: str
    """What moves the mouth: `ARKit`, `Oculus visemes`, `VRM expressions` or `jaw bone`."""
    channels: Mapping[str, tuple[str, ...]]
    """The file's shapes or expressions by the channel or viseme that drives them."""
    missing: tuple[str, ...]
    """ARKit channels that nothing shows; empty where visemes move the mouth."""
    bones: Mapping[str, tuple[str, ...]]
    """Names of the nodes that turn, by role."""
    eyes: str
    """`bones`, `shapes` or `none`."""
    lost: tuple[str, ...]
    """Parts of a performance that this avatar cannot show."""

    @property
    def is_partial(self) -> bool:
        """Whether more is lost than the position of the head, which a character with a body does not have."""
        return bool(self.missing) or len(self.lost) > 1

    def summary(self) -> str:
        """One line."""
        parts = [f"{self.name}: mouth by {self.mouth}"]
        arkit = sum(name in self.channels for name in ARKIT_NAMES)
        parts.append(f"{arkit} of {len(ARKIT_NAMES)} ARKit channels")
        parts.append(f"eyes by {self.eyes}" if self.eyes != "none" else "no eyes")
        turning = [role for role in ("head", "neck", "jaw") if role in self.bones]
        parts.append(f"bones of {', '.join(turning)}" if turning else "no bones of head, neck and jaw")
        return "; ".join([*parts, *([f"lost: {', '.join(self.lost)}"] if self.lost else [])])

    def document(self) -> dict[str, Any]:
        """All of it as plain values."""
        return {
            "avatar": self.name,
            "mouth": self.mouth,
            "channels": {name: list(shapes) for name, shapes in self.channels.items()},
            "missing": list(self.missing),
            "bones": {role: list(names) for role, names in self.bones.items()},
            "eyes": self.eyes,
            "lost": list(self.lost),
        }


def avatar_report(name: str, tree: NodeTree, shapes: ShapeMatch, bones: AvatarBones) -> AvatarReport:
    """Describe what was matched."""
    mouth = shapes.mouth or ("jaw bone" if "jaw" in bones.nodes else "")
    looks = any(name.startswith("eyeLook") for name in shapes.shapes)
    eyes = "bones" if "left_eye" in bones.nodes else "shapes" if looks else "none"
    by_sound = mouth in ("Oculus visemes", "VRM expressions")
    absent = [name for name in ARKIT_NAMES if name not in shapes.shapes]
    groups = {"blinks": "eyeBlink", "brows": "brow", "cheeks": "cheek", "tongue": "tongueOut"}
    lost = [part for part, start in groups.items() if all(n in absent for n in ARKIT_NAMES if n.startswith(start))]
    if eyes == "none":
        lost.append("gaze")
    if not {"head", "neck"} & bones.nodes.keys():
        lost.append("rotation of the head")
    lost.append("position of the head")
    if by_sound:
        lost.append("asymmetry of the mouth")
    return AvatarReport(
        name=name,
        mouth=mouth,
        channels=shapes.shapes,
        missing=() if by_sound else tuple(absent),
        bones={
            role: tuple(tree.names[node] or f"node {node}" for node in nodes) for role, nodes in bones.nodes.items()
        },
        eyes=eyes,
        lost=tuple(lost),
    )


def nothing_found(path: Path, shapes: ShapeMatch) -> str:
    """What an avatar without a mouth has instead, as an error's message."""
    names = [name for mesh in shapes.meshes for name in mesh.target_names]
    named = [f"'{name:.40}'" for name in dict.fromkeys(names) if name]
    if not names:
        found = "it has no morph targets and no jaw bone"
    elif not named:
        found = f"its {len(names)} morph targets have no names"
    else:
        more = f" and {len(named) - _SHOWN} more" if len(named) > _SHOWN else ""
        found = f"its morph targets are {', '.join(named[:_SHOWN])}{more}"
    return (
        f"nothing in {path} moves a mouth: {found}; an avatar needs shapes with ARKit's names such as jawOpen, Oculus "
        "visemes, VRM expressions, or a jaw bone"
    )
