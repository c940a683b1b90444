"""`python -m facetalk.workshop.cards.laughtalk CLIPS SPEECH [TALKER]`: the figures in LaughTalk's card, as JSON.

CLIPS is a dataset folder that `facetalk fit` wrote; used are the clips of the speakers that the configuration
`laughtalk` keeps for validation. SPEECH is a speech folder; used are the recordings of these speakers with the label
`laughter`. Synthesized laughs, with another seed than in training, stand beside them.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.audio.activity import loudness_db
from facetalk.audio.laughter_synthesis import synthesize_laugh
from facetalk.core.events import Event
from facetalk.core.motion import Motion
from facetalk.core.timing import FPS, SAMPLE_RATE
from facetalk.data.laughter_pairing import rhythm
from facetalk.data.manifest import read_manifest, split_by_speaker
from facetalk.data.speech import LAUGHTER_LABEL
from facetalk.data.voiced import VoicedExample, read_voiced
from facetalk.head.channels import indices
from facetalk.head.model import HeadModel
from facetalk.io.audio import read_waveform
from facetalk.losses.geometry import LipGeometry
from facetalk.metrics.detection import roc_auc
from facetalk.metrics.vertices import largest_error_mm, mean_error_mm
from facetalk.motion.heads import load_head
from facetalk.recipes.evaluation.laughtalk import LAUGHING, evaluate_laughtalk
from facetalk.recipes.laughtalk import RECIPE
from facetalk.recipes.parts.laughing_set import SMILE_NAMES
from facetalk.recipes.registry import read_training_config
from facetalk.talkers.laughs import laughs_in
from facetalk.talkers.laughtalk import LaughTalk, laughing
from facetalk.talkers.registry import talker_folder

CHEEK_NAMES = ("cheekSquintLeft", "cheekSquintRight")
LENGTHS_S = (10, 60, 600)
"""Of the recordings whose animation is timed."""
MAX_CLIPS = 40
NUM_SYNTHESIZED, SEED = 20, 999
_WINDOW_FRAMES = 30
_RIDGE = 10.0


@dataclass(frozen=True, eq=False)
class Heard:
    """A recording of laughter, animated with and without the residual."""

    waveform: Float[Tensor, " samples"]
    talking: Motion
    laughing: Motion


def card_figures(clips_dir: Path, speech_dir: Path, talker: LaughTalk, head: HeadModel) -> dict[str, Any]:
    """All figures, in the order of the card."""
    options = read_training_config("laughtalk")
    options.pop("method")
    config = RECIPE.read_config(options).data
    lips = LipGeometry(head.assets)
    train, kept = split_by_speaker([clip for clip in read_manifest(clips_dir) if clip.has_audio], config.dev_speakers)
    examples = [read_voiced(clip, talker.controls, audio_lags_ms=config.audio_lags_ms) for clip in kept]
    _, recordings = split_by_speaker(read_manifest(speech_dir), config.dev_speakers)
    waveforms = [read_waveform(clip.audio_path) for clip in recordings if clip.label == LAUGHTER_LABEL]
    heard = [laughed(talker, waveform) for waveform in waveforms]
    heard += [laughed(talker, e.waveform.float()) for e in examples if e.clip.label == LAUGHING]
    generator = torch.Generator().manual_seed(SEED)
    synthesized = [laughed(talker, synthesize_laugh(generator)) for _ in range(NUM_SYNTHESIZED)]
    known = [read_voiced(clip, talker.controls, audio_lags_ms=config.audio_lags_ms) for clip in train]
    return {
        "mouths": evaluate_laughtalk(talker.network, talker.controls, lips, examples[:MAX_CLIPS]),
        "vertices": vertex_errors(talker, head, examples),
        "laughter": laughter_figures(heard, lips),
        "real_laughter": real_figures(talker, [e for e in examples if e.clip.label == LAUGHING], lips),
        "synthesized_laughter": laughter_figures(synthesized, lips),
        "classifier_auc": classifier_auc(
            known, heard, [talker.speak(e.waveform.float()) for e in examples[:MAX_CLIPS]]
        ),
        "detection": detection_figures(talker, [e for e in examples if e.clip.label != LAUGHING], heard),
        "cost": [cost(talker, seconds) for seconds in LENGTHS_S],
    }


def laughed(talker: LaughTalk, waveform: Float[Tensor, " samples"]) -> Heard:
    """A recording that is nothing but laughter, as stage 1 alone and both stages move the face."""
    rows = talker.network.talking(waveform)
    talking = talker.controls.motion(rows, talker.head, FPS, talker.num_betas)
    event = Event("laugh", 0.0, talking.duration_s, strength=1.0)
    both = laughing(talking, waveform, (event,), talker.network, talker.controls, 1.0)
    return Heard(waveform, talking, both)


def laughter_figures(heard: Sequence[Heard], lips: LipGeometry) -> dict[str, float]:
    """Inside of laughter: activity of smile and cheeks with and without the residual, and the rhythm of the mouth."""
    figures: dict[str, list[float]] = {"rhythm": []}
    for name, channels in (("smile", SMILE_NAMES), ("cheek", CHEEK_NAMES)):
        columns = indices(channels)
        figures[f"{name}_talking"] = [float(one.talking.expression[:, columns].mean()) for one in heard]
        figures[f"{name}_laughing"] = [float(one.laughing.expression[:, columns].mean()) for one in heard]
    for one in heard:
        opening = lips.curves(one.laughing.expression)[:, 0]
        pair = torch.stack([rhythm(opening), rhythm(loudness_db(one.waveform))[: len(opening)]])
        figures["rhythm"].append(float(torch.corrcoef(pair)[0, 1]))
    return {name: sum(values) / max(1, len(values)) for name, values in figures.items()}


def real_figures(talker: LaughTalk, examples: Sequence[VoicedExample], lips: LipGeometry) -> dict[str, float]:
    """Tracked laughter beside stage 1 and both stages: mean smile and lip gap, and how their courses correlate."""
    figures: dict[str, list[float]] = {}
    columns = indices(SMILE_NAMES)
    for example in examples:
        one = laughed(talker, example.waveform.float())
        size = min(example.num_frames, one.talking.num_frames)
        curves = {
            name: torch.stack([rows[:size, columns].mean(1), lips.curves(rows[:size])[:, 0]])
            for name, rows in (
                ("true", example.rows), ("talk", one.talking.expression), ("both", one.laughing.expression)
            )
        }  # fmt: skip
        for name, pair in curves.items():
            for index, what in enumerate(("smile", "gap_mm")):
                figures.setdefault(f"{what}_{name}", []).append(float(pair[index].mean()))
                if name != "true":
                    both = torch.stack([pair[index], curves["true"][index]])
                    figures.setdefault(f"{what}_{name}_r", []).append(float(torch.corrcoef(both)[0, 1]))
    return {name: sum(values) / len(values) for name, values in figures.items()}


def vertex_errors(talker: LaughTalk, head: HeadModel, examples: Sequence[VoicedExample]) -> dict[str, float]:
    """LVE and MVE of stage 1, of both stages on laughing clips, and of the mean face, millimeters."""
    figures: dict[str, list[float]] = {}
    for example in examples[:MAX_CLIPS]:
        waveform = example.waveform.float()
        talking = talker.network.talking(waveform)[: example.num_frames].clamp(0, 1)
        rows = {"talk": talking, "mean_face": talker.network.mean.expand(len(talking), -1)}
        if example.clip.label == LAUGHING:
            rows = {"laugh_talk": talking, "laugh_both": laughed(talker, waveform).laughing.expression[: len(talking)]}
        true = vertices_of(head, example.rows[: len(talking)])
        for name, predicted in rows.items():
            made = vertices_of(head, predicted)
            lve = largest_error_mm(made, true, head.points.regions["lips"]).mean()
            figures.setdefault(f"{name}_lve_mm", []).append(float(lve))
            figures.setdefault(f"{name}_mve_mm", []).append(float(mean_error_mm(made, true).mean()))
    return {name: sum(values) / len(values) for name, values in figures.items()}


def classifier_auc(known: Sequence[VoicedExample], heard: Sequence[Heard], spoken: Sequence[Motion]) -> float:
    """How well a linear classifier of real motion tells our laughing motion from our talking motion.

    Args:
        known: real clips that it is trained on, laughing ones among them.
        heard: our motion for laughter.
        spoken: our motion for speech.
    """
    windows = [(_described(e.rows), e.clip.label == LAUGHING) for e in known]
    rows = torch.cat([found for found, _ in windows])
    labels = torch.cat([torch.full((len(found),), float(laughs)) for found, laughs in windows])
    mean, spread = rows.mean(0), rows.std(0).clamp_min(1e-3)
    scaled = (rows - mean) / spread
    weight = torch.where(labels > 0, 0.5 / labels.sum(), 0.5 / (1 - labels).sum())[:, None] * len(rows)
    target = (labels - 0.5)[:, None]
    inner = scaled.T @ (weight * scaled) + _RIDGE * torch.eye(scaled.shape[1])
    direction = torch.linalg.solve(inner, scaled.T @ (weight * target))
    scores, ours = [], []
    for motions, laughs in (([one.laughing for one in heard], True), (list(spoken), False)):
        found = torch.cat([_described(motion.expression) for motion in motions])
        scores.append(((found - mean) / spread @ direction)[:, 0])
        ours.append(torch.full((len(found),), laughs))
    return roc_auc(torch.cat(scores), torch.cat(ours))


def detection_figures(talker: LaughTalk, quiet: Sequence[VoicedExample], heard: Sequence[Heard]) -> dict[str, float]:
    """False laughs a minute in speech without laughter, and the share of recordings of laughter that are found."""
    false = sum(len(laughs_in(talker.detector, example.waveform.float())) for example in quiet)
    minutes = sum(len(example.waveform) for example in quiet) / SAMPLE_RATE / 60
    found = sum(bool(laughs_in(talker.detector, one.waveform)) for one in heard)
    return {
        "false_laughs_per_min": false / max(minutes, 1e-9),
        "speech_min": minutes,
        "found": found / max(1, len(heard)),
    }


def cost(talker: LaughTalk, seconds: int) -> dict[str, float]:
    """Real-time factor of both stages, in seconds of one core, and the process's peak memory so far."""
    waveform = 0.1 * torch.randn(seconds * SAMPLE_RATE, generator=torch.Generator().manual_seed(0))
    start = time.process_time()
    talker.network.talking(waveform)
    talker.network.laughing(waveform)
    spent = time.process_time() - start
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": float(seconds), "rtf": spent / seconds, "peak_mb": peak_mb}


def vertices_of(head: HeadModel, expression: Float[Tensor, "frames _"]) -> Float[Tensor, "frames vertices 3"]:
    """The mesh of an expression on the mean head."""
    frames = len(expression)
    return head(expression, torch.zeros(frames, 5, 3), torch.zeros(frames, 3), torch.zeros(head.num_betas))


def _described(rows: Float[Tensor, "frames channels"]) -> Float[Tensor, "windows features"]:
    """Mean and standard deviation of every channel in windows of a second."""
    size = min(_WINDOW_FRAMES, len(rows))
    pieces = rows.unfold(0, size, max(1, size // 2))
    return torch.cat([pieces.mean(-1), pieces.std(-1, correction=0)], 1)


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit("usage: python -m facetalk.workshop.cards.laughtalk CLIPS SPEECH [TALKER]")
    torch.set_num_threads(1)
    loaded = LaughTalk.from_folder(talker_folder(sys.argv[3] if len(sys.argv) > 3 else "laughtalk"))
    print(json.dumps(card_figures(Path(sys.argv[1]), Path(sys.argv[2]), loaded, load_head()), indent=2))
