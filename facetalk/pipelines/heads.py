"""Installing, removing and listing head models."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from facetalk.core.errors import FacetalkError, MissingAssetError, UsageError
from facetalk.core.progress import Progress, no_progress
from facetalk.io import flame, gnm, ict
from facetalk.io.archives import is_archive, unpack
from facetalk.io.download import download
from facetalk.io.files import file_checksum
from facetalk.io.installed import InstalledHead, installed_heads, remove_installed, write_installed
from facetalk.io.pickles import read_arrays
from facetalk.motion.heads import BUNDLED_HEADS, load_head_assets, load_published_head
from facetalk.motion.published_heads import KINDS

_LICENSES = {
    "flame": ("set by Max Planck", "FLAME's terms are those of its publisher, https://flame.is.tue.mpg.de; FLAME 2023 "
              "Open is CC-BY-4.0, FLAME 2020 and 2023 have licenses of their own that you accepted when you "
              "registered."),
    "ict": ("MIT (USC ICT)", "ICT-FaceKit is released under the MIT license by the USC Institute for Creative "
            "Technologies, https://github.com/ICT-VGL/ICT-FaceKit."),
    "gnm": ("Apache-2.0 (Google)", "GNM is released under the Apache License 2.0 by Google, "
            "https://github.com/google/GNM."),
}  # fmt: skip
_REGISTRATION_REQUIRED = ("flame.is.tue.mpg.de", "download.is.tue.mpg.de")
"""Publishers that require a registration; nothing is fetched from them."""
_PAGES = {
    "github.com/ICT-VGL/ICT-FaceKit": "https://github.com/ICT-VGL/ICT-FaceKit/archive/HEAD.zip",
    "huggingface.co/google/gnm-v3": "https://huggingface.co/google/gnm-v3/resolve/main/v3_0/gnm_head.npz",
}
"""Pages about a model, and the file to fetch for them."""
_LICENSE_FILES = ("LICENSE*", "LICENCE*", "license*", "NOTICE*", "COPYING*")
_MOST_LICENSE_CHARACTERS = 40_000


class HeadEntry(NamedTuple):
    """Summary of a head model."""

    name: str
    num_vertices: int
    num_faces: int
    num_channels: int
    num_betas: int
    license: str


def install_head(
    source: str,
    *,
    name: str | None = None,
    kind: str | None = None,
    sha256: str | None = None,
    overwrite: bool = False,
    progress: Progress = no_progress,
) -> InstalledHead:
    """Install a head model, so that its name works wherever a head is expected.

    The whole model is read and checked before anything is copied.

    Args:
        source: the model's file, folder or archive, or the URL of one. For a model that requires registration, a URL
            is answered with instructions.
        name: name of the head; None for the file's name.
        kind: `flame`, `ict` or `gnm`; None to detect it.
        sha256: expected checksum of the file; for an archive, of the archive.
        overwrite: replace an installed head of the same name.
        progress: progress callback, counting bytes.

    Raises:
        UsageError: unknown kind, or the name of a bundled head.
        MissingAssetError: nothing at `source`, or it requires a registration.
        FacetalkError: wrong checksum, unreadable model, or a head of this name exists.
    """
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        if "://" in source or source.startswith((*_PAGES, *_REGISTRATION_REQUIRED)):
            path = download(_file_address(source), folder, progress=progress)
        else:
            path = Path(source).expanduser()
        if not path.exists():
            raise MissingAssetError(f"nothing at {path}; give a head model's file or folder, or the URL of one")
        if path.is_file():
            _check_checksum(path, file_checksum(path), sha256)
        root = path if path.is_dir() else path.parent
        if path.is_file() and is_archive(path):
            root = folder / "unpacked"
            unpack(path, root)
            archive, path = path, _model_inside(path, root)
            with _naming(archive, root):
                return _install(path, root, source, name=name, kind=kind, sha256=sha256, overwrite=overwrite)
        return _install(path, root, source, name=name, kind=kind, sha256=sha256, overwrite=overwrite)


@contextmanager
def _naming(archive: Path, unpacked: Path) -> Iterator[None]:
    """Within the block, errors name the archive and the file in it instead of the unpacked one."""
    try:
        yield
    except FacetalkError as error:
        if str(unpacked) not in str(error):
            raise
        message = str(error).replace(f"{unpacked}{os.sep}", f"{archive}: ").replace(str(unpacked), str(archive))
        raise type(error)(message) from None


def _install(
    path: Path, root: Path, source: str, *, name: str | None, kind: str | None, sha256: str | None, overwrite: bool
) -> InstalledHead:
    """Read the model at a path, then copy it; license files are collected from `root` down to the model."""
    kind = kind or _find_kind(path)
    if kind not in KINDS:
        raise UsageError(f"unknown kind of head {kind!r}; known: {', '.join(KINDS)}")
    assets = load_published_head(kind, path)
    checksum = str(assets.meta["sha256"])
    if path == root:
        _check_checksum(path, checksum, sha256)
    name = name or assets.name.partition(":")[2]
    if name in BUNDLED_HEADS:
        raise UsageError(f"{name!r} is the bundled head; choose another --name")
    license, text = _LICENSES[kind]
    files = _model_files(kind, path)
    record = InstalledHead(
        name=name,
        kind=kind,
        file=files[0].name if kind != "ict" or path.is_file() else ".",
        sha256=checksum,
        license=license,
        license_text="\n\n".join([text, *_license_texts(files[0].parent, root)]),
        source=source if "://" in source else Path(source).name,
    )
    return write_installed(record, files, overwrite)


def _file_address(source: str) -> str:
    """Return the URL of the file that a publisher's page offers, or the URL itself."""
    bare = source.partition("://")[2] or source
    if bare.startswith(_REGISTRATION_REQUIRED):
        raise MissingAssetError(
            f"{source} gives FLAME to registered users only: {flame.HOW_TO_GET}, or facetalk heads install PATH"
        )
    for page, address in _PAGES.items():
        if bare.removesuffix("/").removesuffix(".git").removeprefix("www.") == page:
            return address
    return source


def _check_checksum(path: Path, found: str, wanted: str | None) -> None:
    if wanted is not None and found != wanted.strip().lower():
        raise FacetalkError(f"{path.name} has the SHA-256 {found}, not {wanted.strip().lower()}; fetch it again")


def _model_inside(archive: Path, folder: Path) -> Path:
    """Find the model in an unpacked archive: a file, or for ICT-FaceKit a folder."""
    for name in (ict.NEUTRAL, gnm.FILE_NAME, *flame.FILE_NAMES):
        found = sorted(folder.rglob(name), key=lambda path: len(path.parts))
        if found:
            return found[0].parent if name == ict.NEUTRAL else found[0]
    names = ", ".join((ict.NEUTRAL, gnm.FILE_NAME, *flame.FILE_NAMES))
    raise UsageError(f"{archive} contains no known head model (looked for {names})")


def list_heads() -> list[HeadEntry]:
    """List the available heads: bundled ones, then installed ones."""
    return [_head_entry(name) for name in (*BUNDLED_HEADS, *installed_heads())]


def _head_entry(name: str) -> HeadEntry:
    head = load_head_assets(name)
    sizes = (
        len(head.shape.template),
        len(head.shape.faces),
        len(head.shape.expression_names),
        len(head.shape.identity_names),
    )
    return HeadEntry(name, *sizes, str(head.meta.get("license", "")))


def remove_head(name: str) -> None:
    """Delete an installed head."""
    remove_installed(name)


def _find_kind(path: Path) -> str:
    """Detect the kind of head model from a file's or folder's content."""
    if path.is_dir():
        if (path / ict.NEUTRAL).is_file():
            return "ict"
        if (path / gnm.FILE_NAME).is_file():
            return "gnm"
        if any((path / name).is_file() for name in flame.FILE_NAMES):
            return "flame"
    else:
        names = read_arrays(path)
        for kind, key in (("gnm", "template_vertex_positions"), ("ict", "expression_deltas"), ("flame", "v_template")):
            if key in names:
                return kind
    raise UsageError(f"{path} is not a known head model; name its kind with --kind {'|'.join(KINDS)}")


def _model_files(kind: str, path: Path) -> list[Path]:
    """The model file, then the files that belong to it."""
    if kind == "ict" and path.is_dir():
        return [path / ict.NEUTRAL, *sorted(file for file in path.glob("*.obj") if file.name != ict.NEUTRAL)]
    if kind == "flame":
        model = flame.find_flame(path)
        beside = (*flame.LANDMARK_FILES, flame.MEDIAPIPE_FILE, flame.MASK_FILE)
    else:
        model = path / gnm.FILE_NAME if path.is_dir() else path
        beside = (gnm.LANDMARK_FILE,) if kind == "gnm" else ()
    return [model, *(model.with_name(name) for name in beside if model.with_name(name).is_file())]


def _license_texts(folder: Path, root: Path) -> list[str]:
    """Text of the license files beside the model and in the folders above it, up to `root`."""
    above = [folder, *folder.parents]
    above = above[: above.index(root) + 1] if root in above else [folder]
    found = sorted({file for place in above for pattern in _LICENSE_FILES for file in place.glob(pattern)})
    return [file.read_text("utf-8", "replace")[:_MOST_LICENSE_CHARACTERS] for file in found if file.is_file()]
