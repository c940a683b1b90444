"""The list of edits beside the outputs of `animate`: `take/take.edits.yaml`, which every run applies again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facetalk.core.edit_list import EditList
from facetalk.core.errors import FacetalkError
from facetalk.core.motion import Motion
from facetalk.io.edit_list import SUFFIX, read_edit_list
from facetalk.motion.curve_edits import edited
from facetalk.pipelines.records import fingerprint


@dataclass(frozen=True)
class Sidecar:
    """A list of edits and the file that holds it."""

    path: Path
    edits: EditList

    @classmethod
    def read(cls, path: Path) -> Sidecar:
        """Read a file of edits.

        Raises:
            FacetalkError: it cannot be read.
        """
        return cls(path, read_edit_list(path))

    def on(self, motion: Motion) -> Motion:
        """Return a motion with the edits; errors name the file."""
        try:
            return edited(motion, self.edits)
        except FacetalkError as error:
            raise FacetalkError(f"{self.path}: {error}") from None


def beside(targets: Mapping[str, Path]) -> Sidecar | None:
    """The list of edits beside some outputs, which lie in a folder that has their name; None if there is none."""
    folder = next(iter(targets.values())).parent
    path = folder / f"{folder.name}{SUFFIX}"
    return Sidecar.read(path) if path.exists() else None


def edits_made_with(sidecar: Sidecar | None) -> dict[str, Any]:
    """What a record says about a list of edits."""
    return {"edits_fingerprint": None if sidecar is None else fingerprint(sidecar.path)}
