"""What an exporter is, and the options that all exporters share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor

from facetalk.core.errors import FacetalkError, UsageError
from facetalk.core.events import KINDS, Event
from facetalk.core.motion import Motion, check_fps
from facetalk.core.progress import Progress, no_progress
from facetalk.head.channels import ARKIT_NAMES
from facetalk.head.looks import Look
from facetalk.head.model import HeadModel
from facetalk.io.audio_clip import AudioClip
from facetalk.motion import frame_rate
from facetalk.motion.frames import BACKENDS, CAMERAS
from facetalk.neural_rendering.registry import NEURAL_RENDERERS

MIN_SIZE, MAX_SIZE = 16, 4096
"""Pixels."""
DEFAULT_SIZE = 512
CUES = ("line", "word", "phoneme")
EXPRESSIONS = ("all", "preset", "arkit")


def check_size(size: int) -> None:
    """Refuse sizes of an image that cannot be rendered."""
    if not isinstance(size, int) or not MIN_SIZE <= size <= MAX_SIZE:
        raise UsageError(f"size is {size}; it must be a whole number between {MIN_SIZE} and {MAX_SIZE}")


@dataclass(frozen=True, eq=False)
class ExportOptions:
    """How a motion is written. Each format lists in the registry which of these it takes; the others are refused."""

    fps: float | None = None
    """Frames a second; the motion's own if not given, with the tracked camera those of the fitted video. 23.976, 29.97
    and 59.94 stand for 24000/1001, 30000/1001 and 60000/1001."""
    size: int | None = None
    """Side of the front camera's square image, pixels; 512 if not given. The tracked camera has the video's size."""
    audio: Path | str | AudioClip | Float[Tensor, " samples"] | None = None
    """Audio or video file whose audio goes with the frames, or a part of it, or mono samples at 16 kHz."""
    backend: str = "cpu"
    """Renderer: `cpu`, or `pyrender` where OpenGL is installed."""
    camera: str = "front"
    """`front` looks at the head's usual place from in front; `tracked` is the camera of the fitted video."""
    over: Path | str | None = None
    """Video over which the face is drawn, instead of a plain wall; needs the tracked camera."""
    cues: str = "line"
    """What a cue of subtitles is: a `line` of words between pauses, one `word`, or one `phoneme`."""
    expressions: str = "all"
    """Expressions of a VRM animation: the `preset` ones, which every avatar has, those of `arkit`, or `all`."""
    avatar: Path | str | None = None
    """The user's own character, a `.glb`, `.gltf` or `.vrm` file, which is shown instead of the head."""
    photo: Path | str | None = None
    """Folder of a training by `facetalk train render2video`: the video shows the person instead of the head."""
    portrait: Path | str | None = None
    """Photo of a person, an image file: the video shows the person instead of the head."""

    def __post_init__(self) -> None:
        check_fps(self.fps)
        if self.size is not None:
            check_size(self.size)
        if self.camera not in CAMERAS:
            raise UsageError(f"unknown camera {self.camera!r}; there are: {', '.join(CAMERAS)}")
        if self.backend not in BACKENDS:
            raise UsageError(f"unknown backend {self.backend!r}; there are: {', '.join(BACKENDS)}")
        for name, value, known in (("cues", self.cues, CUES), ("expressions", self.expressions, EXPRESSIONS)):
            if value not in known:
                raise UsageError(f"unknown {name} {value!r:.40}; there are: {', '.join(known)}")
        self._check_shown()
        if self.over is not None and self.camera != "tracked":
            raise UsageError("--over needs --camera tracked, the camera of the video")
        if self.avatar is not None and self.camera == "tracked":
            raise UsageError("--camera tracked shows the fitted person; --avatar takes --camera front")
        if self.size is not None and self.camera == "tracked":
            raise UsageError("--camera tracked takes no --size: the image has the size of the fitted video")

    def _check_shown(self) -> None:
        """Refuse to show more than one face, and what belongs to the head where another one is shown."""
        shown = [name for name in ("avatar", *NEURAL_RENDERERS) if getattr(self, name) is not None]
        if len(shown) > 1:
            raise UsageError(f"a video shows one face; give --{shown[0]} or --{shown[1]}, not both")
        if self.neural is None:
            return
        for name in ("size", "over"):
            if getattr(self, name) is not None:
                raise UsageError(f"--{self.neural} takes no --{name}: the image is the person's own")
        if self.backend != "cpu":
            raise UsageError(f"--{self.neural} takes no --backend: a network draws the person")

    def refuse_look(self, look: Look | None) -> None:
        """Refuse colors of the head where a person is shown instead."""
        if self.neural is not None and look is not None and look != Look():
            raise UsageError(f"--{self.neural} takes no --skin, --eyes or --hair: the person keeps their own colors")

    @property
    def neural(self) -> str | None:
        """Which of `NEURAL_RENDERERS` shows a person instead of the head, if one does."""
        return next((name for name in NEURAL_RENDERERS if getattr(self, name) is not None), None)

    def given(self) -> list[str]:
        """Names of the options that differ from their defaults."""
        values = {item: getattr(self, item.name) for item in fields(self)}
        return [item.name for item, value in values.items() if isinstance(value, Tensor) or value != item.default]

    def only(self, names: frozenset[str]) -> ExportOptions:
        """These options without those that a format does not take."""
        return ExportOptions(**{name: getattr(self, name) for name in self.given() if name in names})


DEFAULTS = ExportOptions()


@runtime_checkable
class Exporter(Protocol):
    """A module that writes one format."""

    def write(
        self,
        path: Path,
        motion: Motion,
        head: HeadModel,
        options: ExportOptions = DEFAULTS,
        progress: Progress = no_progress,
    ) -> None:
        """Write a file (or a folder of one file per frame), completely or not at all.

        Args:
            path: where to; replaced if it exists.
            motion: in the head's own coefficients.
            head: the head to pose.
            options: already checked against the format's entry in the registry.
            progress: called after every frame by exporters that go frame by frame.
        """
        ...


def at_frame_rate(motion: Motion, options: ExportOptions) -> Motion:
    """The motion at the frame rate that is asked for, or at its own; see `facetalk.motion.frame_rate`."""
    return frame_rate.at_frame_rate(motion, options.fps or motion.fps)


def in_arkit_channels(motion: Motion, head: HeadModel, options: ExportOptions) -> Motion:
    """The motion at the frame rate that is asked for, in the 52 ARKit channels, whatever head it is for."""
    motion = at_frame_rate(motion, options)
    if set(ARKIT_NAMES) <= set(motion.expression_names):
        return motion
    from facetalk.motion.retarget import to_arkit  # only heads with other channels need it

    return to_arkit(motion, head if motion.head == head.name else None)


def needed_events(motion: Motion, kinds: Sequence[str]) -> tuple[Event, ...]:
    """The events of some kinds, of which there has to be one.

    Raises:
        FacetalkError: there is none.
    """
    events = tuple(event for event in motion.events if event.kind in kinds)
    if not events:
        missing = "events" if set(kinds) == set(KINDS) else " and no ".join(f"{kind}s" for kind in kinds)
        raise FacetalkError(
            f"the motion has no {missing}; facetalk animate finds the phonemes, phrases and blinks of speech, and "
            "motion.with_events adds what you know"
        )
    return events


def check_same_head(motion: Motion, head: HeadModel) -> None:
    """Refuse a motion that is made for another head."""
    if motion.head != head.name or motion.expression_names != head.shape.expression_names:
        raise ValueError(f"a motion for head {motion.head!r} cannot move head {head.name!r}: retarget it first")
