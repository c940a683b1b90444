"""Refinement of SPECTRE's encoders on a single clip (Zheng et al. 2023, "NeuFace").

The networks' weights are optimized instead of head parameters: what the networks know of faces regularizes frames with
poor landmarks.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Float
from torch import Tensor, nn

from facetalk.core.config import plain
from facetalk.core.progress import Progress, no_progress
from facetalk.core.rotations import matrix_to_quaternion
from facetalk.core.threads import without_onednn
from facetalk.head.channels import ARKIT_NAMES
from facetalk.losses.perceptual import correction_size, lip_reading_error, relative_error
from facetalk.motion.face_scene import FaceScene, ObservedClip
from facetalk.networks.experts import LipReader
from facetalk.networks.face_encoder import REACH, FaceCode, FaceEncoder
from facetalk.vision.crop_view import out_of_crop


@dataclass(frozen=True)
class RefineLossWeights:
    """Weight of each term.

    NeuFace's 10 for the landmarks and 100 for the steadiness of the rotation let the rotation drift away from the
    landmarks here: on an unseen speaker the error grew from 0.024 to 0.096 instead of falling to 0.014. Without the
    relative distances of the mouth, or with a larger weight of the acceleration, the lips stop moving, after the lids.
    With a larger weight of the distances the lips reproduce the errors of the detector.
    """

    landmarks: float = 50.0
    steadiness: float = 10.0
    relative: float = 25.0
    acceleration: float = 0.002
    lip_reading: float = 2.0
    initial: float = 0.004


@dataclass(frozen=True)
class RefineSettings:
    """Length and step size of a refinement."""

    passes: int = 10
    learning_rate: float = 1e-4
    batch_frames: int = 20
    seed: int = 0
    loss_weights: RefineLossWeights = field(default_factory=RefineLossWeights)


@dataclass(frozen=True, eq=False)
class _Target:
    """Training data of a refinement: the frames of a clip and what is known of them."""

    clip: ObservedClip
    initial: Float[Tensor, "frames 52"]
    """Expression before the refinement."""
    spread: Float[Tensor, "52"]
    """Usual size of each channel."""
    lip_features: Float[Tensor, "frames features"] | None
    """Features of the lip reader on the video; None without that term."""

    def at(self, frames: Tensor) -> _Target:
        """The same for some of the frames."""
        features = None if self.lip_features is None else self.lip_features[frames]
        return _Target(_clip_at(self.clip, frames), self.initial[frames], self.spread, features)


def refine_encoder(
    encoder: FaceEncoder,
    scene: FaceScene,
    reader: LipReader | None,
    clip: ObservedClip,
    settings: RefineSettings | None = None,
    progress: Progress = no_progress,
) -> FaceEncoder:
    """Train a copy of the encoders on one clip.

    Args:
        encoder: where to start.
        scene: the head.
        reader: network of the lip reading term; None omits that term.
        clip: all frames of the clip.
        settings: see `RefineSettings`.
        progress: called with the number of passes done.
    """
    settings = settings or RefineSettings()
    target = _target(encoder, reader, clip, settings)
    refined = copy.deepcopy(encoder).requires_grad_(True)
    refined.eval()  # normalization keeps the statistics of many faces
    _freeze_normalization(refined)
    parameters = [parameter for parameter in refined.parameters() if parameter.requires_grad]
    optimizer = torch.optim.Adam(parameters, lr=settings.learning_rate)
    weights: Mapping[str, float] = plain(settings.loss_weights)
    generator = torch.Generator().manual_seed(settings.seed)
    for number in range(settings.passes):
        for frames in _batches(len(clip.faces), settings.batch_frames, generator):
            terms = refine_terms(refined, scene, target.at(frames), reader)
            total = torch.stack([weights[name] * term for name, term in terms.items()]).sum()
            optimizer.zero_grad(set_to_none=True)
            with without_onednn():
                total.backward()
            torch.nn.utils.clip_grad_norm_(parameters, 10.0)
            optimizer.step()
        progress("refining", number + 1, settings.passes)
    return refined.requires_grad_(False)


@torch.no_grad()
def _target(encoder: FaceEncoder, reader: LipReader | None, clip: ObservedClip, settings: RefineSettings) -> _Target:
    initial = encoder.encode(clip.faces, clip.landmarks).expression
    spread = FaceCode.split(encoder.coarse.spread[None], encoder.config.num_betas).expression[0].clamp_min(0.03)
    features = None
    if reader is not None and settings.loss_weights.lip_reading > 0:
        features = reader.features(clip.mouths[None])[0]
    return _Target(clip, initial, spread, features)


def refine_terms(
    encoder: FaceEncoder, scene: FaceScene, target: _Target, reader: LipReader | None
) -> dict[str, Tensor]:
    """Loss terms of consecutive frames; the outer `REACH` on both sides are only seen by the encoder."""
    clip, initial, spread = target.clip, target.initial, target.spread
    code, _ = encoder(clip.faces, clip.landmarks)
    code = replace(code, expression=with_lids(code.expression, initial))
    betas = code.betas.mean(0)
    code = replace(code, camera=scene.anchored(code, betas, clip.views, clip.landmarks).camera)
    inside = slice(REACH, -REACH)
    points = scene.seen(scene.points(code, betas, clip.views), clip.views)
    distance = (points - clip.landmarks).abs().mean((1, 2))
    turns, _ = out_of_crop(code.rotation, code.camera, clip.views.K, clip.views.boxes)
    acceleration = code.expression.diff(dim=0).diff(dim=0) / spread
    terms = {
        "landmarks": (distance * clip.trusted)[inside].sum() / clip.trusted[inside].sum().clamp_min(1.0),
        "relative": relative_error(points[inside], clip.landmarks[inside], clip.trusted[inside]),
        "steadiness": unsteadiness(turns)[inside].mean(),
        "acceleration": acceleration[inside].square().mean(),
        "initial": correction_size(((code.expression - initial) / spread)[inside], torch.zeros_like(initial[inside])),
    }
    if reader is not None and target.lip_features is not None:
        vertices = scene.vertices(code, betas, clip.views)
        mouths = scene.mouths(vertices, scene.normals(vertices), code.light, clip.views)
        rendered = reader.features(mouths[None])[0]
        terms["lip_reading"] = lip_reading_error(target.lip_features[inside], rendered[inside], clip.trusted[inside])
    return terms


def with_lids(
    expression: Float[Tensor, "frames 52"], initial: Float[Tensor, "frames 52"]
) -> Float[Tensor, "frames 52"]:
    """The expression with the initial eye channels: refined ones fit the size of the eyes and miss blinks."""
    lids = torch.tensor([name.startswith("eye") for name in ARKIT_NAMES])
    return torch.where(lids, initial, expression)


def unsteadiness(turns: Float[Tensor, "frames 3 3"]) -> Float[Tensor, " frames"]:
    """Distance of each rotation from the mean of the five around it, as unit quaternions."""
    quaternion = matrix_to_quaternion(turns)
    with torch.no_grad():
        # A quaternion and its negative are one rotation; all get the sign of the first.
        same = torch.where((quaternion @ quaternion[0])[:, None] < 0, -quaternion, quaternion)
        padded = torch.cat([same[:1].expand(REACH, 4), same, same[-1:].expand(REACH, 4)])
        mean = nn.functional.normalize(padded.unfold(0, 2 * REACH + 1, 1).mean(-1), dim=1)
        sign = torch.where((quaternion * same).sum(1, keepdim=True) < 0, -1.0, 1.0)
    return ((quaternion * sign - mean).square().sum(1) + 1e-12).sqrt()


def _freeze_normalization(network: nn.Module) -> None:
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.requires_grad_(False)


def _batches(num_frames: int, size: int, generator: torch.Generator) -> list[Tensor]:
    """Consecutive frames with `REACH` more on both sides, ends repeated; each frame once, in random order."""
    size = min(size, num_frames)
    offset = int(torch.randint(size, (), generator=generator))
    starts = [*range(-offset, num_frames, size)]
    order = torch.randperm(len(starts), generator=generator)
    batches = []
    for start in (starts[int(index)] for index in order):
        frames = torch.arange(max(start, 0) - REACH, min(start + size, num_frames) + REACH)
        if len(frames) > 2 * REACH:
            batches.append(frames.clamp(0, num_frames - 1))
    return batches


def _clip_at(clip: ObservedClip, frames: Tensor) -> ObservedClip:
    views = replace(clip.views, boxes=clip.views.boxes[frames])
    return ObservedClip(clip.faces[frames], clip.mouths[frames], clip.landmarks[frames], views, clip.trusted[frames])
