"""Installed heads: one folder each in the user's data folder, with copies of the files and a record."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from facetalk.core.errors import FacetalkError, UsageError
from facetalk.core.folders import data_dir
from facetalk.core.text_values import parse_json
from facetalk.io.files import make_data_folder, replacing

_RECORD = "head.json"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True)
class InstalledHead:
    """Record of an installed head."""

    name: str
    kind: str
    file: str
    """Name of the model file, or `.` where the whole folder is the model."""
    sha256: str
    license: str
    """Name of the license, or of who sets the terms."""
    license_text: str
    source: str
    """Origin of the file."""

    @property
    def folder(self) -> Path:
        """Folder of its files."""
        return heads_dir() / self.name

    @property
    def path(self) -> Path:
        """Path for its reader."""
        return self.folder / self.file


def heads_dir() -> Path:
    """Folder of installed heads."""
    return data_dir() / "heads"


def installed_heads() -> dict[str, InstalledHead]:
    """Read the records of installed heads, by name."""
    found = {}
    for record in sorted(heads_dir().glob(f"*/{_RECORD}")):
        try:
            values = parse_json(record.read_text("utf-8"), str(record))
            # Records of version 0.1.0 spell the keys `licence` and `licence_text`.
            head = InstalledHead(**{key.replace("licence", "license"): value for key, value in values.items()})
            _check_record(head)
        except (OSError, ValueError, TypeError, AttributeError, FacetalkError) as error:
            raise FacetalkError(f"{record} cannot be read ({error}); remove its folder and install again") from None
        found[head.name] = head
    return found


def _check_record(head: InstalledHead) -> None:
    if not all(isinstance(value, str) for value in asdict(head).values()) or not _NAME.fullmatch(head.name):
        raise ValueError("its entries are not texts, or its name is none")
    if Path(head.file).name != head.file and head.file != ".":
        raise ValueError(f"its file is {head.file[:80]!r}")


def write_installed(head: InstalledHead, files: Sequence[Path], overwrite: bool = False) -> InstalledHead:
    """Copy a head's files into the user's data folder and record what they are."""
    if not _NAME.fullmatch(head.name):
        raise UsageError(f"{head.name!r} is not a valid name for a head; use letters, digits, dots, dashes")
    if head.folder.exists() and not overwrite:
        raise FacetalkError(f"a head named {head.name!r} is installed already; choose another --name or --overwrite")
    make_data_folder(head.folder.parent)
    with replacing(head.folder) as temporary:
        temporary.mkdir()
        for file in files:
            shutil.copyfile(file, temporary / file.name)
        (temporary / _RECORD).write_text(json.dumps(asdict(head), indent=2, ensure_ascii=False), "utf-8")
    return head


def remove_installed(name: str) -> None:
    """Delete an installed head's folder."""
    if name not in installed_heads():
        raise UsageError(f"no installed head is named {name!r}; there are: {', '.join(installed_heads()) or 'none'}")
    shutil.rmtree(heads_dir() / name)
