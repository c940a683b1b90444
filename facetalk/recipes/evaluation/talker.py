"""`python -m facetalk.recipes.evaluation.talker DATA [TALKER]`: every figure of a talker's card, as one JSON document.

DATA is a dataset folder of `facetalk fit`. Judged on the speakers that the configuration `styletalk` keeps; moods on
all clips with a named one, by classifiers that never saw the speaker. Everything is agreement with our own tracker.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from facetalk.audio.phonemes import find_phonemes, frame_labels
from facetalk.core.timing import SAMPLE_RATE
from facetalk.data.dataset import Example, read_example, read_mute_example
from facetalk.data.manifest import read_manifest, split_by_speaker
from facetalk.head.model import HeadModel
from facetalk.io.audio import read_waveform
from facetalk.losses.geometry import LipGeometry
from facetalk.metrics.lips import lip_vertex_error_mm, mean_vertex_error_mm
from facetalk.motion.heads import load_head
from facetalk.recipes.evaluation.mouth import MIN_FRAMES, MIN_SYNC, compare, count_closures, shaking
from facetalk.recipes.evaluation.styles import judge_moods, judge_references, retrieval
from facetalk.recipes.registry import read_training_config
from facetalk.recipes.styletalk import read_task_config
from facetalk.talkers.registry import load_talker
from facetalk.talkers.styletalk import StyleTalk

NUM_REFERENCES = 10
SILENCE_S = 10.0
MOST_PRESENTERS = 80
"""LRW-AR clips that are judged: 1.2 s each, and alike."""

Speak = Callable[[Example, int], Tensor]
"""Example and its position -> expression."""


def judge(data_dir: Path, talker: StyleTalk, head: HeadModel) -> dict[str, object]:
    """All figures: a table for clips outside LRW-AR and one for LRW-AR, then style, moods, references and silence."""
    options = read_training_config("styletalk")
    options.pop("method")
    config = replace(read_task_config(options).data, speeds=(1.0,))
    learn, kept = split_by_speaker(read_manifest(data_dir), config.dev_speakers)
    heard = [read_example(clip, talker.speech.encode, config) for clip in kept if clip.has_audio]
    geometry = LipGeometry(head.assets)
    figures: dict[str, object] = {}
    for name, presenters in (("main", False), ("presenters", True)):
        chosen = [e for e in heard if _synced(e) and e.clip.speaker.startswith("LRW-AR") == presenters]
        if presenters:
            chosen = chosen[:: max(1, len(chosen) // MOST_PRESENTERS)]
        if chosen:
            figures[name] = _table(talker, chosen, head, geometry, heard)
    clips = [read_mute_example(clip, config) for clip in (*kept, *learn) if not clip.speaker.startswith("LRW-AR")]
    unseen = {clip.name for clip in kept}
    dev = [example for example in clips if example.clip.name in unseen]
    speech = [e.features[0] for e in heard if _synced(e) and not e.clip.speaker.startswith("LRW-AR")]
    figures["style"] = retrieval(talker, dev)
    figures["style_all_kept"] = retrieval(talker, [read_mute_example(clip, config) for clip in kept])
    figures["moods"] = judge_moods(talker, clips, speech[:2])
    figures["references"] = _references(talker, clips, speech, geometry)
    figures["silence"] = _silence(talker, geometry)
    return figures


def _synced(example: Example) -> bool:
    return (example.clip.av_corr or 0.0) >= MIN_SYNC and (
        example.num_frames >= MIN_FRAMES or example.clip.speaker.startswith("LRW-AR")
    )


def _table(
    talker: StyleTalk, examples: Sequence[Example], head: HeadModel, geometry: LipGeometry, heard: Sequence[Example]
) -> dict[str, dict[str, float]]:
    """Figures of the talker in the neutral style and in the speaker's own, beside both baselines."""

    def own(example: Example, _: int) -> Tensor:
        mates = [e for e in heard if e.clip.style == example.clip.style and e is not example]
        reference = mates[0] if mates else example
        return talker.decode(example.features[0], talker.generator.style_encoder.encode_long(reference.expression[0]))

    def shuffled(example: Example, index: int) -> Tensor:
        features = examples[(index + max(1, len(examples) // 2)) % len(examples)].features[0]
        features = features.repeat(-(-example.num_frames // len(features)), 1)[: example.num_frames]
        return talker.decode(features, talker.neutral_style)

    level = talker.generator.style_encoder.split(talker.neutral_style[None])[1]
    speakers: dict[str, Speak] = {
        "neutral style": lambda example, _: talker.decode(example.features[0], talker.neutral_style),
        "own style": own,
        "sound of another clip": shuffled,
        "mean face": lambda example, _: level.expand(example.num_frames, -1).clamp(0, 1),
    }
    phonemes = [_phonemes(example) for example in examples]
    return {name: _row(speak, examples, phonemes, head, geometry) for name, speak in speakers.items()}


def _phonemes(example: Example) -> Tensor | None:
    """Phoneme of every frame; None for Arabic, whose phonemes are not known."""
    if example.clip.speaker.startswith("LRW-AR"):
        return None
    return frame_labels(find_phonemes(read_waveform(example.clip.audio_path)), example.num_frames)


def _row(
    speak: Speak,
    examples: Sequence[Example],
    phonemes: Sequence[Tensor | None],
    head: HeadModel,
    geometry: LipGeometry,
) -> dict[str, float]:
    rows: list[dict[str, float]] = []
    closures: Counter[str] = Counter()
    lips = head.points.regions["lips"]
    for index, (example, labels) in enumerate(zip(examples, phonemes, strict=True)):
        made, true = speak(example, index), example.expression[0]
        figures = compare(made, true, geometry)
        mine, theirs = (_vertices(head, motion) for motion in (made, true))
        figures["lve_mm"] = float(lip_vertex_error_mm(mine, theirs, lips).mean())
        figures["mve_mm"] = float(mean_vertex_error_mm(mine, theirs).mean())
        rows.append(figures)
        if labels is not None:
            gap, true_gap = (geometry.curves(motion)[:, 0] for motion in (made, true))
            closures.update(count_closures(labels, gap, true_gap))
    result = {name: sum(row[name] for row in rows) / len(rows) for name in rows[0]} | {"clips": float(len(rows))}
    if closures["true"]:
        result["closure_recall"] = closures["found"] / closures["true"]
        result["closures"] = float(closures["true"])
    if closures["ours"]:
        result["closure_precision"] = closures["right"] / closures["ours"]
    return result


def _vertices(head: HeadModel, expression: Tensor) -> Tensor:
    frames = len(expression)
    return head(expression, torch.zeros(frames, 5, 3), torch.zeros(frames, 3), torch.zeros(head.num_betas))


def _references(
    talker: StyleTalk, clips: Sequence[Example], speech: Sequence[Tensor], geometry: LipGeometry
) -> dict[str, float]:
    """Mean over recordings of one in ten styles, each of another speaker or mood."""
    styles = {example.clip.style: example.expression[0] for example in clips if example.num_frames >= 60}
    moods = [style for style in styles if style.split("/")[1] not in ("", "unstated", "neutral")]
    others = [style for style in styles if style not in moods]
    half = NUM_REFERENCES // 2
    chosen = moods[:: max(1, len(moods) // half)][:half] + others[:: max(1, len(others) // half)][:half]
    judged = [judge_references(talker, [styles[style] for style in chosen], rows, geometry) for rows in speech[:6]]
    return {name: sum(figures[name] for figures in judged) / len(judged) for name in judged[0]}


def _silence(talker: StyleTalk, geometry: LipGeometry) -> dict[str, float]:
    """Lips in silence: how far apart, and how far they move after the first second."""
    result = talker.speak(torch.zeros(round(SILENCE_S * SAMPLE_RATE))).expression[30:]
    gap = geometry.curves(result)[:, 0]
    lips = geometry.lips(result).unflatten(1, (-1, 3))
    drift = float(gap.max() - gap.min())
    return {"gap_mm": float(gap.mean()), "drift_mm": drift, "shaking_mm": float(shaking(lips))}


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit("usage: python -m facetalk.recipes.evaluation.talker DATA [TALKER]")
    print(json.dumps(judge(Path(sys.argv[1]), load_talker(*sys.argv[2:]), load_head()), indent=2))
