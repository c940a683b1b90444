"""A video of the bundled head, made by the differentiable renderer, and the motion that it shows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from facetalk.core.camera import Camera
from facetalk.data.crops import FACE_PIXELS, KEPT_SCALE, FaceCrops, crop_track
from facetalk.data.faces import FaceExample
from facetalk.data.manifest import Clip
from facetalk.data.tracked_renderer import TrackedRenderer
from facetalk.head.channels import ARKIT_NAMES
from facetalk.head.model import HeadModel
from facetalk.networks.face_encoder import FaceEncoder, FaceEncoderConfig
from facetalk.rendering.camera import project
from facetalk.rendering.differentiable import perspective, render_shaded
from facetalk.vision.crop import FACE_SCALE
from facetalk.vision.crop_view import crop_intrinsics

K = torch.tensor([[600.0, 0, 128], [0, 600.0, 128], [0, 0, 1]])
IMAGE_SIZE = (256, 256)


def even_light() -> torch.Tensor:
    light = torch.zeros(9, 3)
    light[0], light[2], light[3] = 3.0, 0.4, 0.4
    return light


def mediapipe_points(head: HeadModel, vertices: torch.Tensor) -> torch.Tensor:
    """The points of a detector without error."""
    points = torch.zeros(len(vertices), 478, 3)
    points[:, head.points.mediapipe_ids, :2] = project(head.points.mediapipe.on(vertices), Camera(K, IMAGE_SIZE))
    return points


def video_clip(head: HeadModel, num_frames: int = 24, speaker: str = "s0", seed: int = 0) -> FaceExample:
    """A clip in which a head speaks and turns a little."""
    generator = torch.Generator().manual_seed(seed)
    phase = torch.linspace(0, 9, num_frames) + seed
    expression = torch.zeros(num_frames, 52)
    expression[:, ARKIT_NAMES.index("jawOpen")] = 0.25 + 0.25 * phase.sin()
    expression[:, ARKIT_NAMES.index("mouthPucker")] = 0.2 + 0.2 * (1.7 * phase).sin()
    turns = 0.05 * torch.stack([(0.3 * phase).sin(), (0.4 * phase).cos(), 0 * phase], 1)
    transl = torch.tensor([0.01, 0.03, -0.9]).repeat(num_frames, 1)
    betas = 0.5 * torch.randn(head.num_betas, generator=generator)
    poses = torch.zeros(num_frames, 5, 3)
    poses[:, 0] = turns
    vertices = head(expression, poses, transl, betas)
    track = crop_track(mediapipe_points(head, vertices), torch.arange(num_frames) / 25, IMAGE_SIZE)
    empty = FaceCrops(track, np.zeros((num_frames, 128, 128, 3), np.uint8), np.zeros((num_frames, 96, 96), np.uint8))
    clip = Clip(Path(), f"clip{seed}", speaker, "happy" if seed % 2 else "neutral")
    example = FaceExample(
        clip, empty, betas, expression, turns, transl, torch.zeros(num_frames, 4), K, torch.ones(num_frames)
    )
    return _with_crops(example, vertices, TrackedRenderer(head))


def _with_crops(example: FaceExample, vertices: torch.Tensor, renderer: TrackedRenderer) -> FaceExample:
    boxes = example.track.face_boxes * torch.tensor([1, 1, KEPT_SCALE / FACE_SCALE])
    seen = perspective(vertices, crop_intrinsics(K, boxes, FACE_PIXELS))
    lights = even_light().expand(len(vertices), 9, 3)
    image = render_shaded(vertices, seen, renderer.faces, renderer.albedo, lights, (FACE_PIXELS, FACE_PIXELS))[:, :3]
    faces = (255 * image.clamp(0, 1)).permute(0, 2, 3, 1).to(torch.uint8).numpy()
    crops = FaceCrops(example.track, faces, renderer.mouths(example, even_light()))
    values = {name: getattr(example, name) for name in FaceExample.__dataclass_fields__}
    return FaceExample(**{**values, "crops": crops})


def tiny_encoder(num_betas: int) -> FaceEncoder:
    torch.manual_seed(0)
    config = FaceEncoderConfig(
        num_betas=num_betas, coarse_width=8, coarse_hidden=16, perceptual_width=0.1, perceptual_features=16,
        perceptual_hidden=8,
    )  # fmt: skip
    encoder = FaceEncoder(config)
    encoder.coarse.spread[:] = 0.03
    encoder.coarse.mean[-30:-27] = torch.tensor([9.0, 0.0, 0.0])
    encoder.coarse.mean[-27:-24] = 3.0
    return encoder.eval()
