"""How well LaughTalk talks on speakers that it was not trained on, and what its residual changes where they laugh."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import torch

from facetalk.audio.activity import loudness_db
from facetalk.core.timing import FPS
from facetalk.data.laughter_pairing import rhythm
from facetalk.data.voiced import VoicedExample
from facetalk.head.controls import Controls
from facetalk.losses.geometry import LipGeometry
from facetalk.networks.laughtalk import LaughTalkNetwork
from facetalk.recipes.evaluation.talker import MIN_FRAMES, MIN_SYNC, as_long, compare_mouths

LAUGHING = "laughing"
"""Label of clips whose laughter is evaluated."""


@torch.no_grad()
def evaluate_laughtalk(
    network: LaughTalkNetwork, controls: Controls, lips: LipGeometry, examples: Sequence[VoicedExample]
) -> dict[str, float]:
    """Mean figures over clips.

    Returns:
        The figures of `compare_mouths` for stage 1 on clips without laughter, and with the audio of another clip as
        `shuffled_*`; `laugh_*` for both stages on laughing clips, `laugh_talk_*` for stage 1 alone on the same clips,
        and `laugh_rhythm`, the correlation of the mouth's fast opening with that of the loudness.
    """
    figures: dict[str, list[float]] = defaultdict(list)
    talking = [e for e in examples if e.clip.label != LAUGHING and e.num_frames >= MIN_FRAMES]
    synced = [e for e in talking if e.clip.av_corr is None or e.clip.av_corr >= MIN_SYNC]
    for index, example in enumerate(synced):
        other = synced[(index + max(1, len(synced) // 2)) % len(synced)]
        for prefix, heard in (("", example), ("shuffled_", other)):
            predicted = as_long(network.talking(heard.waveform.float()), example.num_frames)
            _add(figures, prefix, compare_mouths(predicted, example.rows, lips))
    for example in (e for e in examples if e.clip.label == LAUGHING):
        waveform = example.waveform.float()
        talk = as_long(network.talking(waveform), example.num_frames)
        both = talk + as_long(network.laughing(waveform), example.num_frames)
        both = both if controls.has_jaw else both.clamp(0, 1)
        _add(figures, "laugh_", compare_mouths(both, example.rows, lips))
        _add(figures, "laugh_talk_", compare_mouths(talk, example.rows, lips))
        loud = as_long(loudness_db(waveform, FPS)[:, None], example.num_frames)[:, 0]
        pair = torch.stack([rhythm(lips.curves(both)[:, 0]), rhythm(loud)])
        figures["laugh_rhythm"].append(float(torch.corrcoef(pair)[0, 1]))
    return {name: sum(values) / len(values) for name, values in figures.items()}


def _add(figures: dict[str, list[float]], prefix: str, values: dict[str, float]) -> None:
    for name, value in values.items():
        figures[prefix + name].append(value)
