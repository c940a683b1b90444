"""Training the expression network: emotions by the labels of clips, and the tracker's channels on all clips.

Labelled clips are few. That its features also have to tell the channels, on film and on renders alike, keeps them from
being a memory of a few people, and makes a render and a film of one expression look alike to it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from facetalk.core.config import build, plain
from facetalk.core.errors import FacetalkError
from facetalk.data.face_corpus import FaceCorpus, TrackedRenderer, film_light, read_corpus
from facetalk.data.faces import FaceDataConfig, FaceExample, face_pictures, share_of
from facetalk.io.weights import write_model
from facetalk.motion.heads import load_head
from facetalk.networks.expression_net import EMOTIONS, ExpressionNet, ExpressionNetConfig
from facetalk.training.loop import LoopConfig
from facetalk.training.optim import OptimConfig


@dataclass(frozen=True)
class ExpressionLossWeights:
    """Weight of each term."""

    emotion: float = 1.0
    channels: float = 1.0


@dataclass(frozen=True)
class ExpressionTrainingConfig:
    """A whole run."""

    bfloat16: bool = True
    """Compute the network in bfloat16 while training."""
    head: str = "facetalk"
    """The head that the dataset was fitted with."""
    render_share: float = 0.4
    """Share of renders among the pictures whose channels are told."""
    smoothing: float = 0.1
    """Share of each label that is spread over all emotions: a clip does not show its emotion in every frame."""
    loop: LoopConfig = field(default_factory=LoopConfig)
    optim: OptimConfig = field(default_factory=OptimConfig)
    data: FaceDataConfig = field(default_factory=FaceDataConfig)
    net: ExpressionNetConfig = field(default_factory=ExpressionNetConfig)
    loss_weights: ExpressionLossWeights = field(default_factory=ExpressionLossWeights)


@dataclass(frozen=True, eq=False)
class LabelledFaces:
    """A clip's pictures and its emotion."""

    speaker: str
    faces: np.ndarray
    emotion: int


class ExpressionNetTask:
    """The network, its examples and its losses."""

    def __init__(
        self,
        config: ExpressionTrainingConfig,
        net: ExpressionNet,
        renderer: TrackedRenderer,
        tracked: FaceCorpus,
    ) -> None:
        learn, judge = _labelled(tracked.learn), _labelled(tracked.judge)
        if not learn:
            raise FacetalkError(f"no clip has one of the labels {', '.join(EMOTIONS)}; give fit a table with --about")
        self.config = config
        self.model = net
        self.renderer = renderer
        self.tracked, self.judge, self.judge_tracked = tracked.learn, judge, tracked.judge
        self.loss_weights: Mapping[str, float] = plain(config.loss_weights)
        shares = [share_of(e.clip.speaker, config.data.shares, 1.0) * e.num_frames for e in tracked.learn]
        self.chances = torch.tensor(shares, dtype=torch.float64)
        every = torch.cat([example.expression for example in tracked.learn])
        self.usual, self.spread = every.mean(0), every.std(0).clamp_min(0.03)
        self.lights: dict[int, Tensor] = {}
        self.members = {kind: [face for face in learn if face.emotion == kind] for kind in {f.emotion for f in learn}}
        self.prior = torch.bincount(torch.tensor([face.emotion for face in learn]), minlength=len(EMOTIONS))

    def loss_terms(self, step: int, chance: torch.Generator) -> dict[str, Tensor]:
        """Cross entropy on as many pictures of each emotion, and squared error of channels on as many of any clip."""
        kinds = sorted(self.members)
        labels = [kinds[_below(len(kinds), chance)] for _ in range(self.config.data.batch_size)]
        moods = [self._look(kind, chance) for kind in labels]
        others, channels = zip(*(self._tracked(chance) for _ in labels), strict=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.config.bfloat16):
            features = self.model.features(torch.cat([*moods, *others]))
            logits = self.model.classifier(self.model.dropout(features[: len(labels)]))
            told = self.model.to_channels(features[len(labels) :])
        emotion = torch.nn.functional.cross_entropy(
            logits.float(), torch.tensor(labels), label_smoothing=self.config.smoothing
        )
        error = (told.float() - (torch.stack(channels) - self.usual) / self.spread).square()
        return {"emotion": emotion, "channels": error.mean()}

    def _tracked(self, chance: torch.Generator) -> tuple[Tensor, Tensor]:
        """One picture of any clip, or a render of it, and its channels."""
        index = int(torch.multinomial(self.chances, 1, generator=chance))
        example = self.tracked[index]
        frame = _below(example.num_frames, chance)
        if torch.rand((), generator=chance) < self.config.render_share:
            if index not in self.lights:
                self.lights[index] = film_light(example, self.renderer)
            picture = self.renderer.portraits(example, torch.tensor([frame]), self.lights[index])
        else:
            picture = face_pictures(example.crops.faces[frame : frame + 1])
        return _varied(picture, chance), example.expression[frame]

    def _look(self, kind: int, chance: torch.Generator) -> Tensor:
        """One picture of an emotion: speakers alike, however many clips they have."""
        speakers = sorted({face.speaker for face in self.members[kind]})
        speaker = speakers[_below(len(speakers), chance)]
        clips = [face for face in self.members[kind] if face.speaker == speaker]
        faces = clips[_below(len(clips), chance)].faces
        frame = _below(len(faces), chance)
        low, high = self.config.data.scales
        scale = low + (high - low) * float(torch.rand((), generator=chance))
        picture = _varied(face_pictures(faces[frame : frame + 1], scale, self.model.image_size), chance)
        return picture.flip(-1) if torch.rand((), generator=chance) < 0.5 else picture

    def validate(self) -> dict[str, float]:
        """Shares of right pictures on speakers that are kept for judging, beside always saying the most frequent."""
        hits: dict[int, list[float]] = {}
        for face in self.judge:
            frames = np.linspace(0, len(face.faces) - 1, min(8, len(face.faces))).round().astype(int)
            said = self.model(face_pictures(face.faces[frames])).argmax(-1)
            hits.setdefault(face.emotion, []).append(float((said == face.emotion).float().mean()))
        if not hits:
            return {}
        every = [hit for row in hits.values() for hit in row]
        usual = int(self.prior.argmax())
        return {
            "accuracy": sum(every) / len(every),
            "prior_accuracy": len(hits.get(usual, [])) / len(every),
            "recall": sum(sum(row) / len(row) for row in hits.values()) / len(hits),
            "prior_recall": float(usual in hits) / len(hits),
            "emotions_judged": float(len(hits)),
            "clips_judged": float(len(every)),
        } | self._channel_figures()

    def _channel_figures(self) -> dict[str, float]:
        """Mean correlation over time of the lively channels, per clip, on film."""
        lively = torch.argsort(self.spread, descending=True)[:16]
        found = []
        for example in self.judge_tracked:
            if example.num_frames >= 60:
                frames = np.arange(0, min(example.num_frames, 240), 4)
                told = self.model.to_channels(self.model.features(face_pictures(example.crops.faces[frames])))[
                    :, lively
                ]
                pair = torch.stack([told, example.expression[torch.from_numpy(frames)][:, lively]])
                pair = pair - pair.mean(1, keepdim=True)
                scale = pair.square().sum(1).sqrt().prod(0)
                found.append(float((pair.prod(0).sum(0) / scale.clamp_min(1e-6)).mean()))
        return {"r_channels": sum(found) / len(found)} if found else {}

    def export(self, run_dir: Path) -> None:
        """Write `model.safetensors` and `config.yaml`, which `load_expression_net` reads."""
        write_model(run_dir, self.model, "expression-net", "expression-net", {"network": plain(self.config.net)})


def _below(limit: int, chance: torch.Generator) -> int:
    return int(torch.randint(limit, (), generator=chance))


def read_task_config(options: Mapping[str, Any]) -> ExpressionTrainingConfig:
    """The run that a configuration describes."""
    return build(ExpressionTrainingConfig, options)


def make_task(config: ExpressionTrainingConfig, data_dir: Path | None) -> ExpressionNetTask:
    """Read the labelled clips of the dataset; the network has fresh weights."""
    corpus = read_corpus(data_dir, config.data, "expression-net")
    renderer = TrackedRenderer(load_head(config.head))
    return ExpressionNetTask(config, ExpressionNet(config.net), renderer, corpus)


def _varied(picture: Tensor, chance: torch.Generator) -> Tensor:
    """The picture under other light, seen by another camera."""
    tint = 0.85 + 0.3 * torch.rand(3, generator=chance)
    return (picture * tint[:, None, None] * (0.7 + 0.6 * torch.rand((), generator=chance))).clamp(0, 1)


def _labelled(examples: Sequence[FaceExample]) -> list[LabelledFaces]:
    named = [example for example in examples if example.clip.label in EMOTIONS]
    return [LabelledFaces(e.clip.speaker, e.crops.faces, EMOTIONS.index(e.clip.label)) for e in named]
