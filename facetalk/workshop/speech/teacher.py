"""`python -m facetalk.workshop.speech.teacher CORPUS`: features of a much larger network for a speech folder.

The teacher is the encoder of Moonshine tiny (Jeffries et al. 2024, arXiv:2410.15608; MIT license), a speech recognizer
trained on some 200,000 hours. It comes in the wheels of `moonshine-voice` 0.0.44 to 0.0.68 and is needed for this
program only. The leading principal components of its 288 features over the corpus are stored; the speech encoder is
trained to predict them (distillation; Hinton et al. 2015).
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from rich.console import Console
from rich.progress import track as progress
from torch import Tensor

from facetalk.core.errors import MissingAssetError
from facetalk.data.manifest import read_manifest
from facetalk.data.speech import TEACHER_HOP, teacher_path, write_teacher
from facetalk.io.audio import read_waveform

NUM_COMPONENTS = 96
"""They explain 92 % of the variance, and predict a mouth as well as all 288 features."""
_SILENT_STEPS = 20
"""Steps of silence around each piece, so that speech does not start and end at the edge of the input."""
_PIECE_STEPS = 1000
_PEAK = 0.5
"""Peak of the waveform that the teacher gets."""
_ENCODER = "assets/tiny-en/encoder_model.ort"


class SpeechTeacher:
    """Waveform -> features, one row for each `TEACHER_HOP` samples."""

    def __init__(self) -> None:
        package = find_spec("moonshine_voice")
        path = Path(package.origin).parent / _ENCODER if package and package.origin else None
        if path is None or not path.is_file() or not find_spec("onnxruntime"):
            raise MissingAssetError(
                "the teacher is not installed; run: pip install 'moonshine-voice>=0.0.44,<0.0.69' onnxruntime"
            )
        onnxruntime: Any = import_module("onnxruntime")  # an optional dependency of this program only
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session: Any = onnxruntime.InferenceSession(str(path), options)

    def features(self, waveform: Float[Tensor, " samples"]) -> Float[Tensor, "rows 288"]:
        """Features of a recording of any length; its level does not matter."""
        samples = (waveform * (_PEAK / waveform.abs().max().clamp_min(1e-3))).numpy().astype(np.float32)
        size = _PIECE_STEPS * TEACHER_HOP
        return torch.cat([self._piece(samples[start : start + size]) for start in range(0, len(samples), size)])

    def _piece(self, samples: np.ndarray) -> Tensor:
        padded = np.pad(samples, _SILENT_STEPS * TEACHER_HOP)[None]
        feeds = {"input_values": padded, "attention_mask": np.ones(padded.shape, np.int64)}
        rows = torch.from_numpy(self._session.run(None, feeds)[0][0])
        return rows[_SILENT_STEPS : _SILENT_STEPS + -(-len(samples) // TEACHER_HOP)]


def principal_components(
    rows: Float[Tensor, "rows features"], count: int = NUM_COMPONENTS
) -> tuple[Float[Tensor, " features"], Float[Tensor, "features components"]]:
    """Principal components of features.

    The components are divided by the square root of their standard deviation, a compromise: unscaled, the first ones
    would dominate a squared error; with unit variance, noise would count as much as speech.

    Returns:
        The mean of the features, and directions that map centered features to components.
    """
    mean, spread = rows.mean(0), rows.std(0).clamp_min(1e-6)
    standard = ((rows - mean) / spread).double()
    values, vectors = torch.linalg.eigh(standard.T @ standard / len(rows))
    values, vectors = values.flip(0)[:count], vectors.flip(1)[:, :count]
    # The sign of a direction is arbitrary; a positive largest entry makes the result the same on every machine.
    signs = vectors.gather(0, vectors.abs().argmax(0, keepdim=True)).sign()
    return mean, (vectors * signs * values.clamp_min(1e-9) ** -0.25).float() / spread[:, None]


def write_teacher_features(corpus_dir: Path) -> int:
    """Write the teacher's features of every recording of a speech folder; returns the number of recordings."""
    teacher = SpeechTeacher()
    clips = read_manifest(corpus_dir)
    shown = progress(clips, "computing features", console=Console(stderr=True))
    features = [teacher.features(read_waveform(clip.audio_path)).half() for clip in shown]
    mean, directions = principal_components(torch.cat([rows[::10].float() for rows in features]))
    for clip, rows in zip(clips, features, strict=True):
        write_teacher(teacher_path(clip), (rows.float() - mean) @ directions)
    return len(clips)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m facetalk.workshop.speech.teacher CORPUS")
    print(write_teacher_features(Path(sys.argv[1])), "recordings")
