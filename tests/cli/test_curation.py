"""`facetalk fit --curate` and `--report` on real files: the example reference, the bundled head and detectors."""

import csv
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from facetalk.cli.app import app
from tests.cli.test_commands import short_video as short_video  # a fixture

REFERENCE = Path(__file__).resolve().parents[2] / "examples/ref.mp4"


def run(*arguments: object, code: int = 0) -> Result:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == code, result.output
    return result


@pytest.mark.slow
def test_curate_writes_a_dataset_a_table_and_a_report(short_video: Path, tmp_path: Path) -> None:
    out_dir = tmp_path / "set"
    rules = ("--set", "length.min_s=0.3", "--set", "speaker.check=false")
    result = run("fit", short_video, "--curate", "-o", out_dir, *rules, "--report")
    assert result.stdout.strip() == str(out_dir / "short_001.npz")
    assert "curated" in result.stderr and "1" in result.stderr
    page = (out_dir / "report.html").read_text(encoding="utf-8")
    assert "short_001" in page and page.count("data:image/jpeg") == 10
    again = ("fit", short_video, "--curate", "-o", out_dir, *rules, "--json")
    document = json.loads(run(*again, "--skip-existing").stdout)
    assert document["skipped"] == [str(short_video)] and document["clips"][0]["name"] == "short_001"
    refused = json.loads(run(*again, code=1).stdout)
    assert "use --skip-existing" in refused["failed"][str(short_video)]


def test_a_face_without_a_voice_is_left_out_with_the_reason(short_video: Path, tmp_path: Path) -> None:
    run("fit", short_video, "--curate", "-o", tmp_path / "set", "--set", "length.min_s=0.3")
    with (tmp_path / "set/rejected.csv").open(encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert row["reason"] == "no audio" and (row["start_s"], row["end_s"]) == ("0.0", "0.5")


@pytest.mark.slow
def test_one_fit_has_a_report_beside_it(short_video: Path, tmp_path: Path) -> None:
    run("fit", short_video, "-o", tmp_path / "one.npz", "--report")
    page = (tmp_path / "one_report.html").read_text(encoding="utf-8")
    assert "Fit of one" in page and "jawOpen" in page


@pytest.mark.parametrize(
    "options, message",
    [
        (("--set", "length.min_s=1"), "give --curate too"),
        (("--curate", "--set", "face.max_yaw=1"), "did you mean max_yaw_deg"),
        (("--curate", "--set", "laughter.mode=loud"), "label, only, none"),
        (("--curate", "--preview"), "use --report"),
        (("--curate", "-o", "one.npz"), "give a folder"),
    ],
)
def test_wrong_options_are_explained(options: tuple[str, ...], message: str) -> None:
    output = " ".join(run("fit", REFERENCE, *options, code=2).output.split())
    assert message in output


def test_every_rule_and_its_default_is_in_the_help() -> None:
    text = "".join(run("fit", "--help").stdout.split())
    for rule in ("face.max_yaw_deg=30.0", "speaker.min_corr=0.3", "length.min_s=3.5", "laughter.mode=label"):
        assert rule in text
