"""Exemplar refinement: the encoders learn one clip by heart, and say it better and more steadily (METHODS 2.6, 4.6).

Weights are optimised instead of parameters: what the networks know of faces keeps frames with poor landmarks sensible.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Float
from torch import Tensor, nn

from facetalk.core.config import plain
from facetalk.core.progress import Progress, silent
from facetalk.core.rotations import matrix_to_quaternion
from facetalk.core.threads import one_torch_thread
from facetalk.head.channels import ARKIT_NAMES
from facetalk.losses.perceptual import correction_size, lip_reading_error, relative_error
from facetalk.motion.face_scene import FaceScene, SeenClip
from facetalk.networks.experts import LipReader
from facetalk.networks.face_encoder import REACH, FaceCode, FaceEncoder
from facetalk.vision.crop_view import out_of_crop


@dataclass(frozen=True)
class RefineLossWeights:
    """Weight of each term.

    NeuFace's 10 for the landmarks and 100 for the steadiness of the rotation (METHODS 2.6) let the rotation drift away
    from the landmarks here: on an unseen speaker the error grew from 0.024 to 0.096 instead of falling to 0.014.
    Without the mouth's relative distances, and with a dearer acceleration, the lips stop moving; lids do so first. With
    more weight on the distances the lips learn the detector's errors.
    """

    landmarks: float = 50.0
    steadiness: float = 10.0
    relative: float = 25.0
    acceleration: float = 0.002
    lip_reading: float = 2.0
    initial: float = 0.004


@dataclass(frozen=True)
class RefineSettings:
    """How long and how fast a clip is learnt."""

    passes: int = 10
    learning_rate: float = 1e-4
    batch_frames: int = 20
    seed: int = 0
    loss_weights: RefineLossWeights = field(default_factory=RefineLossWeights)


def refine_encoder(
    encoder: FaceEncoder,
    scene: FaceScene,
    reader: LipReader | None,
    clip: SeenClip,
    settings: RefineSettings | None = None,
    progress: Progress = silent,
) -> FaceEncoder:
    """The encoders after they have learnt a clip; those that were given stay as they were.

    Args:
        encoder: what to begin with.
        scene: the head.
        reader: judges the lips; None leaves that term out.
        clip: all frames of the clip.
        settings: see there.
        progress: told the number of passes done.
    """
    settings = settings or RefineSettings()
    first = encoder.encode(clip.faces, clip.landmarks)
    own = copy.deepcopy(encoder).requires_grad_(True)
    own.eval()  # statistics of the normalisations stay those of many faces
    _freeze_normalisations(own)
    spread = FaceCode.split(own.coarse.spread[None], own.config.num_betas).expression[0].clamp_min(0.03)
    learning = [parameter for parameter in own.parameters() if parameter.requires_grad]
    optimizer = torch.optim.Adam(learning, lr=settings.learning_rate)
    weights: Mapping[str, float] = plain(settings.loss_weights)
    with torch.no_grad():
        wanted = reader is not None and settings.loss_weights.lip_reading > 0
        film = reader.features(clip.mouths[None])[0] if reader is not None and wanted else None
    chance = torch.Generator().manual_seed(settings.seed)
    for number in range(settings.passes):
        for frames in _batches(len(clip.faces), settings.batch_frames, chance):
            part = _at(clip, frames)
            goal = None if film is None else film[frames]
            terms = refine_terms(own, scene, part, first.expression[frames], spread, reader, goal)
            total = torch.stack([weights[name] * term for name, term in terms.items()]).sum()
            optimizer.zero_grad(set_to_none=True)
            # On two threads torch 2.13 corrupts the heap here; not on one, and not without oneDNN.
            with one_torch_thread():
                total.backward()
            torch.nn.utils.clip_grad_norm_(learning, 10.0)
            optimizer.step()
        progress("refining", number + 1, settings.passes)
    return own.requires_grad_(False)


def refine_terms(
    encoder: FaceEncoder,
    scene: FaceScene,
    clip: SeenClip,
    initial: Float[Tensor, "frames 52"],
    spread: Float[Tensor, "52"],
    reader: LipReader | None,
    film: Float[Tensor, "frames features"] | None,
) -> dict[str, Tensor]:
    """The loss terms of consecutive frames; the outer `REACH` on both sides only lend their pictures."""
    code, _ = encoder(clip.faces, clip.landmarks)
    code = replace(code, expression=with_lids(code.expression, initial))
    betas = code.betas.mean(0)
    code = replace(code, camera=scene.anchored(code, betas, clip.shots, clip.landmarks).camera)
    inside = slice(REACH, -REACH)
    points = scene.seen(scene.points(code, betas, clip.shots), clip.shots)
    off = (points - clip.landmarks).abs().mean((1, 2))
    turns, _ = out_of_crop(code.rotation, code.camera, clip.shots.K, clip.shots.boxes)
    moved = code.expression.diff(dim=0).diff(dim=0) / spread
    terms = {
        "landmarks": (off * clip.trusted)[inside].sum() / clip.trusted[inside].sum().clamp_min(1.0),
        "relative": relative_error(points[inside], clip.landmarks[inside], clip.trusted[inside]),
        "steadiness": unsteadiness(turns)[inside].mean(),
        "acceleration": moved[inside].square().mean(),
        "initial": correction_size(((code.expression - initial) / spread)[inside], torch.zeros_like(initial[inside])),
    }
    if reader is not None and film is not None:
        vertices = scene.vertices(code, betas, clip.shots)
        mouths = scene.mouths(vertices, scene.normals(vertices), code.light, clip.shots)
        render = reader.features(mouths[None])[0]
        terms["lip_reading"] = lip_reading_error(film[inside], render[inside], clip.trusted[inside])
    return terms


def with_lids(
    expression: Float[Tensor, "frames 52"], initial: Float[Tensor, "frames 52"]
) -> Float[Tensor, "frames 52"]:
    """The expression with the lids as they were: refined ones fit the eyes' size and forget to blink."""
    lids = torch.tensor([name.startswith("eye") for name in ARKIT_NAMES])
    return torch.where(lids, initial, expression)


def unsteadiness(turns: Float[Tensor, "frames 3 3"]) -> Float[Tensor, " frames"]:
    """How far each rotation is from the mean of the five around it, as a distance of unit quaternions."""
    quaternion = matrix_to_quaternion(turns)
    with torch.no_grad():
        # A quaternion and its negative are one rotation; all are written on the side of the first.
        same = torch.where((quaternion @ quaternion[0])[:, None] < 0, -quaternion, quaternion)
        padded = torch.cat([same[:1].expand(REACH, 4), same, same[-1:].expand(REACH, 4)])
        mean = nn.functional.normalize(padded.unfold(0, 2 * REACH + 1, 1).mean(-1), dim=1)
        sign = torch.where((quaternion * same).sum(1, keepdim=True) < 0, -1.0, 1.0)
    return ((quaternion * sign - mean).square().sum(1) + 1e-12).sqrt()


def _freeze_normalisations(network: nn.Module) -> None:
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.requires_grad_(False)


def _batches(num_frames: int, size: int, chance: torch.Generator) -> list[Tensor]:
    """Consecutive frames with `REACH` more on both sides, ends repeated; every frame once a pass, in another order."""
    size = min(size, num_frames)
    offset = int(torch.randint(size, (), generator=chance))
    starts = [*range(-offset, num_frames, size)]
    order = torch.randperm(len(starts), generator=chance)
    batches = []
    for start in (starts[int(index)] for index in order):
        frames = torch.arange(max(start, 0) - REACH, min(start + size, num_frames) + REACH)
        if len(frames) > 2 * REACH:
            batches.append(frames.clamp(0, num_frames - 1))
    return batches


def _at(clip: SeenClip, frames: Tensor) -> SeenClip:
    shots = replace(clip.shots, boxes=clip.shots.boxes[frames])
    return SeenClip(clip.faces[frames], clip.mouths[frames], clip.landmarks[frames], shots, clip.trusted[frames])
