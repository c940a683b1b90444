"""`animate @lines.csv`: options a row, errors a row, and only what has changed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from facetalk.cli.app import app
from facetalk.core.audio_part import AudioPart
from facetalk.core.errors import FacetalkError, UsageError
from facetalk.io.motion import read_motion
from facetalk.pipelines import animator
from facetalk.pipelines.animate_jobs import AnimateOptions
from facetalk.pipelines.animate_table import animate_inputs, animate_lines
from facetalk.pipelines.line_table import BrokenLine, Line, read_lines
from tests.pipelines.performers import use_toys
from tests.pipelines.test_animate import make_speech


@pytest.fixture(autouse=True)
def toys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    use_toys(monkeypatch)
    monkeypatch.chdir(tmp_path)
    Path("speech").mkdir()
    for seed, name in enumerate(("a", "b")):
        make_speech(Path(f"speech/{name}.wav"), seconds=0.3, seed=seed)


def table(text: str, name: str = "speech/lines.csv") -> Path:
    Path(name).write_bytes(text.encode("utf-8", "surrogateescape"))
    return Path(name)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["animate", *map(str, arguments)])


def one(text: str, **defaults: Any) -> Line | BrokenLine:
    (line,) = read_lines(table(text), AnimateOptions(**defaults))
    return line


def test_a_row_has_its_options_and_leaves_the_others_to_the_command() -> None:
    line = one(
        "file;name;style;head-motion;format;gain;from;channel;seed;skin\n"
        'a.wav;take one;happy;0.5;"mp4,npz";mouth=1.2;0.1;left;7;deep\n',
        blinks=0.0, part=AudioPart(None, 0.0, 0.25), size=64,
    )  # fmt: skip
    assert isinstance(line, Line)
    assert (line.number, line.speech, line.name) == (2, Path("speech/a.wav"), "take one")
    options = line.options
    assert (options.style, options.head_motion, options.blinks, options.seed) == ("happy", 0.5, 0.0, 7)
    assert (options.formats, options.size, options.look.skin) == (["mp4", "npz"], 64, "deep")
    assert options.control.gains == {"mouth": 1.2}
    assert options.part == AudioPart(1, 0.1, 0.25)


def test_files_are_those_beside_the_table_and_empty_lines_do_not_count() -> None:
    Path("speech/ref.npz").touch()
    line = one("\ufefffile,style\n\n,\na.wav,ref.npz\n\n")
    assert isinstance(line, Line)
    assert (line.number, line.options.style, line.name) == (4, Path("speech/ref.npz"), "a")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("\n\n", "has no header; its first line names columns: file, name"),
        ("file\n", "lists no lines"),
        ("file,stile\na.wav,x\n", "line 1: unknown column 'stile'; did you mean style?"),
        ("file,words\na.wav,x\n", "line 1: unknown column 'words'; "),
        ("file,file\na.wav,x\n", "line 1: the column 'file' occurs twice"),
        ("name,seed\na,1\n", "line 1: there is no column 'file' or 'text'; found: name, seed"),
        ('"file,seed\na.wav,1\n', "line 1: it is not a line of a CSV table"),
        ("file\n\udcff\n", "is not a CSV table in UTF-8"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused(text: str, message: str) -> None:
    with pytest.raises(FacetalkError) as caught:
        animate_lines(table(text))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("a.wav", "1 fields for 12 columns; quote a field that holds a separator"),
        (",x,,,,,,,,,,", "there is no file"),
        ('"a.wav,x,,,,,,,,,,', "it is not a line of a CSV table"),
        ("a.wav,../x,,,,,,,,,,", "'../x' cannot name its outputs"),
        ("a.wav,..,,,,,,,,,,", "'..' cannot name its outputs"),
        ("a.wav,x\x07,,,,,,,,,,", "name holds characters that cannot be printed"),
        ("a.wav,,often,,,,,,,,,", "seed is 'often', not a finite number"),
        ("a.wav,,1.5,,,,,,,,,", "seed is '1.5', not a whole number"),
        ("a.wav,,,9,,,,,,,,", "style strength is 9.0"),
        ("a.wav,,,,nan,,,,,,,", "head_motion is 'nan', not a finite number"),
        ("a.wav,,,,,mp5,,,,,,", "unknown format 'mp5'"),
        ("a.wav,,,,,,muoth=2,,,,,", "unknown channel 'muoth'; did you mean mouth?"),
        ("a.wav,,,,,,,nose,,,,", "unknown region 'nose'"),
        ("a.wav,,,,,,,,up,,,", "unknown channel 'up'; give left, right"),
        ("a.wav,,,,,,,,,2,1,", "the audio from 2 s to 1 s is empty"),
        ("a.wav,,,,,,,,,x,,", "the start is 'x'; write seconds"),
    ],
)
def test_a_broken_row_is_named_by_its_line(row: str, message: str) -> None:
    header = "file,name,seed,style_strength,head_motion,format,gain,only,channel,from,to,fps\n"
    broken, good = read_lines(table(header + row + "\nb.wav" + "," * 11), AnimateOptions())
    assert isinstance(good, Line)
    assert isinstance(broken, BrokenLine)
    assert message in str(broken.error)
    assert str(broken.error).startswith("speech/lines.csv, line 2: ")
    assert broken.error.exit_code == 1


def test_a_name_that_no_file_can_have_is_that_of_one_line() -> None:
    first, second = read_lines(table(f"file,style\na.wav,{'x' * 5000}\nb.wav,happy\n"), AnimateOptions())
    assert isinstance(first, BrokenLine)
    assert "File name too long" in str(first.error)
    assert isinstance(second, Line)


def test_two_lines_do_not_share_their_outputs() -> None:
    first, second, third = read_lines(table("file,name\na.wav,\na.wav,\na.wav,again\n"), AnimateOptions())
    assert isinstance(first, Line)
    assert isinstance(second, BrokenLine)
    assert "its outputs would replace those of line 2; give it another name" in str(second.error)
    assert isinstance(third, Line)


def test_one_bad_line_does_not_stop_the_others() -> None:
    table("file,name,seed,talker\na.wav,one,1,\nnone.wav,two,2,\nb.wav,three,x,\nb.wav,four,4,parrot\nb.wav,five,5,\n")
    result = run("@speech/lines.csv", "--format", "npz", "-o", "out", "--json")
    assert result.exit_code == 1
    document = json.loads(result.stdout)
    assert [done["input"] for done in document["done"]] == ["speech/lines.csv:2", "speech/lines.csv:6"]
    assert [done["seed"] for done in document["done"]] == [1, 5]
    assert document["done"][0]["speech"] == "speech/a.wav"
    assert document["failed"] == {
        "speech/lines.csv:3": "speech/lines.csv, line 3: no such file: speech/none.wav",
        "speech/lines.csv:4": "speech/lines.csv, line 4: seed is 'x', not a finite number",
        "speech/lines.csv:5": "speech/lines.csv, line 5: unknown talker 'parrot'",
    }
    assert read_motion("out/five/five.npz").meta["chosen_seed"] == 5


def test_only_what_has_changed_is_made_again() -> None:
    def rerun(text: str) -> tuple[list[str], list[str], list[str]]:
        table(text)
        document = json.loads(run("@speech/lines.csv", "--format", "npz", "--json").stdout)
        done = document["done"]
        return [entry["input"][-1] for entry in done], [entry.get("redone", "") for entry in done], document["skipped"]

    lines = "file,name,seed,gain\na.wav,one,1,\nb.wav,two,2,\n"
    assert rerun(lines) == (["2", "3"], ["", ""], [])
    assert rerun(lines) == ([], [], ["speech/lines.csv:2", "speech/lines.csv:3"])
    done, redone, skipped = rerun(lines.replace("b.wav,two,2,", "b.wav,two,2,mouth=1.2") + "b.wav,three,2,\n")
    assert (done, skipped) == (["3", "4"], ["speech/lines.csv:2"])
    assert redone == ["gain was the default, now mouth=1.2", ""]
    make_speech(Path("speech/a.wav"), seconds=0.3, seed=9)
    done, redone, skipped = rerun(lines)
    assert (done, redone[0]) == (["2", "3"], "the file of speech has changed")


def test_what_lines_share_is_loaded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[str] = []
    for what in ("load_head", "load_talker", "resolve_style"):
        original = getattr(animator, what)

        def counted(*arguments: Any, what: str = what, original: Any = original, **options: Any) -> Any:
            loaded.append(what)
            return original(*arguments, **options)

        monkeypatch.setattr(animator, what, counted)
    table("file,name,style\na.wav,1,neutral\na.wav,2,\nb.wav,3,neutral\nb.wav,4,\n")
    assert len(animate_lines("speech/lines.csv", AnimateOptions(formats=("npz",))).done) == 4
    assert sorted(loaded) == ["load_head", "load_talker", "resolve_style"]


def test_a_table_is_given_alone_and_only_if_no_file_has_its_name() -> None:
    table("file\na.wav\n")
    with pytest.raises(UsageError, match=r"give the table @speech/lines.csv alone"):
        animate_inputs(["@speech/lines.csv", "speech/a.wav"])
    assert run("@none.csv").exit_code == 1
    Path("speech/b.wav").rename("@b.wav")
    assert animate_inputs(["@b.wav"], AnimateOptions(formats=("npz",))).done[0].paths["npz"] == Path("@b/@b.npz")
