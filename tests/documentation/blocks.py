"""The commands in README and the documentation: every indented block and every block of a shell language."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    path.relative_to(ROOT)
    for pattern in ("*.md", "docs/**/*.md", "weights/**/*.md")
    for path in ROOT.glob(pattern)
    if path.name != "CHANGELOG.md"  # it describes earlier versions, too
)
SHELLS = ("bash", "sh", "shell")
_COMMAND_SPAN = re.compile(r"facetalk [a-z]")


@dataclass(frozen=True)
class Command:
    """One command of a page."""

    page: Path
    words: tuple[str, ...]
    error: str = ""
    """What the page says that the command prints on stderr, for transcripts of errors."""
    stdin: str = ""
    """Name of the file that it reads from stdin."""

    @property
    def key(self) -> tuple[object, ...]:
        """What the same commands of several pages share."""
        return self.words, self.error, self.stdin

    def __str__(self) -> str:
        return f"{self.page}: {shlex.join(self.words)}"


def commands_in(page: Path) -> list[Command]:
    """The commands of a page, in order; comments and `...` are left out, `a && b` are two.

    A block marked `console` is a transcript: `$ command`, then what it prints on stderr.
    """
    found = []
    for token in _tokens(page):
        if token.type == "code_block" or (token.type == "fence" and token.info.strip() in SHELLS):
            lines = token.content.replace("\\\n", " ").splitlines()
            found += [_redirected(page, part) for line in lines for part in _parts(line)]
        elif token.type == "fence" and token.info.strip() == "console":
            first, *printed = token.content.splitlines()
            (words,) = _parts(first.removeprefix("$ "))
            found.append(Command(page, words, "\n".join(printed)))
    return found


def _redirected(page: Path, words: tuple[str, ...]) -> Command:
    """A command whose last words may be `< FILE`."""
    return Command(page, words[:-2], stdin=words[-1]) if words[-2:-1] == ("<",) else Command(page, words)


def snippets_in(page: Path) -> list[str]:
    """The Python code of a page, without the notebook's own."""
    return [token.content for token in _tokens(page) if token.type == "fence" and token.info.strip() == "python"]


def spans_in(page: Path) -> list[Command]:
    """The commands that the text of a page names: `facetalk edit take.npz`."""
    found = []
    for block in _tokens(page):
        for token in block.children or ():
            if token.type == "code_inline" and _COMMAND_SPAN.match(token.content):
                found += _parts(token.content.replace("\\|", "|").split(" | ")[0])
    return [Command(page, part) for part in found]


@cache
def _tokens(page: Path) -> list[Token]:
    return MarkdownIt().enable("table").parse((ROOT / page).read_text("utf-8"))


def _parts(line: str) -> list[tuple[str, ...]]:
    words = [word for word in shlex.split(line, comments=True) if word != "..."]
    parts: list[list[str]] = [[]]
    for word in words:
        if word == "&&":
            parts.append([])
        else:
            parts[-1].append(word)
    return [tuple(part) for part in parts if part]
