"""How well the non-verbal encoder tells emotions and laughter apart on speakers that it was not trained on."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

import torch

from facetalk.audio.activity import speech_activity
from facetalk.core.timing import SAMPLE_RATE, frames_for
from facetalk.data.speech import LAUGHTER_LABEL, SpeechExample
from facetalk.metrics.detection import roc_auc
from facetalk.networks.probed_encoder import ProbedEncoder

LONGEST_S = 10.0
"""Of longer recordings the beginning is used."""


@torch.no_grad()
def evaluate_voice(model: ProbedEncoder, examples: Sequence[SpeechExample]) -> dict[str, float]:
    """Figures over the recordings.

    Returns:
        For each source with several emotions `<source> emotion`, the share of recordings whose emotion is found, and
        `<source> chance`, that of the most frequent one; `laughter_frame_auc` and `laughter_clip_auc` over audible
        frames of recordings of laughter and of all others. What does not occur is left out.
    """
    names = model.config.emotions
    right: dict[str, list[bool]] = defaultdict(list)
    labels: dict[str, list[str]] = defaultdict(list)
    frames, of_laughs, clips, clip_laughs = [], [], [], []
    for example in examples:
        waveform = example.waveform[: round(LONGEST_S * SAMPLE_RATE)].float()
        heads = model.voice(model(waveform[None], frames_for(len(waveform) / SAMPLE_RATE)))
        name = example.clip.label.partition("/")[0]
        source = example.clip.speaker.partition(":")[0]
        if name in names:
            right[source].append(names[int(heads.emotion[0].argmax())] == name)
            labels[source].append(name)
        laughs = example.clip.label == LAUGHTER_LABEL
        heard = heads.laughter[0][speech_activity(waveform)]
        if len(heard):
            frames.append(heard)
            of_laughs.append(torch.full(heard.shape, laughs))
            clips.append(heard.mean())
            clip_laughs.append(laughs)
    figures: dict[str, float] = {}
    for source, found in right.items():
        if len(set(labels[source])) < 2:
            continue
        figures[f"{source} emotion"] = sum(found) / len(found)
        figures[f"{source} chance"] = Counter(labels[source]).most_common(1)[0][1] / len(found)
    if any(clip_laughs) and not all(clip_laughs):
        figures["laughter_frame_auc"] = roc_auc(torch.cat(frames), torch.cat(of_laughs))
        figures["laughter_clip_auc"] = roc_auc(torch.stack(clips), torch.tensor(clip_laughs))
    return figures
