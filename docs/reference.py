"""Build the API reference from the docstrings; any warning is an error.

    python docs/reference.py build/reference        # needs pip install 'facetalk[docs]'

One page for the public API, the names in `facetalk.__all__`, and one for each module of the registries. The site
(docs/site) contains them, too.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import warnings
from dataclasses import is_dataclass
from importlib import import_module
from pathlib import Path
from typing import get_type_hints

import pdoc
import pdoc.extract
import pdoc.render

import facetalk

# The root alone, without the packages below it, and then the registries with all their modules.
SELECTION = [
    "facetalk",
    r"!facetalk\.",
    "facetalk.talkers",
    "facetalk.fitters",
    "facetalk.exporters",
    "facetalk.motion.gestures",
    "facetalk.recipes",
]


def build(folder: Path) -> list[Path]:
    """Write the pages and return them.

    Args:
        folder: created if it does not exist.
    """
    # The public names load on first use, which pdoc cannot know: load them now.
    for name in facetalk.__all__:
        setattr(facetalk, name, getattr(facetalk, name))
    resolve_constructors()
    pdoc.render.configure(docformat="google", show_source=False, footer_text=f"facetalk {facetalk.__version__}")
    folder, current = folder.absolute(), Path.cwd()
    with tempfile.TemporaryDirectory() as elsewhere, warnings.catch_warnings():
        warnings.simplefilter("error")
        # pdoc warns where the working folder holds a folder named like the package that it documents.
        os.chdir(elsewhere)
        try:
            pdoc.pdoc(*SELECTION, output_directory=folder)
        finally:
            os.chdir(current)
    return sorted(folder.rglob("*.html"))


def resolve_constructors() -> None:
    """Evaluate the types of constructors of named tuples and dataclasses.

    pdoc looks for the names in the module of `namedtuple`, or in that of the subclass, which may not import them.
    """
    for name in pdoc.extract.walk_specs(SELECTION):
        for value in vars(import_module(name)).values():
            if not isinstance(value, type) or not value.__module__.startswith("facetalk."):
                continue
            if issubclass(value, tuple):
                value.__new__.__annotations__.update(get_type_hints(value))
            elif is_dataclass(value):
                annotations = value.__init__.__annotations__
                annotations.update({key: hint for key, hint in get_type_hints(value).items() if key in annotations})


def main() -> None:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    for page in build(parser.parse_args().folder):
        print(page)


if __name__ == "__main__":
    main()
