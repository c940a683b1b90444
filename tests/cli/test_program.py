"""The program as a process: signals, closed streams, encodings, completion."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from facetalk.data.manifest import read_rows
from facetalk.io.video import VideoReader
from facetalk.io.video_writer import VideoWriter
from tests.pipelines.test_animate import make_speech

PROGRAM = (sys.executable, "-m", "facetalk")
ROOT = Path(__file__).resolve().parents[2]
SPEECH = ROOT / "examples/speech.wav"


def start(*arguments: object, cwd: Path, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*PROGRAM, *map(str, arguments)],
        cwd=cwd,
        env=_environment(environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def _environment(changes: dict[str, str]) -> dict[str, str]:
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]  # an empty one means the current folder
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), **changes}


@pytest.mark.slow
@pytest.mark.parametrize("delay_s", [0.3, 0.6, 1.0])
def test_ctrl_c_at_the_start_is_one_line(tmp_path: Path, delay_s: float) -> None:
    process = start("animate", SPEECH, "--json", cwd=tmp_path)
    time.sleep(delay_s)
    os.killpg(process.pid, signal.SIGINT)
    stdout, stderr = process.communicate(timeout=30)
    assert (process.returncode, stderr) == (130, "interrupted\n")
    assert json.loads(stdout)["exit_code"] == 130


@pytest.mark.slow
def test_ctrl_c_before_signals_are_handled_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "signal.py").write_text("raise KeyboardInterrupt")  # as if it came during this import
    code = "import sys; sys.modules.pop('signal', None); sys.path.insert(0, '.'); import facetalk.__main__"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=_environment({}), capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "interrupted\n")


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_during_the_work_leaves_nothing_behind(tmp_path: Path, number: int, code: int) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    out = tmp_path / "out"
    process = start(
        "animate", SPEECH, "-o", out, "--format", "mp4", "--size", "1024", "--json", cwd=tmp_path, TMPDIR=str(temporary)
    )  # fmt: skip
    _wait_for(lambda: any(out.rglob("*")) and any(temporary.rglob("video.mp4")))
    children = _children(process.pid)
    os.kill(process.pid, number)
    start_s = time.monotonic()
    stdout, stderr = process.communicate(timeout=30)
    assert time.monotonic() - start_s < 3
    assert process.returncode == code and "Traceback" not in stderr
    assert json.loads(stdout)["status"] == "interrupted"
    assert not [path for path in out.rglob("*") if path.is_file()]
    assert not list(temporary.iterdir())
    assert children, "ffmpeg was at work"
    _wait_for(lambda: not any(map(_is_alive, children)))


@pytest.mark.slow
def test_a_reader_that_ends_early_is_no_error_to_speak_of(tmp_path: Path) -> None:
    for seed, name in enumerate("ab"):
        make_speech(tmp_path / f"{name}.wav", seconds=0.3, seed=seed)
    with start("animate", "a.wav", "b.wav", "--format", "npz", cwd=tmp_path) as process:
        assert process.stdout is not None and process.stderr is not None
        assert process.stdout.readline() == "a/a.npz\n"
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 141


@pytest.mark.slow
def test_results_that_cannot_be_written_are_an_error(tmp_path: Path) -> None:
    command = " ".join(PROGRAM) + " config ls > /dev/full"
    done = subprocess.run(
        ["sh", "-c", command], cwd=tmp_path, env=_environment({}), capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (
        1,
        "error: the results cannot be written to stdout: No space left on device\n",
    )


@pytest.mark.slow
@pytest.mark.parametrize("arguments", ["--version", "--help", "fit --help"])
def test_help_that_cannot_be_written_is_an_error(tmp_path: Path, arguments: str) -> None:
    command = f"{' '.join(PROGRAM)} {arguments} > /dev/full"
    done = subprocess.run(
        ["sh", "-c", command], cwd=tmp_path, env=_environment({}), capture_output=True, text=True, check=False
    )
    said = "error: the text cannot be written to stdout: No space left on device\n"
    assert (done.returncode, done.stderr) == (1, said)


@pytest.mark.slow
def test_a_current_folder_that_was_deleted_is_an_error(tmp_path: Path) -> None:
    command = f"rmdir {tmp_path}/gone; {' '.join(PROGRAM)} animate {SPEECH} --json"
    (tmp_path / "gone").mkdir()
    done = subprocess.run(
        ["sh", "-c", command], cwd=tmp_path / "gone", env=_environment({}), capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (1, "error: the current folder no longer exists; change to another one\n")
    assert json.loads(done.stdout)["exit_code"] == 1


@pytest.mark.slow
def test_closed_streams_do_not_mix_with_files(tmp_path: Path) -> None:
    command = " ".join(PROGRAM) + " config ls <&- >&- 2>&-"
    assert subprocess.run(["sh", "-c", command], cwd=tmp_path, env=_environment({}), check=False).returncode == 0


STREAMS = """
import sys, os
from facetalk.core.streams import prepare_streams
prepare_streams()
{code}
"""


def run_code(code: str, **environment: str) -> bytes:
    command = [sys.executable, "-c", STREAMS.format(code=code)]
    return subprocess.run(command, env=_environment(environment), capture_output=True, check=True).stdout


def test_an_encoding_that_lacks_a_character_escapes_it() -> None:
    code = "print('\\u00fc \\u4e2d ok\\udce9')"
    assert run_code(code, PYTHONIOENCODING="ascii") == b"\\xfc \\u4e2d ok\xe9\n"
    assert run_code(code, PYTHONIOENCODING="latin-1") == b"\xfc \\u4e2d ok\xe9\n"
    assert run_code(code, PYTHONIOENCODING="utf-8") == "ü 中 ok".encode() + b"\xe9\n"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_paths_keep_their_bytes_and_json_is_valid(encoding: str) -> None:
    names = os.fsdecode("ü/ok".encode() + b"\xe9.npz")
    code = f"""
from facetalk.cli.output import print_json, print_path
print_path({names!r})
print_json([{names!r}])
"""
    path, _, document = run_code(code, PYTHONIOENCODING=encoding, PYTHONUTF8="1").partition(b"\n")
    assert path == os.fsencode(names)
    assert json.loads(document.decode("ascii")) == [names]


def test_a_closed_stream_becomes_the_null_device() -> None:
    code = "opened = os.open(os.devnull, os.O_RDONLY); print(opened, file=sys.stderr); sys.stdout.write(str(opened))"
    command = f"{sys.executable} -c '{STREAMS.format(code=code)}' >&- <&-"
    done = subprocess.run(["sh", "-c", command], env=_environment({}), capture_output=True, check=True, text=True)
    assert int(done.stderr) > 2


def test_completion_is_offered_and_loads_nothing_heavy() -> None:
    code = (
        "import sys; from facetalk.cli.app import run\n"
        "code = run([])\n"
        "heavy = {'torch', 'numpy', 'numba', 'scipy'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    environment = {"_FACETALK_COMPLETE": "complete_bash", "COMP_WORDS": "facetalk an", "COMP_CWORD": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=_environment(environment), capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["animate"]
    shown = subprocess.run(
        [*PROGRAM, "--help"], env=_environment({}), capture_output=True, text=True, check=True
    ).stdout
    assert "--install-completion" in shown


def _children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _wait_for(condition: object, timeout_s: float = 60) -> None:
    assert callable(condition)
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.05)


@pytest.mark.slow
@pytest.mark.usefixtures("landmark_networks")
def test_an_interrupted_dataset_keeps_and_lists_what_is_finished(tmp_path: Path) -> None:
    videos = tmp_path / "in"
    videos.mkdir()
    write_short(ROOT / "examples/ref.mp4", videos / "a.mp4", frames=5)
    for name in ("b", "c", "d"):
        shutil.copy(ROOT / "examples/ref.mp4", videos / f"{name}.mp4")
    out = tmp_path / "set"
    words = ("fit", videos, "-o", out, "--jobs", "2", "--skip-existing", "--json")
    process = start(*words, cwd=tmp_path)
    _wait_for(lambda: (out / "a.npz").exists(), 180)
    os.killpg(process.pid, signal.SIGINT)
    start_s = time.monotonic()
    stdout, stderr = process.communicate(timeout=30)
    assert time.monotonic() - start_s < 3
    assert process.returncode == 130 and "Traceback" not in stderr
    assert json.loads(stdout)["status"] == "interrupted"
    finished = sorted(path.stem for path in out.glob("[!.]*.npz"))
    assert "a" in finished and [row["name"] for row in read_rows(out / "manifest.csv")] == finished
    assert not list(out.glob(".*"))
    resumed = subprocess.run(
        [*PROGRAM, *map(str, words)], cwd=tmp_path, env=_environment({}), capture_output=True, check=True
    )
    document = json.loads(resumed.stdout)
    assert len(document["skipped"]) == len(finished) and len(document["done"]) == 4 - len(finished)
    assert [row["name"] for row in read_rows(out / "manifest.csv")] == ["a", "b", "c", "d"]


def write_short(source: Path, path: Path, frames: int) -> None:
    """Write the first frames of a video."""
    with VideoReader(source) as video, VideoWriter(path, video.size, video.fps) as writer:
        for _, image in itertools.islice(video, frames):
            writer.write(image)


STUBBORN = """
import time
from facetalk.core.interruption import before_leaving, handle_signals
handle_signals()
before_leaving(lambda: print("what was done", flush=True))
words = ["ready"]
while True:
    try:
        while words:
            print(words.pop(), flush=True)
        time.sleep(60)
    except KeyboardInterrupt:
        pass  # as some libraries do
"""


HANGING = """
import sys, time
import facetalk.cli.app

def run(arguments):
    print("ready", file=sys.stderr, flush=True)
    while True:
        try:
            time.sleep(60)
        except KeyboardInterrupt:
            pass

facetalk.cli.app.run = run
from facetalk.__main__ import main
main()
"""


@pytest.mark.slow
@pytest.mark.parametrize("arguments", ["evaluate a b --json", "train x --json", "animate a.wav --json-lines"])
def test_a_command_that_hangs_is_an_interrupted_document_too(arguments: str) -> None:
    command = [sys.executable, "-c", HANGING, *arguments.split()]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=_environment({}), stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stderr is not None and process.stderr.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        text, errors = process.communicate(timeout=30)
        assert process.returncode == 130 and errors == "interrupted\n"
        document = json.loads(text)
        assert (document["error"], document["exit_code"]) == ("interrupted", 130)


@pytest.mark.slow
def test_a_run_that_does_not_end_by_itself_is_left_behind() -> None:
    command = [sys.executable, "-c", STUBBORN]
    with subprocess.Popen(command, env=_environment({}), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        start_s = time.monotonic()
        process.terminate()
        assert process.stdout.read() == "what was done\n"
        assert process.wait() == 143 and time.monotonic() - start_s < 3
