"""What SPECTRE's encoders are worth on speakers that they never saw, beside the coarse encoder alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.audio.phonemes import PHONEMES
from facetalk.audio.visemes import BILABIAL
from facetalk.core.landmarks import IBUG_MOUTH_SLICE, IBUG_OUTER_EYE_CORNERS
from facetalk.data.faces import FaceExample, face_pictures, mouth_pictures
from facetalk.losses.perceptual import mouth_distances
from facetalk.motion.face_scene import FaceScene, Shots, in_crop
from facetalk.networks.face_encoder import FaceCode, FaceEncoder
from facetalk.networks.lip_reader import PhonemeLipReader
from facetalk.recipes.lip_reader import phoneme_figures

MAX_FRAMES = 90
"""Of a longer clip only the beginning is judged."""

MIN_FRAMES = 25
"""Correlations over less than a second say little."""

CLOSED = 0.03
"""Lips with a smaller gap, in units of the distance of the outer eye corners, are closed."""

GAP, WIDTH = 5, 2
"""Columns of `mouth_distances`: between the middle of the inner lips, between the corners."""


@dataclass(frozen=True, eq=False)
class Judged:
    """A clip of a speaker that is kept for judging."""

    example: FaceExample
    heard: Float[Tensor, "frames phonemes"] | None
    """Probability of each phoneme, where there is sound that belongs to the mouth."""


def judge_encoder(
    encoder: FaceEncoder, scene: FaceScene, reader: PhonemeLipReader | None, clips: Sequence[Judged]
) -> dict[str, float]:
    """Mean figures over clips; `coarse_*` are those without the perceptual encoder. Empty without clips.

    `landmarks` is the mean distance of all 68 landmarks from the detector's, `mouth` that of the mouth's 20, both in
    units of the distance of the outer eye corners. `r_open` and `r_wide` correlate lip gap and mouth width with the
    detector's over time, `gap` is the mean absolute difference of the gap. `closures` is the share of heard P, B and M
    during which the film's lips meet and the head's do too. `lip_distance` is the cosine distance of what the reader
    sees in render and film; `viseme` and `viseme_recall` say how well it tells what is heard from the render, `film_*`
    from the film.
    """
    figures: dict[str, list[float]] = defaultdict(list)
    counts: dict[str, list[tuple[int, int]]] = defaultdict(list)
    said: dict[str, list[Tensor]] = defaultdict(list)
    truth = []
    for clip in clips:
        example, frames = clip.example, slice(MAX_FRAMES)
        if example.num_frames < MIN_FRAMES:
            continue
        pictures = face_pictures(example.crops.faces[frames])
        boxes = example.track.face_boxes[frames]
        seen = in_crop(example.track.landmarks[frames], boxes)
        code = encoder.encode(pictures, seen)
        coarse = FaceCode.split(encoder.coarse(pictures, seen), encoder.config.num_betas)
        mouths = mouth_pictures(example.crops.mouths[frames])
        heard = None if clip.heard is None else clip.heard[frames]
        if heard is not None and reader is not None:
            truth.append(heard.argmax(-1))
            said["film_"].append(reader(mouths[None])[0].softmax(-1))
        for prefix, expression in (("", code.expression), ("coarse_", coarse.expression)):
            mine = _Attempt(replace(code, expression=expression.clamp(0, 1)), scene, Shots(example.K, boxes), seen)
            for name, value in mine.figures().items():
                figures[prefix + name].append(value)
            if heard is not None:
                counts[prefix].append(closures(mine.gaps, mine.film_gaps, heard))
            if reader is not None:
                render = mine.mouths()[None]
                film = reader.features(mouths[None])
                apart = 1 - torch.nn.functional.cosine_similarity(film, reader.features(render), dim=-1)
                figures[f"{prefix}lip_distance"].append(float(apart.mean()))
                if heard is not None:
                    said[prefix].append(reader(render)[0].softmax(-1))
    means = {name: sum(values) / len(values) for name, values in figures.items()}
    for prefix, pairs in counts.items():
        met, all_of_them = (sum(column) for column in zip(*pairs, strict=True))
        means[f"{prefix}closures"] = met / max(1, all_of_them)
    for prefix, rows in said.items():
        told = phoneme_figures(torch.cat(rows), torch.cat(truth), torch.cat(rows).mean(0))
        means |= {f"{prefix}{name}": told[f"speech_{name}"] for name in ("phoneme", "viseme", "viseme_recall")}
    return means


class _Attempt:
    """A head that does what a code says, beside what the detector saw."""

    def __init__(self, code: FaceCode, scene: FaceScene, shots: Shots, seen: Float[Tensor, "frames 68 2"]) -> None:
        betas = code.betas.mean(0)
        self.code = scene.anchored(code, betas, shots, seen)
        self.scene, self.shots = scene, shots
        self.vertices = scene.vertices(self.code, betas, shots)
        landmarks = scene.seen(scene.points(self.code, betas, shots), shots)
        right, left = IBUG_OUTER_EYE_CORNERS
        unit = (seen[:, right] - seen[:, left]).norm(dim=-1)[:, None]
        self.error = (landmarks - seen).norm(dim=-1) / unit
        self.mine, self.film = mouth_distances(landmarks) / unit, mouth_distances(seen) / unit

    @property
    def gaps(self) -> Float[Tensor, " frames"]:
        """Between the lips, in units of the outer eye corners' distance."""
        return self.mine[:, GAP]

    @property
    def film_gaps(self) -> Float[Tensor, " frames"]:
        """The same in the film."""
        return self.film[:, GAP]

    def figures(self) -> dict[str, float]:
        """See `judge_encoder`."""
        return {
            "landmarks": float(self.error.mean()),
            "mouth": float(self.error[:, IBUG_MOUTH_SLICE].mean()),
            "r_open": _correlation(self.gaps, self.film_gaps),
            "r_wide": _correlation(self.mine[:, WIDTH], self.film[:, WIDTH]),
            "gap": float((self.gaps - self.film_gaps).abs().mean()),
        }

    def mouths(self) -> Float[Tensor, "frames 88 88"]:
        """What a lip reader sees."""
        return self.scene.mouths(self.vertices, self.scene.normals(self.vertices), self.code.light, self.shots)


def closures(
    mine: Float[Tensor, " frames"], film: Float[Tensor, " frames"], heard: Float[Tensor, "frames phonemes"]
) -> tuple[int, int]:
    """How many of the heard P, B and M that close the film's lips close the head's, and how many there are.

    Args:
        mine: lip gaps of the head.
        film: lip gaps of the film.
        heard: probability of each phoneme.
    """
    closing = heard[:, [PHONEMES.index(symbol) for symbol in BILABIAL]].sum(-1) > 0.5
    met = total = 0
    start = None
    for frame, now in enumerate([*closing.tolist(), False]):
        if now and start is None:
            start = frame
        elif not now and start is not None:
            around = slice(max(0, start - 1), frame + 1)  # the lips meet a little before or after the sound
            if float(film[around].min()) < CLOSED:
                total += 1
                met += float(mine[around].min()) < CLOSED
            start = None
    return met, total


def _correlation(mine: Float[Tensor, " frames"], theirs: Float[Tensor, " frames"]) -> float:
    pair = torch.stack([mine, theirs])
    pair = pair - pair.mean(1, keepdim=True)
    return float(pair.prod(0).sum() / pair.square().sum(1).sqrt().prod().clamp_min(1e-9))
