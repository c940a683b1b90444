"""Face images and landmarks -> head parameters: SPECTRE's two encoders (Filntisis et al. 2022).

The coarse encoder predicts all parameters from one image; it is trained on the tracker's fits and then frozen. The
perceptual encoder predicts a correction of the expression from a clip, which is almost zero at first.

Both also get the landmarks that the crop was made from: a network of this size, trained on an hour of video, predicts
the opening of the mouth from 112 pixels much worse than the landmark detector does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from facetalk.core.config import check_ranges
from facetalk.head.channels import ARKIT_NAMES
from facetalk.networks.backbones import MobileNetV2, ResNet
from facetalk.networks.experts import frozen

Row = TypeVar("Row")

CHUNK, OVERLAP = 50, 4
"""Frames that are encoded together, and the overlap of two neighboring chunks."""

NUM_MARKS = 68
MARKS_WIDTH = 2 * NUM_MARKS + 1
"""Columns of `CoarseEncoder.landmark_row`."""

REACH = 2
"""Frames on each side that the perceptual encoder's convolution over time uses."""


@dataclass(frozen=True)
class FaceEncoderConfig:
    """Sizes of both networks."""

    num_betas: int = 33
    """Of the head; training takes the number from there."""
    coarse_width: int = 24
    """First stage of the coarse ResNet-18; 64 is the published size."""
    coarse_hidden: int = 256
    marks_hidden: int = 192
    """Width of the layers on the landmarks."""
    perceptual: str = "resnet"
    """Backbone of the perceptual encoder: `mobilenet` as published, or `resnet`, which starts from the coarse one's."""
    perceptual_width: float = 0.5
    """Factor on MobileNetV2's channels; 1 is the published size."""
    perceptual_features: int = 640
    """Features of MobileNetV2 per frame; 1280 is the published number."""
    perceptual_hidden: int = 256
    opening: str = "jawOpen"
    """The channel that a correction may only increase."""

    def __post_init__(self) -> None:
        check_ranges(self, num_betas=(0, 10_000), coarse_width=(1, 1024), coarse_hidden=(1, 8192))
        check_ranges(self, marks_hidden=(1, 8192), perceptual_width=(0.01, 10), perceptual_features=(1, 100_000))
        check_ranges(self, perceptual_hidden=(1, 8192))
        if self.perceptual not in ("mobilenet", "resnet"):
            raise ValueError(f"perceptual={self.perceptual!r} must be mobilenet or resnet")


@dataclass(frozen=True, eq=False)
class FaceCode:
    """Parameters of the head in the frames of a clip; pose and camera as in `vision.crop_view.into_crop`."""

    betas: Float[Tensor, "frames n_betas"]
    expression: Float[Tensor, "frames 52"]
    gaze: Float[Tensor, "frames 4"]
    """Pitch and yaw of the left and of the right eye, radians."""
    rotation: Float[Tensor, "frames 3"]
    camera: Float[Tensor, "frames 3"]
    light: Float[Tensor, "frames 9 3"]

    @classmethod
    def split(cls, rows: Float[Tensor, "frames width"], num_betas: int) -> FaceCode:
        """The code in the columns of an encoder's output."""
        betas, expression, gaze, rotation, camera, light = rows.split([num_betas, len(ARKIT_NAMES), 4, 3, 3, 27], 1)
        return cls(betas, expression, gaze, rotation, camera, light.unflatten(1, (9, 3)))

    def joined(self) -> Float[Tensor, "frames width"]:
        """All columns side by side; the inverse of `split`."""
        parts = (self.betas, self.expression, self.gaze, self.rotation, self.camera, self.light.flatten(1))
        return torch.cat(parts, 1)


def code_width(num_betas: int) -> int:
    """Number of columns of a joined code."""
    return num_betas + len(ARKIT_NAMES) + 4 + 3 + 3 + 27


class CoarseEncoder(nn.Module):
    """One image and its landmarks -> all parameters of the head."""

    mean: Tensor
    spread: Tensor
    marks_mean: Tensor
    marks_spread: Tensor

    def __init__(self, config: FaceEncoderConfig) -> None:
        super().__init__()
        self.config = config
        self.num_betas = config.num_betas
        self.backbone = ResNet(config.coarse_width)
        width = code_width(config.num_betas)
        hidden, marks = config.coarse_hidden, config.marks_hidden
        self.marks = nn.Sequential(nn.Linear(MARKS_WIDTH, marks), nn.GELU(), nn.Linear(marks, marks), nn.GELU())
        seen = self.backbone.num_features + marks
        self.layers = nn.Sequential(nn.Linear(seen, hidden), nn.ReLU(), nn.Linear(hidden, width))
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("spread", torch.ones(width))
        self.register_buffer("marks_mean", torch.zeros(NUM_MARKS, 2))
        self.register_buffer("marks_spread", torch.ones(NUM_MARKS, 2))

    def forward(
        self, faces: Float[Tensor, "frames 3 height columns"], marks: Float[Tensor, "frames 68 2"]
    ) -> Float[Tensor, "frames width"]:
        """A joined `FaceCode`.

        Args:
            faces: RGB in [0, 1].
            marks: landmarks in units of the crop, -1 to 1; NaN where they are unknown.
        """
        return self.decode(self.backbone(2 * faces - 1), marks)

    def decode(
        self, features: Float[Tensor, "frames features"], marks: Float[Tensor, "frames 68 2"]
    ) -> Float[Tensor, "frames width"]:
        """A joined `FaceCode` from the features of an image and the landmarks."""
        return self.mean + self.spread * self.layers(torch.cat([features, self.marks(self.landmark_row(marks))], 1))

    def landmark_row(self, marks: Float[Tensor, "frames 68 2"]) -> Float[Tensor, "frames known"]:
        """Standardized landmarks, and 1 where they are known."""
        known = torch.isfinite(marks).flatten(1).all(1, keepdim=True)
        row = ((marks - self.marks_mean) / self.marks_spread).flatten(1)
        return torch.cat([torch.where(known, row, 0.0), known.to(row)], 1)


class PerceptualEncoder(nn.Module):
    """Consecutive images and landmarks -> a correction of the expression in each frame."""

    def __init__(self, config: FaceEncoderConfig) -> None:
        super().__init__()
        self.config = config
        self.backbone: nn.Module
        if config.perceptual == "mobilenet":
            self.backbone = MobileNetV2(config.perceptual_width, config.perceptual_features)
            features = config.perceptual_features
        else:
            self.backbone = ResNet(config.coarse_width)
            features = self.backbone.num_features
        self.temporal = nn.Sequential(
            nn.Conv1d(features + MARKS_WIDTH, config.perceptual_hidden, 2 * REACH + 1, padding=REACH),
            nn.BatchNorm1d(config.perceptual_hidden),
            nn.ReLU(),
        )
        self.layers = nn.Linear(config.perceptual_hidden, len(ARKIT_NAMES))
        with torch.no_grad():
            self.layers.weight.mul_(0.001)
            self.layers.bias.mul_(0.001)
        self.opening = ARKIT_NAMES.index(config.opening)

    def train(self, mode: bool = True) -> PerceptualEncoder:
        """Training mode, but normalizations keep their statistics, because a batch is a clip of one face.

        `measure_statistics` measures them beforehand.
        """
        super().train(mode)
        for module in self.modules():
            if isinstance(module, _NORMS):
                module.eval()
        return self

    @torch.no_grad()
    def measure_statistics(self, clips: Iterable[tuple[Tensor, Tensor]]) -> None:
        """Measure the statistics of the normalizations over some clips, each with images and landmark rows."""
        norms = [module for module in self.modules() if isinstance(module, _NORMS)]
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # a plain mean over all batches
            norm.train()
        for faces, rows in clips:
            self(faces, rows)
        for norm in norms:
            norm.eval()

    def forward(
        self, faces: Float[Tensor, "frames 3 height columns"], marks_rows: Float[Tensor, "frames known"]
    ) -> Float[Tensor, "frames 52"]:
        """What to add to the coarse expression; the opening of the jaw is only ever increased.

        Args:
            faces: RGB in [0, 1].
            marks_rows: see `CoarseEncoder.landmark_row`.
        """
        seen = torch.cat([self.backbone(2 * faces - 1), marks_rows], 1)
        rows = self.temporal(seen.T[None])[0].T
        added = self.layers(rows)
        opening = nn.functional.one_hot(torch.tensor(self.opening), len(ARKIT_NAMES)).to(added)
        return torch.where(opening > 0, added.relu(), added)


_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)


class FaceEncoder(nn.Module):
    """Both encoders: video frames in, one `FaceCode` out."""

    def __init__(self, config: FaceEncoderConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or FaceEncoderConfig()
        self.coarse = CoarseEncoder(config)
        self.perceptual = PerceptualEncoder(config)

    def forward(
        self, faces: Float[Tensor, "frames 3 height columns"], marks: Float[Tensor, "frames 68 2"]
    ) -> tuple[FaceCode, Float[Tensor, "frames 52"]]:
        """The code of each frame, and the coarse expression before it was corrected.

        Args:
            faces: consecutive frames, RGB in [0, 1].
            marks: their landmarks in units of the crop, -1 to 1; NaN where they are unknown.
        """
        coarse = FaceCode.split(self.coarse(faces, marks), self.config.num_betas)
        expression = coarse.expression + self.perceptual(faces, self.coarse.landmark_row(marks))
        whole = FaceCode(coarse.betas, expression, coarse.gaze, coarse.rotation, coarse.camera, coarse.light)
        return whole, coarse.expression

    def freeze_coarse(self) -> FaceEncoder:
        """Freeze the coarse encoder, so that only the perceptual encoder is trained."""
        frozen(self.coarse)
        return self

    def train(self, mode: bool = True) -> FaceEncoder:
        """Training mode; a frozen coarse encoder stays in eval mode."""
        super().train(mode)
        if not any(parameter.requires_grad for parameter in self.coarse.parameters()):
            self.coarse.eval()
        return self

    @torch.no_grad()
    def encode(
        self, faces: Iterable[Float[Tensor, "3 height columns"]], marks: Float[Tensor, "frames 68 2"]
    ) -> FaceCode:
        """The code of a clip of any length, as many rows as it has frames; images are consumed as they come.

        Args:
            faces: RGB in [0, 1].
            marks: see `forward`.
        """
        rows = []
        for part, keep in chunks(zip(faces, marks, strict=True)):
            images, landmarks = (torch.stack(column) for column in zip(*part, strict=True))
            rows.append(self(images, landmarks)[0].joined()[keep])
        return FaceCode.split(torch.cat(rows)[REACH:-REACH], self.config.num_betas)


def chunks(frames: Iterable[Row]) -> Iterator[tuple[list[Row], slice]]:
    """Frames in overlapping chunks, and which frames of each chunk to keep.

    The first and the last frame are repeated `REACH` times, so that padding does not affect the frames of the clip; the
    kept rows are the clip with `REACH` rows before and after it.
    """
    part: list[Row] = []
    kept_until = 0
    for frame in _with_ends(frames):
        part.append(frame)
        if len(part) == CHUNK:
            yield part, slice(kept_until, CHUNK - OVERLAP // 2)
            part, kept_until = part[-OVERLAP:], OVERLAP // 2
    if part:
        yield part, slice(kept_until, len(part))


def _with_ends(frames: Iterable[Row]) -> Iterator[Row]:
    last = None
    for frame in frames:
        if last is None:
            yield from [frame] * REACH
        yield frame
        last = frame
    if last is not None:
        yield from [last] * REACH
