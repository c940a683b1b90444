"""Rules that a span of video must satisfy to be worth training on (after Sung-Bin et al. 2024, LaughTalk).

Every number can be set from the command line.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from facetalk.core.config import build, override

LAUGHTER_MODES = ("label", "only", "none")


@dataclass(frozen=True)
class SceneRules:
    """Definition of a scene cut."""

    cut_ratio: float = 3.0
    """Change of a frame over the change of its neighbors."""
    cut_change: float = 15.0
    """Smallest change of a frame, of 255."""


@dataclass(frozen=True)
class FaceRules:
    """A whole face that looks toward the camera."""

    max_faces: int = 3
    """Faces that are followed at the same time."""
    min_width_px: float = 60.0
    max_yaw_deg: float = 30.0
    max_pitch_deg: float = 25.0
    good_share: float = 0.95
    """Share of a clip's frames that must satisfy all rules."""
    forgiven_s: float = 0.2
    """A bad stretch of at most this length does not end a clip."""


@dataclass(frozen=True)
class MotionRules:
    """No abrupt movement."""

    max_turn_deg_s: float = 90.0
    max_move_widths_s: float = 0.5
    """Speed of the face's center, in face widths per second."""


@dataclass(frozen=True)
class SpeakerRules:
    """The visible face is the one that is heard."""

    check: bool = True
    min_corr: float = 0.3
    """Correlation of mouth opening and voice."""
    max_lag_s: float = 0.1
    search_s: float = 0.2
    """Largest lag that is tried."""
    window_s: float = 4.0
    """Length of the windows that are scored one by one."""
    min_voice_share: float = 0.15
    """Share of a window in which a voice must be heard."""
    fix_sync: bool = False
    """Shift the audio where it is early or late against the mouth (`--fix-sync`)."""


@dataclass(frozen=True)
class LaughterRules:
    """Definition of a laugh, and what happens to spans with laughter."""

    mode: str = "label"
    """`label` records laughter, `only` keeps spans with laughter, `none` keeps spans without any."""
    min_probability: float = 0.7
    max_gap_s: float = 0.3
    """Detections closer than this are one laugh."""
    min_burst_s: float = 0.4
    """Shorter detections are ignored."""
    min_total_s: float = 3.5
    """Laughter that a span must contain for mode `only`."""
    label_s: float = 1.0
    """Laughter from which a clip without a label gets the label `laughing`."""

    def __post_init__(self) -> None:
        if self.mode not in LAUGHTER_MODES:
            raise ValueError(f"laughter.mode={self.mode!r}; there are: {', '.join(LAUGHTER_MODES)}")


@dataclass(frozen=True)
class LengthRules:
    """Length of clips."""

    min_s: float = 3.5
    max_s: float = 60.0
    """Longer spans are cut into equal parts."""
    clip_s: float = 0.0
    """Length of all clips, for training; 0 keeps spans whole."""

    def __post_init__(self) -> None:
        if not 0 < self.min_s <= self.max_s:
            raise ValueError(f"length.min_s={self.min_s} must be above 0 and at most length.max_s={self.max_s}")
        if self.clip_s < 0:
            raise ValueError(f"length.clip_s={self.clip_s} is negative; 0 keeps spans whole")


@dataclass(frozen=True)
class FitRules:
    """The head must follow the face."""

    max_error: float = 0.06
    """Mean landmark distance over a clip, interocular units."""


@dataclass(frozen=True)
class CurationRules:
    """All rules."""

    scenes: SceneRules = field(default_factory=SceneRules)
    face: FaceRules = field(default_factory=FaceRules)
    motion: MotionRules = field(default_factory=MotionRules)
    speaker: SpeakerRules = field(default_factory=SpeakerRules)
    laughter: LaughterRules = field(default_factory=LaughterRules)
    length: LengthRules = field(default_factory=LengthRules)
    fit: FitRules = field(default_factory=FitRules)


def read_rules(changes: Sequence[str]) -> CurationRules:
    """The default rules with changes such as `face.max_yaw_deg=20`.

    Raises:
        UsageError: unknown rule, or a value of the wrong type or range.
    """
    return build(CurationRules, override({}, changes))
