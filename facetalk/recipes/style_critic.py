"""The recipe of the style critic: in whose speaking style, and with what emotion, is a motion?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from facetalk.core.config import plain
from facetalk.core.errors import FacetalkError
from facetalk.data.dataset import DataConfig, Example, read_motion_example
from facetalk.data.manifest import read_clips
from facetalk.data.sampling import random_index
from facetalk.data.split import split_clips
from facetalk.head.channels import ARKIT_NAMES
from facetalk.io.weights import write_model
from facetalk.networks.critics import PatchCriticConfig, StyleCritic
from facetalk.recipes.base import ConfiguredRecipe, RunConfig


@dataclass(frozen=True)
class StyleCriticTrainingConfig(RunConfig):
    """Configuration of a run."""

    min_style_frames: int = 96
    """Styles with fewer frames in total are left out."""
    validation_share: float = 0.25
    """The end of each style's frames is kept for validation: a classifier of styles can only name those it knows."""
    data: DataConfig = field(default_factory=DataConfig)
    critic: PatchCriticConfig = field(default_factory=PatchCriticConfig)


class StyleBatch(NamedTuple):
    """Excerpts of motion and the index of the style of each."""

    motion: Float[Tensor, "batch frames n_expression"]
    style: Int64[Tensor, " batch"]


class StyleCriticTask:
    """The critic, and excerpts of motion in known styles."""

    fixed_modules: Sequence[nn.Module] = ()

    def __init__(self, config: StyleCriticTrainingConfig, examples: Sequence[Example]) -> None:
        self.config = config
        self.loss_weights: Mapping[str, float] = {"style": 1.0}
        rows: dict[str, list[Tensor]] = {}
        for example in examples:
            rows.setdefault(example.clip.style, []).append(example.expression[0])
        joined = {style: torch.cat(parts) for style, parts in rows.items()}
        joined = {style: motion for style, motion in joined.items() if len(motion) >= config.min_style_frames}
        if len(joined) < 2:
            raise FacetalkError(f"a style critic needs at least two styles of {config.min_style_frames} frames")
        self.styles = list(joined)
        cuts = {style: round(len(motion) * (1 - config.validation_share)) for style, motion in joined.items()}
        self.train = [joined[style][: cuts[style]] for style in self.styles]
        self.validation = [joined[style][cuts[style] :] for style in self.styles]
        self.model = StyleCritic(len(ARKIT_NAMES), len(self.styles), config.critic)
        everything = torch.cat(self.train)
        self.model.centre.copy_(everything.mean(0))
        self.model.unit.copy_(everything.std(0).clamp_min(0.02))

    def sample(self, generator: torch.Generator) -> StyleBatch:
        """Excerpts with equally frequent styles."""
        style = torch.randint(len(self.styles), (self.config.data.batch_size,), generator=generator)
        motion = torch.stack([self._excerpt(self.train[int(index)], generator) for index in style])
        return StyleBatch(motion, style)

    def loss_terms(self, step: int, batch: StyleBatch) -> dict[str, Tensor]:
        """Cross entropy of the true styles."""
        return {"style": nn.functional.cross_entropy(self.model(batch.motion), batch.style)}

    def validate(self) -> dict[str, float]:
        """Share of correctly classified excerpts of the kept frames, mean over styles, and the rate of guessing."""
        generator = torch.Generator().manual_seed(0)
        right = []
        for index, rows in enumerate(self.validation):
            motion = torch.stack([self._excerpt(rows, generator) for _ in range(4)])
            right.append((self.model(motion).argmax(1) == index).float().mean())
        return {"accuracy": float(torch.stack(right).mean()), "by_chance": 1 / len(self.styles)}

    def export(self, run_dir: Path) -> None:
        """Write the folder that `style_critic` of a StyleTalk run names."""
        described = {"styles": self.styles, "num_channels": len(ARKIT_NAMES), "num_styles": len(self.styles)}
        described["network"] = plain(self.config.critic)
        write_model(run_dir, self.model, "style-critic", "style-critic", described)

    def _excerpt(self, rows: Tensor, generator: torch.Generator) -> Tensor:
        """An excerpt of `data.length` frames; shorter motions are repeated."""
        length = self.config.data.length
        if len(rows) < length:
            rows = rows.repeat(-(-length // len(rows)), 1)
        start = random_index(len(rows) - length + 1, generator)
        return rows[start : start + length]


def make_task(config: StyleCriticTrainingConfig, data_dir: Path | None) -> StyleCriticTask:
    """Read the motions of the training speakers, with or without audio."""
    train, _ = split_clips(read_clips(data_dir, "style-critic"), config.data.dev_speakers)
    return StyleCriticTask(config, [read_motion_example(clip, config.data) for clip in train])


RECIPE = ConfiguredRecipe(StyleCriticTrainingConfig, make_task)
