"""One mutated file: made from a kind and a seed, read, and judged."""

from __future__ import annotations

import random
import shutil
import traceback
import warnings
from pathlib import Path
from typing import NamedTuple

from facetalk.core.errors import FacetalkError
from facetalk.core.text import one_line
from tests.fuzz.kinds import KINDS
from tests.fuzz.mutations import mutate


class Verdict(NamedTuple):
    """What became of one file."""

    result: str
    """`read`, `refused` or `broken`."""
    message: str


def write_seeds(folder: Path) -> None:
    """Write a valid file of each kind, and read it to be sure that it is one."""
    for name, kind in KINDS.items():
        place = folder / name
        place.mkdir(parents=True)
        kind.make(place / kind.name)


def mutated(seeds: Path, name: str, seed: int) -> bytes:
    """The content of the file of a kind and a seed."""
    kind = KINDS[name]
    rng = random.Random(f"{name} {seed}")
    return mutate((seeds / name / kind.name).read_bytes(), kind.form, rng)


def judge(seeds: Path, name: str, seed: int, folder: Path) -> Verdict:
    """Read a mutated file; anything but a value or an error of one line is broken, and so is a file left elsewhere.

    Args:
        seeds: folder of the valid files.
        name: of the kind.
        seed: of the mutation.
        folder: empty folder for the file and what is made of it.
    """
    kind, inside, out = KINDS[name], folder / "in" / "deep", folder / "out"
    inside.mkdir(parents=True)
    out.mkdir()
    path = inside / kind.name
    path.write_bytes(mutated(seeds, name, seed))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            kind.read(path, out)
        verdict = Verdict("read", "")
    except FacetalkError as error:
        text = str(error)
        fine = len(text) <= 1000 and one_line(text) == text
        verdict = Verdict("refused" if fine else "broken", text[:300])
    except Exception:
        verdict = Verdict("broken", traceback.format_exc()[-1500:])
    known = {path, inside / "model.safetensors", inside / "config.yaml"}
    strays = [file for file in folder.rglob("*") if file.is_file() and file not in known and out not in file.parents]
    temporary = [file for file in out.rglob(".*") if file.is_file() and not file.name.endswith(".made.json")]
    if strays or temporary:
        verdict = Verdict("broken", f"files left behind: {[*strays, *temporary][:3]}")
    shutil.rmtree(folder)
    return verdict
