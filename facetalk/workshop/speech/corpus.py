"""`python -m facetalk.workshop.speech.corpus PACK OUT`: a recording pack as a speech folder (`data/speech.py`).

PACK is a folder with `MANIFEST.csv` (columns path, speaker, kind, has_audio, av_corr, text) and the files in it.
English recordings with a transcript are aligned to it, other English recordings are recognized first, those in other
languages go through a free phone loop; EMO-DB has manual labels. Mouths are measured with MediaPipe, and the bundled
speech encoder tells how much later than the audio they move; the videos of one folder support each other. Existing
files are kept, so an interrupted run continues where it stopped.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from facetalk.audio.phonemes import AlignmentError, Phoneme, align_words, normalize_words, phone_loop, recognize_words
from facetalk.audio.sampa import parse_lablaut
from facetalk.core.errors import FacetalkError
from facetalk.core.parallel import each_in_parallel
from facetalk.core.timing import SAMPLE_RATE
from facetalk.data.manifest import MANIFEST
from facetalk.data.speech import MOUTH_RATE, read_mouth, write_mouth, write_phonemes
from facetalk.io.audio import read_waveform, write_wav
from facetalk.io.files import replacing
from facetalk.io.video import VideoReader
from facetalk.metrics.av_offset import AvOffset, estimate_av_offset
from facetalk.pipelines.av_sync import expected_mouth, offsets_by_folder
from facetalk.vision.landmark_detector import MediaPipeDetector
from facetalk.vision.mouth import mouth_curves

KINDS = ("video", "emotional_speech", "speech", "laughter")
UNLABELED = ("video/lrwar/",)
"""Arabic: only their mouths are used, not their phonemes."""
ENGLISH_TEXT = (
    "emotional_speech/ravdess/", "video/grid/", "video/elospheres/", "video/lrs3/", "video/ravdess_av/",
    "video/neuraldubber_lrs2/", "video/voicecraftdub_", "video/souvik_lrs/",
)  # fmt: skip
"""Folders with transcripts that can be aligned."""
NOT_ENGLISH = (
    "German", "hinese", "rench", "apan", "panish", "artalk/cn", "artalk/jp", "mandarin", "Italian", "Russian", "malaya",
    "deyu", "fayu", "joyvasa", "cxk", "mimictalk", "icable", "itosinger", "mcgurk_pl", "feifeili",
    "Language_ar", "Language_hi", "Language_kr", "Language_pl", "Language_zh", "lavse", "toqui", "remon", "demo2show",
    "video/vgg/",
)  # fmt: skip
"""Parts of the paths of recordings in other languages."""
ALIGNED, RECOGNIZED, GUESSED = 1.0, 0.9, 0.5
"""Trust in labels from a transcript, from recognised words, and from the phone loop."""


@dataclass(frozen=True)
class _Recording:
    """One recording of the pack."""

    pack_dir: Path
    row: Mapping[str, str]
    """Of the pack's manifest."""
    out_dir: Path

    @property
    def name(self) -> str:
        """In the speech folder."""
        return str(Path(self.row["path"]).with_suffix("")).replace("/", "__")


def build_corpus(pack_dir: Path, out_dir: Path, jobs: int | None = None) -> int:
    """Write the speech folder; returns the number of recordings.

    Args:
        pack_dir: the recordings.
        out_dir: the speech folder.
        jobs: recordings at the same time; one per core if None.
    """
    with (pack_dir / "MANIFEST.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["kind"] in KINDS and row["has_audio"] == "1"]
    out_dir.mkdir(parents=True, exist_ok=True)
    recordings = [_Recording(pack_dir, row, out_dir) for row in rows]
    estimates: dict[str, AvOffset | None] = {}
    for recording, result in each_in_parallel(_prepare, recordings, jobs):
        if isinstance(result, FacetalkError):
            print(f"skipped: {result}", file=sys.stderr)
        else:
            estimates[recording.name] = result
    kept = [recording for recording in recordings if recording.name in estimates]
    videos = {Path(r.row["path"]): estimates[r.name] for r in kept if r.row["kind"] == "video"}
    offsets = offsets_by_folder(videos)
    with replacing(out_dir / MANIFEST) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(("name", "speaker", "av_corr", "av_offset_ms", "label", "text"))
        for recording in kept:
            path, offset = recording.row["path"], offsets.get(Path(recording.row["path"]))
            av_corr = "" if path.startswith(UNLABELED) else recording.row["av_corr"]
            offset_ms = "" if offset is None else round(offset)
            label, text = (recording.row.get(key, "") for key in ("label", "text"))
            table.writerow((recording.name, recording.row["speaker"], av_corr, offset_ms, label, text))
    return len(kept)


def _prepare(recording: _Recording) -> AvOffset | None:
    """Write the files of a recording, and return the offset of its mouth if it has one."""
    _add(recording.pack_dir, recording.row, recording.out_dir / recording.name)
    return mouth_offset(recording.out_dir, recording.name) if recording.row["kind"] == "video" else None


def mouth_offset(out_dir: Path, name: str) -> AvOffset | None:
    """How much later than its audio the measured mouth of a recording moves, as far as its clip alone tells."""
    mouth = read_mouth(out_dir / f"{name}.mouth.csv")
    expected = expected_mouth(read_waveform(out_dir / f"{name}.wav"), len(mouth))
    return estimate_av_offset(expected, mouth[:, : expected.shape[1]], MOUTH_RATE)


def label(row: Mapping[str, str], source: Path, waveform: Tensor) -> tuple[list[Phoneme], float]:
    """Phonemes of a recording, and their reliability."""
    manual = source.with_suffix(".lablaut")
    if manual.is_file():
        return parse_lablaut(manual.read_text(encoding="latin-1"), len(waveform) / SAMPLE_RATE), ALIGNED
    if any(part in row["path"] for part in NOT_ENGLISH):
        return phone_loop(waveform), GUESSED
    try:
        if row["text"] and row["path"].startswith(ENGLISH_TEXT):
            return align_words(waveform, normalize_words(row["text"])), ALIGNED
        words = recognize_words(waveform)
        return (align_words(waveform, words), RECOGNIZED) if words else (phone_loop(waveform), GUESSED)
    except AlignmentError:
        return phone_loop(waveform), GUESSED


def measure_mouth(video_path: Path) -> tuple[Tensor, Tensor]:
    """Times in seconds and mouth curves of the frames with a face."""
    times, points = [], []
    with VideoReader(video_path) as frames, MediaPipeDetector() as detector:
        for time_s, image in frames:
            found = detector.detect(image)
            if found is not None:
                times.append(time_s)
                points.append(found)
    if len(points) < 2:
        raise FacetalkError(f"{video_path}: only {len(points)} frames with a face")
    return torch.tensor(times), torch.from_numpy(mouth_curves(np.stack(points)))


def _add(pack_dir: Path, row: Mapping[str, str], target: Path) -> None:
    source = pack_dir / row["path"]
    wav_path, phones_path, mouth_path = (Path(f"{target}{end}") for end in (".wav", ".phones.csv", ".mouth.csv"))
    waveform = read_waveform(source)
    if not wav_path.exists():
        write_wav(wav_path, waveform)
    if not phones_path.exists() and not row["path"].startswith(UNLABELED):
        write_phonemes(phones_path, *label(row, source, waveform))
    if row["kind"] == "video" and not mouth_path.exists():
        write_mouth(mouth_path, *measure_mouth(source))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python -m facetalk.workshop.speech.corpus PACK OUT")
    from facetalk.workshop.speech import corpus  # a name under which other processes find its functions

    print(corpus.build_corpus(Path(sys.argv[1]), Path(sys.argv[2])), "recordings")
