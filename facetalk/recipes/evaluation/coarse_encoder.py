"""How well SPECTRE's coarse encoder predicts the tracker's fit of speakers that it was not trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.data.faces import face_images
from facetalk.losses.geometry import LipGeometry
from facetalk.networks.face_encoder import CoarseEncoder, FaceCode

MIN_FRAMES = 25
"""Shorter clips are left out of the correlations."""

BATCH = 64
"""Images that are encoded at once."""


@dataclass(frozen=True, eq=False)
class LabeledFace:
    """The crops of a clip and the code that an encoder should predict."""

    speaker: str
    faces: np.ndarray
    code: FaceCode
    """In boxes of `FACE_SCALE`."""
    landmarks: Float[Tensor, "frames 68 2"]
    """Detected, in units of these boxes, -1 to 1."""
    trusted: Float[Tensor, " frames"]

    def __len__(self) -> int:
        """Number of frames."""
        return len(self.trusted)


@torch.no_grad()
def evaluate_coarse(encoder: CoarseEncoder, lips: LipGeometry, faces: Sequence[LabeledFace]) -> dict[str, float]:
    """Mean errors over frames, of the encoder and of the training data's mean.

    Returns:
        `expression`, `rotation`, `camera`, `betas` and `gaze` are mean absolute errors; `gap` and `wide` those of lip
        gap and mouth width in millimeters. `r_open` and `r_wide` are correlations of lip gap and mouth width over time,
        mean over clips. With the prefix `picture_` they are those without landmarks, with `mean_` those of the mean.
    """
    predicted: dict[str, list[Tensor]] = {"": [], "picture_": []}
    for face in faces:
        images = face_images(face.faces)
        features = torch.cat([encoder.backbone(2 * part - 1) for part in images.split(BATCH)])
        predicted[""].append(encoder.decode(features, face.landmarks))
        predicted["picture_"].append(encoder.decode(features, torch.full_like(face.landmarks, torch.nan)))
    trusted = torch.cat([face.trusted for face in faces]) > 0
    true = [face.code.joined() for face in faces]
    true_code = FaceCode.split(torch.cat(true)[trusted], encoder.num_betas)
    figures = {}
    for prefix, clips in (*predicted.items(), ("mean_", [encoder.mean.expand_as(rows) for rows in true])):
        code = FaceCode.split(torch.cat(clips)[trusted], encoder.num_betas)
        for name in ("expression", "rotation", "camera", "betas", "gaze"):
            figures[prefix + name] = float((getattr(code, name) - getattr(true_code, name)).abs().mean())
        errors = (lips.curves(code.expression) - lips.curves(true_code.expression)).abs().mean(0)
        figures |= {f"{prefix}gap": float(errors[0]), f"{prefix}wide": float(errors[1])}
        if prefix != "mean_":
            pairs = zip(clips, true, strict=True)
            correlations = torch.tensor([_correlations(encoder, lips, *pair) for pair in pairs])
            figures |= {
                f"{prefix}r_open": float(correlations[:, 0].nanmean()),
                f"{prefix}r_wide": float(correlations[:, 1].nanmean()),
            }
    return figures


def _correlations(encoder: CoarseEncoder, lips: LipGeometry, predicted: Tensor, true: Tensor) -> list[float]:
    """Correlations of lip gap and mouth width over a clip; NaN if it is too short or does not move."""
    if len(true) < MIN_FRAMES:
        return [float("nan")] * 2
    curves, true_curves = (
        lips.curves(FaceCode.split(rows, encoder.num_betas).expression.clamp(0, 1)) for rows in (predicted, true)
    )
    return [float(torch.corrcoef(torch.stack([curves[:, k], true_curves[:, k]]))[0, 1]) for k in range(2)]
