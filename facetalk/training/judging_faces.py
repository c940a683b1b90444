"""What SPECTRE's encoders are worth on speakers that they never saw, beside the coarse encoder alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.data.faces import FaceExample, face_pictures, mouth_pictures
from facetalk.losses.perceptual import mouth_distances
from facetalk.models.experts import LipReader
from facetalk.models.face_encoder import FaceCode, FaceEncoder
from facetalk.models.face_scene import STILL, FaceScene, Shots, in_crop

MAX_FRAMES = 90
"""Of a longer clip only the beginning is judged."""

MIN_FRAMES = 25
"""Correlations over less than a second say little."""

GAP, WIDTH = 5, 2
"""Columns of `mouth_distances`: between the middle of the inner lips, between the corners."""


def judge_encoder(
    encoder: FaceEncoder, scene: FaceScene, reader: LipReader | None, examples: Sequence[FaceExample]
) -> dict[str, float]:
    """Mean figures over clips; `coarse_*` are those without the perceptual encoder. Empty without clips.

    `landmarks` is the mean distance of all 68 landmarks from the detector's, `mouth` that of the mouth's 20, both in
    units of the distance of the outer eye corners. `r_open` and `r_wide` correlate lip gap and mouth width with the
    detector's over time, `gap` is the mean absolute difference of the gap. `lip_distance` is the cosine distance of
    what the lip reader sees in render and film.
    """
    figures: dict[str, list[float]] = defaultdict(list)
    for example in examples:
        if example.num_frames < MIN_FRAMES:
            continue
        frames = slice(MAX_FRAMES)
        pictures = face_pictures(example.crops.faces[frames])
        boxes = example.track.face_boxes[frames]
        seen = in_crop(example.track.landmarks[frames], boxes)
        code = encoder.encode(pictures)
        coarse = FaceCode.split(encoder.coarse(pictures), encoder.config.num_betas)
        film = None if reader is None else reader.features(mouth_pictures(example.crops.mouths[frames])[None])[0]
        for prefix, expression in (("", code.expression), ("coarse_", coarse.expression)):
            said = replace(code, expression=expression.clamp(0, 1))
            for name, value in _compare(said, scene, Shots(example.K, boxes), seen, reader, film).items():
                figures[prefix + name].append(value)
    return {name: sum(values) / len(values) for name, values in figures.items()}


def _compare(
    code: FaceCode, scene: FaceScene, shots: Shots, seen: Tensor, reader: LipReader | None, film: Tensor | None
) -> dict[str, float]:
    betas = code.betas.mean(0)
    code = scene.anchored(code, betas, shots, seen)
    vertices = scene.vertices(code, betas, shots)
    landmarks = scene.landmarks(vertices, shots)
    unit = (seen[:, 36] - seen[:, 45]).norm(dim=-1)
    error = (landmarks - seen).norm(dim=-1) / unit[:, None]
    mine, theirs = mouth_distances(landmarks) / unit[:, None], mouth_distances(seen) / unit[:, None]
    figures = {
        "landmarks": float(error.mean()),
        "mouth": float(error[:, 48:].mean()),
        "still": float(error[:, list(STILL)].mean()),
        "r_open": _correlation(mine[:, GAP], theirs[:, GAP]),
        "r_wide": _correlation(mine[:, WIDTH], theirs[:, WIDTH]),
        "gap": float((mine[:, GAP] - theirs[:, GAP]).abs().mean()),
    }
    if reader is not None and film is not None:
        render = reader.features(scene.mouths(vertices, scene.normals(vertices), code.light, shots)[None])[0]
        figures["lip_distance"] = float(1 - torch.nn.functional.cosine_similarity(film, render, dim=-1).mean())
    return figures


def _correlation(mine: Float[Tensor, " frames"], theirs: Float[Tensor, " frames"]) -> float:
    pair = torch.stack([mine, theirs])
    pair = pair - pair.mean(1, keepdim=True)
    return float(pair.prod(0).sum() / pair.square().sum(1).sqrt().prod().clamp_min(1e-9))
