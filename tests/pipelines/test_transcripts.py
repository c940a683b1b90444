"""`animate` with a known text: from a file, said by a voice, or in a table."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner, Result

from facetalk.audio.transcript import Transcript
from facetalk.cli.app import app
from facetalk.core.errors import FacetalkError, UsageError
from facetalk.core.events import Event
from facetalk.io.motion import read_motion
from facetalk.io.voices import Speech, SpokenText
from facetalk.pipelines import animate as pipeline
from facetalk.pipelines import transcripts
from facetalk.pipelines.animate import AnimateOptions, animate, animate_all
from facetalk.pipelines.animate_table import animate_lines
from facetalk.pipelines.speech_audio import speech_of
from tests.pipelines.performers import use_toys
from tests.pipelines.test_animate import listed, make_speech


@pytest.fixture(autouse=True)
def toys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    use_toys(monkeypatch)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(transcripts, "say", toy_voice)
    monkeypatch.setattr(pipeline, "check_voice", lambda name: None)
    make_speech(Path("a.wav"))


def toy_voice(spoken: SpokenText, seed: int) -> Speech:
    noise = torch.randn(int(12_000 / spoken.speed), generator=torch.Generator().manual_seed(seed + len(spoken.text)))
    said = (Event("word", 0.1, 0.4, "pa"), Event("phoneme", 0.1, 0.2, "P"), Event("phoneme", 0.2, 0.4, "AA"))
    return Speech(0.1 * noise.clamp(-3, 3), 24_000, Transcript(events=said))


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["animate", *map(str, arguments)])


TEXTGRID = '"ooTextFile" "TextGrid" 0 1 <exists> 1 "IntervalTier" "phones" 0 1 1 0.2 0.4 "M"'


def test_the_phonemes_of_a_textgrid_are_in_the_motion_and_close_the_lips() -> None:
    Path("a.TextGrid").write_text(TEXTGRID)
    path = animate("a.wav", transcript="a.TextGrid", formats=["npz"]).paths["npz"]
    motion = read_motion(path)
    assert Event("phoneme", 0.2, 0.4, "M") in motion.events
    plain = read_motion(animate("a.wav", formats=["npz"], out="plain").paths["npz"])
    changed = (motion.expression - plain.expression).abs().amax(1)
    assert changed[7:11].max() > 0
    part = animate("a.wav", transcript="a.TextGrid", formats=["npz"], part=AnimateOptions().part.cut(0.1, 0.5), out="p")
    assert [event.label for event in read_motion(part.paths["npz"]).events if event.start == 0.1] == ["M"]


def test_another_transcript_makes_the_outputs_again() -> None:
    Path("a.txt").write_text("one")
    assert run("a.wav", "--transcript", "a.txt", "--format", "npz").exit_code == 0
    again = run("a.wav", "--transcript", "a.txt", "--format", "npz", "--skip-existing", "--json")
    assert json.loads(again.stdout)["skipped"] == ["a.wav"]
    Path("a.txt").write_text("two")
    (done,) = json.loads(run("a.wav", "--transcript", "a.txt", "--format", "npz", "--skip-existing", "--json").stdout)[
        "done"
    ]
    assert "transcript has changed" in done["redone"]


def test_words_that_do_not_fit_are_reported(caplog: pytest.LogCaptureFixture) -> None:
    Path("a.txt").write_text("five big pumpkins " * 20)  # more than 0.7 s can hold
    animate("a.wav", transcript="a.txt", formats=["npz"])
    assert "of 60 words of a.txt fit" in caplog.text


def test_a_text_becomes_audio_and_its_animation() -> None:
    result = run("--text", "Hello there!", "-o", "out", "--format", "npz,srt", "--json")
    assert result.exit_code == 0
    (done,) = json.loads(result.stdout)["done"]
    assert list(done["files"]) == ["wav", "npz", "srt"]
    folder = Path("out/hello-there")
    assert listed(folder) == ["hello-there.npz", "hello-there.srt", "hello-there.wav"]
    motion = read_motion(folder / "hello-there.npz")
    assert Event("word", 0.1, 0.4, "pa") in motion.events
    assert speech_of(motion, folder / "hello-there.npz") == folder / "hello-there.wav"
    assert run("--text", "Hello there!", "-o", "out", "--format", "npz").exit_code == 1
    kept = run("--text", "Hello there!", "-o", "out", "--format", "npz,srt", "--skip-existing", "--json")
    assert len(json.loads(kept.stdout)["skipped"]) == 1
    slower = run(
        "--text", "Hello there!", "--voice-speed", 0.8, "-o", "out", "--format", "npz,srt", "--skip-existing", "--json"
    )
    assert "voice_speed was 1.0, now 0.8" in json.loads(slower.stdout)["done"][0]["redone"]


def test_a_table_mixes_recordings_and_texts() -> None:
    Path("a.TextGrid").write_text(TEXTGRID)
    Path("lines.csv").write_text(
        "file,text,transcript,name,voice_speed\na.wav,,a.TextGrid,,\n,Hello,,,0.5\n,Hello,,twice,\n,,,x,\na.wav,Hi,,y,\n"
    )
    batch = animate_lines("lines.csv", AnimateOptions(formats=["npz"]), out="out")
    assert [result.duration_s for result in batch.done] == pytest.approx([0.7, 1.0, 0.5])
    assert [result.speech for result in batch.done][1:] == [Path("out/hello/hello.wav"), Path("out/twice/twice.wav")]
    assert [str(error).split(": ", 1)[1] for error in batch.failed.values()] == [
        "there is no file", "give a file, or a text that a voice says",
    ]  # fmt: skip
    assert len(animate_lines("lines.csv", AnimateOptions(formats=["npz"]), out="out").skipped) == 3


def test_what_does_not_go_together_is_wrong_usage() -> None:
    make_speech(Path("b.wav"))
    Path("lines.csv").write_text("file\na.wav\n")
    assert run().exit_code == 2
    assert run("a.wav", "--text", "Hi").exit_code == 2
    assert run("--text", "...").exit_code == 2
    assert run("--text", "Hi", "--transcript", "a.txt").exit_code == 2
    assert run("@lines.csv", "--text", "Hi").exit_code == 2
    assert run("@lines.csv", "--transcript", "a.txt").exit_code == 2
    with pytest.raises(UsageError, match="one transcript for 2 recordings"):
        animate_all(["a.wav", "b.wav"], AnimateOptions(transcript="a.txt"))
    with pytest.raises(FacetalkError, match=r"none\.txt: No such file"):
        animate("a.wav", transcript="none.txt", formats=["npz"])
