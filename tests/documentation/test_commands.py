"""The commands in README and the documentation: all are parsed, and all but a few are run on short inputs.

`ONLY_CHECKED` lists those few with the reason, which pytest shows as that of a skip.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from facetalk.cli.app import app
from facetalk.motion import heads
from facetalk.pipelines import animator
from facetalk.pipelines.styles import save_style
from facetalk.recipes.registry import load_recipe, read_training_config
from tests.documentation.blocks import PAGES, ROOT, Command, commands_in, snippets_in, spans_in
from tests.documentation.inputs import Inputs

ONLY_CHECKED = {
    r"facetalk train ": "trains for minutes; its configuration is checked, and tests/recipes train",
    r"facetalk heads install (FLAME|https)": "needs a file with a license of its own, or a network",
    r"facetalk (.*--head|heads show) (flame|ict)": "needs a licensed head; tests/pipelines use a similar one",
    r"facetalk animate examples/": "is the first thing that .ci/run does",
    r"facetalk view (?!.*-o )": "serves until Ctrl-C; tests/engines look at the page",
    r"facetalk serve": "serves until Ctrl-C; tests/pipelines talk to the server",
    r"facetalk animate --text": "needs the extra tts; tests/pipelines say a text where it is installed",
    r"facetalk doctor": "loads all weights, and is run by tests/cli",
    r"facetalk (animate|evaluate) .*(--regions|SAiD|fitted)": "needs published results, masks, or videos of people",
    r"facetalk .*--refine": "takes minutes; tests/fitters refine",
    r"^(?!facetalk )": "another program; the files and extras that it names are checked",
}
PROGRAMS = (
    "cd",
    "facetalk",
    "jupyter",
    "lint-imports",
    "mkdocs",
    "pip",
    "pre-commit",
    "pyright",
    "pytest",
    "python",
    "ruff",
    "sha256sum",
)
DOCUMENTED = [page for page in PAGES if page.parts[0] != "weights"]
"""The cards of the weights describe trainings on data that nobody else has: their commands are only parsed."""
ALL = list({command.key: command for page in DOCUMENTED for command in commands_in(page)}.values())


def reason_not_to_run(command: Command) -> str | None:
    text = " ".join(command.words)
    return next((why for pattern, why in ONLY_CHECKED.items() if not command.error and re.search(pattern, text)), None)


@pytest.fixture
def parse(monkeypatch: pytest.MonkeyPatch) -> Callable[[tuple[str, ...]], Mapping[str, Any]]:
    """A function that returns the options of a command line, which is parsed but not run."""
    parsed: dict[str, Any] = {}

    def silence(command: Any) -> None:
        for inner in getattr(command, "commands", {}).values():
            silence(inner)
        if not hasattr(command, "commands"):
            monkeypatch.setattr(command, "callback", lambda **options: parsed.update(options))

    program = typer.main.get_command(app)
    silence(program)

    def run(words: tuple[str, ...]) -> Mapping[str, Any]:
        parsed.clear()
        program.main(list(words), prog_name="facetalk", standalone_mode=False)
        return dict(parsed)

    return run


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_command_can_be_parsed(page: Path, parse: Any) -> None:
    for command in commands_in(page):
        program, *words = command.words
        assert program in PROGRAMS, f"{command}: blocks are for commands; give others a language, such as text"
        if program == "facetalk":
            options = parse(tuple(words))
            if words[0] == "train" and not command.error:
                _check_training(options["config"], options["settings"] or ())
        else:
            _check_other(command)


def _check_training(config: str, settings: tuple[str, ...]) -> None:
    options = read_training_config(config, settings)
    load_recipe(str(options.pop("method"))).read_config(options)


def _check_other(command: Command) -> None:
    """Whether files, modules and extras that another program is given exist."""
    words = command.words
    for word in words[1:]:
        if word.startswith(("docs/", "examples/", "tests/", "facetalk/")):
            assert (ROOT / word).exists(), command
    if words[:2] == ("python", "-m"):
        assert importlib.util.find_spec(words[2]), command
    extras = (ROOT / "pyproject.toml").read_text("utf-8").split("[project.optional-dependencies]")[1]
    for names in re.findall(r"\[([a-z,]+)\]", " ".join(words)) if words[0] == "pip" else ():
        assert all(re.search(rf"^{name} = \[", extras, re.MULTILINE) for name in names.split(",")), command


@pytest.mark.parametrize("page", DOCUMENTED, ids=str)
def test_commands_in_the_text_exist_with_their_options(page: Path) -> None:
    for command in spans_in(page):
        found: Any = typer.main.get_command(app)
        for word in command.words[1:]:
            if word.startswith("-") and word != "-":
                names = {name for option in found.params for name in (*option.opts, *option.secondary_opts)}
                assert word in names | {"--help", "--install-completion"}, command
            elif hasattr(found, "commands"):
                assert word in found.commands, command
                found = found.commands[word]


def test_each_command_is_shown_on_its_page() -> None:
    for name in typer.main.get_command(app).commands:  # type: ignore[attr-defined]
        page = Path(f"docs/commands/{name}.md")
        if (ROOT / page).exists():
            assert f"<!-- options of facetalk {name} -->" in (ROOT / page).read_text("utf-8"), page
            assert any(command.words[1] == name for command in commands_in(page)), page


def test_each_reason_not_to_run_is_needed() -> None:
    reasons = {reason_not_to_run(command) for command in ALL}
    assert reasons - {None} == set(ONLY_CHECKED.values())


@pytest.fixture(scope="session")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Inputs:
    return Inputs(tmp_path_factory.mktemp("inputs"))


@pytest.fixture(scope="module", autouse=True)
def loaded_once() -> Iterator[None]:
    """Every command would load the head and the talker anew."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(heads, "read_head_folder", cache(heads.read_head_folder))
        patch.setattr(animator, "load_talker", cache(animator.load_talker))
        yield


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder, and no styles or heads of the user's own."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.slow
@pytest.mark.usefixtures("landmark_networks")
@pytest.mark.parametrize("command", ALL, ids=str)
def test_every_command_runs(command: Command, inputs: Inputs, workplace: Path) -> None:
    if (reason := reason_not_to_run(command)) is not None:
        pytest.skip(f"only checked: {reason}")
    inputs.place((*command.words, command.stdin), workplace, outputs=bool(command.error))
    if any(word.startswith("anna") for word in command.words) and "anna" not in command.words[:4]:
        save_style("happy", "anna")
    stdin = (workplace / command.stdin).read_bytes() if command.stdin else None
    result = CliRunner().invoke(app, list(command.words[1:]), input=stdin)
    if command.error:
        assert result.exit_code in (1, 2, 3), result.output
        assert command.error in result.stderr
    else:
        assert result.exit_code == 0, result.output


@pytest.mark.slow
@pytest.mark.usefixtures("landmark_networks")
@pytest.mark.parametrize("page", [page for page in DOCUMENTED if snippets_in(page)], ids=str)
def test_every_python_snippet_runs(page: Path, inputs: Inputs, workplace: Path) -> None:
    import facetalk

    for code in snippets_in(page):
        if "bpy" in code:
            pytest.importorskip("bpy", reason="only checked: needs Blender")
        inputs.place(re.findall(r'"([^"]+)"', code), workplace)
        exec(compile(code, str(page), "exec"), {"facetalk": facetalk})
