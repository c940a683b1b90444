"""Head models for users: what there is, how one looks, and how one's own file is put in place."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw

from facetalk.core.errors import FacetalkError, MissingAssetError, UsageError
from facetalk.core.progress import Progress, no_progress
from facetalk.head.channels import ARKIT_NAMES
from facetalk.head.model import HeadModel
from facetalk.io import flame, gnm, ict
from facetalk.io.archives import is_archive, unpack
from facetalk.io.download import download
from facetalk.io.files import replacing
from facetalk.io.flame import file_checksum
from facetalk.io.heads import BUNDLED_HEADS, KINDS, read_foreign_head
from facetalk.io.installed import InstalledHead, installed_heads, remove_installed, write_installed
from facetalk.io.pickles import read_arrays
from facetalk.motion.appearance import head_surface
from facetalk.motion.frames import make_renderer
from facetalk.motion.retarget import arkit_view
from facetalk.rendering.camera import front_camera

CELL = 176
"""Side of one picture on a contact sheet, pixels."""
_COLUMNS = 10
_CAPTION = 16
_OWN_CHANNELS = 40
_IDENTITIES = 40
_JAW_WITH = {"mouthClose": 0.7, "tongueOut": 0.5}
"""Channels that mean nothing while the jaw is shut, and how far it is open on their pictures."""
_STRENGTH = 2.0
"""Identity and statistical channels are shown at two standard deviations."""

_LICENCES = {
    "flame": ("set by Max Planck", "FLAME's terms are those of its publisher, https://flame.is.tue.mpg.de; FLAME 2023 "
              "Open is CC-BY-4.0, FLAME 2020 and 2023 have licences of their own that you accepted when you "
              "registered."),
    "ict": ("MIT (USC ICT)", "ICT-FaceKit is released under the MIT licence by the USC Institute for Creative "
            "Technologies, https://github.com/ICT-VGL/ICT-FaceKit."),
    "gnm": ("Apache-2.0 (Google)", "GNM is released under the Apache Licence 2.0 by Google, "
            "https://github.com/google/GNM."),
}  # fmt: skip
_BY_HAND = ("flame.is.tue.mpg.de", "download.is.tue.mpg.de")
"""Publishers that want to know who takes their files: from there nothing is fetched."""
_PAGES = {
    "github.com/ICT-VGL/ICT-FaceKit": "https://github.com/ICT-VGL/ICT-FaceKit/archive/HEAD.zip",
    "huggingface.co/google/gnm-v3": "https://huggingface.co/google/gnm-v3/resolve/main/v3_0/gnm_head.npz",
}
"""Pages about a model, and the file that they mean."""
_LICENCE_FILES = ("LICENSE*", "LICENCE*", "license*", "NOTICE*", "COPYING*")
_MOST_LICENCE_CHARACTERS = 40_000


def install_head(
    source: str,
    *,
    name: str | None = None,
    kind: str | None = None,
    sha256: str | None = None,
    overwrite: bool = False,
    progress: Progress = no_progress,
) -> InstalledHead:
    """Put a head model in place, so that its name works wherever a head is asked for.

    The model is read whole before anything is copied.

    Args:
        source: the model's file, folder or archive, or the address of one. For a model that needs a registration, the
            address gets instructions instead.
        name: by which it is called; the file's name, if not given.
        kind: `flame`, `ict` or `gnm`; found out, if not given.
        sha256: checksum that the file must have, of an archive the archive itself.
        overwrite: replace an installed head of the same name.
        progress: told the number of bytes fetched.
    """
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        if "://" in source or source.startswith((*_PAGES, *_BY_HAND)):
            path = download(_file_address(source), folder, progress=progress)
        else:
            path = Path(source).expanduser()
        if not path.exists():
            raise MissingAssetError(f"nothing at {path}; give a head model's file or folder, or the address of one")
        if path.is_file():
            _check_sum(path, file_checksum(path), sha256)
        root = path if path.is_dir() else path.parent
        if path.is_file() and is_archive(path):
            root = folder / "unpacked"
            unpack(path, root)
            path = _model_inside(path, root)
        return _install(path, root, source, name=name, kind=kind, sha256=sha256, overwrite=overwrite)


def _install(
    path: Path, root: Path, source: str, *, name: str | None, kind: str | None, sha256: str | None, overwrite: bool
) -> InstalledHead:
    """Read the model at a path, then copy it; licences are looked for from `root` down to the model."""
    kind = kind or _find_kind(path)
    if kind not in KINDS:
        raise UsageError(f"unknown kind of head {kind!r}; known: {', '.join(KINDS)}")
    assets = read_foreign_head(kind, path)
    checksum = str(assets.meta["sha256"])
    if path == root:
        _check_sum(path, checksum, sha256)
    name = name or assets.name.partition(":")[2]
    if name in BUNDLED_HEADS:
        raise UsageError(f"{name!r} is the bundled head; choose another --name")
    licence, text = _LICENCES[kind]
    files = _model_files(kind, path)
    record = InstalledHead(
        name=name,
        kind=kind,
        file=files[0].name if kind != "ict" or path.is_file() else ".",
        sha256=checksum,
        licence=licence,
        licence_text="\n\n".join([text, *_licence_texts(files[0].parent, root)]),
        source=source if "://" in source else Path(source).name,
    )
    return write_installed(record, files, overwrite)


def _file_address(source: str) -> str:
    """The address of the file that a publisher's page offers, or the address as it is."""
    bare = source.partition("://")[2] or source
    if bare.startswith(_BY_HAND):
        raise MissingAssetError(
            f"{source} gives FLAME to registered users only: {flame.HOW_TO_GET}, or facetalk heads install PATH"
        )
    for page, address in _PAGES.items():
        if bare.removesuffix("/").removesuffix(".git").removeprefix("www.") == page:
            return address
    return source


def _check_sum(path: Path, found: str, wanted: str | None) -> None:
    if wanted is not None and found != wanted.strip().lower():
        raise FacetalkError(f"{path.name} has the SHA-256 {found}, not {wanted.strip().lower()}; fetch it again")


def _model_inside(archive: Path, folder: Path) -> Path:
    """The model in an unpacked archive: a file, or for ICT-FaceKit a folder."""
    for name in (ict.NEUTRAL, gnm.FILE_NAME, *flame.FILE_NAMES):
        found = sorted(folder.rglob(name), key=lambda path: len(path.parts))
        if found:
            return found[0].parent if name == ict.NEUTRAL else found[0]
    names = ", ".join((ict.NEUTRAL, gnm.FILE_NAME, *flame.FILE_NAMES))
    raise UsageError(f"{archive} holds no head model that facetalk knows (looked for {names})")


def remove_head(name: str) -> None:
    """Delete an installed head."""
    remove_installed(name)


def list_installed() -> list[InstalledHead]:
    """What the user installed, in order of names."""
    return list(installed_heads().values())


def show_head(
    head: HeadModel,
    out_path: Path | str,
    *,
    overwrite: bool = False,
    progress: Progress = no_progress,
    cell: int = CELL,
) -> Path:
    """Write a contact sheet: the head at rest from three sides, every ARKit channel, its own channels, identities.

    Args:
        head: any head.
        out_path: PNG file.
        overwrite: replace an existing file.
        progress: told the number of pictures done.
        cell: side of one picture, pixels.
    """
    out_path = Path(out_path)
    if out_path.exists() and not overwrite:
        raise FacetalkError(f"{out_path} exists already; give another name or --overwrite")
    if out_path.suffix.lower() != ".png":
        raise UsageError(f"a contact sheet is a PNG picture; {out_path} does not end in .png")
    regions, template = head.points.regions, head.template
    face = np.setdiff1d(regions["skin"].numpy(), regions["neck"].numpy())
    camera = front_camera(template[torch.from_numpy(face)], (cell, cell), fill=0.95, center_v=0.52)
    renderer = make_renderer("cpu", head_surface(head.assets), camera)
    pictures = []
    poses = list(_sheet_poses(head))
    for title, vertices in poses:
        pictures.append((title, renderer.render(vertices.numpy())))
        progress(f"drawing {head.name}", len(pictures), len(poses))
    with replacing(out_path) as temporary:
        _sheet(pictures, cell).save(temporary)
    return out_path


def _sheet_poses(head: HeadModel) -> Iterator[tuple[str, torch.Tensor]]:
    """Title and vertices of each picture."""
    middle = head.points.landmarks.on(head.template).mean(0)
    for title, degrees in (("neutral", 0.0), ("three-quarter", 40.0), ("profile", 85.0)):
        yield title, _posed(head, yaw=np.radians(degrees), about=middle)
    view = head if head.shape.is_arkit else arkit_view(head)
    for name in ARKIT_NAMES:
        jaw = _JAW_WITH.get(name, 0.0)
        yield f"{name}, jawOpen {jaw:g}" if jaw else name, _posed(view, {"jawOpen": jaw} | {name: 1.0})
    if view is not head:
        for name in head.shape.expression_names[:_OWN_CHANNELS]:
            yield f"{name} +{_STRENGTH:g}", _posed(head, {name: _STRENGTH})
    for index, name in enumerate(head.shape.identity_names[:_IDENTITIES]):
        yield f"{name} +{_STRENGTH:g}", _posed(head, identity=index)


def _posed(
    head: HeadModel,
    channels: Mapping[str, float] | None = None,
    *,
    yaw: float = 0.0,
    about: torch.Tensor | None = None,
    identity: int | None = None,
) -> torch.Tensor:
    names = head.shape.expression_names
    expression, betas = torch.zeros(1, len(names)), torch.zeros(head.num_betas)
    for name, value in (channels or {}).items():
        expression[0, names.index(name)] = value
    if identity is not None:
        betas[identity] = _STRENGTH
    with torch.inference_mode():
        vertices = head(expression, torch.zeros(1, 5, 3), torch.zeros(1, 3), betas)[0]
    if about is None:
        return vertices
    cos, sin = float(np.cos(yaw)), float(np.sin(yaw))
    turn = torch.tensor([[cos, 0.0, sin], [0.0, 1.0, 0.0], [-sin, 0.0, cos]])
    return (vertices - about) @ turn.T + about


def _sheet(pictures: Sequence[tuple[str, np.ndarray]], cell: int) -> Image.Image:
    rows = -(-len(pictures) // _COLUMNS)
    sheet = Image.new("RGB", (_COLUMNS * cell, rows * (cell + _CAPTION)), (24, 26, 30))
    draw = ImageDraw.Draw(sheet)
    for number, (title, picture) in enumerate(pictures):
        left, top = number % _COLUMNS * cell, number // _COLUMNS * (cell + _CAPTION)
        sheet.paste(Image.fromarray(picture), (left, top))
        draw.text((left + 4, top + cell + 2), title, fill=(220, 222, 226))
    return sheet


def _find_kind(path: Path) -> str:
    """What a file or folder holds, by what is in it."""
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
    raise UsageError(f"{path} is no head model that facetalk knows; say which with --kind {'|'.join(KINDS)}")


def _model_files(kind: str, path: Path) -> list[Path]:
    """The model file first, then the files that belong to it."""
    if kind == "ict" and path.is_dir():
        return [path / ict.NEUTRAL, *sorted(file for file in path.glob("*.obj") if file.name != ict.NEUTRAL)]
    if kind == "flame":
        model = flame.model_file(path)
        beside = (*flame.LANDMARK_FILES, flame.MEDIAPIPE_FILE, flame.MASK_FILE)
    else:
        model = path / gnm.FILE_NAME if path.is_dir() else path
        beside = (gnm.LANDMARK_FILE,) if kind == "gnm" else ()
    return [model, *(model.with_name(name) for name in beside if model.with_name(name).is_file())]


def _licence_texts(folder: Path, root: Path) -> list[str]:
    """Licence files beside the model, and those above it up to `root`."""
    above = [folder, *folder.parents]
    above = above[: above.index(root) + 1] if root in above else [folder]
    found = sorted({file for place in above for pattern in _LICENCE_FILES for file in place.glob(pattern)})
    return [file.read_text("utf-8", "replace")[:_MOST_LICENCE_CHARACTERS] for file in found if file.is_file()]
