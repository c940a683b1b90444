"""Curation of synthetic videos with a detector that needs no face."""

import csv
import subprocess
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import torch

from facetalk.core.errors import UsageError
from facetalk.core.spans import Span
from facetalk.data.curation import scan
from facetalk.data.curation.scan import scan_video
from facetalk.data.curation.select import select_spans
from facetalk.data.curation.settings import CurationRules, LengthRules, SpeakerRules
from facetalk.data.curation.spans import Check
from facetalk.data.curation.tracks import MeasuredFace
from facetalk.fitters import landmarks
from facetalk.head.model import HeadModel
from facetalk.io.audio import read_waveform
from facetalk.io.ffmpeg import ffmpeg_program
from facetalk.io.motion import read_motion
from facetalk.io.video_writer import VideoWriter
from facetalk.motion.heads import load_head
from facetalk.networks.registry import load
from facetalk.pipelines import audio_cues, curate_video
from facetalk.pipelines.av_sync import expected_mouth, measure_av_offset
from facetalk.pipelines.batch import Outcome
from facetalk.pipelines.curate import curate_videos
from facetalk.pipelines.reports.fit_report import write_report
from tests.fitters.toy import FakeDetector
from tests.fitters.toy import head as head  # a fixture

RULES = CurationRules(
    length=LengthRules(min_s=0.4),
    speaker=SpeakerRules(check=False),
)


class NoLaughter:
    """A laughter detector that finds none."""

    def probability(self, waveform: torch.Tensor) -> torch.Tensor:
        return torch.zeros(max(1, round(len(waveform) / 16_000 * 30)))


def load_without_laughter(kind: str) -> object:
    return NoLaughter() if kind == "laughter-detector" else load(kind)


def write_video(path: Path, shades: list[int]) -> Path:
    """Ten frames of each shade; black frames show no face."""
    audio = 0.1 * torch.sin(torch.arange(len(shades) * 6400) * 0.2)
    path.parent.mkdir(parents=True, exist_ok=True)
    with VideoWriter(path, (160, 120), 25.0, audio) as writer:
        for shade in np.repeat(shades, 10):
            writer.write(np.full((120, 160, 3), shade, np.uint8))
    return path


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch, head: HeadModel) -> None:
    monkeypatch.setattr(scan, "MediaPipeDetector", lambda max_faces, small_faces: FakeDetector(head))
    monkeypatch.setattr(scan, "mediapipe_orientation", lambda: nullcontext(None))
    monkeypatch.setattr(curate_video, "load_head", lambda name: head)
    monkeypatch.setattr(audio_cues, "load", load_without_laughter)
    monkeypatch.setattr(landmarks, "RenderedReader", lambda head: None)
    monkeypatch.setattr("facetalk.data.curation.select.face_checks", _only_seen)


def _only_seen(face: MeasuredFace, rules: CurationRules) -> tuple[Check, ...]:
    return (Check("no face", face.seen.float(), 1.0, at_least=True),)


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
@pytest.mark.usefixtures("fake")
def test_clips_are_written_and_the_rest_has_reasons(tmp_path: Path) -> None:
    write_video(tmp_path / "in/a.mp4", [200, 200, 20, 200, 200])
    (tmp_path / "in/broken.mp4").write_text("no video")
    out_dir = tmp_path / "out"
    summary = curate_videos([tmp_path / "in"], out_dir, rules=RULES, jobs=1)
    manifest = rows_of(out_dir / "manifest.csv")
    assert [row["name"] for row in manifest] == ["a_001", "a_002"]
    for row in manifest:
        motion, audio = read_motion(out_dir / f"{row['name']}.npz"), read_waveform(out_dir / f"{row['name']}.wav")
        assert motion.num_frames == int(row["num_frames"]) == round(len(audio) / 16_000 * 30)
        assert float(row["end_s"]) - float(row["start_s"]) == pytest.approx(motion.duration_s, abs=2e-3)
        assert motion.meta["start_s"] == pytest.approx(float(row["start_s"]), abs=1e-3)
    rejected = rows_of(out_dir / "rejected.csv")
    assert {row["reason"] for row in rejected if row["source"].endswith("a.mp4")} == {"no face"}
    assert "not an audio or video file" in next(
        row["reason"] for row in rejected if row["source"].endswith("broken.mp4")
    )
    whole = summary.kept_s + sum(summary.seconds_by_reason().values())
    assert whole == pytest.approx(summary.durations_s[str(tmp_path / "in/a.mp4")], abs=0.01)
    assert not list((out_dir / ".curation").glob("*/points.f32")), "points are needed no longer"


@pytest.mark.slow
@pytest.mark.usefixtures("fake")
def test_a_run_continues_and_other_rules_are_applied(tmp_path: Path) -> None:
    videos = [write_video(tmp_path / f"{name}.mp4", [200, 200]) for name in "ab"]
    out_dir = tmp_path / "out"
    curate_videos(videos[:1], out_dir, rules=RULES, jobs=1)
    again = curate_videos(videos, out_dir, rules=RULES, jobs=1, skip_existing=True)
    assert again.skipped == [str(videos[0])] and len(again.clips) == 2 and not again.failed
    assert "use --skip-existing" in curate_videos(videos, out_dir, rules=RULES, jobs=1).failed[str(videos[0])]
    other = CurationRules(length=LengthRules(min_s=0.3), speaker=SpeakerRules(check=False))
    outcomes: list[Outcome] = []
    curate_videos(videos[:1], out_dir, rules=other, jobs=1, skip_existing=True, report=outcomes.append)
    assert [(outcome.state, outcome.redone) for outcome in outcomes] == [("done", "min_s was 0.4, now 0.3")]
    assert len(curate_videos(videos, out_dir, rules=other, jobs=1, overwrite=True).clips) == 2
    with pytest.raises(UsageError, match="exclude each other"):
        curate_videos(videos, out_dir, skip_existing=True, overwrite=True)


@pytest.mark.usefixtures("fake")
def test_a_video_that_was_scanned_is_not_decoded_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    video, out_dir = write_video(tmp_path / "a.mp4", [200, 200]), tmp_path / "out"

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(landmarks, "fit_landmarks", interrupt)
        with pytest.raises(KeyboardInterrupt):
            curate_videos([video], out_dir, rules=RULES, jobs=1)
    assert rows_of(out_dir / "manifest.csv") == []
    monkeypatch.setattr(scan, "VideoReader", None)
    assert len(curate_videos([video], out_dir, rules=RULES, jobs=1, skip_existing=True).clips) == 1


@pytest.mark.usefixtures("fake")
def test_listed_laughs_replace_those_of_the_detector(tmp_path: Path) -> None:
    video, times = write_video(tmp_path / "a.mp4", [200] * 3), tmp_path / "laughs.csv"
    times.write_text("path,start_s,end_s\na.mp4,0.1,1.1\n", encoding="utf-8")
    (row,) = curate_videos([video], tmp_path / "out", rules=RULES, jobs=1, laughs=times).clips
    assert row["laughter_s"] == 1.0 and row["label"] == "laughing"
    times.write_text("path,from\na.mp4,0.2\n", encoding="utf-8")
    with pytest.raises(UsageError, match="not a table of path, start_s, end_s"):
        curate_videos([video], tmp_path / "out2", rules=RULES, laughs=times)


@pytest.mark.usefixtures("fake")
def test_the_report_shows_clips_and_reasons(tmp_path: Path, head: HeadModel) -> None:
    out_dir = tmp_path / "out"
    curate_videos([write_video(tmp_path / "a.mp4", [200, 200, 20, 20])], out_dir, rules=RULES, jobs=1)
    html = write_report(out_dir, head=head, images=False).read_text(encoding="utf-8")
    assert "a_001" in html and "no face" in html and html.count("<article") == 1


def test_audio_in_pieces_gives_the_same_cues_as_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audio_cues, "load", load_without_laughter)
    steady = 0.1 * torch.randn(10 * 16_000, generator=torch.Generator().manual_seed(0))
    whole = audio_cues.audio_cues(steady, 300, CurationRules().laughter)
    monkeypatch.setattr(audio_cues, "_PIECE_FRAMES", 99)
    pieces = audio_cues.audio_cues(steady, 300, CurationRules().laughter)
    assert torch.equal(whole.voiced, pieces.voiced)
    assert float(torch.corrcoef(torch.stack([whole.expected_mouth, pieces.expected_mouth]))[0, 1]) > 0.95


@pytest.mark.data
def test_the_right_audio_passes_and_another_audio_is_rejected(data_dir: Path, tmp_path: Path) -> None:
    videos = [data_dir / "video/elospheres" / f"{name}.mp4" for name in ("T4_matrix1605", "T1_matrix0507")]
    rules = CurationRules()
    scanned = scan_video(videos[0], tmp_path, rules.scenes, rules.face)
    for audio, passes in ((videos[0], True), (videos[1], False)):
        cues = audio_cues.audio_cues(read_waveform(audio), scanned.num_frames, rules.laughter)
        selection = select_spans(scanned.faces(), scanned.num_frames, cues, rules)
        assert bool(selection.kept) == passes
        assert {row.rejection.reason for row in selection.rejected} <= {"not speaking"}


def test_a_span_beyond_the_end_of_the_audio_is_padded_with_silence() -> None:
    samples = audio_cues.audio_of(torch.ones(16_000), Span(15, 60))
    assert len(samples) == 24_000 and float(samples.sum()) == 8000


@pytest.mark.parametrize(("delay_s", "first", "count"), [(0.1, 0.0, 6400), (-0.1, 1.0, 8000), (2.0, 0.0, 0)])
def test_audio_can_be_heard_later_or_earlier(delay_s: float, first: float, count: int) -> None:
    samples = audio_cues.audio_of(torch.ones(16_000), Span(0, 15), delay_s)
    assert len(samples) == 8000 and float(samples[0]) == first and int(samples.sum()) == count


@pytest.mark.data
def test_early_audio_is_shifted_on_request(data_dir: Path, tmp_path: Path) -> None:
    original, early = data_dir / "video/elospheres/T4_matrix1605.mp4", tmp_path / "early.mp4"
    inputs = ["-i", str(original), "-ss", "0.25", "-i", str(original), "-map", "0:v", "-map", "1:a", "-c:v", "copy"]
    subprocess.run([ffmpeg_program(), "-v", "error", *inputs, str(early)], check=True)
    (plain,) = curate_videos([original], tmp_path / "plain", jobs=1).clips
    rules = CurationRules(speaker=SpeakerRules(fix_sync=True))
    (fixed,) = curate_videos([early], tmp_path / "fixed", rules=rules, jobs=1).clips
    assert fixed["av_offset_ms"] == 0
    assert fixed["av_shift_ms"] == pytest.approx(250 + plain["av_offset_ms"], abs=25)
    motion = read_motion(tmp_path / "fixed" / "early_001.npz")
    audio = read_waveform(tmp_path / "fixed" / "early_001.wav")
    remaining = measure_av_offset(motion, load_head(), expected_mouth(audio, motion.num_frames))
    assert remaining is not None and abs(remaining.ms) <= 35


@pytest.mark.parametrize(
    "text",
    ['{"rules": {}, "clips": [{"name": "../victim"}], "rejected": []}', '{"rules": {}}', "[" * 100_000, "nonsense"],
)
def test_a_tampered_record_is_refused_and_deletes_nothing(tmp_path: Path, text: str) -> None:
    victim = tmp_path / "victim.npz"
    victim.write_bytes(b"x")
    dataset = tmp_path / "dataset"
    (dataset / ".curation").mkdir(parents=True)
    (dataset / ".curation" / "v.json").write_text(text)
    (tmp_path / "v.mp4").write_bytes(b"x")
    summary = curate_videos([tmp_path / "v.mp4"], dataset, overwrite=True, jobs=1)
    assert len(summary.failed) == 1
    assert victim.read_bytes() == b"x"
