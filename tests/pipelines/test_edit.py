"""`edit` and `diff` on files, and the list of edits beside what `animate` writes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner, Result

from facetalk.cli.app import app
from facetalk.core.audio_part import AudioPart
from facetalk.core.errors import FacetalkError, UsageError
from facetalk.io.motion import read_motion, write_motion
from facetalk.io.video import VideoReader
from facetalk.motion.edits import trimmed
from facetalk.pipelines import export as export_pipeline
from facetalk.pipelines.animate import animate
from facetalk.pipelines.diff import diff
from facetalk.pipelines.edit import MotionEdits, edit_file, parse_span
from facetalk.pipelines.export import _warn_of_other_video
from facetalk.pipelines.render_files import render_file
from tests.conftest import make_toy_head
from tests.exporters.motions import lively_motion
from tests.pipelines.performers import use_toys
from tests.pipelines.test_animate import make_speech
from tests.pipelines.test_render import fitted, toy_motion


@pytest.fixture(autouse=True)
def motion_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.chdir(tmp_path)
    write_motion("a.npz", lively_motion(make_toy_head(), 60))
    return Path("a.npz")


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, list(map(str, arguments)))


def test_edits_act_in_their_order() -> None:
    write_motion("b.npz", lively_motion(make_toy_head(), 30, seed=4))
    result = run(
        "edit", "a.npz", "--trim", "0.5:1.5", "--retime", "2", "--mirror", "--smooth", "1", "--gain", "mouth=0.5",
        "--join", "b.npz", "--crossfade", "0.1", "-o", "c.npz", "--json",
    )  # fmt: skip
    (done,) = json.loads(result.stdout)["done"]
    assert (done["files"], done["frames"]) == ({"npz": "c.npz"}, 15 + 30 - 3)
    assert run("edit", "a.npz", "--mirror").stdout == "a-edited.npz\n"
    twice = run("edit", "a-edited.npz", "--mirror", "-o", "twice.npz")
    assert twice.exit_code == 0
    assert torch.equal(read_motion("twice.npz").expression, read_motion("a.npz").expression)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 2, "nothing to do: give --trim, --retime"),
        (["--crossfade", "1"], 2, "nothing to do"),
        (["--trim", "2-8"], 2, "cannot read the span '2-8'; write the seconds as START:END, such as 2:8"),
        (["--trim", ":"], 2, "cannot read the span ':'"),
        (["--trim", "x:8"], 2, "the start is 'x', not a finite number"),
        (["--trim", "8:9"], 2, "nothing is left from 8 s to 9 s; the motion lasts 2.00 s"),
        (["--retime", "0"], 2, "the speed is 0.0"),
        (["--smooth", "99"], 2, "the smoothing is 99.0"),
        (["--join", "none.npz"], 1, "no motion file at none.npz"),
        (["--edits", "none.yaml"], 1, "no such file: none.yaml"),
        (["--mirror", "-o", "a.glb"], 2, "edit writes .npz files, not a.glb"),
        (["--mirror", "-o", "a.npz", "--overwrite"], 1, "a.npz would be replaced by what is made from it"),
        (["--loop", "--crossfade", "5"], 2, "a crossfade of 5 s is too long"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments: list[str], code: int, message: str) -> None:
    result = run("edit", "a.npz", *arguments)
    assert result.exit_code == code
    assert message in result.stderr
    assert not Path("a-edited.npz").exists()


def test_spans_are_open_or_closed() -> None:
    assert [parse_span(text) for text in ("2:8", "2.5:", ":8")] == [(2.0, 8.0), (2.5, None), (0.0, 8.0)]


def test_other_edits_and_other_inputs_make_the_file_again() -> None:
    def again(edits: MotionEdits) -> tuple[str, str]:
        outcome = edit_file("a.npz", edits, "b.npz", skip_existing=True)
        return outcome.state, outcome.redone

    assert again(MotionEdits(mirror=True)) == ("done", "")
    assert again(MotionEdits(mirror=True)) == ("skipped", "")
    assert again(MotionEdits(mirror=True, smooth=1.0)) == ("done", "smooth was 0.0, now 1.0")
    write_motion("a.npz", lively_motion(make_toy_head(), 50))
    assert again(MotionEdits(mirror=True, smooth=1.0)) == ("done", "the file of motion has changed")
    with pytest.raises(UsageError, match="exclude each other"):
        edit_file("a.npz", MotionEdits(mirror=True), "b.npz", overwrite=True, skip_existing=True)


def test_a_diff_says_where_and_by_how_much() -> None:
    motion = read_motion("a.npz")
    expression, neck = motion.expression.clone(), motion.neck_pose.clone()
    expression[30:36, motion.expression_names.index("jawOpen")] += 0.25
    neck[10] = neck[10] * (1 + 0.1 / neck[10].norm())
    write_motion("b.npz", motion.replace(expression=expression, neck_pose=neck, transl=motion.transl + 0.001))
    jaw, neck_pose, transl = diff("a.npz", "b.npz").curves
    assert (jaw.name, jaw.unit, jaw.largest, jaw.at_s) == ("jawOpen", "weight", pytest.approx(0.25), pytest.approx(1))
    assert jaw.spans == ((pytest.approx(1.0), pytest.approx(1.2)),)
    assert jaw.rms == pytest.approx(0.25 * (6 / 60) ** 0.5)
    assert (neck_pose.name, neck_pose.unit, neck_pose.largest) == ("neck_pose", "deg", pytest.approx(5.7296, abs=1e-3))
    assert (transl.name, transl.unit, transl.largest) == ("transl", "mm", pytest.approx(3**0.5, abs=1e-3))


@pytest.mark.parametrize(("tolerance", "code"), [(None, 0), (0, 1), (0.05, 1), (0.26, 0)])
def test_the_exit_code_follows_the_tolerance(tolerance: float | None, code: int) -> None:
    motion = read_motion("a.npz")
    expression = motion.expression.clone()
    expression[30, motion.expression_names.index("jawOpen")] += 0.25
    write_motion("b.npz", motion.replace(expression=expression))
    options = [] if tolerance is None else ["--tolerance", tolerance]
    assert run("diff", "a.npz", "b.npz", *options).exit_code == code
    document = run("diff", "a.npz", "b.npz", *options, "--json")
    assert document.exit_code == code
    assert json.loads(document.stdout)["within"] == (tolerance == 0.26)
    assert run("diff", "a.npz", "a.npz", *options).exit_code == 0
    assert run("diff", "a.npz", "a.npz").stdout == "no differences\n"


def test_another_length_counts_and_another_head_cannot_be_compared() -> None:
    write_motion("b.npz", read_motion("a.npz").cut(0, 50))
    assert run("diff", "a.npz", "b.npz", "--tolerance", 1).exit_code == 1
    assert "lengths differ: 2.000 s and 1.667 s" in run("diff", "a.npz", "b.npz").stdout
    motion = read_motion("a.npz").replace(head="flame")
    with pytest.raises(FacetalkError, match=r"a motion for the head 'toy' .* cannot be compared with one for 'flame'"):
        diff("a.npz", motion)
    with pytest.raises(UsageError, match="the tolerance is 2; it must be a number between 0 and 1"):
        diff("a.npz", "a.npz", 2)


EDITS = "version: 1\nedits: [{channel: browInnerUp, span: [0.1, 0.4], value: 0.77, ease_s: 0, lock: true}]\n"


@pytest.fixture
def speech(monkeypatch: pytest.MonkeyPatch) -> Path:
    use_toys(monkeypatch)
    return make_speech(Path("take.wav"))


@pytest.mark.parametrize("fps", [None, 24])
def test_animate_applies_the_list_beside_its_outputs_after_every_run(speech: Path, fps: float | None) -> None:
    def brow(**options: object) -> torch.Tensor:
        motion = read_motion(animate(speech, formats=("npz",), fps=fps, **options).paths["npz"])  # type: ignore[arg-type]
        return motion.channel("browInnerUp")[round(0.1 * motion.fps + 0.4) : int(0.4 * motion.fps) + 1]

    assert not (brow() == torch.tensor(0.77)).any()
    Path("take/take.edits.yaml").write_text(EDITS, "utf-8")
    for seed in (1, 2):
        assert (brow(overwrite=True, seed=seed) == torch.tensor(0.77)).all()


def test_a_changed_list_makes_the_outputs_again(speech: Path) -> None:
    def rerun() -> list[str]:
        document = json.loads(run("animate", speech, "--format", "npz", "--skip-existing", "--json").stdout)
        return [entry.get("redone", "") for entry in document["done"]] + list(document["failed"].values())

    assert rerun() == [""]
    assert rerun() == []
    Path("take/take.edits.yaml").write_text(EDITS, "utf-8")
    assert rerun() == ["the file of edits has changed"]
    assert rerun() == []
    refused = run("edit", "take/take.npz", "--edits", "take/take.edits.yaml")
    assert "the motion has the edits of take/take.edits.yaml already" in refused.stderr
    Path("take/take.edits.yaml").write_text(EDITS.replace("browInnerUp", "browInerUp"), "utf-8")
    assert rerun() == ["take/take.edits.yaml: edit 1: unknown channel 'browInerUp'; did you mean browInnerUp?"]
    assert read_motion("take/take.npz").num_frames == 21


def test_an_edited_animation_is_rendered_with_its_part_of_the_speech(
    speech: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        export_pipeline, "load_head", lambda name, look=None: export_pipeline.HeadModel(make_toy_head())
    )
    animate(speech, formats=("npz",), part=AudioPart(None, 0.1, 0.6))
    edit_file("take/take.npz", MotionEdits(trim=(0.1, 0.4), retime=1.5), "part.npz")
    outcome = render_file("part.npz", "part.mp4", size=32)
    clip = outcome.details["audio"]
    assert clip.part == AudioPart(None, 0.2, 0.5, 1.5)
    with VideoReader("part.mp4") as video:
        assert video.has_audio
        assert len(list(video)) == 6


def test_a_fit_that_was_cut_warns_that_it_does_not_lie_over_its_video(
    caplog: pytest.LogCaptureFixture,
) -> None:
    motion = fitted(toy_motion())
    with caplog.at_level("WARNING"):
        _warn_of_other_video(motion, Path("a.mp4"))
        assert not caplog.records
        _warn_of_other_video(trimmed(motion, 1 / 30), Path("a.mp4"))
    assert "was cut or retimed after the fit: its frames do not lie over those of a.mp4" in caplog.text
