"""How well the speech encoder predicts phonemes, mouth curves and the teacher on speakers it was not trained on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.audio.phonemes import SILENCE
from facetalk.core.timing import FPS
from facetalk.data.speech import LABEL_RATE, SpeechExample, teachers_at
from facetalk.recipes.parts.speech_sampler import SpeechDataConfig

MIN_MOUTH_ROWS = 15
"""Clips with fewer rows of mouth curves are left out of the correlations."""

MOUTH_FIGURES = ("mouth_open", "mouth_wide")
"""The mouth curves whose correlation is reported."""


@runtime_checkable
class PhonemeEncoder(Protocol):
    """An encoder whose features contain phoneme posteriors, mouth curves and a teacher's features."""

    @property
    def slices(self) -> Mapping[str, slice]:
        """Columns of the features by name: at least `posteriors`, `mouth` and `hidden`."""
        ...

    def encode(self, waveform: Float[Tensor, " samples"]) -> Float[Tensor, "frames features"]:
        """Features of mono audio at 16 kHz, one row per video frame."""
        ...


def evaluate_encoder(
    encoder: PhonemeEncoder, examples: Sequence[SpeechExample], config: SpeechDataConfig
) -> dict[str, float]:
    """Figures per group of clips; the keys are `<pattern of the group> <figure>`.

    Returns:
        `right` is the share of frames with the right phoneme, `right_spoken` the same without silence, `prior` the
        share of the most frequent phoneme among them. `mouth_open` and `mouth_wide` are correlations over time, mean
        over clips whose audio belongs to the video. `teacher` is the explained share of the teacher's variance.
    """
    groups: dict[str, dict[str, list[Tensor]]] = defaultdict(lambda: defaultdict(list))
    for example in examples:
        group = config.group_of(example.clip.name)
        _collect(groups[group.pattern if group else "other"], encoder, example, config)
    return {f"{group} {name}": value for group, tally in sorted(groups.items()) for name, value in _figures(tally)}


def _collect(
    tally: dict[str, list[Tensor]], encoder: PhonemeEncoder, example: SpeechExample, config: SpeechDataConfig
) -> None:
    """Add the predictions for one recording, and what they are compared with."""
    features = encoder.encode(example.waveform.float())
    middles = (torch.arange(len(features)) + 0.5) / FPS
    teacher = teachers_at(example, config.teachers, middles) if config.teachers else None
    if teacher is not None:
        tally["teacher"].append(teacher)
        tally["predicted_teacher"].append(features[:, encoder.slices["hidden"]])
    if example.trust > 0:
        tally["labels"].append(example.labels[(middles * LABEL_RATE).long().clamp(max=len(example.labels) - 1)])
        tally["predicted_labels"].append(features[:, encoder.slices["posteriors"]].argmax(1))
    if len(example.mouth) > MIN_MOUTH_ROWS and (example.clip.av_corr is None or example.clip.av_corr >= config.synced):
        rows = min(len(features), len(example.mouth))
        predicted = features[:rows, encoder.slices["mouth"]]
        for index, name in enumerate(MOUTH_FIGURES):
            pair = torch.stack([predicted[:, index], example.mouth[:rows, index]])
            tally[name].append(torch.corrcoef(pair)[0, 1])


def _figures(tally: Mapping[str, list[Tensor]]) -> list[tuple[str, float]]:
    figures = [(name, float(torch.stack(tally[name]).mean())) for name in MOUTH_FIGURES if tally[name]]
    if tally["teacher"]:
        teacher, predicted = torch.cat(tally["teacher"]), torch.cat(tally["predicted_teacher"])
        unexplained = (teacher - predicted).square().sum() / (teacher - teacher.mean(0)).square().sum()
        figures.append(("teacher", 1 - float(unexplained)))
    if tally["labels"]:
        labels, found = torch.cat(tally["labels"]), torch.cat(tally["predicted_labels"])
        spoken = labels[labels != SILENCE]
        most_frequent = torch.bincount(spoken).max() if len(spoken) else torch.zeros(())
        figures += [
            ("right", float((found == labels).float().mean())),
            ("right_spoken", float((found == labels)[labels != SILENCE].float().mean())),
            ("prior", float(most_frequent) / max(1, len(spoken))),
        ]
    return figures
