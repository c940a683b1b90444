"""Lips in any style: they touch each other on P, B and M, the upper teeth on F and V, and never open like a yawn."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

from facetalk.audio.visemes import BILABIAL
from facetalk.core.events import Event
from facetalk.core.timing import FPS
from facetalk.head.channels import ARKIT_NAMES, indices

CLOSE = ARKIT_NAMES.index("mouthClose")
LOWERING = indices(("jawOpen", "mouthLowerDownLeft", "mouthLowerDownRight"))
HIDING = indices(("mouthClose", "mouthRollUpper"))
"""Channels that lay the upper lip over the teeth."""

BY_JAW = 0.5
"""Share of the gap that is closed by opening less; `mouthClose` does the rest, as lips meet over a lowered jaw."""

PRESSED_MM = 0.5
"""Closed lips are pressed together by this much: lips that only just touch show a slit."""

SHAPING_MM = 1.0
"""Channels that part the lips by less than this when they are 1 shape the mouth but do not open it: a pucker stays."""

TUCKED_MM = 1.5
"""How far the lower lip stays below the upper one's line when it lies against the edge of the upper teeth."""

BITING = {"mouthRollLower": 0.6, "mouthUpperUpLeft": 0.25, "mouthUpperUpRight": 0.25}
"""Smallest values on F and V: the lower lip rolls in under the teeth, the upper one shows their edge."""

DOUBTFUL, CERTAIN = 0.4, 0.6
"""Probability of a phoneme below which it makes no contact, and from which on the contact is complete."""

USUAL_MM, WIDEST_MM = 20.0, 28.0
"""Lip gap that 99 % of the frames of tracked speech stay below, and the gap of its widest openings."""

RESTING_REACH = 4
"""Frames to either side whose silence counts for a mouth at rest."""

FLANKS = (0.2, 0.6, 0.2)
"""Blur of a contact over time, which gives it an onset and a release of one frame."""


def close_where_heard(
    expression: Float[Tensor, "batch frames n_expression"],
    bilabial: Float[Tensor, "batch frames"],
    touch: Float[Tensor, "batch frames"],
    gap_dirs: Float[Tensor, " n_expression"],
    taper_mm: float,
) -> Float[Tensor, "batch frames n_expression"]:
    """Return the expression with its lips closed where P, B or M is heard, and small gaps made smaller.

    A regression predicts too few closed lips and too few wide openings. A gap below `taper_mm` shrinks by the share
    that it falls short of it, so that the lips meet where little opening is predicted, in any style.

    Args:
        expression: ARKit channels.
        bilabial: probability of P, B or M.
        touch: where the lower lip touches the teeth, 0 to 1: it keeps the gap of an F.
        gap_dirs: by how many millimeters each channel parts the lips (negative: brings them together).
        taper_mm: larger gaps stay as they are; 0 leaves all as they are.
    """
    gap = (expression.clamp(0, 1) * gap_dirs).sum(-1)
    narrowed = (1 - gap / taper_mm).clamp(0, 1) * (1 - touch) if taper_mm else torch.zeros_like(gap)
    return close_lips(expression, 1 - (1 - contact(bilabial)) * (1 - narrowed), gap_dirs)


def close_lips(
    expression: Float[Tensor, "batch frames n_expression"],
    closure: Float[Tensor, "batch frames"],
    gap_dirs: Float[Tensor, " n_expression"],
) -> Float[Tensor, "batch frames n_expression"]:
    """Return the expression with a share of the gap between its lips removed.

    Channels that part the lips are scaled down together and `mouthClose` is raised. Nothing else moves, so a smile
    stays a smile and rounded lips stay round. At closure 0, and where the lips are pressed together already, nothing
    changes.

    Args:
        expression: ARKit channels.
        closure: 0 leaves the lips as they are, 1 closes them.
        gap_dirs: by how many millimeters each channel parts the lips (negative: brings them together).
    """
    has_close = bool(gap_dirs[CLOSE] < -1)  # not every head's mouthClose brings the lips together
    parts = gap_dirs > (SHAPING_MM if has_close else 0.0)
    gap = (expression.clamp(0, 1) * gap_dirs).sum(-1)
    away = closure * (gap + PRESSED_MM).clamp_min(0)
    scaled, taken = _parted_less(expression, (BY_JAW if has_close else 1.0) * away, gap_dirs, parts)
    if not has_close:
        return scaled
    closing = torch.zeros_like(gap_dirs)
    closing[CLOSE] = -1 / gap_dirs[CLOSE]
    return scaled + (away - taken)[..., None] * closing


def rest_lips(
    expression: Float[Tensor, "batch frames n_expression"],
    quiet: Float[Tensor, "batch frames"],
    gap_dirs: Float[Tensor, " n_expression"],
) -> Float[Tensor, "batch frames n_expression"]:
    """Return the expression with lips that meet, over a jaw that is up, where nothing is said.

    Args:
        expression: ARKit channels.
        quiet: 0 leaves the lips as they are, 1 lets them rest.
        gap_dirs: as in `close_lips`.
    """
    moving = gap_dirs.abs() > SHAPING_MM
    rested = torch.where(moving, expression * (1 - quiet[..., None]), expression)
    return close_lips(rested, quiet, gap_dirs)


def limit_opening(
    expression: Float[Tensor, "batch frames n_expression"], gap_dirs: Float[Tensor, " n_expression"]
) -> Float[Tensor, "batch frames n_expression"]:
    """Return the expression with lip gaps beyond `USUAL_MM` compressed to at most `WIDEST_MM`.

    A lively style, or the exaggeration of one, adds up to openings that nobody makes in speech.

    Args:
        expression: ARKit channels.
        gap_dirs: by how many millimeters each channel parts the lips.
    """
    room = WIDEST_MM - USUAL_MM
    excess = ((expression.clamp(0, 1) * gap_dirs).sum(-1) - USUAL_MM).clamp_min(0)
    return _parted_less(expression, excess - room * torch.tanh(excess / room), gap_dirs, gap_dirs > SHAPING_MM)[0]


def _parted_less(
    expression: Float[Tensor, "batch frames n_expression"],
    wanted: Float[Tensor, "batch frames"],
    gap_dirs: Float[Tensor, " n_expression"],
    parts: Bool[Tensor, " n_expression"],
) -> tuple[Float[Tensor, "batch frames n_expression"], Float[Tensor, "batch frames"]]:
    """Scale down the channels `parts` together so that the gap shrinks by the millimeters `wanted`, as far as they can.

    Returns:
        The expression, and the millimeters that were taken from the gap.
    """
    opened = (expression.clamp(0, 1) * gap_dirs * parts).sum(-1)
    taken = torch.minimum(wanted, opened)
    factor = 1 - taken / opened.clamp_min(1e-6)
    return torch.where(parts, expression * factor[..., None], expression), taken


def touch_teeth(
    expression: Float[Tensor, "batch frames n_expression"],
    touch: Float[Tensor, "batch frames"],
    gap_dirs: Float[Tensor, " n_expression"],
) -> Float[Tensor, "batch frames n_expression"]:
    """Return the expression with the lower lip against the upper teeth, as on F and V.

    Tracked motion does not contain this: in a video the lips part a little, and what lies between them is not tracked.

    Args:
        expression: ARKit channels.
        touch: 0 changes nothing, 1 brings the lip to the teeth.
        gap_dirs: by how many millimeters each channel parts the lips.
    """
    lowering = torch.zeros_like(gap_dirs)
    lowering[list(LOWERING)] = gap_dirs[list(LOWERING)]
    lowered = (expression.clamp(0, 1) * lowering).sum(-1)
    taken = touch * (lowered - TUCKED_MM).clamp_min(0)
    kept = torch.where(lowering > 0, (1 - taken / lowered.clamp_min(1e-6))[..., None], 1.0)
    hiding = torch.zeros_like(gap_dirs)
    hiding[list(HIDING)] = 1
    goal = torch.full_like(gap_dirs, -torch.inf)
    for name, least in BITING.items():
        goal[ARKIT_NAMES.index(name)] = least
    shaped = expression * kept * (1 - touch[..., None] * hiding)
    return shaped + touch[..., None] * (goal - shaped).clamp_min(0)


def contact(probability: Float[Tensor, "batch frames"]) -> Float[Tensor, "batch frames"]:
    """Return how complete a phoneme's contact is: wholly where it is certain, with a short onset and release."""
    sure = ((probability - DOUBTFUL) / (CERTAIN - DOUBTFUL)).clamp(0, 1)
    blurred = functional.conv1d(functional.pad(sure[:, None], (1, 1), mode="replicate"), sure.new_tensor([[FLANKS]]))
    return torch.maximum(sure, blurred[:, 0])


def closure_of(phonemes: Iterable[Event], num_frames: int) -> Float[Tensor, " frames"]:
    """Return how complete the contact of the lips is in each frame of speech whose phonemes are known.

    Args:
        phonemes: with times; those that close the lips count.
        num_frames: at 30 fps.
    """
    closed = torch.zeros(num_frames)
    for phoneme in phonemes:
        if phoneme.label in BILABIAL:
            closed[round(phoneme.start * FPS) : max(round(phoneme.end * FPS), round(phoneme.start * FPS) + 1)] = 1
    return contact(closed[None])[0]


def resting(probability: Float[Tensor, "batch frames"]) -> Float[Tensor, "batch frames"]:
    """Return how far the mouth is at rest: the mean probability of silence over a third of a second."""
    padded = functional.pad(probability[:, None].clamp(0, 1), (RESTING_REACH, RESTING_REACH), mode="replicate")
    return functional.avg_pool1d(padded, 2 * RESTING_REACH + 1, stride=1)[:, 0]
