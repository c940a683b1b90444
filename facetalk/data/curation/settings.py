"""What makes a span of video worth keeping (METHODS 2.5 and 8.4); every number can be set from the command line."""

from __future__ import annotations

from dataclasses import dataclass, field

LAUGHTER_MODES = ("label", "only", "none")


@dataclass(frozen=True)
class SceneRules:
    """When a new scene begins."""

    cut_ratio: float = 3.0
    """How many times as much as its neighbours a picture must change."""
    cut_change: float = 15.0
    """How much it must change at least, of 255."""


@dataclass(frozen=True)
class FaceRules:
    """A whole face that looks towards the camera."""

    max_faces: int = 3
    """Faces that are followed at the same time."""
    min_width_px: float = 60.0
    max_yaw_deg: float = 30.0
    max_pitch_deg: float = 25.0
    good_share: float = 0.95
    """Part of a clip's frames that must be good in every respect."""
    forgiven_s: float = 0.2
    """A bad stretch up to this long does not end a clip."""


@dataclass(frozen=True)
class MotionRules:
    """No abrupt movement."""

    max_turn_deg_s: float = 90.0
    max_move_widths_s: float = 0.5
    """Of the face's centre, in face widths."""


@dataclass(frozen=True)
class SpeakerRules:
    """The visible face is the one that is heard."""

    check: bool = True
    min_corr: float = 0.3
    """Of mouth opening and voice."""
    max_lag_s: float = 0.1
    search_s: float = 0.2
    window_s: float = 4.0
    """Length of the stretches that are judged one by one."""
    min_voice_share: float = 0.15
    """Part of a stretch in which a voice must be heard."""


@dataclass(frozen=True)
class LaughterRules:
    """Where somebody laughs, and what follows from it."""

    mode: str = "label"
    """`label` notes it, `only` keeps spans with laughter, `none` keeps spans without any."""
    min_probability: float = 0.7
    max_gap_s: float = 0.3
    """Detections that are closer are one laugh."""
    min_burst_s: float = 0.4
    """Detections that are shorter are none."""
    min_total_s: float = 3.5
    """Laughter that a span must hold for mode `only`."""
    label_s: float = 1.0
    """Laughter that makes a clip's label `laughing`, where nothing else is known."""

    def __post_init__(self) -> None:
        if self.mode not in LAUGHTER_MODES:
            raise ValueError(f"laughter.mode={self.mode!r}; there are: {', '.join(LAUGHTER_MODES)}")


@dataclass(frozen=True)
class LengthRules:
    """How long clips are."""

    min_s: float = 3.5
    max_s: float = 60.0
    """Longer spans are cut into equal parts."""
    clip_s: float = 0.0
    """Cut spans into clips of exactly this length, for training; 0 keeps them whole."""

    def __post_init__(self) -> None:
        if not 0 < self.min_s <= self.max_s:
            raise ValueError(f"length.min_s={self.min_s} must be above 0 and at most length.max_s={self.max_s}")
        if self.clip_s < 0:
            raise ValueError(f"length.clip_s={self.clip_s} is negative; 0 keeps spans whole")


@dataclass(frozen=True)
class FitRules:
    """The head must have followed the face."""

    max_error: float = 0.06
    """Mean landmark distance over a clip, inter-ocular units."""


@dataclass(frozen=True)
class CurationRules:
    """All thresholds."""

    scenes: SceneRules = field(default_factory=SceneRules)
    face: FaceRules = field(default_factory=FaceRules)
    motion: MotionRules = field(default_factory=MotionRules)
    speaker: SpeakerRules = field(default_factory=SpeakerRules)
    laughter: LaughterRules = field(default_factory=LaughterRules)
    length: LengthRules = field(default_factory=LengthRules)
    fit: FitRules = field(default_factory=FitRules)
