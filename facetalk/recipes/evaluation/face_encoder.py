"""Figures of SPECTRE's encoders on speakers that they were not trained on, beside those of the coarse encoder alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.audio.phonemes import PHONEME_IDS
from facetalk.audio.visemes import BILABIAL
from facetalk.core.landmarks import IBUG_MOUTH_SHAPE_PAIRS, IBUG_MOUTH_SLICE, IBUG_OUTER_EYE_CORNERS
from facetalk.core.spans import runs
from facetalk.data.faces import FaceExample, face_images, mouth_images
from facetalk.losses.perceptual import mouth_distances
from facetalk.metrics.correlation import correlation
from facetalk.motion.face_scene import CropViews, FaceScene, in_crop
from facetalk.networks.face_encoder import FaceCode, FaceEncoder
from facetalk.networks.lip_reader import PhonemeLipReader
from facetalk.recipes.evaluation.lip_reader import phoneme_figures

MAX_FRAMES = 90
"""Longer clips are cut to their first frames."""

MIN_FRAMES = 25
"""Shorter clips are left out: their correlations are too uncertain."""

CLOSED = 0.03
"""Lips count as closed if their gap is smaller, in inter-ocular units."""

GAP, WIDTH = IBUG_MOUTH_SHAPE_PAIRS.index((62, 66)), IBUG_MOUTH_SHAPE_PAIRS.index((48, 54))
"""Columns of `mouth_distances`: between the middles of the inner lips, between the corners."""

SPEECH_FIGURES = ("phoneme", "viseme", "viseme_recall")
"""Figures of the lip reader that are reported."""


@dataclass(frozen=True, eq=False)
class ValidationClip:
    """A clip of a speaker that is kept for validation."""

    example: FaceExample
    posteriors: Float[Tensor, "frames phonemes"] | None
    """Probability of each phoneme; None without audio that belongs to the mouth."""


class _Tally:
    """Figures of the clips, by name and prefix."""

    def __init__(self) -> None:
        self.figures: dict[str, list[float]] = defaultdict(list)
        self.closures: dict[str, list[tuple[int, int]]] = defaultdict(list)
        self.predicted: dict[str, list[Tensor]] = defaultdict(list)
        self.labels: list[Tensor] = []

    def means(self) -> dict[str, float]:
        means = {name: sum(values) / len(values) for name, values in self.figures.items()}
        for prefix, pairs in self.closures.items():
            found, total = (sum(column) for column in zip(*pairs, strict=True))
            means[f"{prefix}closures"] = found / max(1, total)
        for prefix, rows in self.predicted.items():
            figures = phoneme_figures(torch.cat(rows), torch.cat(self.labels), torch.cat(rows).mean(0))
            means |= {f"{prefix}{name}": figures[f"speech_{name}"] for name in SPEECH_FIGURES}
        return means


def evaluate_face_encoder(
    encoder: FaceEncoder, scene: FaceScene, reader: PhonemeLipReader | None, clips: Sequence[ValidationClip]
) -> dict[str, float]:
    """Mean figures over clips; `coarse_*` are those without the perceptual encoder. Empty without clips.

    Returns:
        `landmarks` is the mean distance of all 68 landmarks from the detector's, `mouth` that of the mouth's 20, both
        in inter-ocular units. `r_open` and `r_wide` are the correlations of lip gap and mouth width with the detector's
        over time, `gap` the mean absolute difference of the gap. `closures` is the share of P, B and M with closed lips
        in the video during which the head's lips close too. With a lip reader, `lip_distance` is the cosine distance of
        its features of render and video; `phoneme`, `viseme` and `viseme_recall` are its accuracies on the render,
        `film_*` those on the video.
    """
    tally = _Tally()
    for clip in clips:
        if clip.example.num_frames >= MIN_FRAMES:
            _add_clip(tally, encoder, scene, reader, clip)
    return tally.means()


def _add_clip(
    tally: _Tally, encoder: FaceEncoder, scene: FaceScene, reader: PhonemeLipReader | None, clip: ValidationClip
) -> None:
    example, frames = clip.example, slice(MAX_FRAMES)
    images = face_images(example.crops.faces[frames])
    boxes = example.track.face_boxes[frames]
    landmarks = in_crop(example.track.landmarks[frames], boxes)
    code = encoder.encode(images, landmarks)
    coarse = FaceCode.split(encoder.coarse(images, landmarks), encoder.config.num_betas)
    mouths = mouth_images(example.crops.mouths[frames])
    posteriors = None if clip.posteriors is None else clip.posteriors[frames]
    if posteriors is not None and reader is not None:
        tally.labels.append(posteriors.argmax(-1))
        tally.predicted["film_"].append(reader(mouths[None])[0].softmax(-1))
    for prefix, expression in (("", code.expression), ("coarse_", coarse.expression)):
        views = CropViews(example.K, boxes)
        posed = _PosedHead(replace(code, expression=expression.clamp(0, 1)), scene, views, landmarks)
        for name, value in posed.figures().items():
            tally.figures[prefix + name].append(value)
        if posteriors is not None:
            tally.closures[prefix].append(closures(posed.gaps, posed.true_gaps, posteriors))
        if reader is not None:
            render = posed.mouths()[None]
            similarity = torch.nn.functional.cosine_similarity(
                reader.features(mouths[None]), reader.features(render), dim=-1
            )
            tally.figures[f"{prefix}lip_distance"].append(float((1 - similarity).mean()))
            if posteriors is not None:
                tally.predicted[prefix].append(reader(render)[0].softmax(-1))


class _PosedHead:
    """A head posed by a code, and the detected landmarks that it is compared with."""

    def __init__(
        self, code: FaceCode, scene: FaceScene, views: CropViews, detected: Float[Tensor, "frames 68 2"]
    ) -> None:
        betas = code.betas.mean(0)
        self.code = scene.anchored(code, betas, views, detected)
        self.scene, self.views = scene, views
        self.vertices = scene.vertices(self.code, betas, views)
        landmarks = scene.seen(scene.points(self.code, betas, views), views)
        right, left = IBUG_OUTER_EYE_CORNERS
        unit = (detected[:, right] - detected[:, left]).norm(dim=-1)[:, None]
        self.error = (landmarks - detected).norm(dim=-1) / unit
        self.distances, self.true_distances = mouth_distances(landmarks) / unit, mouth_distances(detected) / unit

    @property
    def gaps(self) -> Float[Tensor, " frames"]:
        """Lip gaps of the head, in inter-ocular units."""
        return self.distances[:, GAP]

    @property
    def true_gaps(self) -> Float[Tensor, " frames"]:
        """Lip gaps in the video."""
        return self.true_distances[:, GAP]

    def figures(self) -> dict[str, float]:
        """See `evaluate_face_encoder`."""
        return {
            "landmarks": float(self.error.mean()),
            "mouth": float(self.error[:, IBUG_MOUTH_SLICE].mean()),
            "r_open": float(correlation(self.gaps, self.true_gaps)),
            "r_wide": float(correlation(self.distances[:, WIDTH], self.true_distances[:, WIDTH])),
            "gap": float((self.gaps - self.true_gaps).abs().mean()),
        }

    def mouths(self) -> Float[Tensor, "frames 88 88"]:
        """Rendered mouths for a lip reader."""
        return self.scene.mouths(self.vertices, self.scene.normals(self.vertices), self.code.light, self.views)


def closures(
    gaps: Float[Tensor, " frames"], true_gaps: Float[Tensor, " frames"], posteriors: Float[Tensor, "frames phonemes"]
) -> tuple[int, int]:
    """How many of the P, B and M that close the lips in the video close those of the head, and how many there are.

    Args:
        gaps: lip gaps of the head.
        true_gaps: lip gaps in the video.
        posteriors: probability of each phoneme.
    """
    bilabials = [PHONEME_IDS[symbol] for symbol in BILABIAL]
    found = total = 0
    for start, stop in runs(posteriors[:, bilabials].sum(-1) > 0.5):
        around = slice(max(0, start - 1), stop + 1)  # the lips meet a little before or after the sound
        if float(true_gaps[around].min()) < CLOSED:
            total += 1
            found += float(gaps[around].min()) < CLOSED
    return found, total
