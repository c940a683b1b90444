"""Contact sheets of heads: every channel and identity direction in one image."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw

from facetalk.core.errors import UsageError
from facetalk.core.progress import Progress, no_progress
from facetalk.head.channels import ARKIT_NAMES
from facetalk.head.model import HeadModel
from facetalk.io.files import free_path, make_folder, replacing
from facetalk.motion.arkit_view import arkit_view
from facetalk.motion.frames import make_renderer
from facetalk.motion.head_surface import head_surface
from facetalk.rendering.camera import front_camera

CELL = 176
"""Default side of one image on a contact sheet, pixels."""
_COLUMNS = 10
_CAPTION = 16
_OWN_CHANNELS = 40
_IDENTITIES = 40
_JAW_WITH = {"mouthClose": 0.7, "tongueOut": 0.5}
"""Channels that have no visible effect while the jaw is closed, and the `jawOpen` with which they are shown."""
_STRENGTH = 2.0
"""Coefficient of the statistical channels and identities shown, standard deviations."""


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
        progress: progress callback, counting images.
        cell: side of one image, pixels.
    """
    out_path = free_path(out_path, overwrite)
    if out_path.suffix.lower() != ".png":
        raise UsageError(f"a contact sheet is a PNG image; {out_path} does not end in .png")
    regions, template = head.points.regions, head.template
    face = np.setdiff1d(regions["skin"].numpy(), regions["neck"].numpy())
    camera = front_camera(template[torch.from_numpy(face)], (cell, cell), fill=0.95, center_v=0.52)
    renderer = make_renderer("cpu", head_surface(head.assets), camera)
    make_folder(out_path.parent)
    images = []
    poses = list(_sheet_poses(head))
    for title, vertices in poses:
        images.append((title, renderer.render(vertices.numpy())))
        progress(f"drawing {head.name}", len(images), len(poses))
    with replacing(out_path) as temporary:
        _sheet(images, cell).save(temporary)
    return out_path


def _sheet_poses(head: HeadModel) -> Iterator[tuple[str, torch.Tensor]]:
    """Title and vertices of each image."""
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
    """Vertices of a head with some channels or one identity coefficient, turned by `yaw` radians around a point."""
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


def _sheet(images: Sequence[tuple[str, np.ndarray]], cell: int) -> Image.Image:
    """Images with their titles in rows."""
    rows = -(-len(images) // _COLUMNS)
    sheet = Image.new("RGB", (_COLUMNS * cell, rows * (cell + _CAPTION)), (24, 26, 30))
    draw = ImageDraw.Draw(sheet)
    for number, (title, image) in enumerate(images):
        left, top = number % _COLUMNS * cell, number // _COLUMNS * (cell + _CAPTION)
        sheet.paste(Image.fromarray(image), (left, top))
        draw.text((left + 4, top + cell + 2), title, fill=(220, 222, 226))
    return sheet
