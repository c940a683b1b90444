"""Which clips talk and which laugh, and laughter without video with the motion of tracked laughter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.audio.laughter_synthesis import synthesize_laugh
from facetalk.data.laughter_mixing import at_speed
from facetalk.data.laughter_pairing import TrackedLaughter, paired
from facetalk.data.manifest import split_by_speaker
from facetalk.data.speech import LAUGHTER_LABEL, read_recordings
from facetalk.data.voiced import VoicedExample
from facetalk.head.channels import mirrored
from facetalk.head.controls import Controls
from facetalk.io.audio import read_waveform
from facetalk.losses.geometry import LipGeometry
from facetalk.networks.registry import load
from facetalk.recipes.parts.laughing_data import Laugh, LaughTalkDataConfig
from facetalk.talkers.laughs import laughs_in

SMILE_NAMES = ("mouthSmileLeft", "mouthSmileRight")

RAISED_WITH_SMILE = {"cheekSquint": 0.7, "eyeSquint": 0.5}
"""The tracker hardly sees raised cheeks and narrowed eyes. In laughter they go with the smile (AU 6 with AU 12, Ekman,
Davidson and Friesen 1990); this much of it is put into the targets where the tracker saw less."""

LIDS_AT_MOST = 0.35
"""Of the targets' `eyeBlink`: some people laugh with closed eyes, and the face would look asleep."""


def split_by_laughter(
    examples: Sequence[VoicedExample], controls: Controls, config: LaughTalkDataConfig
) -> tuple[list[VoicedExample], list[VoicedExample]]:
    """Neutral clips: without laughter and without much of a smile; and laughing ones, whose targets are completed."""
    laughing = [example for example in examples if example.clip.label in config.laughing]
    others = [example for example in examples if example.clip.label not in config.laughing]
    detector = load("laughter-detector")
    quiet = [example for example in others if not laughs_in(detector, example.waveform.float())]
    smiles = [smile(example, controls) for example in quiet]
    limit = torch.tensor(smiles).quantile(1 - config.smiling_share) if smiles else torch.zeros(())
    talking = [example for example, value in zip(quiet, smiles, strict=True) if value <= float(limit)]
    return talking, [replace(example, rows=completed(example.rows, controls)) for example in laughing]


def smile(example: VoicedExample, controls: Controls) -> float:
    """Mean activity of the smile; 0 on heads without such channels."""
    columns = [controls.names.index(name) for name in SMILE_NAMES if name in controls.names]
    return float(example.rows[:, columns].mean()) if columns else 0.0


def completed(rows: Float[Tensor, "frames controls"], controls: Controls) -> Float[Tensor, "frames controls"]:
    """Targets of laughter on ARKit channels, symmetric and with cheeks and lids; those of other heads are unchanged."""
    names = controls.names
    if not all(name in names for name in SMILE_NAMES):
        return rows
    order = [names.index(mirrored(name)) for name in names]
    rows = (rows + rows[:, order]) / 2
    for side in ("Left", "Right"):
        smiling = rows[:, names.index(f"mouthSmile{side}")]
        for name, share in RAISED_WITH_SMILE.items():
            column = names.index(name + side)
            rows[:, column] = torch.maximum(rows[:, column], share * smiling)
        lid = names.index(f"eyeBlink{side}")
        rows[:, lid] = rows[:, lid].clamp(max=LIDS_AT_MOST)
    return rows


def laughs_with_motion(
    laughing: Sequence[VoicedExample],
    controls: Controls,
    lips: LipGeometry,
    config: LaughTalkDataConfig,
    seed: int,
) -> list[Laugh]:
    """Recorded and synthesized laughs that pair well with tracked laughter; none where there is no tracked laughter.

    Args:
        laughing: the tracked laughter.
        controls: columns of its motion.
        lips: measures how far the mouth is open.
        config: the recordings, and what counts as well.
        seed: of the synthesis.
    """
    tracked = [TrackedLaughter(example.rows, lips.curves(example.rows)[:, 0]) for example in laughing]
    recorded = []
    if config.recordings:
        kept, _ = split_by_speaker(read_recordings(Path(config.recordings)), config.dev_speakers)
        waveforms = [read_waveform(clip.audio_path) for clip in kept if clip.label == LAUGHTER_LABEL]
        recorded = [at_speed(waveform, speed) for waveform in waveforms for speed in config.speeds]
    generator = torch.Generator().manual_seed(seed)
    synthesized = [synthesize_laugh(generator) for _ in range(config.num_synthesized)]
    found = []
    for waveform in (*recorded, *synthesized):
        pairing = paired(waveform, tracked) if len(waveform) > 0 else None
        if pairing is not None and pairing.similarity >= config.min_similarity:
            found.append(Laugh(waveform.half(), pairing.rows))
    return found
