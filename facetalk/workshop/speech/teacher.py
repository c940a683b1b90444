"""`python -m facetalk.workshop.speech.teacher CORPUS`: what a far larger network hears in the recordings of CORPUS.

The teacher is the encoder of Moonshine tiny (Jeffries et al. 2024, arXiv:2410.15608; MIT licence), a speech recogniser
that learned from some 200 000 hours. It comes inside the wheels of `moonshine-voice` 0.0.44 to 0.0.68 and is needed for
this alone. Of its 288 features the leading principal components over the corpus are kept; the speech encoder learns to
foresee them (Hinton et al. 2015).
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
from facetalk.data.speech import TAUGHT_HOP, taught_path, write_taught
from facetalk.io.audio import read_waveform

NUM_COMPONENTS = 96
"""Hold 92 % of the variance; a mouth can be foreseen from them as well as from all 288."""
_SILENT_STEPS = 20
"""Steps of silence before and behind each piece, so that its ends are not those of the recording's world."""
_PIECE_STEPS = 1000
_PEAK = 0.5
_ENCODER = "assets/tiny-en/encoder_model.ort"


class SpeechTeacher:
    """Waveform -> the teacher's features, one row for `TAUGHT_HOP` samples."""

    def __init__(self) -> None:
        package = find_spec("moonshine_voice")
        path = Path(package.origin).parent / _ENCODER if package and package.origin else None
        if path is None or not path.is_file() or not find_spec("onnxruntime"):
            raise MissingAssetError(
                "the teacher is not installed; run: pip install 'moonshine-voice>=0.0.44,<0.0.69' onnxruntime"
            )
        onnxruntime: Any = import_module("onnxruntime")  # nothing else needs it, and few have it
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session: Any = onnxruntime.InferenceSession(str(path), options)

    def features(self, waveform: Float[Tensor, " samples"]) -> Float[Tensor, "rows 288"]:
        """What the teacher hears in a recording of any length, whatever its level."""
        samples = (waveform * (_PEAK / waveform.abs().max().clamp_min(1e-3))).numpy().astype(np.float32)
        size = _PIECE_STEPS * TAUGHT_HOP
        return torch.cat([self._piece(samples[start : start + size]) for start in range(0, len(samples), size)])

    def _piece(self, samples: np.ndarray) -> Tensor:
        padded = np.pad(samples, _SILENT_STEPS * TAUGHT_HOP)[None]
        feeds = {"input_values": padded, "attention_mask": np.ones(padded.shape, np.int64)}
        rows = torch.from_numpy(self._session.run(None, feeds)[0][0])
        return rows[_SILENT_STEPS : _SILENT_STEPS + -(-len(samples) // TAUGHT_HOP)]


def principal_components(
    rows: Float[Tensor, "rows features"], count: int = NUM_COMPONENTS
) -> tuple[Float[Tensor, " features"], Float[Tensor, "features components"]]:
    """Mean, and directions that take standardised features to their leading components.

    The components are scaled by the root of their standard deviation: half way between as they come, when the first
    ones drown all others, and all alike, when noise counts as much as speech.
    """
    mean, spread = rows.mean(0), rows.std(0).clamp_min(1e-6)
    standard = ((rows - mean) / spread).double()
    values, vectors = torch.linalg.eigh(standard.T @ standard / len(rows))
    values, vectors = values.flip(0)[:count], vectors.flip(1)[:, :count]
    # A direction's sign is arbitrary; its largest entry shall be positive, so that every machine finds the same.
    signs = vectors.gather(0, vectors.abs().argmax(0, keepdim=True)).sign()
    return mean, (vectors * signs * values.clamp_min(1e-9) ** -0.25).float() / spread[:, None]


def teach(corpus_dir: Path) -> int:
    """Write what the teacher hears beside every recording of a speech folder; returns how many there are."""
    teacher = SpeechTeacher()
    clips = read_manifest(corpus_dir)
    listening = progress(clips, "listening", console=Console(stderr=True))
    heard = [teacher.features(read_waveform(clip.audio_path)).half() for clip in listening]
    mean, directions = principal_components(torch.cat([rows[::10].float() for rows in heard]))
    for clip, rows in zip(clips, heard, strict=True):
        write_taught(taught_path(clip), (rows.float() - mean) @ directions)
    return len(clips)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m facetalk.workshop.speech.teacher CORPUS")
    print(teach(Path(sys.argv[1])), "recordings")
