"""Create the recordings of this folder: synthetic speech, and a rendered reference performance.

    python examples/make_examples.py        # needs espeak-ng for the speech

`speech.wav` is spoken by espeak-ng. `ref.mp4` shows the bundled head in the speaking style of a show host: a broad
smile, raised brows, a mouth that opens wide at every syllable. No recording of a person is used. `make_preview.py`
draws the animation of the README from both.
"""

from __future__ import annotations

import math
import subprocess
import tempfile
from pathlib import Path

import torch
from torch import Tensor

from facetalk.core.motion import Motion, still_motion
from facetalk.core.timing import FPS, SAMPLE_RATE, frames_for
from facetalk.io.audio import read_waveform, write_wav
from facetalk.motion.gestures.registry import add_gestures
from facetalk.motion.heads import load_head
from facetalk.pipelines.render import render

HERE = Path(__file__).resolve().parent
SPEECH = "Hello! I am a talking head, made from nothing but the sound of this voice. Please give me a smile."
SHOW = "Good evening everybody, and welcome, welcome to the big, wide, wonderful show!"

SMILE = {
    "mouthSmileLeft": 0.9, "mouthSmileRight": 0.9, "cheekSquintLeft": 0.6, "cheekSquintRight": 0.6,
    "mouthUpperUpLeft": 0.3, "mouthUpperUpRight": 0.3,
}  # fmt: skip
SURPRISE = {
    "browInnerUp": 0.9, "browOuterUpLeft": 1.0, "browOuterUpRight": 1.0, "eyeWideLeft": 0.4, "eyeWideRight": 0.4,
}  # fmt: skip
"""What the host's face returns to again and again; a neutral face in between lets a tracker see the difference."""


def read_aloud(text: str, words_per_minute: int) -> Tensor:
    """Speech of espeak-ng, mono at 16 kHz."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "voice.wav"
        command = ["espeak-ng", "-v", "en-gb", "-s", str(words_per_minute), "-p", "45", "-w", str(path), text]
        subprocess.run(command, check=True)
        return read_waveform(path)


def loudness(waveform: Tensor) -> Tensor:
    """Loudness of the voice around each frame, 0 to 1."""
    num_frames = frames_for(len(waveform) / SAMPLE_RATE)
    half = SAMPLE_RATE // 20
    padded = torch.nn.functional.pad(waveform, (half, 2 * half))
    starts = [round(frame / FPS * SAMPLE_RATE) for frame in range(num_frames)]
    level = torch.stack([padded[start : start + 2 * half].square().mean().sqrt() for start in starts])
    return (level / level.quantile(0.9)).clamp(0, 1)


def show_host(waveform: Tensor) -> Motion:
    """Exaggerated performance to a voice; only its style matters, so loudness stands in for the words."""
    head = load_head()
    names = head.shape.expression_names
    level = loudness(waveform)
    seconds = torch.arange(len(level)) / FPS
    shown = (seconds / 0.5).clamp(0, 1) * ((seconds[-1] - seconds) / 0.4).clamp(0, 1)
    swing = 0.5 + 0.5 * torch.sin(2 * math.pi * 0.6 * seconds)
    curves = {name: value * shown * (0.7 + 0.3 * swing) for name, value in SMILE.items()}
    curves |= {name: value * shown * swing.flip(0).sqrt() for name, value in SURPRISE.items()}
    curves["jawOpen"] = 0.6 * level
    for side in ("Left", "Right"):
        curves[f"mouthLowerDown{side}"] = 0.45 * level
        curves[f"mouthStretch{side}"] = 0.3 * level * swing
    expression = torch.zeros(len(level), len(names))
    for name, curve in curves.items():
        expression[:, names.index(name)] = curve
    motion = still_motion(head.name, expression.clamp(0, 1), names, FPS, head.num_betas)
    return add_gestures(motion, seed=3, head_motion=2.5)


def main() -> None:
    """Write both files."""
    write_wav(HERE / "speech.wav", read_aloud(SPEECH, 165))
    voice = read_aloud(SHOW, 170)
    render(show_host(voice), HERE / "ref.mp4", size=320, audio=voice, overwrite=True)


if __name__ == "__main__":
    main()
