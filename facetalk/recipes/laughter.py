"""Training the laughter detector: few real laughs, many made ones, and much speech that is none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from facetalk.audio.activity import speech_activity
from facetalk.audio.augment import AugmentConfig, augment_mel, augment_waveform
from facetalk.audio.laughter_synthesis import laugh_from_bursts, synthesize_laugh, voiced_bursts
from facetalk.core.config import build, plain
from facetalk.core.errors import FacetalkError, UsageError
from facetalk.core.timing import FPS, SAMPLE_RATE
from facetalk.data.laughter import LaughterExample, read_laughter_pack
from facetalk.io.weights import write_model
from facetalk.metrics.detection import roc_auc
from facetalk.networks.laughter_detector import LaughterDetector, LaughterDetectorConfig
from facetalk.training.loop import LoopConfig
from facetalk.training.optim import OptimConfig

_FRAME = SAMPLE_RATE / FPS


@dataclass(frozen=True)
class LaughterDataConfig:
    """Which recordings are used, and how examples are mixed from them."""

    patterns: tuple[str, ...] = ("*",)
    """Paths of the recordings in the pack."""
    times: Mapping[str, Any] = field(default_factory=dict)
    """Start and end of the laughs in recordings that hold more than laughter, seconds, by path."""
    held_out: tuple[str, ...] = ()
    """Speakers (patterns) that are kept for judging."""
    frames: int = 90
    batch_size: int = 32
    pool_batches: int = 200
    """Batches that are mixed beforehand; from step to step only what is changed in the spectrogram is drawn anew."""
    laugh_share: float = 0.55
    """Part of the examples into which a laugh is mixed."""
    real: float = 0.5
    """Part of these laughs that are recorded; of the others, half are synthesised and half are cut from speech."""
    num_made: int = 300
    """Laughs of each of the two made kinds that are prepared."""
    quiet_share: float = 0.2
    """Part of the examples without speech under them."""
    over_speech_db: tuple[float, float] = (-3.0, 15.0)
    """Level of a laugh over the speech that goes on under it; half of the laughs interrupt the speech instead."""
    speed: float = 0.3
    """Largest change of speed and pitch together, natural log."""
    augment: AugmentConfig = field(default_factory=AugmentConfig)


@dataclass(frozen=True)
class LaughterLossWeights:
    """Weight of each term."""

    frames: float = 1.0


@dataclass(frozen=True)
class LaughterTrainingConfig:
    """A whole run."""

    loop: LoopConfig = field(default_factory=LoopConfig)
    optim: OptimConfig = field(default_factory=OptimConfig)
    data: LaughterDataConfig = field(default_factory=LaughterDataConfig)
    detector: LaughterDetectorConfig = field(default_factory=LaughterDetectorConfig)
    loss_weights: LaughterLossWeights = field(default_factory=LaughterLossWeights)


class LaughterBatch(NamedTuple):
    """Mixed sounds, and which of their frames are laughter."""

    waveform: Float[Tensor, "batch samples"]
    laughing: Float[Tensor, "batch frames"]
    """1 laughter, 0 none."""
    weight: Float[Tensor, "batch frames"]
    """0 where a laugh begins or ends and the label could be either."""


class LaughterSampler:
    """Mixes laughs into speech."""

    def __init__(self, examples: Sequence[LaughterExample], config: LaughterDataConfig, seed: int) -> None:
        self.config = config
        self.speech = [example.waveform for example in examples if not example.laughs]
        self.real = [laugh for example in examples if example.laughs for laugh in real_laughs(example)]
        if not self.speech or not self.real:
            raise FacetalkError(
                f"{len(self.real)} laughs and {len(self.speech)} recordings without any to learn from; both are needed"
            )
        chance = torch.Generator().manual_seed(seed)
        self.synthetic = [synthesize_laugh(chance) for _ in range(config.num_made)]
        self.spliced = [self._splice(chance) for _ in range(config.num_made)]

    def draw(self, chance: torch.Generator) -> LaughterBatch:
        """One batch of mixtures."""
        rows = [self._mixture(chance) for _ in range(self.config.batch_size)]
        return LaughterBatch(*(torch.stack(parts) for parts in zip(*rows, strict=True)))

    def _splice(self, chance: torch.Generator) -> Tensor:
        for _ in range(50):
            bursts = voiced_bursts(_one(self.speech, chance).float())
            if len(bursts) >= 3:
                return laugh_from_bursts(bursts, chance)
        raise FacetalkError("the recordings without laughter hold too few vowels to make laughs of")

    def _mixture(self, chance: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        config = self.config
        samples = round(config.frames * _FRAME)
        sound = 1e-3 * torch.randn(samples, generator=chance)
        speaks = _uniform(0, 1, chance) >= config.quiet_share
        if speaks:
            sound = sound + _fit(self._at_speed(_one(self.speech, chance).float(), chance), samples, chance)
        laughing = torch.zeros(config.frames)
        if _uniform(0, 1, chance) < config.laugh_share:
            sound, first, size = self._with_laugh(sound, speaks, chance)
            middles = (torch.arange(config.frames) + 0.5) * _FRAME
            laughing = ((middles >= first) & (middles < first + size)).float()
        edge = functional.max_pool1d(torch.diff(laughing, prepend=laughing[:1]).abs()[None], 5, 1, 2)[0]
        return sound, laughing, 1 - edge

    def _with_laugh(self, sound: Tensor, speaks: bool, chance: torch.Generator) -> tuple[Tensor, int, int]:
        """The sound with a laugh in it, the laugh's first sample and its length."""
        kind = _uniform(0, 1, chance)
        made = (1 - self.config.real) / 2
        laughs = self.real if kind < self.config.real else self.synthetic if kind < 1 - made else self.spliced
        laugh = self._at_speed(_one(laughs, chance).float(), chance)
        if _uniform(0, 1, chance) < 0.3:
            laugh = torch.cat([laugh, 0.8 * laugh])
        laugh = laugh[: len(sound) - 1]
        size = len(laugh)
        first = int(torch.randint(len(sound) - size, (), generator=chance))
        under = sound[first : first + size]
        level_db = _uniform(*self.config.over_speech_db, chance)
        reference = sound.square().mean().sqrt() if speaks else torch.tensor(0.1)
        laugh = laugh / laugh.square().mean().sqrt().clamp_min(1e-6) * reference * 10 ** (level_db / 20)
        if _uniform(0, 1, chance) < 0.5:
            under = 0.03 * under
        mixed = sound.clone()
        mixed[first : first + size] = under + laugh
        return mixed, first, size

    def _at_speed(self, waveform: Tensor, chance: torch.Generator) -> Tensor:
        """Faster and higher, or slower and lower."""
        speed = float(torch.exp(torch.tensor(_uniform(-self.config.speed, self.config.speed, chance))))
        size = max(2, round(len(waveform) / speed))
        return functional.interpolate(waveform[None, None], size, mode="linear", align_corners=True)[0, 0]


class LaughterTask:
    """The detector, its examples and its loss."""

    def __init__(
        self,
        config: LaughterTrainingConfig,
        detector: LaughterDetector,
        learn: Sequence[LaughterExample],
        judge: Sequence[LaughterExample],
    ) -> None:
        self.config = config
        self.model = detector
        self.sampler = LaughterSampler(learn, config.data, config.loop.seed)
        self.judge = judge
        self.loss_weights: Mapping[str, float] = plain(config.loss_weights)
        self.mels, self.laughing, self.weight = self._mix(torch.Generator().manual_seed(config.loop.seed))
        self.model.mel_mean.copy_(self.mels.float().mean((0, 1)))
        self.model.mel_std.copy_(self.mels.float().std((0, 1)).clamp_min(0.1))

    def loss_terms(self, step: int, chance: torch.Generator) -> dict[str, Tensor]:
        """The terms on one batch."""
        rows = torch.randint(len(self.mels), (self.config.data.batch_size,), generator=chance)
        with torch.no_grad():
            mel = augment_mel(self.mels[rows].float(), self.config.data.augment, chance)
        logits = self.model(mel, self.laughing.shape[1])
        entropy = functional.binary_cross_entropy_with_logits(logits, self.laughing[rows], reduction="none")
        return {"frames": (entropy * self.weight[rows]).sum() / self.weight[rows].sum()}

    def validate(self) -> dict[str, float]:
        """Figures on the recordings that are kept for judging."""
        return judge_detector(self.model, self.judge) if self.judge else {}

    def export(self, run_dir: Path) -> None:
        """Write `model.safetensors` and `config.yaml`, which `networks.registry.load` reads."""
        write_model(run_dir, self.model, "laughter-detector", "laughter", {"network": plain(self.config.detector)})

    @torch.no_grad()
    def _mix(self, chance: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """The pool: levelled log-mel in half precision, labels and weights, one row per example."""
        mels, labels, weights = [], [], []
        for _ in range(self.config.data.pool_batches):
            batch = self.sampler.draw(chance)
            heard = augment_waveform(batch.waveform, self.config.data.augment, chance)
            mels.append(self.model.levelled_mel(heard).half())
            labels.append(batch.laughing)
            weights.append(batch.weight)
        return torch.cat(mels), torch.cat(labels), torch.cat(weights)


def read_task_config(options: Mapping[str, Any]) -> LaughterTrainingConfig:
    """The run that a configuration describes."""
    return build(LaughterTrainingConfig, options)


def make_task(config: LaughterTrainingConfig, data_dir: Path | None) -> LaughterTask:
    """Read the recordings and build the detector with fresh weights."""
    if data_dir is None:
        raise UsageError("laughter learns from recordings: give --data DIR, a pack as facetalk/data/laughter.py says")
    examples = read_laughter_pack(data_dir, config.data.patterns, config.data.times)
    learn, judge = hold_out(examples, config.data.held_out)
    return LaughterTask(config, LaughterDetector(config.detector), learn, judge)


def hold_out(
    examples: Sequence[LaughterExample], speakers: Sequence[str]
) -> tuple[list[LaughterExample], list[LaughterExample]]:
    """Recordings to learn from, and those of the speakers that match one of the patterns."""
    kept = [any(fnmatchcase(example.speaker, pattern) for pattern in speakers) for example in examples]
    parts: tuple[list[LaughterExample], list[LaughterExample]] = ([], [])
    for example, judged in zip(examples, kept, strict=True):
        parts[judged].append(example)
    return parts


def real_laughs(example: LaughterExample) -> list[Tensor]:
    """The laughs of a recording, each from its first to its last laughing frame."""
    edges = torch.diff(example.laughing.int(), prepend=torch.zeros(1).int(), append=torch.zeros(1).int())
    starts, stops = (edges == 1).nonzero()[:, 0], (edges == -1).nonzero()[:, 0]
    pieces = [
        example.waveform[round(int(start) * _FRAME) : round(int(stop) * _FRAME)]
        for start, stop in zip(starts, stops, strict=True)
    ]
    return [piece for piece in pieces if len(piece) > SAMPLE_RATE // 4]


@torch.no_grad()
def judge_detector(detector: LaughterDetector, examples: Sequence[LaughterExample]) -> dict[str, float]:
    """Share of heard frames that are called laughter, and areas under the ROC curve where both kinds are present."""
    scores, truth = [], []
    for example in examples:
        probability = detector.probability(example.waveform.float())
        heard = speech_activity(example.waveform.float()) & (example.laughing | (not example.laughs))
        scores.append(probability[heard])
        truth.append(example.laughing[heard])
    flat, positive = torch.cat(scores), torch.cat(truth)
    figures = {}
    for name, rows in (("found", flat[positive]), ("false_alarms", flat[~positive])):
        if len(rows):
            figures[name] = float((rows > 0.5).float().mean())
    if len(figures) == 2:
        figures["frame_auc"] = roc_auc(flat, positive)
    return figures


def _fit(waveform: Tensor, samples: int, chance: torch.Generator) -> Tensor:
    """A random stretch of a length; shorter sounds lie somewhere in silence."""
    if len(waveform) >= samples:
        first = int(torch.randint(len(waveform) - samples + 1, (), generator=chance))
        return waveform[first : first + samples]
    before = int(torch.randint(samples - len(waveform) + 1, (), generator=chance))
    return functional.pad(waveform, (before, samples - len(waveform) - before))


def _one(items: Sequence[Tensor], chance: torch.Generator) -> Tensor:
    return items[int(torch.randint(len(items), (), generator=chance))]


def _uniform(low: float, high: float, chance: torch.Generator) -> float:
    return low + (high - low) * float(torch.rand((), generator=chance))
