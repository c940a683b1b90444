"""Parameters of the fit."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from facetalk.head.channels import ARKIT_NAMES, GAZE_NAMES

HELD_AT_ZERO = (*GAZE_NAMES, "tongueOut")
"""Channels that are not solved for: gaze comes from the irises, and the tongue is not detected."""

CHANNEL_PRIORS: tuple[tuple[tuple[str, ...], float], ...] = (
    (("jawOpen", "eyeBlink"), 0.25),
    (("mouthSmile", "mouthPucker", "mouthFunnel", "mouthClose"), 0.6),
    (("browInnerUp", "browDown", "browOuterUp"), 0.35),
    (("jawLeft", "jawRight", "mouthLeft", "mouthRight", "mouthPress", "mouthRoll", "mouthShrug"), 1.4),
    (("jawForward", "mouthDimple", "mouthStretch"), 2.0),
    (("noseSneer", "cheekSquint"), 0.8),
    (("cheekPuff",), 6.0),
)
"""Prior weight of a channel, by the start of its name; later rows override earlier ones, all others have 1.

Channels that are hardly visible, or that several others imitate, are expensive.
"""

HALF_CONFIDENCE_ERROR = 0.06
"""Mean landmark distance in interocular units at which the confidence in a fit is halved."""


@dataclass(frozen=True)
class FitSettings:
    """Weights of the energy; lengths in meters at the face."""

    point_sigma_m: float = 0.0015
    """Error of a point of weight 1."""
    point_noise_px: float = 0.5
    """Noise of a point in the image, which adds to this error: little on large faces, as much as the error with 30
    pixels between the eye corners, where the lips would otherwise follow the noise."""
    depth_sigma_m: float = 0.008
    """Error of MediaPipe's depth, an estimate that is right on average only."""
    robust_m: float = 0.006
    """Errors beyond this lose weight (Cauchy)."""
    channel_sigma: float = 0.15
    """Spread of a channel of prior weight 1, for the squared part of the prior."""
    channel_cost: float = 15.0
    """Linear cost of a channel: keeps unneeded ones at zero."""
    side_sigma: float = 0.06
    """Typical difference of a channel's left and right side."""
    betas_weight: float = 12.0
    """Weight of the identity prior N(0, 1) against one frame's points."""
    focal_spread: float = 0.35
    """Standard deviation of the natural logarithm of the focal length."""
    focal_weight: float = 4.0
    """Weight of the focal length's prior against one frame's points; see `betas_weight`."""
    pose_jerk: tuple[float, float, float, float, float, float] = (0.004, 0.004, 0.004, 0.0006, 0.0006, 0.002)
    """Typical second difference per frame of rotation (radians) and position (meters)."""
    channel_jerk: float = 0.10
    """Typical second difference of a channel per frame; larger ones count as real movements (Cauchy)."""
    identity_reluctance: float = 0.4
    """Factor of the channel priors while the identity is solved.

    With 2, and a `betas_weight` of 2, a smile that lasts for the whole clip becomes part of the identity: of one
    speaker's acted emotions the happy clip has a `mouthSmile` of 0.13 and the neutral one of 0.07; now 0.46 and 0.06.
    """
    personal_share: float = 0.7
    """Share of a clip's constant error that is attributed to a face outside the identity space; channels explain the
    rest. At 0 channels compensate for a different mouth in every frame, at 1 they never do."""
    iterations: int = 4
    window: int = 450
    """Frames that are solved together."""
    margin: int = 24
    """Frames that neighboring windows share."""
    identity_frames: int = 24
    identity_rounds: int = 5
    read_back_frames: int = 48
    """Fitted frames that are rendered and detected again, to correct the detector's bias on the clip; 0 for none."""
    read_back_share: float = 0.4
    """Largest share of a short clip's frames for this."""
    read_back_rounds: int = 2
    """Rounds of the identity after that, from the identity found before."""
    face_distance_m: float = 0.7
    """Smallest plausible distance of camera and face: enlarged crops are filmed from farther away."""

    def __post_init__(self) -> None:
        if self.window <= 2 * self.margin:
            raise ValueError(f"window={self.window} must be longer than two margins of {self.margin}")


def at_resolution(settings: FitSettings, meters_per_px: float) -> FitSettings:
    """The settings for a face of a given size in the image.

    Args:
        settings: for a large face.
        meters_per_px: length at the face that a pixel shows.
    """
    noise_m = settings.point_noise_px * meters_per_px
    return replace(settings, point_sigma_m=math.hypot(settings.point_sigma_m, noise_m), point_noise_px=0.0)


def channel_priors(names: tuple[str, ...] = ARKIT_NAMES) -> list[float]:
    """Prior weight of each channel."""
    weights = dict.fromkeys(names, 1.0)
    for starts, weight in CHANNEL_PRIORS:
        weights |= {name: weight for name in names if name.startswith(starts)}
    return list(weights.values())
