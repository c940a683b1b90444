"""A dataset of a few seconds: tones whose loudness opens the mouth."""

from __future__ import annotations

import csv
from pathlib import Path

import torch

from facetalk.audio.phonemes import PHONEMES
from facetalk.core.motion import still_motion
from facetalk.core.timing import FPS, SAMPLE_RATE, frames_for
from facetalk.head.channels import ARKIT_NAMES
from facetalk.io.audio import write_wav
from facetalk.io.motion import write_motion

NUM_FEATURES = 6 + len(PHONEMES)


class ToyEncoder:
    """Loudness of the frames around, and phonemes that are never heard."""

    width = NUM_FEATURES

    def encode(self, waveform: torch.Tensor) -> torch.Tensor:
        num_frames = frames_for(len(waveform) / SAMPLE_RATE)
        hop = SAMPLE_RATE / FPS
        rows = [waveform[round(t * hop) : round((t + 1) * hop)].square().mean().sqrt() for t in range(num_frames)]
        loudness = torch.stack(rows).nan_to_num()
        around = torch.stack([loudness.roll(k) for k in range(6)], 1)
        return torch.cat([around, torch.zeros(num_frames, len(PHONEMES))], 1)

    def columns(self, *names: str) -> tuple[int, ...]:
        return tuple(6 + PHONEMES.index(name) for name in names)


def write_clip(folder: Path, name: str, seconds: float, seed: int) -> None:
    """A tone with random loudness, and a mouth that follows it; brows and lids move on their own."""
    generator = torch.Generator().manual_seed(seed)
    num_frames = frames_for(seconds)
    knots = torch.rand(1, 1, max(2, num_frames // 5), generator=generator)
    loudness = torch.nn.functional.interpolate(knots, num_frames, mode="linear", align_corners=True)[0, 0]
    samples = torch.arange(round(seconds * SAMPLE_RATE))
    gain = loudness[(samples / SAMPLE_RATE * FPS).long().clamp(max=num_frames - 1)]
    write_wav(folder / f"{name}.wav", 0.9 * gain * torch.sin(samples * 0.3))
    expression = torch.full((num_frames, len(ARKIT_NAMES)), 0.1)
    expression[:, ARKIT_NAMES.index("jawOpen")] = 0.7 * loudness
    expression[:, ARKIT_NAMES.index("mouthPucker")] = 0.5 * (1 - loudness)
    expression[:, ARKIT_NAMES.index("browInnerUp")] = 0.2 + 0.1 * loudness.roll(3)
    write_motion(folder / f"{name}.npz", still_motion("toy", expression, ARKIT_NAMES, FPS, 3))


def write_dataset(folder: Path, seconds: tuple[float, ...] = (3.0, 2.0, 3.0)) -> Path:
    """Clips of speakers s0, s1, ... with a manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "manifest.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["name", "speaker", "label", "av_corr"])
        for index, length in enumerate(seconds):
            write_clip(folder, f"clip{index}", length, seed=index)
            writer.writerow([f"clip{index}", f"s{index}", "", 0.5])
    return folder
