"""The pages of the documentation fit together, and MkDocs builds them without a warning."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer
import yaml

from facetalk.cli.app import app
from tests.documentation.blocks import PAGES, ROOT

CONFIG = ROOT / "docs/site/mkdocs.yml"
LINK = re.compile(r"\]\(([^)#\s:]+)(?:#[^)\s]*)?\)")


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_links_lead_to_files(page: Path) -> None:
    for link in LINK.findall((ROOT / page).read_text("utf-8")):
        assert (ROOT / page.parent / link).exists(), link


def test_the_navigation_names_pages_that_exist() -> None:
    added = {"index.md": "README.md", "tutorial.md": "docs/tutorial.ipynb"}
    for section in yaml.safe_load(CONFIG.read_text("utf-8"))["nav"]:
        for entry in next(iter(section.values())):
            page = entry if isinstance(entry, str) else next(iter(entry.values()))
            assert any((ROOT / place).exists() for place in (added.get(page, page), f"docs/{page}")), page


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built pages."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-f", str(CONFIG), "-d", str(folder)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr, done.stderr
    return folder


@pytest.mark.slow
def test_every_command_has_a_page_with_its_options(site: Path) -> None:
    for name, command in typer.main.get_command(app).commands.items():  # type: ignore[attr-defined]
        text = (site / f"commands/{name}.html").read_text("utf-8")
        for part in getattr(command, "commands", {"": command}).values():
            for option in [option for option in part.params if option.param_type_name == "option"]:
                assert (*option.opts, *option.secondary_opts)[-1] in text, f"{name} {option.opts}"


@pytest.mark.slow
def test_the_site_has_the_readme_the_cards_the_tutorial_and_the_reference(site: Path) -> None:
    assert 'src="examples/preview.gif"' in (site / "index.html").read_text("utf-8")
    assert "speech-encoder" in (site / "weights/styletalk/CARD.html").read_text("utf-8")
    assert "facetalk.load_talker()" in re.sub("<[^>]+>", "", (site / "tutorial.html").read_text("utf-8"))
    assert "RegionalControl" in (site / "reference/facetalk.html").read_text("utf-8")


@pytest.mark.slow
def test_no_page_loads_anything_from_another_site(site: Path) -> None:
    for page in site.rglob("*.html"):
        loaded = re.findall(r'<(?:script|link|img|iframe)\b[^>]*(?:src|href)="(https?:[^"]+)"', page.read_text("utf-8"))
        assert not loaded, (page.name, loaded)
