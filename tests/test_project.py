"""The files around the package: hooks that equal CI, metadata that agrees with itself, terms for every weight."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

import facetalk
from facetalk.io.weights import weights_dir

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def pyproject() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def hooks() -> Iterator[dict[str, Any]]:
    for repo in yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text("utf-8"))["repos"]:
        yield from repo["hooks"]


def test_the_hooks_are_the_checks_of_ci() -> None:
    script = (ROOT / ".ci/run").read_text("utf-8")
    section = script[script.index('step "the checks"') : script.index('wait "$installation"')]
    checks = re.findall(r"^(?:ruff|pyright|lint-imports|python|pytest)\b.*", section, re.MULTILINE)
    checks = [check.replace('"$fast"', '"not slow and not data"') for check in checks]
    assert checks == [hook["entry"] for hook in hooks()]


def test_every_supported_python_version_has_its_classifier(pyproject: dict[str, Any]) -> None:
    project = pyproject["project"]
    classified = [name.rsplit(".", 1)[1] for name in project["classifiers"] if ":: Python :: 3." in name]
    lowest, end = re.findall(r"3\.(\d+)", project["requires-python"])
    assert classified == [str(minor) for minor in range(int(lowest), int(end))]


def test_every_dependency_has_its_reason() -> None:
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    lines = text[text.index("\ndependencies = [") : text.index("[project.scripts]")].splitlines()
    reason_above = False
    for line in lines:
        requirement, _, reason = line.partition("#")
        if not requirement.strip():
            reason_above = True
        elif not reason and re.match(r' +"|[a-z]+ = \["', line):
            assert reason_above, f"no reason beside {line.strip()}"
        else:
            reason_above = False


def test_nothing_but_what_is_imported_is_installed(pyproject: dict[str, Any]) -> None:
    modules = {"imageio-ffmpeg": "imageio_ffmpeg", "pillow": "PIL", "pyyaml": "yaml"}
    sources = "\n".join(path.read_text("utf-8") for path in (ROOT / "facetalk").rglob("*.py"))
    for requirement in pyproject["project"]["dependencies"]:
        name = re.split(r"[<>=;]", requirement)[0]
        assert re.search(rf"^ *(import|from) {modules.get(name, name)}\b", sources, re.MULTILINE), name


def test_the_citation_and_the_changelog_name_this_version() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert citation["version"] == facetalk.__version__
    assert f"\n## [{facetalk.__version__}]" in (ROOT / "CHANGELOG.md").read_text("utf-8")


def test_every_folder_of_weights_has_its_terms() -> None:
    terms = (weights_dir() / "README.md").read_text("utf-8").split("\n## Terms\n")[1]
    folders = [path.parent.name for path in weights_dir().glob("*/model.safetensors")]
    assert folders
    for name in folders:
        (row,) = [line for line in terms.splitlines() if line.startswith("|") and f"`{name}`" in line.split("|")[1]]
        assert row.split("|")[3].strip() in ("MIT, like the code", "research, non-commercial"), name
