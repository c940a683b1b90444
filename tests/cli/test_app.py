"""The program as a shell sees it: help is quick, results on stdout, errors in one line, exit codes."""

from __future__ import annotations

import csv
import json
import resource
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from pkgutil import resolve_name

import numpy as np
import pytest
from typer.testing import CliRunner, Result

import facetalk
from facetalk.cli.app import app
from facetalk.cli.app import run as main_run
from facetalk.core.errors import FacetalkError, MissingAssetError, UsageError

COMMANDS = ("fit", "train", "animate", "edit", "diff", "render", "evaluate", "heads", "weights", "doctor", "config")


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_answers_before_anything_heavy_is_imported(command: str) -> None:
    code = (
        "import sys; from facetalk.cli.app import app\n"
        "try:\n    app(sys.argv[1:])\n"
        "except SystemExit as end:\n    assert end.code == 0, end.code\n"
        "heavy = {'torch', 'numpy', 'numba', 'mediapipe', 'transformers', 'scipy', 'rich', 'PIL'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    arguments = [sys.executable, "-c", code, *command.split(), "--help"]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Usage:" in done.stdout


@pytest.mark.slow
def test_help_takes_a_moment() -> None:
    """Of processor time, so that other programs on the machine do not count."""
    arguments = [sys.executable, "-m", "facetalk", "animate", "--help"]
    seconds = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(arguments, capture_output=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(seconds) < 0.8  # half of it on most processors


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_and_option_is_explained(command: str) -> None:
    result = run(command, "--help")
    assert result.exit_code == 0
    assert result.stdout.count("\n") > 5


def test_help_offers_only_directions_that_a_talker_follows() -> None:
    from facetalk.talkers.base import Direction
    from facetalk.talkers.registry import TALKERS

    followed = {field for path in TALKERS.values() for field in resolve_name(path).supported}
    shown = run("animate", "--help").stdout
    for field in fields(Direction):
        option = {"control": "gain"}.get(field.name, field.name)
        offered = any(text in shown for text in (f"--{option} ", f"--style-{option} "))
        assert offered == (field.name in followed), field.name


def test_the_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    result = run("--version")
    assert (result.exit_code, result.stdout) == (0, f"facetalk {facetalk.__version__}\n")


@pytest.mark.parametrize(
    ("error", "code"),
    [(FacetalkError("a"), 1), (UsageError("b"), 2), (MissingAssetError("c"), 3), (KeyboardInterrupt(), 130)],
)
def test_errors_are_one_line_and_an_exit_code(monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int) -> None:
    from facetalk.pipelines import heads

    def fail() -> None:
        raise error

    monkeypatch.setattr(heads, "list_heads", fail)
    result = run("heads")
    assert result.exit_code == code
    assert result.stdout == ""
    assert result.stderr == (f"error: {error}\n" if code != 130 else "interrupted\n")


def test_unknown_commands_and_options_are_wrong_usage() -> None:
    assert run("sing").exit_code == 2
    assert run("animate", "a.wav", "--volume", "11").exit_code == 2
    assert run("animate").exit_code == 2
    assert run("animate", "a.wav", "--size", "3").exit_code == 2


@pytest.mark.parametrize(
    ("words", "code"),
    [("animate a.wav --size 3", 2), ("animate --style x", 2), ("sing", 2), ("--version", 0), ("", 2), ("train -h", 0)],
)
def test_arguments_that_make_no_sense_are_a_document_too(
    words: str, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main_run(words.split()) == code
    plain = capsys.readouterr()
    if code == 0 or words in ("", "sing"):
        assert plain.out or plain.err
        return
    assert plain.out == "" and plain.err
    assert main_run([*words.split(), "--json"]) == code
    document = json.loads(capsys.readouterr().out)
    assert document["exit_code"] == code and document["error"]


def test_main_is_the_entry_point() -> None:
    done = subprocess.run([sys.executable, "-m", "facetalk", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"facetalk {facetalk.__version__}\n"


def test_configurations_are_listed_and_shown() -> None:
    names = json.loads(run("config", "ls", "--json").stdout)
    assert "styletalk" in names
    assert run("config", "ls").stdout.split() == names
    shown = json.loads(run("config", "show", "styletalk", "--json").stdout)
    assert shown["method"] == "styletalk"
    unknown = run("config", "show", "nonsense")
    assert unknown.exit_code == 2 and "styletalk" in unknown.stderr


@pytest.mark.parametrize("arguments", ["train nonsense --json", "train --nonsense --json", "train x --set a=1"])
def test_of_many_processes_one_says_what_is_wrong_with_the_command(
    arguments: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for place, says in (("0", True), ("1", False)):
        monkeypatch.setenv("WORLD_SIZE", "2")
        monkeypatch.setenv("LOCAL_RANK", place)
        assert main_run(arguments.split()) == 2
        printed = capsys.readouterr()
        assert bool(printed.err) is says and (bool(printed.out) is says or "--json" not in arguments)
    assert main_run(["animate", "--nonsense"]) == 2
    assert capsys.readouterr().err, "other commands are none of many"


def test_training_refuses_what_it_does_not_know() -> None:
    assert run("train", "nonsense").exit_code == 2
    assert run("train", "styletalk", "--set", "nonsense=3").exit_code == 2


def test_evaluate_prints_figures_with_units(tmp_path: Path) -> None:
    from facetalk.motion.heads import load_head

    rest = load_head("facetalk").template.numpy()
    moved = rest + np.array([0.0, 0.003, 0.0], np.float32)
    np.save(tmp_path / "rest.npy", np.stack([rest] * 4))
    np.save(tmp_path / "moved.npy", np.stack([moved] * 4))
    named = ("--metric", "lve", "--metric", "lve-sq", "--json")
    result = run("evaluate", tmp_path / "moved.npy", tmp_path / "rest.npy", *named)
    assert result.exit_code == 0, result.stderr
    figures = json.loads(result.stdout)["pairs"]["moved"]
    assert figures == pytest.approx({"lve_mm": 3.0, "lve_mm2": 9.0}, rel=1e-3)
    printed = run("evaluate", tmp_path / "moved.npy", tmp_path / "rest.npy").stdout
    table = [line.split() for line in printed.splitlines()]
    assert table[:4] == [["figure", "moved"], ["lve_mm", "3.0000"], ["lve_mm2", "9.0000"], ["mve_mm", "3.0000"]]


def test_evaluate_writes_tables_and_reports_and_judges_by_limits(tmp_path: Path) -> None:
    meshes = np.random.default_rng(0).normal(size=(8, 5, 3)).astype(np.float32)
    for name, shift in (("a", 0.001), ("b", 0.003)):
        for folder, moved in (("ours", shift), ("true", 0.0), ("<other>", 2 * shift)):
            (tmp_path / folder).mkdir(exist_ok=True)
            np.save(tmp_path / folder / f"{name}.npy", meshes + np.float32(moved) * np.array([0, 1, 0], np.float32))
    np.save(tmp_path / "ours/c.npy", meshes[:3])
    arguments = ["evaluate", tmp_path / "ours", tmp_path / "true", "--against", tmp_path / "<other>", "--metric", "mve"]
    outputs = ["--csv", tmp_path / "t.csv", "--html", tmp_path / "r.html"]
    result = run(*arguments, *outputs, "--baseline", "still")
    assert result.exit_code == 1 and "no clip of that name" in result.stderr  # c
    rows = [line.split() for line in result.stdout.splitlines()]
    assert rows[0] == ["figure", "ours", "<other>", "still"] and rows[1][:2] == ["mve_mm", "2.0000"]
    assert rows[1][2:4] == ["[1.0000,", "3.0000]"]
    table = list(csv.DictReader((tmp_path / "t.csv").read_text().splitlines()))
    assert [(row["system"], row["clip"]) for row in table][:3] == [("ours", "a"), ("ours", "b"), ("<other>", "a")]
    assert float(table[2]["mve_mm"]) == pytest.approx(2, rel=1e-4)
    page = (tmp_path / "r.html").read_text()
    assert "&lt;other&gt;" in page and "<other>" not in page and page.count("<polyline") == 6
    assert run(*arguments, *outputs).exit_code == 1 and "exists already" in run(*arguments, *outputs).stderr
    (tmp_path / "ours/c.npy").unlink()
    assert run(*arguments, *outputs, "--overwrite", "--tolerance", "mve_mm=2.1").exit_code == 0
    beyond = run(*arguments, "--tolerance", "mve_mm=1.9", "--json")
    document = json.loads(beyond.stdout)
    assert beyond.exit_code == 1 and document["beyond"] == {"mve_mm": "2 is beyond 1.9"}
    assert list(document["systems"]) == ["ours", "<other>"] and document["left_out"] == {}
    complaints = {
        "mve_mm": "write FIGURE=NUMBER",
        "lve_mm=1": "'lve_mm' of the metric lve, which is not computed: add --metric lve",
        "mve=1": "'mve', which is no figure; there are: mve_mm",
    }
    for option, complaint in complaints.items():
        wrong = run("evaluate", "missing", "gone", "--metric", "mve", "--tolerance", option)
        assert wrong.exit_code == 2 and complaint in wrong.stderr, "before anything is opened"
    assert run(*arguments, "--html", tmp_path / "r.txt").exit_code == 2


def test_heads_and_weights_are_listed() -> None:
    (head,) = json.loads(run("heads", "--json").stdout)
    assert head["name"] == "facetalk" and head["num_channels"] == 52
    assert "facetalk" in run("heads").stdout
    names = [entry["name"] for entry in json.loads(run("weights", "--json").stdout)]
    assert "facetalk-head" in names


@pytest.mark.slow
def test_the_doctor_finds_what_was_installed() -> None:
    findings = {entry["name"]: entry for entry in json.loads(run("doctor", "--json").stdout)}
    for name in ("python", "torch", "ffmpeg", "mediapipe", "heads"):
        assert findings[name]["state"] == "ok", findings[name]
