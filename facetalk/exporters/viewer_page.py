"""A page that shows heads in motion: one HTML file with meshes, curves and audio inside, which loads nothing else.

The scripts in `viewer/` are modules for WebGL 2; here they become one. What the page knows is one JSON object: `heads`,
`clips`, compressed `audio`, and `arrays`, to which entries of the others point (see `packed_arrays`).
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

import numpy as np
import torch

from facetalk.core.errors import UsageError
from facetalk.core.events import KINDS
from facetalk.core.html import document
from facetalk.core.motion import Motion
from facetalk.core.timing import exact_rate
from facetalk.core.version import __version__
from facetalk.exporters.packed_arrays import PackedArrays
from facetalk.exporters.page_head import moving_channels, packed_head, packed_identity
from facetalk.head.model import HeadModel
from facetalk.io.encoded_audio import AudioSource, small_audio
from facetalk.motion.frames import check_identity
from facetalk.motion.framing import framed
from facetalk.rendering.glsl import WEB_VERTEX_SHADER

MOST_CLIPS = 16
MOST_HOURS, MOST_FRAMES = 2.0, 432_000
"""Of all motions of a page: what a browser can hold. Two hours have so many frames at 60 a second."""

_MODULES = ("unpack", "rotations", "head", "clip", "camera", "renderer", "playback", "tracks", "style_map", "interface",
            "main")  # fmt: skip
"""Scripts in the order in which they build on each other."""
_FACTS = (
    "command",
    "talker",
    "talker_person",
    "style",
    "style_strength",
    "emotion",
    "laughter",
    "head_motion",
    "blinks",
    "seed",
    "voice",
)
"""Entries of a motion's `meta` that the page shows."""
_LONGEST_FACT = 200
_SIZE = 512
"""Side of the image that the camera is found for; the page scales it."""


@dataclass(frozen=True, eq=False)
class PageClip:
    """A motion on a page."""

    name: str
    motion: Motion
    head: HeadModel
    audio: AudioSource | None = None


def viewer_page(title: str, clips: Sequence[PageClip], styles: Mapping[str, Any] | None = None) -> str:
    """Return the page.

    Args:
        title: shown at the top.
        clips: motions, each in the coefficients of its head; clips that share a head share the object.
        styles: a map of speaking styles: `names`, `places` (x, y) of these and then of the clips, and the `share` of
            their differences that the map shows.

    Raises:
        UsageError: there are more motions than a page holds.
        InvalidValueError: a motion has more identity coefficients than its head.
        FacetalkError: the audio cannot be read.
    """
    _check_amount(clips)
    arrays = PackedArrays()
    owners = {id(clip.head): clip.head for clip in clips}
    moves = {key: moving_channels([clip.motion for clip in clips if clip.head is head]) for key, head in owners.items()}
    recordings = _Recordings()
    entries = [
        _packed_clip(clip, moves[id(clip.head)], arrays)
        | {"head": list(owners).index(id(clip.head)), "audio": recordings.number_of(clip)}
        for clip in clips
    ]
    data = {
        "madeBy": f"facetalk {__version__}",
        "title": title,
        "kinds": list(KINDS),
        "vertexShader": WEB_VERTEX_SHADER,
        "heads": [packed_head(head, moves[key], arrays) for key, head in owners.items()],
        "clips": entries,
        "audio": recordings.encoded,
        "styles": None if styles is None else dict(styles),
        "arrays": arrays.text(),
    }
    return document(title, _packaged("viewer.html"), _packaged("viewer.css"), _script(), data, is_module=True)


class _Recordings:
    """The audio of the clips, each recording once."""

    def __init__(self) -> None:
        self.encoded: list[str] = []
        self._numbers: dict[tuple[str, float], int] = {}

    def number_of(self, clip: PageClip) -> int | None:
        """Place of a clip's audio in `encoded`; None without audio."""
        if clip.audio is None:
            return None
        source = f"samples of {clip.name}" if isinstance(clip.audio, torch.Tensor) else str(clip.audio)
        key = source, clip.motion.duration_s
        if key not in self._numbers:
            self._numbers[key] = len(self.encoded)
            self.encoded.append(base64.b64encode(small_audio(clip.audio, clip.motion.duration_s)).decode())
        return self._numbers[key]


def _check_amount(clips: Sequence[PageClip]) -> None:
    if not 1 <= len(clips) <= MOST_CLIPS:
        raise UsageError(f"a page shows 1 to {MOST_CLIPS} motions, not {len(clips)}; name those to see")
    hours = sum(clip.motion.duration_s for clip in clips) / 3600
    if hours > MOST_HOURS:
        raise UsageError(
            f"a page holds {MOST_HOURS:g} hours of motion, not {hours:.1f}; facetalk edit --trim cuts a part out"
        )
    frames = sum(clip.motion.num_frames for clip in clips)
    if frames > MOST_FRAMES:
        raise UsageError(
            f"a page holds {MOST_FRAMES} frames, not {frames}; facetalk export --fps 30 makes fewer of them"
        )
    for clip in clips:
        check_identity(clip.motion, clip.head)


def _packed_clip(clip: PageClip, moves: np.ndarray, arrays: PackedArrays) -> dict[str, Any]:
    motion, camera = framed(clip.motion, clip.head, _SIZE)
    kept = torch.from_numpy(np.flatnonzero(moves))
    entry: dict[str, Any] = {
        "name": clip.name,
        "fps": float(exact_rate(motion.fps)),
        "frames": motion.num_frames,
        "camera": {
            "eye": (-camera.world_to_camera[:3, 3]).tolist(),
            "pivot": float(_middle_z(clip.head, motion)),
            "focal": float(camera.K[0, 0]) / _SIZE,
            "middle": float(camera.K[1, 2]) / _SIZE,
        },
        "expression": _curves(motion.expression[:, kept], arrays),
        "poses": _curves(motion.poses.flatten(1), arrays),
        "transl": _curves(motion.transl, arrays),
        "events": [
            [KINDS.index(e.kind), round(e.start, 4), round(e.end, 4), e.label, e.strength] for e in motion.events
        ],
        "facts": _facts(motion),
        **packed_identity(clip.head, motion, arrays),
    }
    if motion.laughter is not None:
        width = motion.expression.shape[1]
        parts = torch.cat([motion.laughter[:, :width][:, kept], motion.laughter[:, width:]], 1)
        entry["laughter"] = _curves(parts, arrays)
    return entry


def _curves(values: torch.Tensor, arrays: PackedArrays) -> dict[str, Any]:
    return arrays.numbers(np.ascontiguousarray(values.numpy().T), along_rows=True)


def _middle_z(head: HeadModel, motion: Motion) -> torch.Tensor:
    """Depth of the head's middle in the first frame, around which a viewer turns."""
    first = motion.cut(0, 1)
    with torch.inference_mode():
        depth = head(first.expression, first.poses, first.transl, first.betas)[0, :, 2]
    members = head.points.regions["skin"] if len(head.points.regions["skin"]) else slice(None)
    return (depth[members].amin() + depth[members].amax()) / 2


def _facts(motion: Motion) -> list[tuple[str, str]]:
    """What is known about a motion, as pairs of a name and a text."""
    facts = {"head": motion.head, "source": motion.source, **{name: motion.meta.get(name) for name in _FACTS}}
    plain = {name: value for name, value in facts.items() if isinstance(value, (str, int, float)) and value != ""}
    return [(name.replace("_", " "), _short(value)) for name, value in plain.items()]


def _short(value: str | float) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)[:_LONGEST_FACT]


def _script() -> str:
    """The modules as one: without imports from each other and exports, which are not needed then."""
    text = "\n".join(_packaged(f"{name}.js") for name in _MODULES)
    return re.sub(r"^import [^;]*;\n|^export (?=const|function|class|async)", "", text, flags=re.MULTILINE)


def _packaged(name: str) -> str:
    return (resources.files("facetalk.exporters") / "viewer" / name).read_text(encoding="utf-8")
