"""`facetalk animate -`: audio from stdin."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import soundfile
from typer.testing import CliRunner, Result

from facetalk.cli.app import app
from facetalk.io.motion import read_motion
from facetalk.pipelines import animator
from tests.pipelines.performers import use_toys
from tests.pipelines.test_live import as_bytes, speech
from tests.talkers.toys import listening_talker

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def toys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    use_toys(monkeypatch)
    monkeypatch.setattr(animator, "load_talker", lambda name: listening_talker())
    monkeypatch.chdir(tmp_path)


def run(data: bytes, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["animate", "-", *arguments], input=data)


def wav(seconds: float) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, speech(seconds).numpy(), 16_000, format="WAV")
    return file.getvalue()


@pytest.mark.usefixtures("toys")
def test_frames_are_lines_on_stdout() -> None:
    result = run(wav(0.5), "--gestures", "idle")
    assert (result.exit_code, result.stderr) == (0, "")
    assert [json.loads(line)["event"] for line in result.stdout.splitlines()] == ["start", *["frame"] * 15, "end"]
    raw = run(as_bytes(speech(0.5)) + b"\0", "--gestures", "idle", "--raw", "16000", "--look-ahead", "all")
    assert "its last 1 bytes are not used" in raw.stderr
    assert len(raw.stdout.splitlines()) == 17
    rows = run(wav(0.5), "--gestures", "idle", "--format", "csv").stdout.splitlines()
    assert len(rows) == 16 and rows[0].startswith("Timecode,BlendShapeCount,EyeBlinkLeft")


@pytest.mark.usefixtures("toys")
@pytest.mark.parametrize("raw", [(), ("--raw", "16000:s16le")])
def test_with_a_folder_the_input_is_animated_as_a_file(raw: tuple[str, ...], tmp_path: Path) -> None:
    data = as_bytes(speech(0.5)) if raw else wav(0.5)
    result = run(data, "-o", "out", "--format", "npz", *raw)
    assert (result.exit_code, result.stdout) == (0, "out/stdin/stdin.npz\n")
    assert read_motion(tmp_path / "out/stdin/stdin.npz").num_frames == 15


@pytest.mark.usefixtures("toys")
@pytest.mark.parametrize(
    ("data", "arguments", "code", "reason"),
    [
        (b"", (), 1, "the input is empty"),
        (b"", ("-o", "out"), 1, "the input is empty"),
        (bytes(100), (), 1, "no WAV file; give --raw"),
        (b"", ("--format", "mp4"), 2, "jsonl or csv while they come, not as 'mp4'"),
        (b"", ("--raw", "loud"), 2, "cannot read the raw format"),
        (b"", ("--look-ahead", "soon"), 2, "--look-ahead is 'soon'"),
        (b"", ("--look-ahead", "-1"), 2, "the look-ahead is -1.0"),
        (b"", ("--look-ahead", "1", "-o", "out"), 2, "for frames on stdout"),
        (b"", ("--json",), 2, "--json, --json-lines, --overwrite"),
        (b"", ("--jobs", "3"), 2, "--jobs and --engine are for many inputs"),
        (b"", ("other.wav",), 2, "give - for stdin alone"),
        (b"", ("--fps", "60"), 2, "no --fps; give -o"),
    ],
)
def test_what_makes_no_sense_is_one_line(data: bytes, arguments: tuple[str, ...], code: int, reason: str) -> None:
    result = run(data, *arguments)
    assert result.exit_code == code
    assert reason in result.stderr and len(result.stderr.splitlines()) == 1


def test_options_of_stdin_need_stdin(tmp_path: Path) -> None:
    for arguments in (("a.wav", "--raw", "16000"), ("a.wav", "--look-ahead", "1")):
        assert CliRunner().invoke(app, ["animate", *arguments]).exit_code == 2


@pytest.mark.slow
@pytest.mark.parametrize(("ending", "code"), [("ctrl-c", 130), ("closed", 141)])
def test_a_stream_without_end_ends_when_it_should(ending: str, code: int) -> None:
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    process = subprocess.Popen(
        [sys.executable, "-m", "facetalk", "animate", "-", "--raw", "16000"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdin is not None and process.stdout is not None and process.stderr is not None
    process.stdin.write(as_bytes(speech(1.0)))
    process.stdin.flush()
    events = [json.loads(process.stdout.readline())["event"] for _ in range(10)]
    assert events == ["start", *["frame"] * 9], "while the input goes on"
    if ending == "ctrl-c":
        process.send_signal(signal.SIGINT)
    else:
        process.stdout.close()
        process.stdin.write(as_bytes(speech(1.0)))
        process.stdin.flush()
    start_s = time.monotonic()
    assert process.wait(timeout=60) == code
    assert time.monotonic() - start_s < 20
    assert b"Traceback" not in process.stderr.read()
    for pipe in (process.stdin, process.stdout, process.stderr):
        pipe.close()
