"""The batch contract: every input gets an outcome, in every format of the results."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from facetalk.cli.app import app
from facetalk.io import motion
from facetalk.io.motion import read_motion, write_motion
from facetalk.pipelines import animate_work, animator
from tests.conftest import make_toy_head
from tests.exporters.motions import lively_motion
from tests.pipelines.performers import use_toys
from tests.pipelines.test_animate import make_speech


@pytest.fixture(autouse=True)
def toys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    use_toys(monkeypatch)
    monkeypatch.chdir(tmp_path)
    for seed, name in enumerate(("a", "b")):
        make_speech(Path(f"{name}.wav"), seconds=0.3, seed=seed)


def animate(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["animate", *map(str, arguments)])


def lines(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_one_input_and_several_are_laid_out_alike() -> None:
    assert animate("a.wav", "--format", "npz", "-o", "one").stdout == "one/a/a.npz\n"
    assert animate("a.wav", "b.wav", "--format", "npz", "-o", "two").stdout == "two/a/a.npz\ntwo/b/b.npz\n"
    assert animate("a.wav", "--format", "npz").stdout == "a/a.npz\n"


def test_json_lines_come_as_inputs_finish_and_end_with_a_summary(monkeypatch: pytest.MonkeyPatch) -> None:
    printed: list[str] = []
    monkeypatch.setattr("facetalk.cli.report.print_text", printed.append)
    original = animate_work.export_formats

    def export_formats(*arguments: Any, **options: Any) -> None:
        printed.append("working")
        original(*arguments, **options)

    monkeypatch.setattr(animate_work, "export_formats", export_formats)
    animate("a.wav", "none.wav", "b.wav", "--format", "npz", "--json-lines")
    events = [line if line == "working" else json.loads(line)["event"] for line in printed]
    assert events == ["failed", "working", "done", "working", "done", "summary"]


def test_json_lines_name_inputs_files_and_counts() -> None:
    first, second, summary = lines(animate("a.wav", "none.wav", "--format", "npz", "--json-lines"))
    assert first == {"event": "failed", "input": "none.wav", "error": "no such file: none.wav", "exit_code": 1}
    assert second["event"] == "done" and second["files"] == {"npz": "a/a.npz"}
    assert (summary["event"], summary["status"], summary["exit_code"]) == ("summary", "failed", 1)
    assert (summary["done"], summary["skipped"], summary["failed"]) == (1, 0, 1)


def test_json_is_a_document_also_for_one_failing_input_and_for_wrong_usage() -> None:
    document = json.loads(animate("none.wav", "--json").stdout)
    assert document["failed"] == {"none.wav": "no such file: none.wav"} and document["exit_code"] == 1
    result = animate("a.wav", "--talker", "parrot", "--json")
    document = json.loads(result.stdout)
    assert result.exit_code == document["exit_code"] == 2
    assert "unknown talker 'parrot'" in document["error"]
    result = CliRunner().invoke(app, ["heads", "show", "potato", "--json"])
    assert json.loads(result.stdout)["exit_code"] == result.exit_code == 2


def test_a_document_and_lines_exclude_each_other() -> None:
    result = animate("a.wav", "--json", "--json-lines")
    assert result.exit_code == 2 and "exclude each other" in result.stderr


def test_an_interrupted_batch_still_reports(monkeypatch: pytest.MonkeyPatch) -> None:
    original, calls = animate_work.export_formats, []

    def export_formats(*arguments: Any, **options: Any) -> None:
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        original(*arguments, **options)

    monkeypatch.setattr(animate_work, "export_formats", export_formats)
    result = animate("a.wav", "b.wav", "--format", "npz", "--json")
    assert result.exit_code == 130
    document = json.loads(result.stdout)
    assert document["status"] == "interrupted" and document["exit_code"] == 130
    assert [entry["input"] for entry in document["done"]] == ["a.wav"]
    monkeypatch.setattr(animate_work, "export_formats", original)
    resumed = json.loads(animate("a.wav", "b.wav", "--format", "npz", "--json", "--skip-existing").stdout)
    assert resumed["skipped"] == ["a.wav"] and [entry["input"] for entry in resumed["done"]] == ["b.wav"]


def test_one_folder_that_cannot_be_made_does_not_stop_the_others() -> None:
    Path("out").mkdir()
    Path("out/a").touch()  # in the way of a folder
    document = json.loads(animate("a.wav", "b.wav", "--format", "npz", "-o", "out", "--json").stdout)
    assert [entry["input"] for entry in document["done"]] == ["b.wav"]
    assert "out/a" in document["failed"]["a.wav"]


def test_a_folder_that_disappears_is_an_error_and_is_not_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    original = animate_work.export_formats

    def export_formats(*arguments: Any, **options: Any) -> None:
        original(*arguments, **options)
        Path("out").rename("moved")

    monkeypatch.setattr(animate_work, "export_formats", export_formats)
    document = json.loads(animate("a.wav", "b.wav", "--format", "npz", "-o", "out", "--json").stdout)
    assert document["failed"]["b.wav"] == "the output folder out does not exist any more"
    assert not Path("out").exists() and Path("moved/a/a.npz").exists()


def test_skip_existing_makes_again_what_other_options_made() -> None:
    def run(*options: object) -> tuple[list[str], dict[str, Any]]:
        document = json.loads(
            animate("a.wav", "--format", "npz,csv,mp4", "--size", 32, "--skip-existing", "--json", *options).stdout
        )
        return document["skipped"], document["done"][0] if document["done"] else {}

    assert set(run()[1]["files"]) == {"npz", "csv", "mp4"}
    assert run()[0] == ["a.wav"]
    redone = run("--seed", 5)[1]
    assert set(redone["files"]) == {"npz", "csv", "mp4"} and redone["redone"] == "chosen_seed was the default, now 5"
    assert read_motion("a/a.npz").meta["seed"] == 5
    redone = run("--seed", 5, "--size", 64)[1]
    assert set(redone["files"]) == {"mp4"} and redone["redone"] == "size was 32, now 64"
    make_speech(Path("a.wav"), seconds=0.4, seed=9)
    assert "the file of speech has changed" in run("--seed", 5, "--size", 64)[1]["redone"]
    write_motion("style.npz", lively_motion(make_toy_head(), num_frames=40))
    assert "style was neutral, now style.npz" in run("--seed", 5, "--size", 64, "--style", "style.npz")[1]["redone"]
    write_motion("style.npz", lively_motion(make_toy_head(), num_frames=50))
    assert "the file of style has changed" in run("--seed", 5, "--size", 64, "--style", "style.npz")[1]["redone"]


def test_a_file_of_unknown_origin_is_kept() -> None:
    Path("a").mkdir()
    Path("a/a.csv").write_text("mine")
    document = json.loads(animate("a.wav", "--format", "csv", "--skip-existing", "--json").stdout)
    assert document["skipped"] == ["a.wav"] and Path("a/a.csv").read_text() == "mine"


@pytest.mark.parametrize(
    "command", ["animate a.wav", "fit a.mp4", "fit a.mp4 --curate", "render a.npz", "export a.npz"]
)
def test_skipping_and_overwriting_exclude_each_other_everywhere(command: str) -> None:
    result = CliRunner().invoke(app, [*command.split(), "--skip-existing", "--overwrite", "--json"])
    assert result.exit_code == 2, result.output
    assert "exclude each other" in json.loads(result.stdout)["error"]


def test_wrong_usage_comes_before_existing_outputs() -> None:
    animate("a.wav", "--format", "npz")
    assert animate("a.wav", "--format", "npz", "--talker", "parrot").exit_code == 2
    assert animate("a.wav", "--format", "npz", "--style-strength", "9").exit_code == 2
    assert animate("a.wav", "--format", "npz").exit_code == 1


def test_a_folder_is_searched_for_speech_but_not_for_results() -> None:
    Path("in/sub").mkdir(parents=True)
    make_speech(Path("in/a.wav"), seconds=0.3)
    make_speech(Path("in/sub/a.wav"), seconds=0.3)
    Path("in/notes.txt").touch()
    run = ("in", "--format", "npz,mp4", "--size", 32, "-o", "in/out", "--json")
    document = json.loads(animate(*run).stdout)
    assert [entry["input"] for entry in document["done"]] == ["in/a.wav", "in/sub/a.wav"]
    assert sorted(path.name for path in Path("in/out").iterdir()) == ["in__a", "sub__a"]
    again = json.loads(animate(*run, "--skip-existing").stdout)
    assert again["skipped"] == ["in/a.wav", "in/sub/a.wav"] and not again["done"], "the videos in out are results"


def test_quiet_and_verbose_concern_messages_only() -> None:
    quiet = animate("a.wav", "none.wav", "--format", "npz", "-q", "-o", "q")
    assert quiet.stdout == "q/a/a.npz\n" and "none.wav" in quiet.stderr, "failures are told"
    again = animate("a.wav", "--format", "npz", "-q", "-o", "q", "--skip-existing")
    assert (again.exit_code, again.stdout, again.stderr) == (0, "", "")
    assert "exists already" in animate("a.wav", "--format", "npz", "-o", "q", "--skip-existing").stderr
    assert "talker 0." in animate("a.wav", "--format", "npz", "-v", "-o", "v").stderr
    assert animate("a.wav", "-q", "-v").exit_code == 2


def test_export_and_render_report_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    head = make_toy_head()
    write_motion("m.npz", lively_motion(head, num_frames=4))
    for module in ("facetalk.pipelines.export", "facetalk.motion.frames"):
        monkeypatch.setattr(f"{module}.load_head", lambda *_: animator.load_head("facetalk"))

    def run(*words: str) -> dict[str, Any]:
        return json.loads(CliRunner().invoke(app, [*words, "--json"]).stdout)

    for words in (("export", "m.npz", "-o", "m.csv"), ("render", "m.npz", "-o", "m.mp4", "--size", "32")):
        first = run(*words)
        assert (first["command"], first["status"]) == (words[0], "done"), first
        assert first["done"][0]["input"] == "m.npz" and list(first["done"][0]["files"].values()) == [words[3]]
        assert run(*words)["failed"] == {"m.npz": f"{words[3]} exists already; --overwrite replaces it, "
                                         "--skip-existing keeps it"}  # fmt: skip
        assert run(*words, "--skip-existing")["skipped"] == ["m.npz"]
        again = run(*words, "--skip-existing", "--fps", "24")
        assert "fps was the default, now 24" in again["done"][0]["redone"]


def test_names_of_files_cannot_steer_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    names = "\x1b[31mred\n.wav", "[bold]b.wav"
    for name in names:
        Path(name).write_text("no audio")
    result = animate(*names, "--format", "npz")
    assert "\x1b" not in result.stderr and r"\x1b[31mred\n.wav" in result.stderr
    assert "[bold]b.wav" in result.stderr


@pytest.mark.parametrize("name", [os.fsdecode(b"ok\xe9"), "a" * 240, "ü 中", "[red]"])
def test_names_that_other_programs_find_hard(name: str) -> None:
    make_speech(Path("a.wav"), seconds=0.3).rename(f"{name}.wav")
    document = json.loads(animate(f"{name}.wav", "--format", "npz,csv", "-o", "out", "--json").stdout)
    assert document["done"][0]["files"]["csv"] == f"out/{name}/{name}.csv"
    motion = read_motion(f"out/{name}/{name}.npz")
    assert motion.source.encode("utf-8") == motion.meta["speech"].encode("utf-8")
    again = animate(f"{name}.wav", "--format", "npz,csv", "-o", "out", "--json", "--skip-existing")
    assert json.loads(again.stdout)["skipped"] == [f"{name}.wav"]
    animate(f"{name}.wav", "-v", "--format", "npz").stderr.encode("utf-8")


def test_a_full_disk_is_an_error_of_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    def write_npz(path: Path, arrays: object) -> None:
        path.write_bytes(b"PK")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(motion, "write_npz", write_npz)
    result = animate("a.wav", "--format", "npz", "-o", "out")
    assert (result.exit_code, result.stderr) == (1, "error: out/a/a.npz: No space left on device\n")
    assert not list(Path("out/a").iterdir())
