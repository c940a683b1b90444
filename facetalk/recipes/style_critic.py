"""Training the style critic: in whose manner, and in what mood, is this motion? (METHODS 3.6)"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from facetalk.core.config import build, plain
from facetalk.core.errors import FacetalkError
from facetalk.data.dataset import DataConfig, Example, read_mute_example
from facetalk.data.manifest import read_clips, split_by_speaker
from facetalk.head.channels import ARKIT_NAMES
from facetalk.io.weights import write_model
from facetalk.networks.critics import PatchCriticConfig, StyleCritic
from facetalk.training.loop import LoopConfig
from facetalk.training.optim import OptimConfig


@dataclass(frozen=True)
class StyleCriticTrainingConfig:
    """A whole run."""

    shortest_style: int = 96
    """Styles with fewer frames in all are left out."""
    kept_share: float = 0.25
    """The end of every style's frames, kept for judging: a critic of styles can only be judged on styles it knows."""
    loop: LoopConfig = field(default_factory=LoopConfig)
    optim: OptimConfig = field(default_factory=OptimConfig)
    data: DataConfig = field(default_factory=DataConfig)
    critic: PatchCriticConfig = field(default_factory=PatchCriticConfig)


class StyleCriticTask:
    """The critic, and stretches of motion in known styles."""

    def __init__(self, config: StyleCriticTrainingConfig, examples: list[Example]) -> None:
        self.config = config
        rows: dict[str, list[Tensor]] = {}
        for example in examples:
            rows.setdefault(example.clip.style, []).append(example.expression[0])
        joined = {style: torch.cat(parts) for style, parts in rows.items()}
        joined = {style: motion for style, motion in joined.items() if len(motion) >= config.shortest_style}
        if len(joined) < 2:
            raise FacetalkError(f"a style critic needs at least two styles of {config.shortest_style} frames")
        self.styles = list(joined)
        cuts = {style: round(len(motion) * (1 - config.kept_share)) for style, motion in joined.items()}
        self.learn = [joined[style][: cuts[style]] for style in self.styles]
        self.kept = [joined[style][cuts[style] :] for style in self.styles]
        self.loss_weights = {"style": 1.0}
        self.model = StyleCritic(len(ARKIT_NAMES), len(self.styles), config.critic)
        everything = torch.cat(self.learn)
        self.model.centre.copy_(everything.mean(0))
        self.model.unit.copy_(everything.std(0).clamp_min(0.02))

    def loss_terms(self, step: int, chance: torch.Generator) -> dict[str, Tensor]:
        """Cross entropy on one batch, every style as often as any other."""
        target = torch.randint(len(self.styles), (self.config.data.batch_size,), generator=chance)
        motion = torch.stack([self._stretch(self.learn[int(index)], chance) for index in target])
        return {"style": nn.functional.cross_entropy(self.model(motion), target)}

    def validate(self) -> dict[str, float]:
        """Share of right answers on the kept ends of the styles, beside chance; every style counts the same."""
        chance = torch.Generator().manual_seed(0)
        right = []
        for index, rows in enumerate(self.kept):
            motion = torch.stack([self._stretch(rows, chance) for _ in range(4)])
            right.append((self.model(motion).argmax(1) == index).float().mean())
        return {"accuracy": float(torch.stack(right).mean()), "by_chance": 1 / len(self.styles)}

    def export(self, run_dir: Path) -> None:
        """Write the folder that `style_critic` of a StyleTalk run names."""
        described = {"styles": self.styles, "num_channels": len(ARKIT_NAMES), "num_styles": len(self.styles)}
        described["network"] = plain(self.config.critic)
        write_model(run_dir, self.model, "style-critic", "style-critic", described)

    def _stretch(self, rows: Tensor, chance: torch.Generator) -> Tensor:
        """A stretch of the usual length; shorter rows are repeated."""
        length = self.config.data.length
        if len(rows) < length:
            rows = rows.repeat(-(-length // len(rows)), 1)
        start = int(torch.randint(len(rows) - length + 1, (), generator=chance))
        return rows[start : start + length]


def read_task_config(options: Mapping[str, Any]) -> StyleCriticTrainingConfig:
    """The run that a configuration describes."""
    return build(StyleCriticTrainingConfig, options)


def make_task(config: StyleCriticTrainingConfig, data_dir: Path | None) -> StyleCriticTask:
    """Read the motions of the speakers that may be learnt from, with sound or without."""
    learn, _ = split_by_speaker(read_clips(data_dir, "style-critic"), config.data.dev_speakers)
    return StyleCriticTask(config, [read_mute_example(clip, config.data) for clip in learn])
