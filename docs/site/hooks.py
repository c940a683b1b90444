"""What the site has beyond the pages in docs/; MkDocs calls the functions named `on_...`.

README becomes the first page, the cards of the weights and CONTRIBUTING, CHANGELOG and SECURITY further pages; links
between all of them are rewritten. Each command has a page, whose options come from the program itself, and the notebook
becomes a page with its code.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from posixpath import normpath, relpath
from typing import Any

import typer
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from facetalk.cli.app import app

DOCS = Path(__file__).resolve().parents[1]
ROOT = DOCS.parent
OPTIONS = re.compile(r"^<!-- options of facetalk ([a-z]+) -->$", re.MULTILINE)
"""Where the page of a command gets its options; invisible where the page is read in the repository."""
_LINK = re.compile(r"(\]\()([^)#\s:]+)(#[^)\s]*)?(\))")


@cache
def outside() -> dict[str, str]:
    """Files beside docs/ that belong to the site: path in the repository -> path in the site."""
    pages = ["CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "weights/README.md"]
    pages += [str(path.relative_to(ROOT)) for path in sorted(ROOT.glob("weights/*/CARD.md"))]
    pages += [str(path.relative_to(ROOT)) for path in sorted(ROOT.glob("examples/*.gif"))]
    return {"README.md": "index.md", "LICENSE": "LICENSE.txt", **{page: page for page in pages}}


def commands() -> dict[str, Any]:
    """The command line's commands by name."""
    return dict(sorted(typer.main.get_command(app).commands.items()))  # type: ignore[attr-defined]


def on_config(config: MkDocsConfig) -> None:
    """Complete the navigation: a page per command, the reference, and the pages that nobody placed."""
    sections = {title: pages for section in config.nav or [] for title, pages in section.items()}
    placed = {
        page if isinstance(page, str) else next(iter(page.values())) for pages in sections.values() for page in pages
    }
    sections["Commands"] += [{f"facetalk {name}": f"commands/{name}.md"} for name in commands()]
    sections["Guides"] += [path.name for path in sorted(DOCS.glob("*.md")) if path.name not in placed]
    sections["Development"].append({"API reference": "reference/facetalk.html"})


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what does not lie in docs/."""
    for source, place in outside().items():
        files.append(File.generated(config, place, abs_src_path=str(ROOT / source)))
    files.append(File.generated(config, "tutorial.md", content=notebook_page(DOCS / "tutorial.ipynb")))
    for name in commands():
        if files.get_file_from_path(f"commands/{name}.md") is None:
            text = f"# facetalk {name}\n\n<!-- options of facetalk {name} -->\n"
            files.append(File.generated(config, f"commands/{name}.md", content=text))
    for place, content in reference():
        files.append(File.generated(config, place, content=content))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Fill in options and rewrite links."""
    markdown = OPTIONS.sub(lambda found: options_text(found[1]), markdown)
    place = page.file.src_uri
    source = {site: path for path, site in outside().items()}.get(place, f"docs/{place}")
    return _LINK.sub(lambda found: found[1] + moved(found[2], source, place) + (found[3] or "") + found[4], markdown)


def moved(link: str, source: str, place: str) -> str:
    """A link of a file in the repository as a link of its page in the site.

    Args:
        link: relative to the file's folder.
        source: path of the file in the repository.
        place: path of its page in the site.

    Raises:
        PluginError: the link leads to a file that the site does not have.
    """
    target = normpath(f"{Path(source).parent.as_posix()}/{link}")
    if target == "docs/tutorial.ipynb":
        target = "docs/tutorial.md"
    if target in outside():
        found = outside()[target]
    elif target.startswith("docs/"):
        found = target.removeprefix("docs/")
    else:
        raise PluginError(f"{source} links to {target}, which is not part of the site")
    return relpath(found, Path(place).parent.as_posix() or ".")


def options_text(name: str) -> str:
    """What a command takes, from the program itself."""
    command = commands()[name]
    if not hasattr(command, "commands"):
        return f"## Options\n\n{command.help}\n\n{options_table(name, command)}"
    parts = [f"{command.help}\n"]
    for inner, member in command.commands.items():
        parts.append(f"## facetalk {name} {inner}\n\n{member.help}\n\n{options_table(f'{name} {inner}', member)}")
    return "\n".join(parts)


def options_table(name: str, command: Any) -> str:
    """Usage, and a table of arguments and options."""
    context = typer.Context(command)
    usage = " ".join(["facetalk", name, *command.collect_usage_pieces(context)])
    records = [parameter.get_help_record(context) for parameter in command.params]
    rows = [f"| `{_cell(names)}` | {_cell(text)} |" for names, text in filter(None, records)]
    return "\n".join([f"```text\n{usage}\n```\n", "| | |", "|---|---|", *rows]) + "\n"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def notebook_page(path: Path) -> str:
    """The cells of a notebook as Markdown."""
    parts = []
    for cell in json.loads(path.read_text("utf-8"))["cells"]:
        text = "".join(cell["source"])
        parts.append(text if cell["cell_type"] == "markdown" else f"```python\n{text}\n```")
    return "\n\n".join(parts) + "\n"


@cache
def reference() -> list[tuple[str, str]]:
    """The API reference: path in the site and content of each page."""
    sys.path.insert(0, str(DOCS))
    try:
        from reference import build  # pyright: ignore[reportMissingImports]
    finally:
        sys.path.remove(str(DOCS))
    with tempfile.TemporaryDirectory() as folder:
        return list(_pages(build(Path(folder)), Path(folder)))


def _pages(paths: list[Path], folder: Path) -> Iterator[tuple[str, str]]:
    for path in paths:
        yield f"reference/{path.relative_to(folder).as_posix()}", path.read_text("utf-8")
