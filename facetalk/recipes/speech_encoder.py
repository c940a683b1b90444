"""Training the speech encoder: phonemes, articulation and what a teacher hears, and the mouth where it was seen."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from facetalk.audio.augment import AugmentConfig, augment_mel, augment_waveform
from facetalk.audio.phonemes import SILENCE
from facetalk.core.config import build, plain
from facetalk.core.errors import FacetalkError, UsageError
from facetalk.core.timing import FPS, SAMPLE_RATE, frame_times, resample
from facetalk.data.manifest import read_manifest, split_by_speaker
from facetalk.data.speech import LABEL_RATE, MOUTH_RATE, SpeechExample, read_speech, taught_at
from facetalk.io.weights import write_model
from facetalk.networks.speech_encoder import SpeechEncoder, SpeechEncoderConfig, SpeechHeads, loud_level
from facetalk.training.loop import LoopConfig
from facetalk.training.optim import OptimConfig


@dataclass(frozen=True)
class SpeechGroup:
    """Recordings that are drawn alike."""

    pattern: str = "*"
    """Names of the clips, with * and ?; the first group that fits takes a clip."""
    share: float = 1.0
    """Part of the drawn examples, relative to the other groups."""
    frames: int = 72
    """Length of a drawn stretch; each batch has one length."""
    sound_lag_s: float = 0.0
    """How much the sound comes late behind the picture."""


@dataclass(frozen=True)
class SpeechDataConfig:
    """Which examples are drawn, and how they are changed."""

    groups: tuple[SpeechGroup, ...] = (SpeechGroup(),)
    dev_speakers: tuple[str, ...] = ()
    """Speakers (patterns) that are kept for judging."""
    batch_frames: int = 1440
    """Frames in a batch over all its examples."""
    speed: float = 0.16
    """Largest change of speed and pitch together, natural log."""
    synced: float = 0.3
    """A mouth whose clip has a lower `av_corr` counts only `unsynced_weight`."""
    unsynced_weight: float = 0.25
    augment: AugmentConfig = field(default_factory=AugmentConfig)


@dataclass(frozen=True)
class SpeechLossWeights:
    """Weight of each term."""

    phonemes: float = 1.0
    articulation: float = 4.0
    mouth: float = 1.0
    teacher: float = 1.0


@dataclass(frozen=True)
class SpeechTrainingConfig:
    """A whole run."""

    bfloat16: bool = True
    """Compute the network in bfloat16 while training; twice as fast on a CPU that has it."""
    loop: LoopConfig = field(default_factory=LoopConfig)
    optim: OptimConfig = field(default_factory=OptimConfig)
    data: SpeechDataConfig = field(default_factory=SpeechDataConfig)
    encoder: SpeechEncoderConfig = field(default_factory=SpeechEncoderConfig)
    loss_weights: SpeechLossWeights = field(default_factory=SpeechLossWeights)


class SpeechBatch(NamedTuple):
    """Stretches of recordings; rows of a clip that ended have weight 0."""

    waveform: Tensor
    level: Tensor
    labels: Tensor
    articulation: Tensor
    trust: Tensor
    mouth: Tensor
    seen: Tensor
    """1 where the mouth was seen, per row."""
    synced: Tensor
    """How much an example's mouth counts."""
    taught: Tensor
    """What the teacher hears."""
    listened: Tensor
    """1 where that is known, per row."""


class SpeechSampler:
    """Draws batches from groups of recordings."""

    def __init__(self, examples: Sequence[SpeechExample], config: SpeechDataConfig, encoder: SpeechEncoder) -> None:
        self.config = config
        self.members: dict[SpeechGroup, list[SpeechExample]] = defaultdict(list)
        self.levels = {id(e): float(loud_level(encoder.log_mel(e.waveform.float()[None]))) for e in examples}
        for example in examples:
            group = next((g for g in config.groups if fnmatchcase(example.clip.name, g.pattern)), None)
            if group is not None:
                self.members[group].append(example)
        if not self.members:
            raise FacetalkError("no recording belongs to a group of data.groups; check their patterns")
        self.lengths = sorted({group.frames for group in self.members})
        self.num_components = encoder.config.hidden
        taught = {example.taught.shape[1] for example in examples if len(example.taught)}
        if taught - {self.num_components}:
            raise FacetalkError(
                f"the teacher's rows have {sorted(taught)} components, the encoder foresees {self.num_components}; "
                "set encoder.hidden, or run facetalk.workshop.speech.teacher again"
            )

    def draw(self, chance: torch.Generator) -> SpeechBatch:
        """One batch of stretches of one length."""
        shares = [sum(g.share for g in self.members if g.frames == frames) for frames in self.lengths]
        frames = self.lengths[_choose(shares, chance)]
        groups = [group for group in self.members if group.frames == frames]
        rows = []
        for _ in range(max(2, self.config.batch_frames // frames)):
            group = groups[_choose([g.share for g in groups], chance)]
            members = self.members[group]
            example = members[_choose([e.duration_s for e in members], chance)]
            rows.append(self._stretch(example, group, chance))
        return SpeechBatch(*(torch.stack(parts) for parts in zip(*rows, strict=True)))

    def _stretch(self, example: SpeechExample, group: SpeechGroup, chance: torch.Generator) -> SpeechBatch:
        speed = float(torch.exp(self.config.speed * (2 * torch.rand((), generator=chance) - 1)))
        samples = round(group.frames / FPS * SAMPLE_RATE)
        spare = max(0.0, example.duration_s - samples / SAMPLE_RATE * speed)
        start_s = spare * float(torch.rand((), generator=chance))
        waveform = _at(example.waveform, (start_s * SAMPLE_RATE + torch.arange(samples) * speed).double())
        begins = start_s + frame_times(group.frames) * speed
        middles = begins + 0.5 / FPS * speed
        inside = (middles < example.duration_s).float()
        moments = (middles * LABEL_RATE).long().clamp(max=len(example.labels) - 1)
        mouth, seen = self._mouth(example, begins - group.sound_lag_s)
        taught, listened = self._taught(example, middles)
        av_corr = example.clip.av_corr
        synced = 1.0 if av_corr is None or av_corr >= self.config.synced else self.config.unsynced_weight
        return SpeechBatch(
            waveform,
            torch.tensor(self.levels[id(example)]),
            example.labels[moments],
            example.articulation[moments],
            inside * example.trust,
            mouth,
            seen,
            torch.tensor(synced),
            taught,
            listened * inside,
        )

    def _mouth(self, example: SpeechExample, times: Tensor) -> tuple[Tensor, Tensor]:
        rows = example.mouth
        if len(rows) < 2:
            return rows.new_zeros(len(times), rows.shape[1]), rows.new_zeros(len(times))
        seen = (times >= 0) & (times <= (len(rows) - 1) / MOUTH_RATE)
        return resample(rows, frame_times(len(rows), MOUTH_RATE), times), seen.float()

    def _taught(self, example: SpeechExample, times: Tensor) -> tuple[Tensor, Tensor]:
        if not len(example.taught):
            return times.new_zeros(len(times), self.num_components, dtype=torch.float32), torch.zeros(len(times))
        return taught_at(example.taught, times.float()), torch.ones(len(times))


class SpeechEncoderTask:
    """The encoder, its examples and its losses."""

    def __init__(
        self,
        config: SpeechTrainingConfig,
        encoder: SpeechEncoder,
        learn: Sequence[SpeechExample],
        judge: Sequence[SpeechExample],
    ) -> None:
        self.config = config
        self.model = encoder
        self.sampler = SpeechSampler(learn, config.data, encoder)
        self.judge = judge
        self.loss_weights: Mapping[str, float] = plain(config.loss_weights)
        self._set_statistics()

    def loss_terms(self, step: int, chance: torch.Generator) -> dict[str, Tensor]:
        """The terms on one batch."""
        batch = self.sampler.draw(chance)
        with torch.no_grad():
            heard = augment_waveform(batch.waveform, self.config.data.augment, chance)
            mel = augment_mel(self._levelled(heard, batch.level), self.config.data.augment, chance)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.config.bfloat16):
            heads = self.model(mel, batch.labels.shape[1])
        return loss_terms(SpeechHeads(*(part.float() for part in heads)), batch)

    def validate(self) -> dict[str, float]:
        """Figures on the speakers that are kept for judging."""
        return judge_encoder(self.model, self.judge, self.config.data) if self.judge else {}

    def export(self, run_dir: Path) -> None:
        """Write `model.safetensors` and `config.yaml`, which `networks.registry.load` reads."""
        write_model(run_dir, self.model, "speech-encoder", "speech-encoder", {"network": plain(self.config.encoder)})

    def _levelled(self, waveform: Tensor, level: Tensor) -> Tensor:
        return (self.model.log_mel(waveform) - level[:, None, None]).clamp_min(-14.0)

    def _set_statistics(self) -> None:
        """Mean and spread of the mel bands over some clean batches."""
        chance = torch.Generator().manual_seed(self.config.loop.seed)
        batches = [self.sampler.draw(chance) for _ in range(4)]
        mels = [self._levelled(batch.waveform, batch.level).flatten(0, 1) for batch in batches]
        self.model.mel_mean.copy_(torch.cat(mels).mean(0))
        self.model.mel_std.copy_(torch.cat(mels).std(0).clamp_min(0.1))


def read_task_config(options: Mapping[str, Any]) -> SpeechTrainingConfig:
    """The run that a configuration describes."""
    return build(SpeechTrainingConfig, options)


def make_task(config: SpeechTrainingConfig, data_dir: Path | None) -> SpeechEncoderTask:
    """Read the recordings and build the encoder with fresh weights."""
    if data_dir is None:
        raise UsageError(
            "speech-encoder learns from recordings: give --data DIR, a speech folder (facetalk/data/speech.py)"
        )
    learn, judge = split_by_speaker(read_manifest(data_dir), config.data.dev_speakers)
    encoder = SpeechEncoder(config.encoder)
    return SpeechEncoderTask(config, encoder, [read_speech(c) for c in learn], [read_speech(c) for c in judge])


def loss_terms(heads: SpeechHeads, batch: SpeechBatch) -> dict[str, Tensor]:
    """Cross entropy of phonemes, distance of articulators, disagreement about the mouth, missed part of the teacher."""
    total = batch.trust.sum().clamp_min(1)
    entropy = functional.cross_entropy(
        heads.phonemes.flatten(0, 1), batch.labels.flatten(), reduction="none", label_smoothing=0.1
    )
    distance = (heads.articulation - batch.articulation).abs().mean(-1)
    off, usual = (heads.hidden - batch.taught).square().sum(-1), batch.taught.square().sum(-1)
    return {
        "phonemes": (entropy.view_as(batch.trust) * batch.trust).sum() / total,
        "articulation": (distance * batch.trust).sum() / total,
        "mouth": mouth_disagreement(heads.mouth, batch.mouth, batch.seen, batch.synced),
        "teacher": (off * batch.listened).sum() / (usual * batch.listened).sum().clamp_min(1e-6),
    }


def mouth_disagreement(predicted: Tensor, true: Tensor, seen: Tensor, weight: Tensor) -> Tensor:
    """One minus the correlation over time, plus a little squared error so that the size is learned as well.

    Args:
        predicted: (batch, frames, curves).
        true: the same, z-scored per clip.
        seen: (batch, frames), 1 where the truth is known.
        weight: (batch,), how much an example counts.
    """
    seen = seen[..., None]
    count = seen.sum(1, keepdim=True).clamp_min(1)
    first, second = ((x - (x * seen).sum(1, keepdim=True) / count) * seen for x in (predicted, true))
    norms = (first.square().sum(1) * second.square().sum(1) + 1e-3).sqrt()
    correlation = (first * second).sum(1) / norms
    error = ((predicted - true).square() * seen).sum(1) / count[:, 0]
    weight = weight * (seen.sum((1, 2)) > 15)  # too few rows have no correlation
    return ((1 - correlation + 0.3 * error).mean(-1) * weight).sum() / weight.sum().clamp_min(1)


def judge_encoder(
    encoder: SpeechEncoder, examples: Sequence[SpeechExample], config: SpeechDataConfig
) -> dict[str, float]:
    """Figures per group of clips: share of right frames, and correlation of the mouth curves.

    `right` counts all frames, `right_spoken` those that are not silence, `prior` what the commonest phoneme
    would get of these. Mouth figures are means over clips whose sound belongs to the picture. `teacher` is the share of
    the teacher's variance that is foreseen.
    """
    groups: dict[str, dict[str, list[Tensor]]] = defaultdict(lambda: defaultdict(list))
    for example in examples:
        group = next((g for g in config.groups if fnmatchcase(example.clip.name, g.pattern)), None)
        tally = groups[group.pattern if group else "other"]
        features = encoder.encode(example.waveform.float())
        middles = (torch.arange(len(features)) + 0.5) / FPS
        if len(example.taught):
            tally["taught"].append(taught_at(example.taught, middles))
            tally["foreseen"].append(features[:, encoder.slices["hidden"]])
        if example.trust > 0:
            tally["labels"].append(example.labels[(middles * LABEL_RATE).long().clamp(max=len(example.labels) - 1)])
            tally["heard"].append(features[:, encoder.slices["posteriors"]].argmax(1))
        if len(example.mouth) > 15 and (example.clip.av_corr is None or example.clip.av_corr >= config.synced):
            rows = min(len(features), len(example.mouth))
            predicted = features[:rows, encoder.slices["mouth"]]
            for index, name in enumerate(("mouth_open", "mouth_wide")):
                pair = torch.stack([predicted[:, index], example.mouth[:rows, index]])
                tally[name].append(torch.corrcoef(pair)[0, 1])
    return {f"{group} {name}": value for group, tally in sorted(groups.items()) for name, value in _figures(tally)}


def _figures(tally: Mapping[str, list[Tensor]]) -> list[tuple[str, float]]:
    figures = [(name, float(torch.stack(tally[name]).mean())) for name in ("mouth_open", "mouth_wide") if tally[name]]
    if tally["taught"]:
        taught, foreseen = torch.cat(tally["taught"]), torch.cat(tally["foreseen"])
        unexplained = (taught - foreseen).square().sum() / (taught - taught.mean(0)).square().sum()
        figures.append(("teacher", 1 - float(unexplained)))
    if tally["labels"]:
        labels, heard = torch.cat(tally["labels"]), torch.cat(tally["heard"])
        spoken = labels[labels != SILENCE]
        commonest = torch.bincount(spoken).max() if len(spoken) else torch.zeros(())
        figures += [
            ("right", float((heard == labels).float().mean())),
            ("right_spoken", float((heard == labels)[labels != SILENCE].float().mean())),
            ("prior", float(commonest) / max(1, len(spoken))),
        ]
    return figures


def _at(waveform: Tensor, place: Tensor) -> Tensor:
    """Samples at fractional places, linear in between, zero behind the end."""
    waveform = functional.pad(waveform.float(), (0, 2))
    place = place.clamp(max=len(waveform) - 2)
    low = place.long()
    return torch.lerp(waveform[low], waveform[low + 1], (place - low).float())


def _choose(weights: Sequence[float], chance: torch.Generator) -> int:
    return int(torch.multinomial(torch.tensor(weights, dtype=torch.float64), 1, generator=chance))
