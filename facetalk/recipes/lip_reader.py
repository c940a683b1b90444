"""Training the lip reader: phonemes that a speech encoder hears, from the mouth that is filmed (METHODS 8.6).

Its features also have to tell how far the lips are apart, which is seen in every frame, also in those whose sound says
little, and what lips, jaw and tongue are heard to do: a few thousand steps of phonemes alone hardly find the lips.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.audio.phonemes import PHONEMES, SILENCE
from facetalk.audio.visemes import BILABIAL, VISEMES, viseme_of_phoneme
from facetalk.core.config import build, plain
from facetalk.core.errors import FacetalkError
from facetalk.core.landmarks import IBUG_LIP_SHAPE_PAIRS
from facetalk.core.timing import FPS, frame_times, resample
from facetalk.data.face_corpus import TrackedRenderer, read_corpus, rendered_mouths
from facetalk.data.faces import FaceDataConfig, FaceExample, mouth_pictures, share_of
from facetalk.io.audio import read_waveform
from facetalk.io.weights import write_model
from facetalk.losses.perceptual import mouth_distances
from facetalk.motion.heads import load_head
from facetalk.networks.experts import MOUTH_SIDE
from facetalk.networks.lip_reader import LipReaderConfig, PhonemeLipReader
from facetalk.networks.registry import load, load_lip_reader
from facetalk.networks.speech_encoder import SpeechEncoder
from facetalk.training.loop import LoopConfig
from facetalk.training.optim import OptimConfig

UNSYNCED = 0.1
"""Clips with a lower `av_corr` are left out: their sound may not belong to the mouth."""

SIDES = (80, 96)
"""Smallest and largest part of a kept mouth that a training example shows, pixels: boxes are now wider, now tighter."""

LONG_S = 1.5
"""The `av_corr` of a shorter clip means little and is not used."""


@dataclass(frozen=True)
class LipReaderLossWeights:
    """Weight of each term."""

    phonemes: float = 1.0
    shape: float = 0.5
    articulation: float = 0.5


@dataclass(frozen=True)
class LipReaderTrainingConfig:
    """A whole run."""

    start: str = ""
    """Folder with a reader to begin with, of an earlier run; fresh weights if empty."""

    head: str = "facetalk"
    """The head that the dataset was fitted with."""
    speech: str = "speech-encoder"
    """What hears the phonemes."""
    render_share: float = 0.3
    """Share of the examples that are renders of the tracker's fit."""
    render_every: int = 3
    """Every n-th clip is rendered."""
    bfloat16: bool = True
    """Compute the network in bfloat16 while training."""
    loop: LoopConfig = field(default_factory=LoopConfig)
    optim: OptimConfig = field(default_factory=OptimConfig)
    data: FaceDataConfig = field(default_factory=FaceDataConfig)
    reader: LipReaderConfig = field(default_factory=LipReaderConfig)
    loss_weights: LipReaderLossWeights = field(default_factory=LipReaderLossWeights)


@dataclass(frozen=True, eq=False)
class SpokenFace:
    """Mouth crops of a clip and what is heard with them."""

    speaker: str
    mouths: np.ndarray
    heard: Float[Tensor, "frames phonemes"]
    """Probability of each phoneme."""
    articulation: Float[Tensor, "frames articulators"]
    """Position of each articulator, as heard."""
    shape: Float[Tensor, "frames distances"]
    """Distances of `IBUG_LIP_SHAPE_PAIRS` over the side of the face's box."""
    trusted: Float[Tensor, " frames"]
    rendered: np.ndarray | None = None
    """The same mouths as the tracker's fit shows them."""


class SpokenBatch(NamedTuple):
    """Stretches of clips."""

    mouths: Float[Tensor, "batch frames 88 88"]
    heard: Float[Tensor, "batch frames phonemes"]
    articulation: Float[Tensor, "batch frames articulators"]
    """In units of the usual spread, as `shape`."""
    shape: Float[Tensor, "batch frames distances"]
    trusted: Float[Tensor, "batch frames"]


class Scale(NamedTuple):
    """What is usual of some measures."""

    mean: Tensor
    spread: Tensor

    @classmethod
    def of(cls, rows: Float[Tensor, "frames measures"]) -> Scale:
        """The scale of the rows of all clips."""
        return cls(rows.mean(0), rows.std(0).clamp_min(1e-4))

    def apply(self, rows: Float[Tensor, "frames measures"]) -> Float[Tensor, "frames measures"]:
        """Rows in units of the usual spread."""
        return (rows - self.mean) / self.spread


class LipReaderTask:
    """The reader, its examples and its losses."""

    def __init__(
        self,
        config: LipReaderTrainingConfig,
        reader: PhonemeLipReader,
        learn: Sequence[SpokenFace],
        judge: Sequence[SpokenFace],
    ) -> None:
        self.config = config
        self.model = reader
        self.learn = [face for face in learn if len(face.heard) >= config.data.clip_frames]
        if not self.learn:
            raise FacetalkError("there is no clip with sound to learn from; check the dataset and dev_speakers")
        self.judge = judge
        self.loss_weights: Mapping[str, float] = plain(config.loss_weights)
        self.shapes = Scale.of(torch.cat([face.shape for face in self.learn]))
        self.moves = Scale.of(torch.cat([face.articulation for face in self.learn]))
        shares = [share_of(face.speaker, config.data.shares, 1.0) * len(face.heard) for face in self.learn]
        self.chances = torch.tensor(shares, dtype=torch.float64)
        self.prior = torch.cat([face.heard for face in self.learn]).mean(0)

    def loss_terms(self, step: int, chance: torch.Generator) -> dict[str, Tensor]:
        """Cross entropy with what the speech encoder hears, squared errors of lips' distances and of articulators."""
        batch = self.draw(chance)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.config.bfloat16):
            features = self.model.features(batch.mouths)
            logits, shape = self.model.phonemes(features), self.model.to_shape(features)
            moves = self.model.to_articulation(features)
        seen = batch.trusted / batch.trusted.sum().clamp_min(1.0)
        rows = {
            "phonemes": -(batch.heard * logits.float().log_softmax(-1)).sum(-1),
            "shape": (shape.float() - batch.shape).square().mean(-1),
            "articulation": (moves.float() - batch.articulation).square().mean(-1),
        }
        return {name: (values * seen).sum() for name, values in rows.items()}

    def draw(self, chance: torch.Generator) -> SpokenBatch:
        """One batch; the same generator state gives the same batch."""
        chosen = torch.multinomial(self.chances, self.config.data.batch_size, replacement=True, generator=chance)
        rows = [self._stretch(self.learn[int(index)], chance) for index in chosen]
        return SpokenBatch(*(torch.stack(parts) for parts in zip(*rows, strict=True)))

    def _stretch(self, face: SpokenFace, chance: torch.Generator) -> SpokenBatch:
        length = self.config.data.clip_frames
        start = int(torch.randint(len(face.heard) - length + 1, (), generator=chance))
        part = slice(start, start + length)
        luck = torch.rand(6, generator=chance)
        shown = face.mouths
        if face.rendered is not None and luck[0] < self.config.render_share * self.config.render_every:
            shown = face.rendered
        side = 2 * int(SIDES[0] / 2 + luck[5] * (SIDES[1] - SIDES[0] + 2) / 2)
        room = (shown.shape[1] - side) // 2
        shift = ((2 * room + 1) * luck[1:3]).long() - room
        mouths = mouth_pictures(shown[part], (int(shift[0]), int(shift[1])), side)
        if side != MOUTH_SIDE:
            size = (MOUTH_SIDE, MOUTH_SIDE)
            mouths = torch.nn.functional.interpolate(mouths[None], size, mode="bilinear", align_corners=False)[0]
        if torch.rand((), generator=chance) < 0.5:
            mouths = mouths.flip(-1)
        # Brightness and contrast are the camera's, not the speaker's.
        mean = mouths.mean()
        mouths = ((mouths - mean) * (0.7 + 0.6 * luck[3]) + mean + 0.3 * (luck[4] - 0.5)).clamp(0, 1)
        shape = self.shapes.apply(face.shape[part] * (MOUTH_SIDE / side))
        return SpokenBatch(
            mouths, face.heard[part], self.moves.apply(face.articulation[part]), shape, face.trusted[part]
        )

    def validate(self) -> dict[str, float]:
        """Figures on the speakers that are kept for judging, on film and render, beside those of the prior alone."""
        figures = judge_reader(self.model, [(face.mouths, face) for face in self.judge], self.prior)
        shown = [(face.rendered, face) for face in self.judge if face.rendered is not None]
        on_render = judge_reader(self.model, shown, self.prior)
        return figures | {f"render_{name}": value for name, value in on_render.items() if not name.startswith("prior")}

    def export(self, run_dir: Path) -> None:
        """Write `model.safetensors` and `config.yaml`, which `load_lip_reader` reads."""
        write_model(run_dir, self.model, "lip-reader", "lip-reader", {"network": plain(self.config.reader)})


@torch.no_grad()
def judge_reader(
    reader: PhonemeLipReader, shown: Sequence[tuple[np.ndarray, SpokenFace]], prior: Float[Tensor, " phonemes"]
) -> dict[str, float]:
    """Shares of frames with the right phoneme and viseme; empty without clips.

    Right is what the speech encoder hears as most probable. `speech_*` leaves frames of silence out, `*_recall` is the
    mean over visemes of the share found when frequent ones get no favour. `prior_*` always says what is most frequent
    in training (among speech sounds for `speech_*`); `closure_*` is about telling P, B and M from all other sounds.
    """
    if not shown:
        return {}
    said, heard = [], []
    for mouths, face in shown:
        said.append(reader(mouth_pictures(np.asarray(mouths))[None])[0].softmax(-1)[face.trusted > 0])
        heard.append(face.heard.argmax(-1)[face.trusted > 0])
    return phoneme_figures(torch.cat(said), torch.cat(heard), prior)


def phoneme_figures(
    said: Float[Tensor, "frames phonemes"], heard: Tensor, prior: Float[Tensor, " phonemes"]
) -> dict[str, float]:
    """See `judge_reader`."""
    visemes = viseme_of_phoneme()
    merge = torch.nn.functional.one_hot(visemes, len(VISEMES)).float()
    speech = heard != SILENCE
    spoken = said.clone()
    spoken[:, SILENCE] = 0
    spoken_prior = prior.clone()
    spoken_prior[SILENCE] = 0
    figures: dict[str, float] = defaultdict(float)
    kinds = (("", said, heard, prior), ("speech_", spoken[speech], heard[speech], spoken_prior))
    for name, rows, labels, before in kinds:
        figures[f"{name}phoneme"] = _mean(rows.argmax(-1) == labels)
        figures[f"prior_{name}phoneme"] = _mean(before.argmax() == labels)
        looks = visemes[labels]
        guess = (rows @ merge).argmax(-1)
        figures[f"{name}viseme"] = _mean(guess == looks)
        figures[f"prior_{name}viseme"] = _mean((before @ merge).argmax() == looks)
        even = (rows @ merge / (before @ merge).clamp_min(1e-3)).argmax(-1)
        recalls = [_mean(even[looks == kind] == kind) for kind in range(len(VISEMES)) if (looks == kind).any()]
        figures[f"{name}viseme_recall"] = sum(recalls) / max(1, len(recalls))
    closing = [PHONEMES.index(symbol) for symbol in BILABIAL]
    is_closed = torch.isin(heard[speech], torch.tensor(closing))
    share = spoken[speech][:, closing].sum(-1) / spoken[speech].sum(-1).clamp_min(1e-6)
    figures["closure_auc"] = _area(share, is_closed)
    return dict(figures)


def _mean(hits: Tensor) -> float:
    return float(hits.float().mean()) if hits.numel() else float("nan")


def _area(scores: Tensor, positive: Tensor) -> float:
    """Area under the ROC curve: how often a positive has the higher score."""
    ranks = scores.argsort().argsort().double() + 1
    many, few = int((~positive).sum()), int(positive.sum())
    return float((ranks[positive].sum() - few * (few + 1) / 2) / max(1, many * few))


def read_task_config(options: Mapping[str, Any]) -> LipReaderTrainingConfig:
    """The run that a configuration describes."""
    return build(LipReaderTrainingConfig, options)


def make_task(config: LipReaderTrainingConfig, data_dir: Path | None) -> LipReaderTask:
    """Read the dataset, hear its sounds and render part of it; the reader has fresh weights."""
    corpus = read_corpus(data_dir, config.data, "lip-reader")
    speech = load("speech-encoder", config.speech)
    renderer = TrackedRenderer(load_head(config.head))
    learn, judge = ([e for e in part if is_synced(e)] for part in corpus)
    faces = []
    for part in (learn, judge):
        shown = [renderer if index % config.render_every == 0 else None for index in range(len(part))]
        faces.append([_spoken(example, speech, config, renders) for example, renders in zip(part, shown, strict=True)])
    reader = PhonemeLipReader(config.reader)
    if config.start:
        earlier = load_lip_reader(config.start)
        assert isinstance(earlier, PhonemeLipReader)
        reader.load_state_dict(earlier.state_dict())
    return LipReaderTask(config, reader, *faces)


def is_synced(example: FaceExample) -> bool:
    """Whether a clip has sound that belongs to its mouth as far as is known."""
    clip = example.clip
    long = float(example.track.times[-1] - example.track.times[0]) >= LONG_S
    return clip.audio_path.is_file() and not (long and clip.av_corr is not None and clip.av_corr < UNSYNCED)


def _spoken(
    example: FaceExample, speech: SpeechEncoder, config: LipReaderTrainingConfig, renderer: TrackedRenderer | None
) -> SpokenFace:
    heard = heard_speech(example, speech, config.data.sound_lags_ms)
    return SpokenFace(
        example.clip.speaker,
        example.crops.mouths,
        _phonemes(heard, speech),
        heard[:, speech.slices["articulation"]],
        lip_distances(example),
        example.trusted,
        None if renderer is None else rendered_mouths(example, renderer),
    )


def lip_distances(example: FaceExample) -> Float[Tensor, "frames distances"]:
    """Distances of `IBUG_LIP_SHAPE_PAIRS` over the side of the face's box."""
    return mouth_distances(example.track.landmarks)[:, -len(IBUG_LIP_SHAPE_PAIRS) :] / example.track.face_boxes[:, 2:]


def heard_phonemes(
    example: FaceExample, speech: SpeechEncoder, lags_ms: Mapping[str, float]
) -> Float[Tensor, "frames phonemes"]:
    """Probability of each phoneme at the moments of a clip's pictures; see `heard_speech`."""
    return _phonemes(heard_speech(example, speech, lags_ms), speech)


def _phonemes(heard: Float[Tensor, "frames features"], speech: SpeechEncoder) -> Float[Tensor, "frames phonemes"]:
    posteriors = heard[:, speech.slices["posteriors"]]
    return posteriors / posteriors.sum(-1, keepdim=True)


def heard_speech(
    example: FaceExample, speech: SpeechEncoder, lags_ms: Mapping[str, float]
) -> Float[Tensor, "frames features"]:
    """What a speech encoder hears at the moments of a clip's pictures; columns as in its `slices`.

    Args:
        example: has a sound file.
        speech: the encoder.
        lags_ms: see `FaceDataConfig.sound_lags_ms`.
    """
    features = speech.encode(read_waveform(example.clip.audio_path))
    times = example.track.times
    step = float(times.diff().median()) if len(times) > 1 else 0.04
    late = share_of(example.clip.speaker, lags_ms, 0.0) / 1000
    # Rows of features and pictures both stand for the middle of their frame.
    return resample(features, frame_times(len(features)) + 0.5 / FPS, times + step / 2 + late)
